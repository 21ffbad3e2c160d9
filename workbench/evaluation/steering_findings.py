"""What steered cells say against the unsteered one: paths compared pair by pair, also at equal length, and the success that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.evaluation.campaign import CellResult, TrialResult
from workbench.evaluation.conditions import compare_conditions
from workbench.evaluation.episodes import CONTROL_HZ
from workbench.evaluation.statistics import RESAMPLES, ratio_interval, wilson_interval
from workbench.evaluation.studies import Finding
from workbench.steering.comparison import Episode, compare_episodes
from workbench.steering.dose import Difference
from workbench.steering.motion import step_displacement, truncated

UNITS: Final[Mapping[str, str]] = {"height": "m", "speed": "m/s", "jerk": "m/s³", "velocity z": "m/s", "duration": "s"}
BASELINE: Final = ""
"""The edits of the unsteered cells."""


class Arms(NamedTuple):
    """Cells of one question by their edits, over the tasks that they share."""

    by_edits: Mapping[str, Sequence[CellResult]]

    def differences(self) -> dict[str, dict[str, Difference]]:
        """Return each arm's paired comparison with the baseline by quantity; nothing from fewer than two episodes, which have no interval.

        An episode that has no path is left out of every arm.
        """
        trials = {edits: _trials(cells) for edits, cells in self.by_edits.items()}
        keys = [k for k in trials.get(BASELINE, {}) if all(k in t and len(t[k].path) > 1 for t in trials.values())]
        if len(keys) < 2:
            return {}
        episodes = {edits: [Episode(np.array(t[k].path), t[k].is_success) for k in keys] for edits, t in trials.items()}
        baseline = episodes.pop(BASELINE)
        return compare_episodes(baseline, episodes, rate_hz=CONTROL_HZ, rng=np.random.default_rng(0))


def arms_of(results: Sequence[CellResult]) -> Arms:
    """Return cells by their edits."""
    by_edits: dict[str, list[CellResult]] = {}
    for result in results:
        by_edits.setdefault(result.cell.edits, []).append(result)
    return Arms(by_edits)


def effect(name: str, found: Difference, unit: str, target: float | None = None, *, goal: str = "at least") -> Finding:
    """Return a paired difference as a finding whose value for no effect is 0."""
    return Finding(
        name,
        found.change,
        found.low,
        found.high,
        found.n,
        unit,
        target,
        "at most" if goal == "at most" else "at least",
        p_value=found.p_value,
        test="sign-flip",
        null=0.0,
    )


def success_kept(name: str, arms: Arms, edits: str, target: float | None = None) -> Finding | None:
    """Return the success of an arm as a share of the baseline's on the same episodes, with an interval by resampling them; None without.

    Where all episodes of an arm end alike, resampling has no width, and Wilson's interval of the arm's own rate takes its place.
    """
    pairs = _pairs(arms, edits)
    if not len(pairs) or not pairs[:, 0].any():
        return None
    rng = np.random.default_rng(0)
    drawn = pairs[rng.integers(len(pairs), size=(RESAMPLES, len(pairs)))].mean(axis=1)
    shares = drawn[drawn[:, 0] > 0]
    low, high = np.percentile(shares[:, 1] / shares[:, 0], [2.5, 97.5])
    value = pairs[:, 1].mean() / pairs[:, 0].mean()
    if len(np.unique(pairs[:, 1])) == 1:
        ends = wilson_interval(int(pairs[:, 1].sum()), len(pairs))
        low, high = ends.low / pairs[:, 0].mean(), ends.high / pairs[:, 0].mean()
    return Finding(name, float(value), float(min(low, value)), float(max(high, value)), len(pairs), "%", target, null=1.0)


def success_change(name: str, arms: Arms, edits: str) -> Finding | None:
    """Return the difference of an arm's success to the baseline's on the same episodes, by McNemar's test; None without common ones."""
    if edits not in arms.by_edits or not len(_pairs(arms, edits)):
        return None
    found = compare_conditions(arms.by_edits[BASELINE], arms.by_edits[edits])[-1].comparison
    return Finding(name, found.difference, found.low, found.high, found.n, "%", p_value=found.p_value, null=0.0)


def pace_change(name: str, arms: Arms, first: str, second: str, target: float | None = None) -> Finding | None:
    """Return by which share a step of ``second`` is longer than one of ``first``, paths cut to the shorter of each pair; None without pairs."""
    one, other = (_trials(arms.by_edits.get(edits, ())) for edits in (first, second))
    pairs = [truncated([np.array(one[k].path), np.array(other[k].path)]) for k in one if k in other]
    steps = np.array([[step_displacement(path) for path in pair] for pair in pairs if len(pair[0]) > 1]).reshape(-1, 2)
    if not len(steps) or not steps[:, 0].any():
        return None
    found = ratio_interval(steps[:, 0], steps[:, 1])
    return Finding(name, found.mean - 1, found.low - 1, found.high - 1, found.n, "%", target, null=0.0)


def _trials(cells: Sequence[CellResult]) -> dict[tuple[str, int], TrialResult]:
    return {(cell.cell.task, t.seed): t for cell in cells for t in cell.trials}


def _pairs(arms: Arms, edits: str) -> NDArray[np.float64]:
    """Return the success ``(n, 2)`` of baseline and arm on the episodes that both have."""
    base, other = (_trials(arms.by_edits.get(name, ())) for name in (BASELINE, edits))
    return np.array([[base[k].is_success, other[k].is_success] for k in base if k in other], dtype=float).reshape(-1, 2)
