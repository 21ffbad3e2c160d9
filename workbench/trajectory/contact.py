"""Way points of the verbs that touch without holding: press, touch, push, follow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.polylines import spaced
from workbench.core.sketches import PlanStep
from workbench.core.trajectories import Phase, Waypoint
from workbench.trajectory.grasp import MAX_OPENING_M, hold_point, nearest_half_turn, span_along
from workbench.trajectory.lift import lift_on_plane, lift_pixel
from workbench.trajectory.situation import CAREFUL, GENTLE, Situation, approach, at_height, retreat, surface_points, waypoint
from workbench.trajectory.things import Thing, find_thing

PRESS_DEPTH_M: Final = 0.018
"""A press goes on this far below the top, until something stops it."""
TOUCH_DEPTH_M: Final = 0.006
CROWN_M: Final = 0.006
"""The points this near to the top are what a press aims at."""
FOLLOW_CLEARANCE_M: Final = 0.02
"""Height of the gripper above the surface that the shaft is drawn on."""
FOLLOW_SPACING_M: Final = 0.03
PUSH_HEIGHT_M: Final = 0.012
"""Height of the finger tips above the table while they push, for things that are high enough."""
FINGER_REACH_M: Final = 0.0095
"""From the tool centre point to the outside of the closed fingers, across the closing axis."""
FINGER_WIDTH_M: Final = 0.02
"""Width of both fingers together, along the closing axis."""
SPREAD: Final = 0.6
"""Share of a side over which the fingers are spread to push it."""
PUSH_GAP_M: Final = 0.025
"""Free room between the fingers and the thing before a push."""
PUSH_SPACING_M: Final = 0.03
BAR_M: Final = 0.025
"""What is thinner than this along the push is a handle's bar, not a thing that lies on the table."""
PRESS_ON_M: Final = 0.012
LARGE_M: Final = 0.16
LOWEST_M: Final = 0.006
"""The tool centre point goes no lower than this above the table."""


def plan_press(situation: Situation, step: PlanStep) -> list[Waypoint]:
    """Press the top of the thing down with closed fingers."""
    return _go_down(situation, step, PRESS_DEPTH_M, Phase.PRESS, dwell_s=0.25)


def plan_touch(situation: Situation, step: PlanStep) -> list[Waypoint]:
    """Touch the top of the thing with closed fingers."""
    return _go_down(situation, step, TOUCH_DEPTH_M, Phase.PRESS, dwell_s=0.4)


def plan_push(situation: Situation, step: PlanStep) -> list[Waypoint]:
    """Slide the thing along the shaft, from behind, with the fingers side by side and spread, so that it does not turn away."""
    if len(step.keypoints) < 2:
        raise InvalidInput("push", expected="an arrow with a tail and a head", found=f"{len(step.keypoints)} point")
    thing = find_thing(situation.picture, step.keypoints[0])
    path = spaced(_push_path(situation, step, thing), PUSH_SPACING_M)
    steps = np.diff(path, axis=0)
    directions = np.array([_unit(d) for d in np.concatenate([steps[:1], steps])])
    height = max(PUSH_HEIGHT_M, min(0.5 * (thing.top_m + thing.support_m), thing.top_m - 0.012))
    gripper = _push_opening(thing, path[0], directions[0])
    yaw = nearest_half_turn(_angle(directions[0]) + np.pi / 2, situation.ee_yaw)
    behind = at_height(path[0] - directions[0] * (_reach(thing, path[0], directions[0], max) + PUSH_GAP_M), height)
    ways = approach(situation, behind, yaw, gripper)
    ways.append(waypoint(behind, yaw, gripper, Phase.DESCEND, speed=CAREFUL, tolerance=0.006))
    for place, direction in zip(path, directions, strict=True):
        yaw = nearest_half_turn(_angle(direction) + np.pi / 2, yaw)
        contact = at_height(place - direction * _reach(thing, path[0], direction, min), height)
        ways.append(waypoint(contact, yaw, gripper, Phase.MOVE, speed=GENTLE, tolerance=0.008))
    ways[-1] = waypoint(ways[-1].position, yaw, gripper, Phase.MOVE, speed=GENTLE, tolerance=0.003, dwell_s=0.2)
    back = ways[-1].position - at_height(directions[-1] * PUSH_GAP_M, 0.0)
    ways.append(waypoint(back, yaw, gripper, Phase.RETREAT, speed=CAREFUL))
    return ways + retreat(back, yaw, gripper)


def plan_follow(situation: Situation, step: PlanStep) -> list[Waypoint]:
    """Lead the closed gripper along the shaft, right above the surface."""
    points = surface_points(situation.picture, step.keypoints)
    if len(points) < 2:
        raise InvalidInput("follow", expected="an arrow with a tail and a head", found=f"{len(points)} point")
    points[:, 2] += FOLLOW_CLEARANCE_M
    yaw = situation.ee_yaw
    ways = approach(situation, points[0], yaw, 0.0)
    ways.append(waypoint(points[0], yaw, 0.0, Phase.DESCEND, speed=CAREFUL, tolerance=0.005, dwell_s=0.1))
    for here, there in pairwise(points):
        pieces = spaced(np.stack([here, there]), FOLLOW_SPACING_M)
        ways += [waypoint(p, yaw, 0.0, Phase.MOVE, speed=CAREFUL, tolerance=0.008) for p in pieces[1:]]
    ways[-1] = waypoint(points[-1], yaw, 0.0, Phase.MOVE, speed=CAREFUL, tolerance=0.005, dwell_s=0.2)
    return ways + retreat(points[-1], yaw, 0.0)


def _go_down(situation: Situation, step: PlanStep, depth_m: float, phase: Phase, *, dwell_s: float) -> list[Waypoint]:
    place = _crown(situation, step)
    yaw = situation.ee_yaw
    below = at_height(place, max(place[2] - depth_m, LOWEST_M))
    ways = approach(situation, place, yaw, 0.0)
    ways.append(waypoint(at_height(place, place[2] + 0.02), yaw, 0.0, Phase.DESCEND, speed=CAREFUL))
    ways.append(waypoint(below, yaw, 0.0, phase, speed=GENTLE, tolerance=0.003, dwell_s=dwell_s))
    return ways + retreat(place, yaw, 0.0)


def _crown(situation: Situation, step: PlanStep) -> NDArray[np.float64]:
    """Return the middle of the top ``(3,)`` [m] of the thing under the first keypoint; of a flat or large thing, the place itself."""
    try:
        thing = find_thing(situation.picture, step.keypoints[0])
    except Unreachable:
        return lift_pixel(situation.picture, step.keypoints[0])
    crown = thing.cloud[thing.cloud[:, 2] >= thing.top_m - CROWN_M]
    low, high = np.percentile(crown[:, :2], [1, 99], axis=0)
    is_large = float((high - low).max()) > LARGE_M
    return at_height(thing.point if is_large else 0.5 * (low + high), thing.top_m)


def _push_path(situation: Situation, step: PlanStep, thing: Thing) -> NDArray[np.float64]:
    """Return where the thing's middle shall go ``(N, 2)`` [m], from where it is now."""
    start = hold_point(thing)
    pinhole, height = situation.picture.pinhole, float(thing.point[2])
    drawn = np.array([lift_on_plane(pinhole, pixel, height)[:2] for pixel in step.keypoints])
    towards = _unit(drawn[-1] - drawn[0])
    low, high = span_along(thing, start, _angle(towards))
    start = start + 0.5 * (low + high) * towards
    if high - low < BAR_M:
        # A bar in the air belongs to something that slides: it stays at its height, and goes on until it is stopped.
        path = start + drawn - drawn[0]
        return np.concatenate([path, path[-1:] + PRESS_ON_M * _unit(path[-1] - path[-2])])
    head = lift_pixel(situation.picture, step.keypoints[-1], "centre")
    inner = surface_points(situation.picture, step.keypoints[1:-1]) if len(step.keypoints) > 2 else np.empty((0, 3))
    return np.concatenate([start[None], inner[:, :2], head[None, :2]])


def _reach(thing: Thing, centre: NDArray[np.float64], direction: NDArray[np.float64], choose: Callable[..., float]) -> float:
    """Return how far behind a thing's middle ``(2,)`` the gripper stands when it touches it [m].

    Two fingers side by side turn the thing until the side they push lies along them: from then on its least width within an eighth of
    a turn counts (``choose=min``); before, it may stand on a corner (``max``).
    """
    angles = _angle(direction) + np.linspace(-np.pi / 4, np.pi / 4, 31)
    widths = [high - low for low, high in (span_along(thing, centre, angle) for angle in angles)]
    return 0.5 * choose(widths) + FINGER_REACH_M


def _push_opening(thing: Thing, centre: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    """Return the opening 0..1 that spreads the fingers over a good part of the side that they push."""
    low, high = span_along(thing, centre, _angle(direction) + np.pi / 2)
    return float(np.clip((SPREAD * (high - low) - FINGER_WIDTH_M) / MAX_OPENING_M, 0.0, 0.9))


def _angle(direction: NDArray[np.float64]) -> float:
    return float(np.arctan2(direction[1], direction[0]))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))
