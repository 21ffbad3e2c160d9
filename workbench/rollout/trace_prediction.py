"""What a policy is about to do, as a path that a person can edit: its own trace lifted into space, or its chunk of actions summed up.

A trace of pixels says nothing about heights. They are guessed from what the policy says otherwise: where the end-effector is, where the
thing is which it means, and where that shall go; the guess keeps every point on its pixel, and the path says that it is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, UnknownName, Unreachable
from workbench.core.geometry import Pinhole
from workbench.core.polylines import arc_lengths
from workbench.core.protocols import Simulator
from workbench.core.types import CameraRequest, Intention, Observation, Target, Trace
from workbench.rollout.trace_path import DrawnPath, drawn_path
from workbench.trajectory.lift import DepthPicture, depth_picture, lift_pixel
from workbench.trajectory.paths import DRAWN_CLEARANCE_M, SpacePath, lift_trace
from workbench.trajectory.trace_editing import smooth

Floats = NDArray[np.float64]

LOOK_PX: Final = 256
NEAR_SHARE: Final = 0.07
"""A point of a trace that is nearer than this share of the frame to a target is the point that acts on it."""
CARRY_M: Final = 0.14
"""Guessed height over the table between two targets."""
GRASP_BELOW_TOP_M: Final = 0.02
RELEASE_OVER_M: Final = 0.03
LOWEST_M: Final = 0.02
HIGHEST_M: Final = 0.55
DRAWN_TOLERANCE_M: Final = 0.006
GUESSED: Final = "Its heights are guessed: the policy draws on the picture only. Set them in the side view."


class Anchor(NamedTuple):
    """A point of a trace whose height is known."""

    point: int
    height_m: float
    opening: float | None
    """What the gripper does there."""


def path_of_intention(simulator: Simulator, intention: Intention) -> DrawnPath | None:
    """Return the path that a policy shows as its own, as the scene stands; None when it shows none."""
    trace = intention.trace
    if trace is None or len(trace.points) < 2 or trace.camera not in simulator.spec.cameras:
        return None
    observation = simulator.observe((CameraRequest(trace.camera, LOOK_PX, LOOK_PX),))
    pinhole = observation.cameras[trace.camera]
    if trace.depths_m is not None:
        return drawn_path(lift_trace(trace, pinhole), source="policy")
    targets = [t for t in intention.targets if t.camera == trace.camera]
    anchors = _anchors(trace, targets, depth_picture(observation, trace.camera), observation)
    heights = _heights(len(trace.points), anchors)
    positions = _on_heights(pinhole, _rays(trace, pinhole), heights)
    positions[0] = observation.part("ee_position")
    return drawn_path(SpacePath(positions, _openings(len(positions), anchors, observation)), source="policy", note=GUESSED)


def path_of_drawing(simulator: Simulator, camera: str, points: Sequence[tuple[float, float]]) -> DrawnPath:
    """Return a line that was drawn on a camera's picture as a path: from the gripper's height, when it begins there, down to what it ends on.

    Args:
        simulator: as the scene stands.
        camera: that it was drawn on.
        points: at least two, (u, v) in 0..1 of the picture.

    Raises:
        UnknownName: the scene has no such camera.
        InvalidInput: fewer than two points, or one is not finite.
        Unreachable: a point lies outside of the picture.
    """
    if camera not in simulator.spec.cameras:
        raise UnknownName("camera", camera, simulator.spec.cameras)
    trace = Trace(camera, 1, 1, tuple(points))
    if len(points) < 2:
        raise InvalidInput("drawn path", expected="at least two points", found=str(len(points)))
    observation = simulator.observe((CameraRequest(camera, LOOK_PX, LOOK_PX),))
    pinhole = observation.cameras[camera].resized(1, 1)
    rays = _rays(trace, pinhole)
    places = np.asarray(points, dtype=float)
    picture = depth_picture(observation, camera)
    hand = observation.ee_position
    is_from_hand = float(np.linalg.norm(pinhole.project(hand)[0][0] - places[0])) < NEAR_SHARE
    first, last = (_surface(picture, place) for place in (places[0], places[-1]))
    start = float(hand[2]) if is_from_hand else DRAWN_CLEARANCE_M + (first or 0.0)
    end = max(LOWEST_M, DRAWN_CLEARANCE_M + (last or 0.0))
    arcs = arc_lengths(places)
    heights = np.clip(start + (end - start) * arcs / max(float(arcs[-1]), 1e-9), LOWEST_M, HIGHEST_M)
    positions = _on_heights(pinhole, rays, heights)
    if is_from_hand:
        positions[0] = hand
    path = smooth(SpacePath(positions), DRAWN_TOLERANCE_M)
    return drawn_path(path, source="human", note="Its heights go evenly from its beginning to its end. Set them in the side view.")


def path_of_actions(observation: Observation, actions: NDArray[np.float32]) -> DrawnPath:
    """Return where a chunk of actions ``(T, 7)`` takes the end-effector: the path of any policy, also of a remote one."""
    moves = np.vstack([np.zeros((1, 3)), np.cumsum(actions[:, :3].astype(float), axis=0)])
    openings = np.concatenate([observation.part("gripper_command"), actions[:, 6]]).astype(float)
    note = f"The next {len(actions)} steps of its actions." if len(actions) > 1 else "This driver plans one step ahead only."
    return drawn_path(SpacePath(observation.ee_position + moves, np.clip(openings, 0, 1)), source="actions", note=note)


def _anchors(trace: Trace, targets: list[Target], picture: DepthPicture, observation: Observation) -> list[Anchor]:
    """Return the points of known height: where the end-effector is, at the targets, and at the end."""
    points = np.asarray(trace.points, dtype=float) / (trace.width, trace.height)
    found = {0: Anchor(0, float(observation.ee_position[2]), None)}
    is_holding = observation.gripper_command < 0.5
    for target in targets:
        if (target.role == "target" and is_holding) or target.role not in ("target", "goal"):
            continue
        gaps = np.linalg.norm(points[1:] - target.point, axis=1)
        index = 1 + int(np.argmin(gaps))
        top = _surface(picture, np.asarray(target.point))
        if gaps[index - 1] <= NEAR_SHARE and index not in found and top is not None:
            is_goal = target.role == "goal"
            height = top + RELEASE_OVER_M if is_goal else max(LOWEST_M, top - GRASP_BELOW_TOP_M)
            found[index] = Anchor(index, height, 1.0 if is_goal else 0.0)
    last = len(points) - 1
    if last not in found:
        top = _surface(picture, points[last])
        found[last] = Anchor(last, CARRY_M if top is None else max(LOWEST_M, top), None)
    return sorted(found.values())


def _surface(picture: DepthPicture, place: Floats) -> float | None:
    """Return the height of what is seen at a place in 0..1 of the picture [m], or None."""
    try:
        pixel = place * (picture.pinhole.width, picture.pinhole.height)
        return float(lift_pixel(picture, (float(pixel[0]), float(pixel[1])), "centre")[2])
    except Unreachable:
        return None


def _heights(count: int, anchors: list[Anchor]) -> Floats:
    """Return a height for each point [m]: straight between the anchors, but high where something is carried from one to the next."""
    heights = np.interp(np.arange(count), [a.point for a in anchors], [a.height_m for a in anchors])
    for before, after in pairwise(anchors):
        if before.opening == 0.0:
            inside = slice(before.point + 1, after.point)
            heights[inside] = np.maximum(heights[inside], CARRY_M)
    return np.asarray(np.clip(heights, LOWEST_M, HIGHEST_M))


def _rays(trace: Trace, pinhole: Pinhole) -> Floats:
    """Return the world directions ``(N, 3)`` of a trace's pixels, a metre deep each; errors as :func:`lift_trace`."""
    seen = lift_trace(replace(trace, depths_m=(1.0,) * len(trace.points)), pinhole).positions
    return np.asarray(seen - pinhole.T_world_camera[:3, 3])


def _on_heights(pinhole: Pinhole, rays: Floats, heights: Floats) -> Floats:
    """Return the world points ``(N, 3)`` [m] that lie on rays ``(N, 3)`` of a camera, at heights ``(N,)`` [m]."""
    origin = pinhole.T_world_camera[:3, 3]
    falls = np.where(np.abs(rays[:, 2]) < 1e-3, -1e-3, rays[:, 2])
    shares = np.clip((heights - origin[2]) / falls, 0.1, 3.0)
    return np.asarray(origin + shares[:, None] * rays)


def _openings(count: int, anchors: list[Anchor], observation: Observation) -> Floats:
    openings = np.full(count, float(observation.gripper_command > 0.5))
    for anchor in anchors:
        if anchor.opening is not None:
            openings[anchor.point :] = anchor.opening
    return openings
