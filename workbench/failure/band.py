"""A band that the scores of good episodes stay under: functional conformal prediction, one-sided.

Source: Diquigiovanni et al. 2021, arXiv:2102.06746, as SAFE (arXiv:2506.09937) uses it. Where we differ: the width is the finite-sample
rank, for which the guarantee holds; the plain quantile of SAFE's code is offered beside it.

The guarantee: of episodes that are like those of the calibration, and succeed, at most a share alpha ever leaves the band. It says nothing
of tasks that were not among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput

Floats = NDArray[np.float64]

ALPHA: Final = 0.15
ALPHA_RANGE: Final = (0.02, 0.5)
SHAPE_SHARE: Final = 0.3
"""Of the curves that give the band its shape; the others give its width."""
_TINY: Final = 1e-8
_ROUNDING: Final = 1e-9
"""What a product such as 20 * 0.85 may lie above the whole number that it is."""


class Width(StrEnum):
    """How the width of the band is read off the calibration curves."""

    RANK = "rank"
    """The finite-sample rank: the guarantee holds."""
    QUANTILE = "quantile"
    """The interpolated quantile: a little narrower."""


@dataclass(frozen=True, eq=False)
class Band:
    """What scores stay under, call by call; its last value holds for later calls."""

    mean: Floats
    """``(T,)``: the usual score."""
    upper: Floats
    """``(T,)``: where an alarm is raised."""
    alpha: float
    num_curves: int
    """Episodes that it was calibrated on."""

    def upper_at(self, call: int) -> float:
        """Return the bound of a call, counted from 0."""
        return float(self.upper[min(call, len(self.upper) - 1)])

    def first_alarm(self, curve: Floats) -> int | None:
        """Return the first call of scores ``(n,)`` that reaches the bound, or None."""
        bound = np.array([self.upper_at(t) for t in range(len(curve))])
        above = np.flatnonzero(np.asarray(curve) >= bound)
        return int(above[0]) if len(above) else None

    def num_alarms(self, curve: Floats) -> int:
        """Return how often scores ``(n,)`` rise from below the bound to it or above."""
        is_above = np.array([score >= self.upper_at(t) for t, score in enumerate(curve)], dtype=int)
        return int((np.diff(is_above, prepend=0) == 1).sum())


def fewest_curves(alpha: float) -> int:
    """Return how many calibration curves a band of that alpha needs at least: with fewer its rank is beyond the largest of them."""
    num_width = 1
    while _rank(num_width, alpha) > num_width:
        num_width += 1
    total = num_width + 1
    while total - _num_shape(total) < num_width:
        total += 1
    return total


def fit_band(curves: Sequence[Floats], alpha: float, rng: np.random.Generator, *, width: Width = Width.RANK) -> Band:
    """Return the band of the scores of successful episodes.

    Args:
        curves: one row of scores ``(n,)`` an episode; shorter ones go on with their last value.
        alpha: share of good episodes that may leave the band.
        rng: draws which curves give the shape.
        width: how the width is read.

    Raises:
        InvalidInput: alpha is out of its range, or there are too few curves for it.
    """
    low, high = ALPHA_RANGE
    if not low <= alpha <= high:
        raise InvalidInput("alpha", expected=f"a share from {low} to {high}", found=str(alpha))
    if len(curves) < fewest_curves(alpha):
        raise InvalidInput(
            "calibration of the band",
            expected=f"at least {fewest_curves(alpha)} successful episodes for alpha {alpha:g}",
            found=str(len(curves)),
            fix="Record more, or allow a larger share of false alarms.",
        )
    rows = padded(curves)[rng.permutation(len(curves))]
    num_shape = _num_shape(len(rows))
    return band_of(rows[:num_shape], rows[num_shape:], alpha, width)


def band_of(shape: Floats, widths: Floats, alpha: float, width: Width = Width.RANK) -> Band:
    """Return the band from the curves ``(nA, T)`` that shape it and those ``(nB, T)`` that make it wide enough."""
    mean = shape.mean(axis=0)
    away = np.abs(shape - mean)
    largest = away.max(axis=1)  # (nA,)
    rank = _rank(len(shape), alpha)
    limit = np.inf if rank > len(shape) else np.sort(largest)[rank - 1]
    modulation = away[largest <= limit].max(axis=0) + _TINY  # (T,)
    scores = np.sort(((widths - mean) / modulation).max(axis=1))  # (nB,)
    if width is Width.QUANTILE:
        factor = float(np.quantile(scores, 1 - alpha))
    else:
        rank = _rank(len(scores), alpha)
        factor = float(scores[rank - 1]) if rank <= len(scores) else np.inf
    return Band(mean, mean + factor * modulation, alpha, len(shape) + len(widths))


def padded(curves: Sequence[Floats]) -> Floats:
    """Return curves of several lengths as rows ``(n, T)``, each going on with its last value."""
    length = max(len(curve) for curve in curves)
    return np.array([np.concatenate([curve, np.full(length - len(curve), curve[-1])]) for curve in curves], dtype=np.float64)


def _rank(count: int, alpha: float) -> int:
    return ceil((count + 1) * (1 - alpha) - _ROUNDING)


def _num_shape(count: int) -> int:
    return max(1, floor(SHAPE_SHARE * count + _ROUNDING))
