"""What the scripted expert does, task by task: from the truth of this moment to the next place of the end-effector.

No skill counts or remembers: each phase follows from where things are, what is held and how wide the gripper is, so that a policy
without memory can learn it, and so that a thing that was dropped or moved is simply taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from workbench.simulation.expert_motion import (
    OPEN,
    RETREAT_HEIGHT,
    SHUT,
    Command,
    Floats,
    above,
    bar_yaw,
    descend_on,
    gripper_yaw,
    is_at,
    retreat,
    rise,
    square_yaw,
)
from workbench.simulation.props import BLOCK_SIZE, BUTTON_HEIGHT, DRAWER_TRAVEL, KNOB_HEIGHT, PLATE_HEIGHT, PUCK_SIZE, rest_height
from workbench.simulation.robot import FINGER_RANGE
from workbench.simulation.scene import TaskInstance
from workbench.simulation.tasks.rotate_block import error as block_error
from workbench.simulation.tasks.turn_knob import error as knob_error
from workbench.simulation.world import World

Skill = Callable[[World, TaskInstance, float], Command]
"""``skill(world, instance, travel)`` with the height ``travel`` of the end-effector on its way over the table [m]."""

_GRASP_DEPTH: Final = 0.006
"""The end-effector grips this far below a thing's centre [m]."""
_SLOW: Final = 0.35
"""Pace near the place where a thing is let go."""
_CLEARANCE: Final = 0.07
"""The gripper has left a cube from this distance on [m]."""
_TURNED: Final = float(np.deg2rad(1.5))
_TURNED_LOOSE: Final = float(np.deg2rad(6))
"""What is left of a turn when it is finished: while held, and once let go [rad]."""
_KNOB_WIDTH: Final = 0.018
"""Width of a knob's bar [m]."""
_GRIPPER_WIDTH: Final = 2 * FINGER_RANGE
"""Distance between the fingers of the open gripper [m]."""
_PUSH_HEIGHT: Final = 0.016
_PUSH_OPENING: Final = 0.5
"""Two fingers side by side keep a puck from turning."""
_LOW: Final = 0.05
_NEAR_HANDLE: Final = 0.025
_OVER_HANDLE: Final = 0.009
"""This near to a drawer's handle and this far above it the fingers would slide over it [m]."""


# --- Cubes -------------------------------------------------------------------------------------------------------------------------


def touch(world: World, instance: TaskInstance, travel: float) -> Command:
    """Come down on the cube with the fingers shut."""
    target = instance.roles["target"]
    top = above(world.position(target), _half(world, target) + 0.001)
    return descend_on(world, top, 0.0, SHUT, travel=travel)


def pick(world: World, instance: TaskInstance, travel: float) -> Command:
    """Grasp the cube and raise it."""
    target = instance.roles["target"]
    if world.is_held(target):
        return rise(world, SHUT, travel)
    return _grasp_cube(world, target, travel)


def _grasp_cube(world: World, name: str, travel: float) -> Command:
    position = world.position(name)
    goal = above(position, -_GRASP_DEPTH)
    return _grasp(world, goal, square_yaw(world, name), travel)


def _grasp(world: World, goal: Floats, yaw: float, travel: float) -> Command:
    """Come down on ``goal`` ``(3,)`` with the fingers open, and shut them there."""
    if is_at(world, goal, yaw):
        return Command(goal, yaw, SHUT, contact=goal)
    return descend_on(world, goal, yaw, OPEN, travel=travel)


def _put(world: World, name: str, goal: Floats, tolerance: float, travel: float) -> Command:
    """Take a cube to ``goal`` ``(3,)``, where its centre shall be when it is let go, and come away."""
    if _is_put(world, name, goal, tolerance):
        return retreat(world)
    if not world.is_held(name):
        return _grasp_cube(world, name, travel)
    position = world.position(name)
    grip = world.ee_position - position
    aim = above(goal + grip, -0.003)
    step = descend_on(world, aim, gripper_yaw(world), SHUT, travel=travel)
    is_low = position[2] < goal[2] + 0.03
    return replace(step, pace=_SLOW if is_low else 1.0)


def _is_put(world: World, name: str, goal: Floats, tolerance: float) -> bool:
    position = world.position(name)
    return float(np.linalg.norm((goal - position)[:2])) <= tolerance and position[2] <= goal[2] + 0.003


def _half(world: World, name: str) -> float:
    """Return half the height of a cube, or of what is there in its place [m]."""
    return rest_height(world.prop(name))


def _plate_goal(world: World, plate: str, name: str) -> Floats:
    return above(world.position(plate), PLATE_HEIGHT * world.prop(plate).scale + _half(world, name))


def place_on_plate(world: World, instance: TaskInstance, travel: float) -> Command:
    """Put the cube in the middle of the plate."""
    return _put(world, instance.roles["pick"], _plate_goal(world, instance.roles["place"], instance.roles["pick"]), 0.03, travel)


def place_in_bowl(world: World, instance: TaskInstance, travel: float) -> Command:
    """Let the cube go low in the bowl."""
    goal = above(
        world.position(instance.roles["place"]), 0.01 * world.prop(instance.roles["place"]).scale + _half(world, instance.roles["pick"])
    )
    return _put(world, instance.roles["pick"], goal, 0.035, travel)


def stack(world: World, instance: TaskInstance, travel: float) -> Command:
    """Put the one cube on the other."""
    goal = above(world.position(instance.roles["place"]), _half(world, instance.roles["place"]) + _half(world, instance.roles["pick"]))
    return _put(world, instance.roles["pick"], goal, 0.01, travel)


def sort_two(world: World, instance: TaskInstance, travel: float) -> Command:
    """Put the first cube on its plate, then the second."""
    roles = instance.roles
    distance = float(np.linalg.norm(world.ee_position - world.position(roles["pick"])))
    is_clear = distance > _CLEARANCE or world.is_held(roles["pick_2"])
    if is_clear and _is_put(world, roles["pick"], _plate_goal(world, roles["place"], roles["pick"]), 0.03):
        return _put(world, roles["pick_2"], _plate_goal(world, roles["place_2"], roles["pick_2"]), 0.03, travel)
    return place_on_plate(world, instance, travel)


# --- Turning -----------------------------------------------------------------------------------------------------------------------


def turn_knob(world: World, instance: TaskInstance, travel: float) -> Command:
    """Grip the knob's bar, turn, let go."""
    target = instance.roles["target"]
    goal = above(world.position(target), KNOB_HEIGHT - 0.012)
    heading = world.yaw(target) + world.joint(target)
    return _turn(world, goal, heading, _KNOB_WIDTH, knob_error(world, instance), travel=travel, hold_at=goal)


def rotate_block(world: World, instance: TaskInstance, travel: float) -> Command:
    """Grip the block across, turn it on the spot, let go."""
    target = instance.roles["target"]
    position = world.position(target)
    hold_at = world.ee_position + world.initial.position(target) - position
    error = block_error(world, instance)
    return _turn(world, above(position, -0.004), world.yaw(target), BLOCK_SIZE[1], error, travel=travel, hold_at=hold_at)


def _turn(world: World, goal: Floats, heading: float, width: float, error: float, *, travel: float, hold_at: Floats) -> Command:
    """Grip something ``width`` [m] wide along ``heading`` at ``goal`` ``(3,)``, and turn it on by ``error`` [rad] at ``hold_at``."""
    yaw = gripper_yaw(world)
    is_aligned = abs(np.sin(yaw - heading)) < 0.35 and float(np.linalg.norm(world.ee_position - goal)) < 0.012
    # A knob stays where it is, so that often only one finger touches it: how wide the gripper is tells more than contacts.
    is_gripped = is_aligned and world.gripper * _GRIPPER_WIDTH < width + 0.006
    is_letting_go = not is_gripped or world.gripper_command > 0.5
    if abs(error) < (_TURNED_LOOSE if is_letting_go else _TURNED):
        return retreat(world)
    if is_gripped:
        return Command(hold_at, yaw + error, SHUT, contact=hold_at)
    return _grasp(world, goal, bar_yaw(heading, error), travel)


# --- Drawer and button -------------------------------------------------------------------------------------------------------------


def open_drawer(world: World, instance: TaskInstance, travel: float) -> Command:
    """Grip the handle, pull, let go."""
    target = instance.roles["target"]
    opening, outward = world.joint(target), _outward(world, target)
    is_letting_go = world.gripper_command > 0.5
    if opening >= DRAWER_TRAVEL - (0.022 if is_letting_go else 0.008):
        return retreat(world)
    handle = world.part_position(target, "handle")
    if world.is_held(target):
        aim = world.ee_position + outward * (DRAWER_TRAVEL + 0.005 - opening)
        return Command(aim, gripper_yaw(world), SHUT, pace=0.6, contact=world.ee_position)
    return _grasp(world, above(handle, 0.004), bar_yaw(world.yaw(target) + np.pi / 2), travel)


def close_drawer(world: World, instance: TaskInstance, travel: float) -> Command:
    """Come down before the handle with the fingers shut, and push."""
    target = instance.roles["target"]
    outward, handle = _outward(world, target), world.part_position(target, "handle")
    yaw = bar_yaw(world.yaw(target))
    offset = world.ee_position - handle
    ahead = float(offset @ outward)
    aside = offset - ahead * outward
    is_before = 0.0 < ahead < 0.07 and float(np.linalg.norm(aside)) < 0.02
    start = handle + 0.045 * outward
    if is_before and abs(yaw - gripper_yaw(world)) < 0.15:
        if ahead < _NEAR_HANDLE and aside[2] > _OVER_HANDLE:
            return Command(start, yaw, SHUT, contact=world.ee_position)
        aim = handle - outward * (world.joint(target) + 0.01)
        return Command(aim, yaw, SHUT, pace=0.6, contact=world.ee_position)
    return descend_on(world, start, yaw, SHUT, travel=travel)


def _outward(world: World, name: str) -> Floats:
    yaw = world.yaw(name)
    return np.array([np.cos(yaw), np.sin(yaw), 0.0])


def press_button(world: World, instance: TaskInstance, travel: float) -> Command:
    """Come down on the button with the fingers shut."""
    cap = above(world.position(instance.roles["target"]), BUTTON_HEIGHT - 0.010)
    return descend_on(world, cap, 0.0, SHUT, travel=travel)


# --- Along the table ---------------------------------------------------------------------------------------------------------------


def push_to_zone(world: World, instance: TaskInstance, travel: float) -> Command:
    """Come down behind the puck, fingers side by side across the way, and push it along the line to the zone."""
    puck, zone = world.position(instance.roles["pick"]), world.position(instance.roles["place"])
    way = (zone - puck)[:2]
    length = float(np.linalg.norm(way))
    is_rising = world.ee_position[2] > _PUSH_HEIGHT + 0.01
    # The direction of what is left turns wildly close to the goal: stop before.
    if length < (0.035 if is_rising else 0.018):
        return rise(world, _PUSH_OPENING, is_done=world.ee_position[2] >= RETREAT_HEIGHT)
    along = np.array([*(way / length), 0.0])
    across = np.array([-along[1], along[0], 0.0])
    heading = float(np.arctan2(along[1], along[0]))
    yaw = bar_yaw(heading)
    contact = _puck_reach(world.yaw(instance.roles["pick"]) - heading) + 0.0095
    offset = world.ee_position - puck
    behind, aside = -float(offset @ along), float(offset @ across)
    is_behind = contact - 0.035 < behind < contact + 0.05 and abs(aside) < 0.02
    if is_behind and world.ee_position[2] < _PUSH_HEIGHT + 0.012 and abs(yaw - gripper_yaw(world)) < 0.2:
        if world.ee_position[2] < _PUSH_HEIGHT - 0.007:
            return rise(world, _PUSH_OPENING, _PUSH_HEIGHT)
        # Straight on only: pulling sideways or down on what sticks to the fingers would press it onto the table.
        aim = world.ee_position + along * (length + 0.01)
        if not world.is_touching("gripper", instance.roles["pick"]):
            aim[2] = _PUSH_HEIGHT
        return Command(aim, gripper_yaw(world), _PUSH_OPENING, pace=0.5, contact=world.ee_position)
    start = puck - along * (contact + 0.025)
    return descend_on(world, np.array([start[0], start[1], _PUSH_HEIGHT]), yaw, _PUSH_OPENING, travel=travel)


def _puck_reach(angle: float) -> float:
    """Return how far a puck reaches from its centre in a direction at ``angle`` [rad] to its own axis [m]."""
    return PUCK_SIZE[0] / 2 * float(abs(np.cos(angle)) + abs(np.sin(angle)))


def follow_path(world: World, instance: TaskInstance, travel: float) -> Command:
    """Go low from dot to dot."""
    passed = min(int(world.progress[1]), len(instance.path) - 1)
    goal = np.array(instance.path[passed])
    if passed > 0 and world.ee_position[2] < _LOW:
        return Command(goal, 0.0, SHUT, contact=world.ee_position)
    return descend_on(world, goal, 0.0, SHUT, travel=travel)


SKILLS: Final[Mapping[str, Skill]] = MappingProxyType(
    {
        "touch": touch,
        "pick": pick,
        "place_on_plate": place_on_plate,
        "place_in_bowl": place_in_bowl,
        "stack": stack,
        "push_to_zone": push_to_zone,
        "open_drawer": open_drawer,
        "close_drawer": close_drawer,
        "press_button": press_button,
        "turn_knob": turn_knob,
        "rotate_block": rotate_block,
        "follow_path": follow_path,
        "sort_two": sort_two,
        "ambiguous_cubes": place_on_plate,
        "ambiguous_plates": place_on_plate,
    }
)
"""What to do in each task."""

DONE_AT_SUCCESS: Final = frozenset({"touch", "pick", "press_button", "follow_path", "close_drawer"})
"""Tasks that end with the goal itself; in all others the gripper comes away first."""
