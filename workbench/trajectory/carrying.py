"""Way points of the verbs that hold a thing: move, pick, pull, rotate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.geometry import signed_angle
from workbench.core.sketches import PlanStep
from workbench.core.trajectories import Phase, Waypoint
from workbench.trajectory.contact import plan_push
from workbench.trajectory.grasp import Grasp, TooWide, find_grasp, grasp_thing
from workbench.trajectory.lift import lift_on_plane, lift_pixel
from workbench.trajectory.situation import (
    CAREFUL,
    CARRYING,
    CLEARANCE_M,
    CLOSE_DWELL_S,
    GENTLE,
    OPEN_DWELL_S,
    Situation,
    approach,
    at_height,
    retreat,
    surface_points,
    waypoint,
)
from workbench.trajectory.things import find_thing, raised_point

PICK_LIFT_M: Final = 0.15
"""How high a picked thing is held above where it stood."""
RELEASE_GAP_M: Final = 0.004
"""A thing is let go this far above the surface it is put on."""
GOAL_SIZE_M: Final = 0.20
"""A goal that is a thing up to this wide means its middle."""
TURN_STEP_RAD: Final = np.deg2rad(15)
"""Angle between way points of a turn."""
HELD_HANG_M: Final = 0.024
"""Assumed for a thing that was in the hand already: half a cube."""
IN_HAND_M: Final = 0.07
PIVOT_SLACK_M: Final = 0.03
"""A circle drawn this near to a thing's middle means its middle."""
MIN_ARC_PX: Final = 3.0
"""An arc nearer to the pivot than this has no direction."""
SETTLE_DWELL_S: Final = 0.2


class Hold(NamedTuple):
    """How a thing is held."""

    position: NDArray[np.float64]
    """``(3,)`` of the tool centre point [m]."""
    yaw: float
    """Of the closing axis in the world [rad]."""
    hang_m: float
    """How far the thing's foot lies below the tool centre point [m]."""


def plan_move(situation: Situation, step: PlanStep) -> list[Waypoint]:
    """Grasp at the tail, follow the shaft above the surface, let go at the head; what is too wide for the gripper is pushed instead."""
    if situation.is_holding and _is_in_hand(situation, step):
        hold = Hold(situation.ee_position, situation.ee_yaw, HELD_HANG_M)
        return _carry(situation, step, hold)
    try:
        grasp = _grasp_at(situation, step)
    except TooWide:
        return plan_push(situation, step)
    hold = Hold(grasp.position, grasp.yaw, grasp.position[2] - grasp.thing.support_m)
    return _take(situation, grasp) + _carry(situation, step, hold)


def _carry(situation: Situation, step: PlanStep, hold: Hold) -> list[Waypoint]:
    """Return the way of a held thing over the shaft to the head, and of the gripper home."""
    goal = find_goal(situation, step, hold.position)
    shaft = shaft_points(situation, step, hold.position, goal)
    carry = max(float(shaft[1:, 2].max()) + CLEARANCE_M + hold.hang_m, hold.position[2] + CLEARANCE_M)
    release = at_height(goal, goal[2] + hold.hang_m + RELEASE_GAP_M)
    ways = [waypoint(at_height(hold.position, carry), hold.yaw, 0.0, Phase.LIFT, speed=CARRYING, tolerance=0.02)]
    for point in shaft[1:-1]:
        ways.append(waypoint(at_height(point, carry), hold.yaw, 0.0, Phase.MOVE, speed=CARRYING, tolerance=0.02))
    ways.append(waypoint(at_height(goal, carry), hold.yaw, 0.0, Phase.MOVE, speed=CARRYING, tolerance=0.006))
    ways.append(waypoint(release, hold.yaw, 0.0, Phase.LOWER, speed=CAREFUL, tolerance=0.004, dwell_s=0.1))
    ways.append(waypoint(release, hold.yaw, 1.0, Phase.RELEASE, speed=GENTLE, dwell_s=OPEN_DWELL_S))
    return ways + retreat(release, hold.yaw, 1.0)


def _is_in_hand(situation: Situation, step: PlanStep) -> bool:
    """Tell whether a step's first keypoint means the thing that is held: drawn on it, or on where it was taken from."""
    try:
        point = raised_point(situation.picture, step.keypoints[0])
    except Unreachable:
        return True
    return float(np.linalg.norm(point - situation.ee_position)) < IN_HAND_M


def plan_pick(situation: Situation, step: PlanStep) -> list[Waypoint]:
    """Grasp and lift."""
    grasp = _grasp_at(situation, step)
    up = at_height(grasp.position, grasp.position[2] + PICK_LIFT_M)
    return [*_take(situation, grasp), waypoint(up, grasp.yaw, 0.0, Phase.LIFT, speed=CAREFUL, dwell_s=0.3)]


def plan_pull(situation: Situation, step: PlanStep) -> list[Waypoint]:
    """Grasp a handle, follow the shaft at the handle's height, let go."""
    if len(step.keypoints) < 2:
        raise InvalidInput("pull", expected="an arrow with a tail and a head", found=f"{len(step.keypoints)} point")
    grasp = _grasp_at(situation, step)
    pinhole, height = situation.picture.pinhole, float(grasp.thing.point[2])
    drawn = np.array([lift_on_plane(pinhole, pixel, height) for pixel in step.keypoints])
    path = grasp.position + np.concatenate([drawn[:, :2] - drawn[0, :2], np.zeros((len(drawn), 1))], axis=1)
    ways = _take(situation, grasp)
    for point in path[1:-1]:
        ways.append(waypoint(point, grasp.yaw, 0.0, Phase.MOVE, speed=CAREFUL, tolerance=0.015))
    ways.append(waypoint(path[-1], grasp.yaw, 0.0, Phase.MOVE, speed=CAREFUL, tolerance=0.005, dwell_s=SETTLE_DWELL_S))
    ways.append(waypoint(path[-1], grasp.yaw, 1.0, Phase.RELEASE, speed=GENTLE, dwell_s=OPEN_DWELL_S))
    return ways + retreat(path[-1], grasp.yaw, 1.0)


def plan_rotate(situation: Situation, step: PlanStep) -> list[Waypoint]:
    """Grasp at the pivot and turn by the signed angle of the arc, taking a new hold where the wrist's limits ask for it."""
    thing = find_thing(situation.picture, step.keypoints[0])
    grasp = grasp_thing(thing, situation.ee_yaw)
    angle = turn_angle(situation, step, grasp)
    ways: list[Waypoint] = []
    end = grasp.yaw
    for yaw, part in split_turn(situation, grasp, angle):
        hold = replace(grasp, yaw=yaw)
        ways += _take_again(hold, end) if ways else _take(situation, hold)
        num, end = max(1, int(np.ceil(abs(part) / TURN_STEP_RAD))), yaw + part
        for k in range(1, num + 1):
            dwell_s = SETTLE_DWELL_S if k == num else 0.0
            ways.append(waypoint(grasp.position, yaw + part * k / num, 0.0, Phase.ROTATE, speed=CAREFUL, dwell_s=dwell_s))
        ways.append(waypoint(grasp.position, end, 1.0, Phase.RELEASE, speed=GENTLE, dwell_s=OPEN_DWELL_S))
    return ways + retreat(grasp.position, end, 1.0)


def find_goal(situation: Situation, step: PlanStep, held: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where to put what is held at ``held`` ``(3,)`` [m]: the middle of the thing under the arrow's head, or the surface there."""
    if len(step.keypoints) < 2:
        raise InvalidInput("move", expected="an arrow with a tail and a head", found=f"{len(step.keypoints)} point")
    point = lift_pixel(situation.picture, step.keypoints[-1], "near")
    try:
        thing = find_thing(situation.picture, step.keypoints[-1])
    except Unreachable:
        return point
    is_itself = float(np.hypot(*(thing.centre - held[:2]))) < 0.02
    if is_itself or float(thing.size.max()) > GOAL_SIZE_M:
        return point
    return np.array([*thing.centre, thing.top_m])


def shaft_points(situation: Situation, step: PlanStep, start: NDArray[np.float64], goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the drawn shaft on the surfaces it is drawn over ``(N, 3)`` [m], from ``start`` to ``goal``."""
    inner = surface_points(situation.picture, step.keypoints[1:-1]) if len(step.keypoints) > 2 else np.empty((0, 3))
    return np.concatenate([start[None], inner, goal[None]])


def turn_angle(situation: Situation, step: PlanStep, grasp: Grasp) -> float:
    """Return the signed angle [rad] about world +Z that the arc describes around the pivot; more than half a turn is allowed.

    Source: the rotation cost of Robotic Visual Instruction, arXiv:2505.00693; angles are signed and summed along the arc here.
    """
    pinhole = situation.picture.pinhole
    pivot = np.asarray(step.keypoints[0], dtype=float)
    radii = [float(np.hypot(*(np.asarray(p) - pivot))) for p in step.arc]
    if len(step.arc) >= 2 and min(radii) > MIN_ARC_PX:
        height = grasp.thing.top_m
        centre = lift_on_plane(pinhole, step.keypoints[0], height)[:2]
        if np.hypot(*(centre - grasp.position[:2])) < PIVOT_SLACK_M:
            centre = grasp.position[:2]
        spokes = [lift_on_plane(pinhole, p, height)[:2] - centre for p in step.arc]
        return float(sum(signed_angle(a, b) for a, b in pairwise(spokes)))
    if step.angle_rad is None:
        raise InvalidInput("rotate", expected="a circle and an arc that gives the angle", found="no arc")
    # Seen from above, clockwise on the screen is a negative turn about +Z.
    return -step.angle_rad if pinhole.T_world_camera[2, 2] < 0 else step.angle_rad


def split_turn(situation: Situation, grasp: Grasp, angle: float) -> list[tuple[float, float]]:
    """Return the holds of a turn as (yaw at which to grasp, signed angle to turn) [rad], as few as the wrist allows."""
    best: list[tuple[float, float]] = []
    best_key: tuple[float, ...] = (np.inf,)
    for start in (grasp.yaw, grasp.yaw + np.pi, grasp.yaw - np.pi):
        holds = _holds_from(situation, grasp, start, angle)
        key = (float(len(holds)), abs(start - situation.ee_yaw)) if holds else (np.inf,)
        if key < best_key:
            best, best_key = holds, key
    if not best:
        raise Unreachable(
            "the turn", reason="the wrist cannot turn the gripper there", fix="Move the thing nearer to the middle of the table."
        )
    return best


def _holds_from(situation: Situation, grasp: Grasp, start: float, angle: float) -> list[tuple[float, float]]:
    holds: list[tuple[float, float]] = []
    yaw, left = start, angle
    low, high = situation.turn_room(grasp.position, yaw)
    if not low <= 0 <= high:
        return []
    while abs(left) > 1e-6 and len(holds) < 8:
        part = float(np.clip(left, low, high))
        if abs(part) < min(abs(left), np.deg2rad(20)):
            if not holds:  # This start leaves no room in the wanted direction: another one may.
                return []
            part = 0.0
        if part:
            holds.append((yaw, part))
            left -= part
        # The fingers are alike: half a turn back is the same hold with room again.
        back = -np.pi * float(np.sign(left))
        yaw, low, high = yaw + part + back, low - part - back, high - part - back
        if not low <= 0 <= high:
            return [] if abs(left) > 1e-6 else holds
    return holds if abs(left) <= 1e-6 else []


def _take(situation: Situation, grasp: Grasp) -> list[Waypoint]:
    """Return the way to a thing and the closing of the fingers on it."""
    return [*approach(situation, grasp.position, grasp.yaw, 1.0), *_close_on(grasp)]


def _take_again(grasp: Grasp, open_yaw: float) -> list[Waypoint]:
    """Return the way up, back from the yaw at which the thing was let go, and down to a new hold of it."""
    above = at_height(grasp.position, grasp.position[2] + CLEARANCE_M)
    ways = [waypoint(above, open_yaw, 1.0, Phase.APPROACH, speed=CAREFUL)]
    # In parts, because half a turn has no shortest way.
    for share in (1 / 3, 2 / 3, 1.0):
        ways.append(waypoint(above, open_yaw + share * (grasp.yaw - open_yaw), 1.0, Phase.ROTATE, speed=CAREFUL))
    return ways + _close_on(grasp)


def _close_on(grasp: Grasp) -> list[Waypoint]:
    return [
        waypoint(grasp.position, grasp.yaw, 1.0, Phase.DESCEND, speed=CAREFUL, tolerance=0.004),
        waypoint(grasp.position, grasp.yaw, 0.0, Phase.GRASP, speed=GENTLE, dwell_s=CLOSE_DWELL_S),
    ]


def _grasp_at(situation: Situation, step: PlanStep) -> Grasp:
    """Return the grasp at the first keypoint, from the side that the wrist reaches."""
    grasp = find_grasp(situation.picture, step.keypoints[0], situation.ee_yaw)
    for yaw in sorted((grasp.yaw, grasp.yaw + np.pi, grasp.yaw - np.pi), key=lambda y: abs(y - situation.ee_yaw)):
        low, high = situation.turn_room(grasp.position, yaw)
        if low <= 0 <= high:
            return replace(grasp, yaw=yaw)
    raise Unreachable("the first point", reason="the arm cannot turn the gripper as the thing lies there")
