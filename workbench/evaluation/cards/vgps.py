"""The card ``vgps``: success by how many candidates a value function chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of
from workbench.evaluation.weighing import SPREAD

TASKS: Final = ("push_to_zone", "place_on_plate")
COUNTS: Final = (4, 10, 50)
BETAS: Final = {"0": "the best", "0.1": "drawn by softmax"}
ALONE: Final = ""


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: the policy alone, and the value function over more and more candidates."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    settings = [ALONE, *(_setting(count, beta) for beta in BETAS for count in COUNTS)]
    return Campaign("vgps", tuple(Cell(policy, task, "words", seeds, setting=setting) for setting in settings for task in TASKS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success by the number of candidates, against the policy alone."""
    alone = [r for r in results if r.cell.setting == ALONE]
    found: list[Finding | None] = [success_of("success, the policy alone", alone)]
    for beta, title in BETAS.items():
        for count in COUNTS:
            cells = [r for r in results if r.cell.setting == _setting(count, beta)]
            found.append(success_of(f"success, {title} of {count} by value", cells))
            found.append(compared(f"{title} of {count} less the policy alone, same scenes", alone, cells))
    largest = [r for r in results if r.cell.setting == _setting(COUNTS[-1], "0")]
    found.append(mean_of(f"calls at which the best of {COUNTS[-1]} is not the policy's own", largest, SPREAD, unit="%"))
    return [f for f in found if f is not None]


def _setting(count: int, beta: str) -> str:
    return f"pick=value,count={count},draw=policy,beta={beta},watch=candidates"


STUDY: Final = Study(
    "vgps",
    "Steered by a value function",
    "Does a value function that chooses among the policy's own samples solve more tasks, and for how many samples?",
    "V-GPS (arXiv:2410.13816) re-ranks actions of frozen policies by a value function learnt from demonstrations: 24 to 44 % on a real robot; "
    "RoboMonkey's authors found it exploited beyond about 8 samples. Here the value function was learnt by implicit Q-learning from recorded "
    "episodes with other seeds, and judges the mean motion of the four actions that are executed rather than the first one.",
    plan,
    conclude,
)
