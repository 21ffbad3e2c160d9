"""The card ``sap``: instructions of two and three steps, told as they stand or taken apart, with and without verifier and recovery."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.settings import BARE_PLAN, WHOLE
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of

TASK: Final = "place_in_bowl"
TABLES: Final = {"two steps": "several-two", "three steps": "several-three"}
TROUBLE: Final = "events=0.3"
"""Things are shoved and moved, and the gripper slips: 0.3 % each in every control step. Without trouble there is nothing to recover from."""
WAYS: Final = {
    WHOLE: "told as it stands",
    BARE_PLAN: "taken apart, the policy says when",
    "verify": "and verified",
    "verify+recover": "and recovered",
}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: each way on tables of two and three steps, with sudden events."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    tables = [f"{table},{TROUBLE}" for table in TABLES.values()]
    return Campaign(
        "sap",
        tuple(Cell(policy, TASK, "words", seeds, perturbation=table, setting=f"goals={way}") for table in tables for way in WAYS),
    )


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success of each way, and what each part adds."""
    found: list[Finding | None] = []
    for title, table in TABLES.items():
        cells = {
            way: [r for r in results if (r.cell.perturbation, r.cell.setting) == (f"{table},{TROUBLE}", f"goals={way}")] for way in WAYS
        }
        for way, about in WAYS.items():
            found.append(success_of(f"{title}: {about}", cells[way]))
            found.append(mean_of(f"{title}: {about}, share of steps done", cells[way], "steps_done", unit="%"))
        for (before, after), what in zip(pairwise(WAYS), ("taking apart", "the verifier", "the recovery"), strict=True):
            found.append(compared(f"{title}: what {what} adds, same scenes", cells[before], cells[after]))
    return [f for f in found if f is not None]


STUDY: Final = Study(
    "sap",
    "One step after the other, looked at and tried again",
    "Does taking an instruction apart help, and what do a verifier and a recovery add?",
    "Agentic Robot (arXiv:2505.23450): 61.8 % on LIBERO-Long; 53.7 % without sub-goals, 35.3 % without its tuned verifier, 59.7 % without recovery. "
    "Here a grammar takes the place of the planner and the measures of our tasks, which read the simulator's truth, that of the verifier: an upper "
    "bound of what a learned one could do. Up to two attempts at each sub-goal, of 10 to 20 s; the whole instruction has the time of one.",
    plan,
    conclude,
)
