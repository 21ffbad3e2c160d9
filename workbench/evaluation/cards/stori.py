"""The card ``stori``: success where chance is at work while the episode runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, success_of
from workbench.simulation.axes import AXES, NOISE

TASKS: Final = ("pick", "place_on_plate")
STRENGTHS: Final = (0.25, 0.5, 1.0)
_NOISES: Final = tuple(axis for axis in AXES.values() if axis.group == NOISE)


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: without chance, and every kind of it in three strengths."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    changes = ["", *(f"{axis.name}={strength}" for axis in _NOISES for strength in STRENGTHS)]
    return Campaign("stori", tuple(Cell(policy, task, "words", seeds, perturbation=change) for change in changes for task in TASKS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success by kind and strength, and the loss at full strength on the same seeds."""
    base = [r for r in results if not r.cell.perturbation]
    found = [success_of("without chance", base)]
    for axis in _NOISES:
        for strength in STRENGTHS:
            cells = [r for r in results if r.cell.perturbation == f"{axis.name}={strength}"]
            found.append(success_of(f"{axis.title.lower()} at {strength:g}", cells))
        found.append(compared(f"{axis.title.lower()} at full strength less none, same seeds", base, cells))
    return found


STUDY: Final = Study(
    "stori",
    "When chance is at work",
    "How much of its success does a policy keep when actions, observations, things and dynamics are uncertain?",
    "STORI (arXiv:2509.01793) sorts stochasticity into types and shows that world models suffer under it, on Atari games. Here its types are "
    "carried over to an arm, with delays, sticky actions and changed dynamics beside; every draw repeats itself exactly by its seed.",
    plan,
    conclude,
)
