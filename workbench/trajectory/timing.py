"""When the arm can be where along a path: the fastest timing within its limits, and a path's own times on its samples.

Time-optimal path parametrisation by reachability analysis, computed here by the library ``toppra``; nothing leaves this computer.
Source: Pham and Pham 2018, arXiv:1707.07239.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.trajectory.paths import Floats, SpacePath, with_speeds

MAX_KNOTS: Final = 120
"""A longer path is timed on this many of its places."""
_SAME_M: Final = 1e-5
"""Places nearer than this along the path are one."""


@dataclass(frozen=True, eq=False)
class MotionLimits:
    """How fast an arm may move."""

    joint_speeds: Floats
    """``(n,)`` [rad/s]"""
    joint_accelerations: Floats
    """``(n,)`` [rad/s^2]"""
    speed: float
    """Of the end-effector [m/s]."""
    acceleration: float
    """Of the end-effector along its path [m/s^2]."""


@dataclass(frozen=True, eq=False)
class Timing:
    """The fastest way along a path, from rest to rest."""

    times_s: Floats
    """``(M,)`` when each place is reached [s]."""
    is_found: bool = True
    """False when no timing was found; the times are then those at the speed limits alone."""

    @property
    def duration_s(self) -> float:
        """How long it takes [s]."""
        return float(self.times_s[-1])


def fastest_timing(arcs: Floats, joints: Floats, limits: MotionLimits) -> Timing:
    """Return the fastest timing of places at lengths ``(M,)`` [m] of a path with joints ``(M, n)`` [rad]."""
    is_new = np.concatenate([[True], np.diff(np.maximum.accumulate(arcs)) > _SAME_M])
    knots = np.flatnonzero(is_new)
    if len(knots) < 2:
        return Timing(np.zeros(len(arcs)))
    if len(knots) > MAX_KNOTS:
        knots = knots[np.unique(np.linspace(0, len(knots) - 1, MAX_KNOTS).round().astype(int))]
    # The length of the path counts as one more joint: its limits are those of the end-effector.
    turned = np.column_stack([joints[knots], arcs[knots]])
    speeds = np.append(limits.joint_speeds, limits.speed)
    times_s = _parametrise(arcs[knots], turned, speeds, np.append(limits.joint_accelerations, limits.acceleration))
    if times_s is None:
        steps = np.abs(np.diff(turned, axis=0)) / speeds
        times_s = np.concatenate([[0.0], np.cumsum(steps.max(axis=1))])
        return Timing(np.interp(arcs, arcs[knots], times_s), False)
    return Timing(np.interp(arcs, arcs[knots], times_s))


def _parametrise(arcs: Floats, turned: Floats, speeds: Floats, accelerations: Floats) -> Floats | None:
    """Return the times ``(K,)`` at which the knots are reached, or None when the library finds none."""
    # Imported here: it brings a plotting library, and most of what uses paths never times them.
    import toppra
    import toppra.algorithm
    import toppra.constraint

    logging.getLogger("toppra").setLevel(logging.ERROR)
    path = toppra.SplineInterpolator(arcs, turned)
    limits = [
        toppra.constraint.JointVelocityConstraint(np.stack([-speeds, speeds], axis=1)),
        toppra.constraint.JointAccelerationConstraint(np.stack([-accelerations, accelerations], axis=1)),
    ]
    solver = toppra.algorithm.TOPPRA(limits, path, gridpoints=arcs, solver_wrapper="seidel")
    _, speeds_along, _ = solver.compute_parameterization(0.0, 0.0)
    if speeds_along is None or not np.isfinite(speeds_along).all():
        return None
    means = 0.5 * (speeds_along[:-1] + speeds_along[1:])  # speed changes evenly in time between two knots
    if (means <= 0).any():
        return None
    return np.concatenate([[0.0], np.cumsum(np.diff(arcs) / means)])


def time_samples(path: SpacePath, arcs: Floats) -> Floats:
    """Return when a path with times is at lengths ``(M,)`` [m] of it, from 0 on [s]; a stay counts at the place where it ends."""
    timed = path if path.times_s is not None else with_speeds(path, np.nan)
    assert timed.times_s is not None
    ends = np.append(np.diff(timed.arcs) > 1e-9, True)  # of points in one place the last one tells when it is left
    return np.interp(arcs, timed.arcs[ends], timed.times_s[ends]) - float(timed.times_s[0])


def slow_down(path: SpacePath, arcs: Floats, fastest_s: Floats, *, room: float = 1.05) -> SpacePath:
    """Return a path with times in which no part between two points is faster than the fastest timing allows.

    Args:
        path: with times.
        arcs: ``(M,)`` places along it [m].
        fastest_s: ``(M,)`` when they are reached at the earliest [s].
        room: how much longer than at the earliest a part takes that has to be slower.
    """
    assert path.times_s is not None, "only a path with times can be slowed down"
    least: NDArray[np.float64] = np.diff(np.interp(path.arcs, arcs, fastest_s))
    given = np.diff(path.times_s)
    lasts = np.where(given < least, room * least, given)
    return SpacePath(path.positions, path.gripper, np.concatenate([[0.0], np.cumsum(lasts)]))
