"""A path of the end-effector in the world, as the planner makes it and the follower drives it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from workbench.core.sketches import PlanProblem


class Phase(StrEnum):
    """What a way point is for."""

    APPROACH = "approach"
    DESCEND = "descend"
    GRASP = "grasp"
    LIFT = "lift"
    MOVE = "move"
    ROTATE = "rotate"
    LOWER = "lower"
    RELEASE = "release"
    PRESS = "press"
    RETREAT = "retreat"


@dataclass(frozen=True, eq=False)
class Waypoint:
    """One pose to reach before going on."""

    position: NDArray[np.float64]
    """``(3,)`` end-effector position in the world [m]."""
    quaternion: NDArray[np.float64]
    """``(4,)`` wxyz, end-effector to world."""
    gripper: float
    """Opening target 0..1 while going to and standing at this way point."""
    phase: Phase
    speed: float = 0.30
    """Largest end-effector speed on the way here [m/s]."""
    tolerance: float = 0.01
    """Distance at which the way point counts as reached [m]."""
    dwell_s: float = 0.0
    """Time to stay after it was reached, for example while the gripper closes [s]."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The way points of one plan step, with what may go wrong on them."""

    waypoints: tuple[Waypoint, ...]
    step: int
    """Index of the plan step that this drives."""
    problems: tuple[PlanProblem, ...] = ()

    def positions(self) -> NDArray[np.float64]:
        """Return the ``(N, 3)`` world positions [m]."""
        return np.array([w.position for w in self.waypoints], dtype=float).reshape(-1, 3)
