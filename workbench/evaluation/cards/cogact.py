"""The card ``cogact``: chunks executed whole, in part, or put together from several calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, paired_of, success_of

TASKS: Final = ("push_to_zone", "place_on_plate")
BASE: Final = "horizon=4"
WAYS: Final = {
    BASE: "first four actions, then again",
    "horizon=1": "first action, then again",
    "open": "whole chunks, open loop",
    "ensemble=temporal": "temporal ensemble (ACT)",
    "ensemble=adaptive,kept=2": "adaptive ensemble of 2, alpha 0.1",
    "ensemble=adaptive,kept=7": "adaptive ensemble of 7, alpha 0.1",
    "ensemble=adaptive,kept=7,alpha=5": "adaptive ensemble of 7, alpha 5",
    "ensemble=adaptive,kept=7,horizon=4": "adaptive ensemble of 7, four actions at a time",
}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    return Campaign("cogact", tuple(Cell(policy, task, "words", seeds, setting=setting) for setting in WAYS for task in TASKS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success of each way, against the policy's own, with how often it is asked and how fast it moves."""
    by = {setting: [r for r in results if r.cell.setting == setting] for setting in WAYS}
    found: list[Finding | None] = []
    for setting, title in WAYS.items():
        found.append(success_of(f"success, {title}", by[setting]))
        if setting != BASE:
            found.append(compared(f"{title} less {WAYS[BASE]}, same scenes", by[BASE], by[setting]))
        found.append(mean_of(f"calls an episode, {title}", by[setting], "policy_calls", unit=""))
    adaptive = by["ensemble=adaptive,kept=7"]
    for first, second in zip(by["horizon=1"], adaptive, strict=True):
        name = f"speed, adaptive ensemble of 7 / first action, {second.cell.task}"
        found.append(paired_of(name, first, second, "mean_speed", kind="ratio", unit=""))
    return [f for f in found if f is not None]


STUDY: Final = Study(
    "cogact",
    "Whole chunks, parts of them, or ensembles",
    "How do the ways to execute chunks compare: open loop, receding horizon, ACT's temporal ensemble, CogACT's adaptive one?",
    "CogACT (arXiv:2411.19650) weighs what the last calls foretold for a step by how alike it is to the newest, exp(0.1 cosine), and finds that better "
    "than ACT's ensemble and than none. With 0.1 no weight is more than 1.22 times another, so that it is nearly a plain mean; 5 is tried as "
    "well. Chunks here have 8 actions.",
    plan,
    conclude,
)
