"""Moves that every skill of the scripted expert is made of, each a function of what can be measured now."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.geometry import matrix_from_quat, quat_multiply, wrap_angle
from workbench.simulation.layout import GRIPPER_YAW, grasp_yaw
from workbench.simulation.world import World

Floats = NDArray[np.float64]

RETREAT_HEIGHT: Final = 0.12
"""Height at which the gripper counts as out of the way [m]."""

OPEN: Final = 1.0
SHUT: Final = 0.0

_MIDDLE_YAW: Final = sum(GRIPPER_YAW) / 2
_FUNNEL_RADIUS: Final = 0.006
"""Within this distance of the line above its goal the end-effector may be as low as the goal [m]."""
_FUNNEL_SLOPE: Final = 4.0
_FUNNEL_SLACK: Final = 0.015
_AIM_YAW: Final = 0.06
"""Down on the goal only when turned as wanted, within this angle [rad]."""
_FUNNEL_TURN_M: Final = 0.035
"""A turn that is left [rad] keeps the end-effector as high as being this far aside [m/rad] would ..."""
_MOST_TURN: Final = 0.4
"""... up to this much of it [rad]."""


@dataclass(frozen=True, eq=False)
class Command:
    """Where the end-effector shall go next."""

    position: Floats
    """``(3,)`` in the world [m]."""
    yaw: float
    """Turn about world +Z of the gripper that points down, 0 as at the start [rad]."""
    gripper: float
    """Opening target 0..1."""
    pace: float = 1.0
    """Share of the expert's speed."""
    is_done: bool = False
    contact: Floats | None = None
    """``(3,)``, where the end-effector is when something is touched [m]; None when that is not what it goes for."""


def gripper_yaw(world: World) -> float:
    """Return the turn of the gripper about world +Z [rad], cut where the last joint cannot be: turns need not be wrapped."""
    axis = matrix_from_quat(world.ee_quaternion)[:, 0]
    return _MIDDLE_YAW + wrap_angle(float(np.arctan2(axis[1], axis[0])) - _MIDDLE_YAW)


def down_quaternion(yaw: float) -> Floats:
    """Return ``(4,)`` wxyz of a gripper that points down, turned by ``yaw`` [rad]."""
    return quat_multiply([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)], [0.0, 1.0, 0.0, 0.0])


def above(point: Floats, height: float) -> Floats:
    """Return the place ``(3,)`` that is ``height`` [m] above another one."""
    return point + np.array([0.0, 0.0, height])


def hold(world: World, gripper: float | None = None, *, is_done: bool = False) -> Command:
    """Stay; keep the opening unless another is given."""
    opening = world.gripper_command if gripper is None else gripper
    return Command(world.ee_position, gripper_yaw(world), opening, is_done=is_done)


def rise(world: World, gripper: float, height: float = RETREAT_HEIGHT + 0.02, *, is_done: bool = False) -> Command:
    """Go straight up."""
    x, y, z = world.ee_position
    return Command(np.array([x, y, max(z, height)]), gripper_yaw(world), gripper, is_done=is_done)


def retreat(world: World) -> Command:
    """Let go, then go straight up; done when out of the way."""
    if world.gripper < 0.8:
        return hold(world, OPEN)
    if world.ee_position[2] >= RETREAT_HEIGHT:
        return hold(world, OPEN, is_done=True)
    return rise(world, OPEN)


def descend_on(world: World, goal: Floats, yaw: float, gripper: float, *, travel: float) -> Command:
    """Go to ``goal`` ``(3,)`` from above: over the table at the height ``travel`` [m], then down a funnel.

    Near the goal the end-effector may be low only close to the line above it, and turned as wanted; outside the funnel it rises first.
    It rises by as much as is amiss: from a step, who imitates it and is a little off would go up and down for ever.
    """
    position = world.ee_position
    offset = float(np.linalg.norm(goal[:2] - position[:2]))
    turn_left = float(np.clip(abs(yaw - gripper_yaw(world)) - _AIM_YAW, 0.0, _MOST_TURN))
    offset = max(offset, _FUNNEL_RADIUS + _FUNNEL_TURN_M * turn_left)
    floor = goal[2] + float(np.clip(_FUNNEL_SLOPE * (offset - _FUNNEL_RADIUS), 0.0, max(travel - goal[2], 0.0)))
    if position[2] < floor - _FUNNEL_SLACK:
        return Command(np.array([position[0], position[1], floor]), yaw, gripper, contact=goal)
    return Command(np.array([goal[0], goal[1], floor]), yaw, gripper, contact=goal)


def is_at(world: World, goal: Floats, yaw: float, *, tolerance: float = 0.006) -> bool:
    """Tell whether the end-effector is at ``goal`` ``(3,)`` within ``tolerance`` [m], turned as wanted."""
    return float(np.linalg.norm(goal - world.ee_position)) <= tolerance and abs(yaw - gripper_yaw(world)) <= 2 * _AIM_YAW


def square_yaw(world: World, name: str) -> float:
    """Return the gripper yaw [rad] that grips a cube at two opposite sides with the least turn, whichever side it lies on."""
    matrix = matrix_from_quat(world.quaternion(name))
    axis = matrix[:, int(np.argmin(np.abs(matrix[2])))]  # the most level edge
    heading = float(np.arctan2(axis[1], axis[0]))
    return (heading + pi / 4) % (pi / 2) - pi / 4


def bar_yaw(heading: float, turn_rad: float = 0.0) -> float:
    """Return the gripper yaw [rad] that grips something long along ``heading``, with room to turn on by ``turn_rad``."""
    yaw = grasp_yaw(heading, turn_rad)
    if yaw is not None:
        return yaw
    return (heading + pi / 2) % pi - pi / 2
