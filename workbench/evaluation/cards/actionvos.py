"""The card ``actionvos``: which things take part in an action, by its words, by contact and by the gripper's box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, mean_of

DRIVER: Final = "expert"
TASKS: Final = ("place_on_plate", "pick", "press_button", "open_drawer", "stack")
SETTING: Final = "watch=actions"
KINDS: Final = {"action": "with the action's words", "plain": "contact and box alone", "all": "no filter: every thing"}
FIGURES: Final = ("p-mIoU", "n-mIoU", "gIoU", "Acc")


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: the scripted expert does the tasks."""
    seeds = draw_seeds(options.episodes, options.seed)
    policy = options.policy or DRIVER
    return Campaign("actionvos", tuple(Cell(policy, task, "words", seeds, setting=SETTING) for task in TASKS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return the paper's figures for each kind of filter."""
    found = [mean_of(f"{name}, {title}", results, f"{kind}_{name}", unit="") for kind, title in KINDS.items() for name in FIGURES]
    return [f for f in found if f is not None]


STUDY: Final = Study(
    "actionvos",
    "Which things take part",
    "Given an action in words, which things on the table are in it? And what is left of that without the words?",
    "ActionVOS (arXiv:2407.07402): p-mIoU 65.4, n-mIoU 19.0, gIoU 70.9, Acc 82.4 with action prompts; 67.7, 54.2, 43.8, 59.1 without. Ours: "
    "masks are the simulator's, so p-mIoU and n-mIoU tell the choice alone; a thing is active when it plays a role in the task. "
    "n-mIoU should be low. The expert acts; most scenes hold things that play no role.",
    plan,
    conclude,
)
