"""The study ``expert``: how often the privileged scripted expert leaves each task solved; the upper bound of every other policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, success_of
from workbench.evaluation.telling import NOTHING
from workbench.simulation.tasks import TASKS

POLICY: Final = "expert"
SETTING: Final = "until=done"
"""Solved means left solved: the expert comes away, and says that it is done."""


def plan(options: StudyOptions) -> Campaign:
    """Return the cells; the expert reads the truth and is told nothing."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    return Campaign("expert", tuple(Cell(policy, entry.name, NOTHING, seeds, setting=SETTING) for entry in TASKS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success on each task."""
    return [success_of(r.cell.task, [r], 1.0) for r in results]


STUDY: Final = Study(
    "expert",
    "The scripted expert",
    "Can every task be solved on every seed, in its time, and left solved?",
    "A program that reads the simulator's truth: an upper bound, never a result.",
    plan,
    conclude,
)
