"""The card ``observer``: what a probe reads is kept within a range; is the robot's real height or opening then in it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.statistics import difference_interval, mean_interval
from workbench.evaluation.steering_findings import BASELINE, Arms, arms_of, effect, success_change
from workbench.evaluation.studies import Finding, Study, StudyOptions

TASK: Final = "place_on_plate"
SETTING: Final = "limit=10"
"""Ten seconds."""
FLOOR, CEILING = 0.10, 0.15
"""Bounds of the height [m]: the arm starts at 0.35 and has to go down to 0.02."""
HIGH: Final = f"range:height={FLOOR:g}.."
LOW: Final = f"range:height=..{CEILING:g}"
SHUT: Final = "range:gripper=..0.5"
_TITLES: Final = {HIGH: f"height at least {FLOOR:g} m", LOW: f"height at most {CEILING:g} m", SHUT: "gripper at most half open"}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: no edits, each range, and each with a random probe of the same length."""
    seeds = draw_seeds(options.episodes, options.seed)
    every = [BASELINE, *_TITLES, *(f"{edits}~1" for edits in _TITLES)]
    return Campaign("observer", tuple(Cell(options.policy or POLICY, TASK, "words", seeds, edits, setting=SETTING) for edits in every))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return the share of the time in the range with and without the edit, the mean height, and the success."""
    arms, findings = arms_of(results), []
    differences = arms.differences()
    for edits, title in _TITLES.items():
        for told, name in ((BASELINE, "no edits"), (edits, "range held"), (f"{edits}~1", "random probe")):
            shares = _shares(arms, told, edits)
            if shares:
                found = mean_interval(list(shares.values()))
                findings.append(Finding(f"{title}: share of the time, {name}", found.mean, found.low, found.high, found.n, "%"))
        findings += _change(arms, edits, title)
        if edits in differences and edits != SHUT:
            findings.append(effect(f"{title}: mean height less that without edits", differences[edits]["height"], "m"))
        change = success_change(f"{title}: success less that without edits", arms, edits)
        findings += [change] if change else []
    return findings


def _change(arms: Arms, edits: str, title: str) -> list[Finding]:
    """Return by how much the share of the time in the range changes on the same episodes."""
    base, held = _shares(arms, BASELINE, edits), _shares(arms, edits, edits)
    common = [k for k in base if k in held]
    if not common:
        return []
    found = difference_interval([base[k] for k in common], [held[k] for k in common])
    return [Finding(f"{title}: share of the time less that without edits", found.mean, found.low, found.high, found.n, "%", null=0.0)]


def _shares(arms: Arms, told: str, edits: str) -> dict[tuple[str, int], float]:
    """Return for each episode of an arm the share of its time in which the range of ``edits`` holds."""
    shares = {}
    for result in arms.by_edits.get(told, ()):
        for trial in result.trials:
            if edits == SHUT:
                if "shut_share" in trial.measures:
                    shares[result.cell.task, trial.seed] = trial.measures["shut_share"]
            elif trial.path:
                heights = np.array(trial.path)[:, 2]
                shares[result.cell.task, trial.seed] = float((heights >= FLOOR if edits == HIGH else heights <= CEILING).mean())
    return shares


STUDY: Final = Study(
    "observer",
    "Holding what a probe reads",
    "A probe reads the arm's height or the gripper's opening off the network, and what it reads is kept within bounds by the smallest "
    "push: is the robot then within them, and does it still do its task?",
    "Observing and Controlling Features (arXiv:2603.05487) reports near-perfect constraints of the gripper with success above 90 %, and a "
    "small loss for height. Ours fits ridge probes to the middle block's action tokens on development episodes. A task that has to go "
    "down to the table cannot keep a floor all the time: the share of the time says how far it goes.",
    plan,
    conclude,
)
