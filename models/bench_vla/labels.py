"""What a demonstration tells besides actions: which things play which roles, and where they are in the pictures."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.bench_vla.motion import JOINT_PARTS, ProxyWorld
from workbench.core.geometry import Pinhole, matrix_from_quat
from workbench.core.polylines import arc_lengths, points_at, resample
from workbench.core.types import Interaction
from workbench.simulation.props import (
    BLOCK_SIZE,
    BOWL_HEIGHT,
    BOWL_RADIUS,
    BUTTON_HEIGHT,
    CUBE_SIZE,
    DRAWER_SIZE,
    KNOB_HEIGHT,
    PLATE_HEIGHT,
    PLATE_RADIUS,
    PUCK_SIZE,
    ZONE_SIZE,
)
from workbench.simulation.scene import PropKind, TaskInstance

Floats = NDArray[np.float64]

NUM_OUTLINE: Final = 12
"""Points of an outline."""
NUM_PATH: Final = 32
"""Points of a path."""
_MAX_EVENTS: Final = 8
"""Most openings and closings of a path that are kept exactly."""

_INTERACTIONS: Final = {
    "touch": Interaction.APPROACH,
    "push_to_zone": Interaction.PUSH,
    "open_drawer": Interaction.OPEN,
    "close_drawer": Interaction.CLOSE,
    "press_button": Interaction.PRESS,
    "turn_knob": Interaction.TURN,
    "rotate_block": Interaction.TURN,
}
"""Tasks of a single kind of step; in the others a thing is grasped, then put."""
_ON_TOP: Final = {PropKind.PLATE: PLATE_HEIGHT, PropKind.BOWL: BOWL_HEIGHT, PropKind.ZONE: 0.001}
"""Kinds whose point is the middle of their top, and how high that is [m]."""
_PUT: Final = 0.035
"""A thing is put when it is this near to its goal on the table [m] ..."""
_PUT_HEIGHT: Final = 0.055
"""... and this little above the goal's origin, unless it is still held [m]."""


class Stage(NamedTuple):
    """Who plays which role in the present part of a task."""

    target: str
    """What is acted on."""
    goal: str | None
    """Where it goes."""
    role_now: int
    """Which of the two the present step concerns: 0 or 1."""
    interaction: Interaction


def find_stage(task: str, world: ProxyWorld, instance: TaskInstance) -> Stage:
    """Return the roles of the present part of a task."""
    roles = instance.roles
    target, goal = roles.get("target", roles.get("pick", "")), roles.get("place")
    if task == "sort_two" and goal is not None and _is_put(world, target, goal) and not _is_near(world, target):
        target, goal = roles["pick_2"], roles["place_2"]
    if task in _INTERACTIONS:
        return Stage(target, goal, 0, _INTERACTIONS[task])
    if goal is not None and (world.is_held(target) or _is_put(world, target, goal)):
        return Stage(target, goal, 1, Interaction.PLACE_ON)
    return Stage(target, goal, 0, Interaction.GRASP)


def _is_put(world: ProxyWorld, name: str, goal: str) -> bool:
    offset = world.position(name) - world.position(goal)
    return not world.is_held(name) and float(np.hypot(offset[0], offset[1])) < _PUT and float(offset[2]) < _PUT_HEIGHT


def _is_near(world: ProxyWorld, name: str) -> bool:
    return float(np.linalg.norm(world.ee_position - world.position(name))) < 0.07


def role_point(world: ProxyWorld, name: str) -> Floats:
    """Return ``(3,)``, the point that stands for a thing [m]: its middle, the middle of its top, or the part for the hand."""
    prop = world.prop(name)
    if prop.kind in JOINT_PARTS:
        return world.part_position(name, JOINT_PARTS[prop.kind])
    foot = world.position(name)
    top: Floats = foot + np.array([0.0, 0.0, prop.scale * _ON_TOP.get(prop.kind, 0.0)])
    return top


def solid_points(world: ProxyWorld, name: str) -> Floats:
    """Return ``(n, 3)`` points in the world whose convex hull holds a thing [m]."""
    prop = world.prop(name)
    local = prop.scale * _SOLIDS[prop.kind]
    points = local @ matrix_from_quat(world.quaternion(name)).T + world.position(name)
    if prop.kind is not PropKind.DRAWER:
        return points
    handle = world.part_position(name, JOINT_PARTS[prop.kind])
    bar = _box(0.006, 0.052, 0.007) @ matrix_from_quat(world.quaternion(name)).T
    return np.concatenate([points, handle + bar])


def _box(x: float, y: float, z: float, low: float | None = None) -> Floats:
    """Return the corners ``(8, 3)`` of a box by half sizes; from the height ``low`` to ``z`` when given."""
    bottom = -z if low is None else low
    return np.array([[a * x, b * y, c] for a in (-1, 1) for b in (-1, 1) for c in (bottom, z)])


def _rings(*rings: tuple[float, float]) -> Floats:
    """Return points of level circles, each a radius and a height."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return np.concatenate([np.stack([r * np.cos(angles), r * np.sin(angles), np.full(12, z)], axis=1) for r, z in rings])


_SOLIDS: Final = {
    PropKind.CUBE: _box(*[CUBE_SIZE / 2] * 3),
    PropKind.BLOCK: _box(*(s / 2 for s in BLOCK_SIZE)),
    PropKind.PUCK: _box(*(s / 2 for s in PUCK_SIZE)),
    PropKind.ZONE: _box(ZONE_SIZE / 2, ZONE_SIZE / 2, 0.001, 0.0),
    PropKind.PLATE: _rings((PLATE_RADIUS, 0.0), (PLATE_RADIUS, PLATE_HEIGHT)),
    PropKind.BOWL: _rings((0.86 * BOWL_RADIUS, 0.0), (BOWL_RADIUS + 0.009, BOWL_HEIGHT)),
    PropKind.BUTTON: _rings((0.045, 0.0), (0.045, 0.022), (0.028, BUTTON_HEIGHT)),
    PropKind.KNOB: _rings((0.055, 0.0), (0.055, 0.016), (0.034, KNOB_HEIGHT)),
    PropKind.DRAWER: _box(DRAWER_SIZE[0] / 2, DRAWER_SIZE[1] / 2, DRAWER_SIZE[2], 0.0),
}
"""Points of each kind of thing that a task is about, in its own axes [m]."""


# --- In pictures -------------------------------------------------------------------------------------------------------------------


def point_in(camera: Pinhole, point: Floats) -> NDArray[np.float32]:
    """Return ``(3,)``: u, v in 0..1, and 1 where a world point ``(3,)`` lies in the picture, else 0."""
    pixels, depth = camera.project(point)
    u, v = pixels[0] / (camera.width, camera.height)
    if depth[0] <= 0.01 or not (0 <= u <= 1 and 0 <= v <= 1):
        return np.zeros(3, dtype=np.float32)
    return np.array([u, v, 1.0], dtype=np.float32)


def outline_in(camera: Pinhole, points: Floats) -> NDArray[np.float32]:
    """Return ``(12, 2)``: the convex outline of world points ``(n, 3)``, u and v, where 0..1 is the picture."""
    pixels, _ = camera.project(points)
    hull = convex_hull(pixels / (camera.width, camera.height))
    return resample(np.concatenate([hull, hull[:1]]), NUM_OUTLINE + 1)[:-1].astype(np.float32)


def convex_hull(points: Floats) -> Floats:
    """Return the corners ``(h, 2)`` of the convex hull of points ``(n, 2)``, in order around it (monotone chain)."""
    ordered = sorted(map(tuple, points.tolist()))
    chains = []
    for sequence in (ordered, ordered[::-1]):
        chain: list[tuple[float, ...]] = []
        for p in sequence:
            while len(chain) > 1 and _turns_right(chain[-2], chain[-1], p):
                chain.pop()
            chain.append(p)
        chains.append(chain[:-1])
    return np.array(chains[0] + chains[1])


def _turns_right(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0


def path_in(camera: Pinhole, path: Floats) -> NDArray[np.float32]:
    """Return ``(32, 4)`` of a path ``(n, 4)`` (x y z, opening wanted): u, v in 0..1, height [m], opening.

    Evenly spaced in the world, but for the places where the gripper opens or shuts: those are kept exactly, for there a thing is put.
    """
    lengths = arc_lengths(path[:, :3])
    events = np.unique(lengths[1:][np.diff(path[:, 3]) != 0])[:_MAX_EVENTS]
    at = np.sort(np.concatenate([np.linspace(0.0, lengths[-1], NUM_PATH - len(events)), events]))
    points = points_at(path[:, :3], lengths, at)
    # An opening is wanted or not: the step at or before each point tells.
    steps = np.clip(np.searchsorted(lengths, at, side="right") - 1, 0, len(path) - 1)
    pixels, _ = camera.project(points)
    return np.column_stack([pixels / (camera.width, camera.height), points[:, 2], path[steps, 3]]).astype(np.float32)
