"""The study ``rovi``: every task from sketches, through the code that serves the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.disturbance import SECOND_STEP
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, success_of
from workbench.simulation.tasks import TASKS

POLICY: Final = "sketch"
TELLINGS: Final[Mapping[str, tuple[str, float]]] = {
    "words+sketch": ("geometric drawings", 0.95),
    "words+sketch:hand": ("hand-like drawings", 0.85),
}
"""Ways of drawing: what each is called, and the least share of solved episodes over all tasks."""
TWO_STEP_TASKS: Final = ("sort_two",)
DISTURBED_TARGET: Final = 0.90


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    cells = [Cell(policy, entry.name, telling, seeds) for telling in TELLINGS for entry in TASKS]
    cells += [Cell(policy, task, next(iter(TELLINGS)), seeds, perturbation=SECOND_STEP) for task in TWO_STEP_TASKS]
    return Campaign("rovi", tuple(cells))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success over all tasks by each way of drawing, and where things were moved on the way."""
    still = [r for r in results if not r.cell.perturbation]
    found = [success_of(name, [r for r in still if r.cell.prompt == how], target) for how, (name, target) in TELLINGS.items()]
    moved = [r for r in results if r.cell.perturbation]
    return [*found, success_of("the things of step 2 moved during step 1", moved, DISTURBED_TARGET)]


STUDY: Final = Study(
    "rovi",
    "Every task from a drawing",
    "How often is a task done as it is drawn, geometrically, by hand, and when things are moved on the way?",
    "Robotic Visual Instruction (arXiv:2505.00693) reports 87.5 % (real) and 76.6 % (simulated) for VIEW on its own tasks. Here a program "
    "draws as a person would; the drawing is parsed, recognised and interpreted as in the page, beside the task's own words.",
    plan,
    conclude,
)
