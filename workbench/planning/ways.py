"""Ways of the hand that no policy is asked for: back along what was driven, straight up, to a start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.trajectories import Phase, Waypoint

Floats = NDArray[np.float64]

SPACING_M: Final = 0.015
"""Points of a way back are thinned to this distance [m]."""
TURN_RAD: Final = 0.12
"""... and to this turn of the hand [rad]."""
CLEAR_M: Final = 0.08
"""A way back ends this far from where the contact began [m]."""
TRAVEL_M: Final = 0.20
"""Height of the hand on its way over the table [m]."""
MAX_MOMENTS: Final = 4000
"""Older moments are forgotten."""
_LET_GO_S: Final = 0.4
_OPENING: Final = 0.15
"""Commands that differ by this are another opening."""


@dataclass(frozen=True, eq=False)
class Moment:
    """One executed control step: where the hand was before it, what it was told, and whether it touched a thing."""

    position: Floats
    """``(3,)`` in the world [m]."""
    quaternion: Floats
    """``(4,)`` wxyz, end-effector to world."""
    opening: float
    """Commanded opening 0..1."""
    is_touching: bool


def way_back(tape: Sequence[Moment]) -> tuple[Waypoint, ...]:
    """Return the way back along a tape: to where the last contact began, letting go where it was taken, and clear of it.

    The openings are those of the tape, so what was grasped is let go where it was grasped, and what was pulled is pushed back. Empty where
    nothing is touched at the end of the tape.
    """
    if not tape or not tape[-1].is_touching:
        return ()
    first = len(tape) - 1
    while first > 0 and tape[first - 1].is_touching:
        first -= 1
    origin = tape[first].position
    end = first
    while end > 0 and float(np.linalg.norm(tape[end].position - origin)) < CLEAR_M:
        end -= 1
    kept = _thinned(tape, end)
    return tuple(_back(tape[i], tape[j], is_free=j <= first) for i, j in pairwise(kept))


def _thinned(tape: Sequence[Moment], end: int) -> list[int]:
    """Return the indices of the way back from the last moment to ``end``: at each change of the opening, and every so far."""
    kept = [len(tape) - 1]
    for index in range(len(tape) - 2, end - 1, -1):
        last, now = tape[kept[-1]], tape[index]
        is_far = float(np.linalg.norm(now.position - last.position)) >= SPACING_M
        is_turned = 2.0 * float(np.arccos(np.clip(abs(now.quaternion @ last.quaternion), 0.0, 1.0))) >= TURN_RAD
        if is_far or is_turned or abs(now.opening - last.opening) >= _OPENING or index == end:
            kept.append(index)
    return kept


def _back(later: Moment, earlier: Moment, *, is_free: bool) -> Waypoint:
    is_change = abs(later.opening - earlier.opening) >= _OPENING
    phase = Phase.RELEASE if is_change else Phase.MOVE if not is_free else Phase.RETREAT
    return Waypoint(
        earlier.position.copy(),
        earlier.quaternion.copy(),
        earlier.opening,
        phase,
        speed=0.25,
        tolerance=0.008 if is_change else 0.012,
        dwell_s=_LET_GO_S if is_change else 0.0,
    )


def lift(position: Floats, quaternion: Floats, *, opening: float = 1.0) -> tuple[Waypoint, ...]:
    """Return the way straight up from a pose, after the fingers came to ``opening``."""
    here = Waypoint(position.copy(), quaternion.copy(), opening, Phase.RELEASE, tolerance=0.02, dwell_s=_LET_GO_S)
    top = np.array([position[0], position[1], max(float(position[2]), TRAVEL_M)])
    return (here, Waypoint(top, quaternion.copy(), opening, Phase.RETREAT, speed=0.3, tolerance=0.015))


def to_start(position: Floats, start: Moment, *, offset: Floats | None = None) -> tuple[Waypoint, ...]:
    """Return the way from a pose to a start, straight up first; ``offset`` ``(3,)`` [m] moves the start."""
    top = np.array([position[0], position[1], max(float(position[2]), TRAVEL_M)])
    goal = start.position + (0.0 if offset is None else offset)
    quaternion, opening = start.quaternion.copy(), start.opening
    return (
        Waypoint(top, quaternion, opening, Phase.LIFT, speed=0.3, tolerance=0.02),
        Waypoint(goal, quaternion, opening, Phase.MOVE, speed=0.4, tolerance=0.02),
    )


def new_start(attempt: int) -> Floats:
    """Return how far from the usual start an attempt begins, ``(3,)`` [m]: the first there, later ones around it.

    Source: Robot Utility Models (arXiv:2409.05865) retry from another start pose, because the same start may fail in the same way.
    """
    if attempt <= 1:
        return np.zeros(3)
    angle = 2.4 * (attempt - 2)
    return np.array([0.03 * np.cos(angle), 0.03 * np.sin(angle), -0.02])
