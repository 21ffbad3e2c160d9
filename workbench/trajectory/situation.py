"""What the planner of one step knows: a depth picture, where the gripper is, how far the wrist may turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.sketches import Point
from workbench.core.trajectories import Phase, Waypoint
from workbench.trajectory.grasp import downward
from workbench.trajectory.lift import DepthPicture, lift_pixel

TRAVEL_HEIGHT_M: Final = 0.22
"""Height of the empty gripper on its way between things: above everything that stands on the table."""
HOVER_M: Final = 0.08
"""How far above a thing the gripper stops before it descends, and rises after it let go."""
CLEARANCE_M: Final = 0.06
"""Room under a carried thing."""

FAST: Final = 0.35
CARRYING: Final = 0.25
CAREFUL: Final = 0.12
GENTLE: Final = 0.06
"""Largest speeds [m/s]: with nothing near, with a thing in hand, near a surface, in contact."""

CLOSE_DWELL_S: Final = 0.5
OPEN_DWELL_S: Final = 0.35
"""How long the fingers are given."""

HOME_M: Final = (0.30, 0.0, 0.35)
HOME_YAW_RAD: Final = -np.pi / 2
"""Where the gripper waits between steps: over the table as at the start of an episode, hiding little of it from the front camera."""

TurnRoom = Callable[[NDArray[np.float64], float], tuple[float, float]]
"""``turn_room(position, yaw) -> (least, greatest)``: how far [rad] the wrist can turn on from a downward pose; empty when unreachable."""


def any_turn(position: NDArray[np.float64], yaw: float) -> tuple[float, float]:
    """Allow every turn: for planning without a robot."""
    return -np.inf, np.inf


@dataclass(frozen=True, eq=False)
class Situation:
    """The start of a step."""

    picture: DepthPicture
    ee_position: NDArray[np.float64]
    """``(3,)`` world position of the gripper [m]."""
    ee_yaw: float
    """World angle of the closing axis [rad]."""
    turn_room: TurnRoom = any_turn
    is_holding: bool = False
    """Whether the fingers are closed on something."""


def waypoint(
    position: Sequence[float] | NDArray[np.float64],
    yaw: float,
    gripper: float,
    phase: Phase,
    *,
    speed: float = FAST,
    tolerance: float = 0.01,
    dwell_s: float = 0.0,
) -> Waypoint:
    """Return a way point with the gripper looking straight down."""
    place = np.asarray(position, dtype=float).copy()
    return Waypoint(place, downward(yaw), gripper, phase, speed=speed, tolerance=tolerance, dwell_s=dwell_s)


def at_height(position: NDArray[np.float64], height_m: float) -> NDArray[np.float64]:
    """Return a position ``(3,)`` or ``(2,)`` with another height ``(3,)`` [m]."""
    return np.array([position[0], position[1], height_m], dtype=float)


def approach(situation: Situation, target: NDArray[np.float64], yaw: float, gripper: float) -> list[Waypoint]:
    """Return the way from where the gripper is, up and over, to right above ``target`` ``(3,)``."""
    travel = max(TRAVEL_HEIGHT_M, target[2] + HOVER_M)
    here = situation.ee_position
    ways = []
    if here[2] < travel - 0.03:
        ways.append(waypoint(at_height(here, travel), situation.ee_yaw, gripper, Phase.APPROACH, tolerance=0.03))
    if np.hypot(*(target - here)[:2]) > 0.05:
        ways.append(waypoint(at_height(target, max(travel, min(here[2], 0.3))), yaw, gripper, Phase.APPROACH, tolerance=0.03))
    ways.append(waypoint(at_height(target, target[2] + HOVER_M), yaw, gripper, Phase.APPROACH, tolerance=0.006))
    return ways


def retreat(place: NDArray[np.float64], yaw: float, gripper: float) -> list[Waypoint]:
    """Return the way from ``place`` ``(3,)`` straight up, then home."""
    up = at_height(place, max(place[2] + HOVER_M, TRAVEL_HEIGHT_M))
    return [
        waypoint(at_height(place, place[2] + HOVER_M / 2), yaw, gripper, Phase.RETREAT, speed=CAREFUL, tolerance=0.02),
        waypoint(up, yaw, gripper, Phase.RETREAT, tolerance=0.03),
        waypoint(HOME_M, HOME_YAW_RAD, gripper, Phase.RETREAT, tolerance=0.03),
    ]


def surface_points(picture: DepthPicture, pixels: Sequence[Point]) -> NDArray[np.float64]:
    """Return the surface points ``(N, 3)`` [m] under drawn pixels; a pixel without depth takes no part.

    Raises:
        Unreachable: none of them has depth.
    """
    points, problem = [], None
    for pixel in pixels:
        try:
            points.append(lift_pixel(picture, pixel, "centre"))
        except Unreachable as error:
            problem = error
    if not points and problem is not None:
        raise problem
    return np.array(points, dtype=float).reshape(-1, 3)
