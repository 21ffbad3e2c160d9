"""The campaign ``expert``: how often the privileged scripted expert solves each task; the upper bound of every other policy."""

from __future__ import annotations

from typing import Any, Final

from workbench.evaluation.campaign import FIRST_SEED, Cell, CellResult, Progress, TrialResult, draw_seeds, report, run_cells
from workbench.simulation.expert_rates import run_trial
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

PROMPT: Final = "none"
"""The expert reads the truth and is told nothing."""


def run(*, episodes: int = 20, seed: int = FIRST_SEED, workers: int = 1, progress: Progress) -> dict[str, Any]:
    """Run the campaign and return its report."""
    seeds = draw_seeds(episodes, seed)
    cells = [Cell("expert", entry.name, PROMPT, seeds) for entry in TASKS]
    return report("expert", run_cells(cells, run_cell, workers=workers, progress=progress))


def run_cell(cell: Cell) -> CellResult:
    """Run the trials of one cell on one simulator."""
    simulator = BenchSimulator()
    try:
        trials = [run_trial(simulator, cell.task, seed) for seed in cell.seeds]
    finally:
        simulator.close()
    return CellResult(cell, tuple(TrialResult(t.seed, t.is_success, t.num_steps) for t in trials))
