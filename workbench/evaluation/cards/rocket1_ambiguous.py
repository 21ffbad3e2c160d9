"""The card ``rocket1-ambiguous``: two things that words cannot tell apart, told by words and by a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import AMBIGUOUS, POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, success_of

CHANCE: Final = 0.5
TARGET: Final = 0.9
TRACKED: Final = "mask:tracked30"


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: words, true masks, and masks that are pointed at every 30 frames and tracked."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    return Campaign("rocket1-ambiguous", tuple(Cell(policy, task, how, seeds) for task in AMBIGUOUS for how in ("words", "mask", TRACKED)))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success of each way on each scene, and what the mask changes."""
    found = []
    for task in AMBIGUOUS:
        words, mask, tracked = ([r for r in results if (r.cell.task, r.cell.prompt) == (task, how)] for how in ("words", "mask", TRACKED))
        found += [
            success_of(f"{task}, words", words, CHANCE, "around"),
            success_of(f"{task}, mask from truth (oracle)", mask, TARGET),
            success_of(f"{task}, mask pointed at every 30 frames and tracked", tracked, TARGET),
            compared(f"{task}, true mask less words, same scenes", words, mask),
        ]
    return found


STUDY: Final = Study(
    "rocket1-ambiguous",
    "Which of two equal things",
    "Two equal cubes, or two equal plates: words are at chance; does a mask tell which one?",
    "The claim of ROCKET-1 (arXiv:2410.17856) that words do not carry space where masks do; here with the bench VLA, which takes both.",
    plan,
    conclude,
)
