"""An arm of three straight joints, x, y and z, and boxes in its way: everything about it can be said by hand."""

import numpy as np

from workbench.trajectory.feasibility import Arm, ArmPath, PathReport, Touch, check_path
from workbench.trajectory.paths import SpacePath
from workbench.trajectory.timing import MotionLimits

REACH_M = 0.8
SAFE_M = 0.004
LIMITS = MotionLimits(np.full(3, 1.0), np.full(3, 4.0), speed=0.6, acceleration=3.0)


def _solve(positions):
    lengths = np.linalg.norm(positions, axis=1, keepdims=True)
    reached = positions * np.minimum(1.0, REACH_M / np.maximum(lengths, 1e-9))
    return ArmPath(reached, reached, np.zeros(len(positions)))


ARM = Arm(_solve, np.full(3, -2.0), np.full(3, 2.0), LIMITS, (np.full(3, -2.0), np.full(3, 2.0)))


def box_in_the_way(low, high):
    """Return a collision check of a point with a box."""
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)

    def touch(place):
        gaps = np.concatenate([place - low, high - place])  # to each face, from inside
        if gaps.min() <= -SAFE_M:
            return None
        face = int(np.argmin(gaps))
        push = np.zeros(3)
        push[face % 3] = -1.0 if face < 3 else 1.0
        return Touch("the point and the box", float(gaps.min()), push)

    return lambda joints, openings: [touch(place) for place in joints]


def check(path: SpacePath, collides=None, start=None) -> PathReport:
    return check_path(path, ARM, collides, gripper_position=start)
