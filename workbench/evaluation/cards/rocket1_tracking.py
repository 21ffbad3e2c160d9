"""The card ``rocket1-tracking``: pointing every 3 and every 30 frames, with tracking in between and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, success_of

TASKS: Final = ("pick", "place_on_plate", "press_button")
TELLINGS: Final = {
    "mask:every3": "prompt every 3 frames, no tracking",
    "mask:every30": "prompt every 30 frames, no tracking",
    "mask:tracked3": "prompt every 3 frames, tracked",
    "mask:tracked30": "prompt every 30 frames, tracked",
}
SETTING: Final = "horizon=3"
"""The policy is asked every three frames, so that a prompt every three frames is one at every call."""


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    return Campaign("rocket1-tracking", tuple(Cell(policy, task, told, seeds, setting=SETTING) for task in TASKS for told in TELLINGS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success for each rhythm, and what tracking changes on the same scenes."""
    told = {name: [r for r in results if r.cell.prompt == name] for name in TELLINGS}
    found = [success_of(f"success, {title}", told[name]) for name, title in TELLINGS.items()]
    found.append(compared("tracked less untracked, prompt every 30 frames, same scenes", told["mask:every30"], told["mask:tracked30"]))
    found.append(compared("tracked less untracked, prompt every 3 frames, same scenes", told["mask:every3"], told["mask:tracked3"]))
    return found


STUDY: Final = Study(
    "rocket1-tracking",
    "Sparse pointing, and tracking in between",
    "A person points only now and then: does tracking the mask in between keep a mask-told policy going?",
    "ROCKET-1 (arXiv:2410.17856) in Minecraft: 0.84 and 0.82 with a prompt every 3 frames, 0.00 and 0.03 every 30 without tracking, 0.82 to "
    "0.91 every 30 with SAM-2. Ours: three tasks on a table, no words; the thing is pointed at by a click and a box from truth, and masked "
    "and tracked by the segmenter that the workbench prefers (a trained one where its weights are, else region growing with association).",
    plan,
    conclude,
)
