"""How far actions are from those of a demonstrator, and how that falls with the number of candidates.

Source: RoboMonkey (arXiv:2506.17811): the error of the best of k candidates follows a power law, log e = log a + b log k with b below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ACTION_SCALE: Final = np.array([0.03, 0.03, 0.03, 0.12, 0.12, 0.12, 0.5])
"""What one control step can do, to which actions are normalised [m], [rad]; the gripper from 0..1 to -1..1."""
COUNTS: Final = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of candidates at which the error of the best one is reported."""


def action_errors(candidates: Floats, truth: Floats) -> Floats:
    """Return the root mean square error ``(K,)`` of normalised candidates ``(K, T, 7)`` to a demonstrator's actions ``(T, 7)``."""
    gaps = (candidates - truth) / ACTION_SCALE
    return np.asarray(np.sqrt((gaps**2).mean(axis=(1, 2))))


def best_of(errors: Floats, counts: Sequence[int] = COUNTS) -> Floats:
    """Return the least error among the first k candidates, for each k up to their number: ``(M,)``."""
    least = np.minimum.accumulate(errors)
    return np.array([least[k - 1] for k in counts if k <= len(errors)])


class PowerLaw(NamedTuple):
    """e = a * k ** b."""

    a: float
    b: float


def fit_power_law(counts: Floats, errors: Floats) -> PowerLaw:
    """Return the least-squares line of log errors ``(M,)`` over log counts ``(M,)``; both positive."""
    b, log_a = np.polyfit(np.log(counts), np.log(errors), 1)
    return PowerLaw(float(np.exp(log_a)), float(b))
