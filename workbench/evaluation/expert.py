"""The campaign ``expert``: how often the privileged scripted expert solves each task; the upper bound of every other policy."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from workbench.core.types import EpisodeConfig, Prompt
from workbench.evaluation.campaign import FIRST_SEED, Cell, CellResult, Progress, TrialResult, draw_seeds, report, run_cells
from workbench.simulation.expert import ScriptedExpert
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
    """Run the trials of one cell on one simulator; physics only, no pictures."""
    simulator = BenchSimulator()
    try:
        return CellResult(cell, tuple(run_trial(simulator, cell.task, seed) for seed in cell.seeds))
    finally:
        simulator.close()


def run_trial(simulator: BenchSimulator, task: str, seed: int, *, control_hz: float = 20.0) -> TrialResult:
    """Let the expert play one episode within the task's time; solved means that it is left solved: the expert says that it is done."""
    simulator.reset(EpisodeConfig(task, seed, control_hz=control_hz))
    expert, rng = ScriptedExpert(simulator), np.random.default_rng(seed)
    expert.reset(rng)
    limit = round(simulator.task.time_limit_s * control_hz)
    for step in range(limit):
        chunk = expert.act(simulator.observe(()), Prompt(), rng)
        if chunk.scores["done"]:
            return TrialResult(seed, True, step)
        simulator.step(chunk.actions[0])
    return TrialResult(seed, False, limit)
