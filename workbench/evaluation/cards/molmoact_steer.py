"""The card ``molmoact-steer``: does a drawn path steer where words leave it open which of two equal things is meant?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, TrialResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.statistics import mean_interval
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of

TASK: Final = "ambiguous_cubes"
TELLINGS: Final = {"none": "told nothing", "words": "ambiguous words", "trace:flat": "path on the picture", "trace": "path with heights"}
RIGHT_WAY, GRASPED, LIFTED = 0.5, 0.85, 1.0
"""Grades of the publication."""
LIFTED_M: Final = 0.07
"""Height of the end-effector at which a held cube counts as lifted [m]."""


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    return Campaign("molmoact-steer", tuple(Cell(policy, TASK, told, seeds) for told in TELLINGS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return the grade and the success of each way of telling, and what a path changes."""
    told = {name: [r for r in results if r.cell.prompt == name] for name in TELLINGS}
    found = []
    for name, title in TELLINGS.items():
        interval = mean_interval([grade(t) for r in told[name] for t in r.trials])
        found.append(Finding(f"grade 0 to 1, {title}", interval.mean, interval.low, interval.high, interval.n))
    found += [success_of(f"put on the plate, {title}", told[name]) for name, title in TELLINGS.items()]
    found.append(compared("put on the plate, path on the picture less words, same scenes", told["words"], told["trace:flat"]))
    found.append(compared("put on the plate, path with heights less path on the picture", told["trace:flat"], told["trace"]))
    followed = mean_of(
        "discrete Fréchet distance to the path with heights", told["trace"], "frechet_m", unit="m", target=0.03, goal="at most"
    )
    return [*found, *([followed] if followed else [])]


def grade(trial: TrialResult) -> float:
    """Return the grade of an episode: right direction, right thing grasped, lifted."""
    measures = trial.measures
    if trial.is_success or (measures.get("held", 0.0) > 0 and measures.get("clearance", 0.0) >= LIFTED_M):
        return LIFTED
    if measures.get("held", 0.0) > 0:
        return GRASPED
    return RIGHT_WAY if measures.get("went", 0.0) > 0 else 0.0


STUDY: Final = Study(
    "molmoact-steer",
    "Steering by a drawn path",
    "Where words leave it open which of two equal cubes is meant, does a path drawn on the picture tell it, and better than words?",
    "MolmoAct (arXiv:2508.07917) redirects its policy between two bowls under the words “pick up bowl”; 15 trials, graded 0.5 for the right "
    "direction, 0.85 for a correct grasp, 1 for lifted: 0.75 by a drawn path, about 0.42 by language. Here: two equal cubes, the paths are the "
    "expert's, and what lies ahead of the robot is told, while MolmoAct draws the whole path unchanged.",
    plan,
    conclude,
)
