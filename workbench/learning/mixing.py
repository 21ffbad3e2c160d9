"""Mixing what is new with what was known: how likely each step is drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidInput
from workbench.learning.lessons import Mode
from workbench.learning.weighting import Weighting, weigh

Floats = NDArray[np.float64]


class Shares(NamedTuple):
    """How much of what is drawn is of each kind; they sum to one."""

    demonstrations: float
    human: float
    policy: float
    before: float


def mix(modes: ArrayLike, weighting: Weighting, *, demonstrations: float | None = None) -> Floats:
    """Return how likely each step is drawn, ``(N,)``, summing to one.

    Args:
        modes: ``(N,)`` of :class:`~workbench.learning.lessons.Mode`.
        weighting: how the steps of recorded episodes are weighted against each other.
        demonstrations: share of all draws that are demonstrations, 0..1, whatever their number; None leaves it to the weighting. Where there
            are none, or nothing else, it has no effect.

    Raises:
        InvalidInput: the share is no share, a number is no mode, or there is nothing to draw.
    """
    if demonstrations is not None and not 0 <= demonstrations <= 1:
        raise InvalidInput("share of demonstrations", expected="a number from 0 to 1", found=str(demonstrations))
    found = np.asarray(modes, dtype=np.int64)
    weights = weigh(found, weighting)
    if demonstrations is not None:
        is_demo = found == Mode.DEMONSTRATION
        others = weigh(np.where(is_demo, Mode.LEFT_OUT, found), weighting)
        if is_demo.any() and others.any():
            weights = others * ((1 - demonstrations) / others.sum()) + is_demo * (demonstrations / is_demo.sum())
    total = float(weights.sum())
    if total <= 0:
        raise InvalidInput("steps to learn from", expected="at least one", found="none")
    chances: Floats = weights / total
    return chances


def shares_of(modes: ArrayLike, chances: ArrayLike) -> Shares:
    """Return how much of what is drawn is of each kind, for :func:`mix`'s chances."""
    found, values = np.asarray(modes, dtype=np.int64), np.asarray(chances, dtype=np.float64)
    order = (Mode.DEMONSTRATION, Mode.HUMAN, Mode.POLICY, Mode.BEFORE)
    return Shares(*(float(values[found == mode].sum()) for mode in order))
