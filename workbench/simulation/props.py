"""The things on the table, from primitive shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import mujoco
import numpy as np

from workbench.simulation.scene import Prop, PropKind

CUBE_SIZE: Final = 0.044
"""Edge of a cube [m]."""
PLATE_RADIUS: Final = 0.075
PLATE_HEIGHT: Final = 0.012
BOWL_RADIUS: Final = 0.068
"""Inner radius at half height [m]."""
BOWL_HEIGHT: Final = 0.042
DRAWER_SIZE: Final = (0.13, 0.16, 0.09)
"""Cabinet: depth along its x, width along y, height [m]."""
DRAWER_TRAVEL: Final = 0.11
DRAWER_HANDLE: Final = (0.062, 0.05)
"""The handle's bar: distance before the front, and height above the table [m]."""
BUTTON_HEIGHT: Final = 0.046
"""Top of a released button above the table [m]."""
BUTTON_TRAVEL: Final = 0.012
KNOB_HEIGHT: Final = 0.056
"""Top of a knob's bar above the table [m]."""
KNOB_LIMIT: Final = 3.1
"""Largest turn to each side [rad]."""
BLOCK_SIZE: Final = (0.10, 0.036, 0.036)
"""Length along its x, width, height [m]."""
PUCK_SIZE: Final = (0.10, 0.10, 0.03)
ZONE_SIZE: Final = 0.15
"""Edge of the goal square [m]."""
DOT_RADIUS: Final = 0.014
BALL_RADIUS: Final = 0.022
CYLINDER_SIZE: Final = (0.02, 0.05)
"""Radius, height [m]."""
CORNER_SIZE: Final = (0.07, 0.025, 0.03)
"""Length of both arms, their width, height [m]."""

_BOX: Final = mujoco.mjtGeom.mjGEOM_BOX
_SPHERE: Final = mujoco.mjtGeom.mjGEOM_SPHERE
_CYLINDER: Final = mujoco.mjtGeom.mjGEOM_CYLINDER
_CAPSULE: Final = mujoco.mjtGeom.mjGEOM_CAPSULE
_FRICTION: Final = (1.0, 0.01, 0.0001)
_BODY: Final = (0.28, 0.30, 0.33, 1.0)
_LIGHT: Final = (0.95, 0.95, 0.93, 1.0)


def add_prop(spec: mujoco.MjSpec, prop: Prop) -> None:
    """Add one prop to a model under construction; its geoms are named ``<prop>/<part>``."""
    height = rest_height(prop)
    quaternion = (np.cos(prop.yaw / 2), 0.0, 0.0, np.sin(prop.yaw / 2))
    body = spec.worldbody.add_body(name=prop.name, pos=(prop.x, prop.y, height), quat=quaternion)
    if prop.kind in _FREE:
        body.add_freejoint(name=f"{prop.name}/free")
    else:
        # Fixed to the table, but its place is part of the state: a disturbance may move it.
        body.mocap = True
    _BUILDERS[prop.kind](body, prop)


def rest_height(prop: Prop) -> float:
    """Return how high a prop's origin is above what it stands on [m]."""
    heights = {PropKind.CUBE: CUBE_SIZE, PropKind.BLOCK: BLOCK_SIZE[2], PropKind.PUCK: PUCK_SIZE[2]}
    heights |= {PropKind.BALL: 2 * BALL_RADIUS, PropKind.CYLINDER: CYLINDER_SIZE[1], PropKind.CORNER: CORNER_SIZE[2]}
    return 0.5 * prop.scale * heights.get(prop.kind, 0.0)


def colour_of(prop: Prop) -> tuple[float, float, float, float]:
    """Return the RGBA of a prop, 0..1."""
    return (*prop.paint, 1.0)


def _geom(body: mujoco.MjsBody, prop: Prop, part: str, kind: Any, size: Sequence[float], **more: Any) -> None:
    """Add a geom that can be touched; ``pos`` and ``size`` are scaled by the prop's scale."""
    more["pos"] = prop.scale * np.asarray(more.get("pos", (0.0, 0.0, 0.0)), dtype=float)
    more.setdefault("rgba", colour_of(prop))
    more.setdefault("friction", _FRICTION)
    full = np.zeros(3)
    full[: len(size)] = prop.scale * np.asarray(size)
    body.add_geom(name=f"{prop.name}/{part}", type=kind, size=full, **more)


def _mark(body: mujoco.MjsBody, prop: Prop, part: str, kind: Any, size: Sequence[float], **more: Any) -> None:
    """Add a geom that only shows."""
    _geom(body, prop, part, kind, size, contype=0, conaffinity=0, mass=0, **more)


def _add_cube(body: mujoco.MjsBody, prop: Prop) -> None:
    _geom(body, prop, "body", _BOX, [CUBE_SIZE / 2] * 3, mass=0.08, condim=4)


def _add_plate(body: mujoco.MjsBody, prop: Prop) -> None:
    half = PLATE_HEIGHT / 2
    _geom(body, prop, "disc", _CYLINDER, (PLATE_RADIUS, half), pos=(0, 0, half), mass=0.4)
    rim = tuple(0.82 * c for c in prop.paint)
    _mark(body, prop, "well", _CYLINDER, (0.72 * PLATE_RADIUS, 0.0005), pos=(0, 0, PLATE_HEIGHT), rgba=(*rim, 1))


def _add_bowl(body: mujoco.MjsBody, prop: Prop) -> None:
    _geom(body, prop, "base", _CYLINDER, (0.86 * BOWL_RADIUS, 0.004), pos=(0, 0, 0.004), mass=0.3)
    num_walls, tilt = 12, 0.35
    half_width = 1.12 * BOWL_RADIUS * np.tan(np.pi / num_walls)
    for index in range(num_walls):
        angle = 2 * np.pi * index / num_walls
        turn = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
        lean = np.array([np.cos(tilt / 2), 0, np.sin(tilt / 2), 0])
        quaternion = np.empty(4)
        mujoco.mju_mulQuat(quaternion, turn, lean)
        centre = (BOWL_RADIUS * np.cos(angle), BOWL_RADIUS * np.sin(angle), BOWL_HEIGHT / 2)
        shade = tuple(c * (0.94 + 0.06 * (index % 2)) for c in prop.paint)
        _geom(
            body,
            prop,
            f"wall{index}",
            _BOX,
            (0.003, half_width, BOWL_HEIGHT / 2),
            pos=centre,
            quat=quaternion,
            mass=0.015,
            rgba=(*shade, 1),
        )


def _add_drawer(body: mujoco.MjsBody, prop: Prop) -> None:
    depth, width, height = DRAWER_SIZE
    wall = 0.005
    for part, size, pos in (
        ("floor", (depth / 2, width / 2, wall), (0, 0, wall)),
        ("roof", (depth / 2, width / 2, wall), (0, 0, height - wall)),
        ("left", (depth / 2, wall, height / 2), (0, width / 2 - wall, height / 2)),
        ("right", (depth / 2, wall, height / 2), (0, wall - width / 2, height / 2)),
        ("back", (wall, width / 2, height / 2), (wall - depth / 2, 0, height / 2)),
    ):
        _geom(body, prop, part, _BOX, size, pos=pos, rgba=_BODY)
    tray = body.add_body(name=f"{prop.name}/tray")
    tray.add_joint(
        name=f"{prop.name}/slide",
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(1, 0, 0),
        range=(0, DRAWER_TRAVEL * prop.scale),
        limited=True,
        damping=[8.0, 0, 0],
        frictionloss=0.8,
        armature=0.02,
    )
    inner, low, high = width / 2 - 0.013, 0.013, height - 0.014
    front = depth / 2 + 0.005
    middle = (low + high) / 2
    for part, size, pos in (
        ("front", (0.004, width / 2, height / 2 - 0.001), (front, 0, height / 2 + 0.001)),
        ("bottom", (depth / 2 - 0.008, inner, 0.002), (0.0, 0, low)),
        ("side_left", (depth / 2 - 0.008, 0.002, (high - low) / 2), (0, inner, middle)),
        ("side_right", (depth / 2 - 0.008, 0.002, (high - low) / 2), (0, -inner, middle)),
        ("rear", (0.002, inner, (high - low) / 2), (0.012 - depth / 2, 0, middle)),
    ):
        # The tray runs on its joint; only its front and inside are touched, by the gripper and what lies in it.
        _geom(tray, prop, part, _BOX, size, pos=pos, mass=0.05)
    _add_handle(tray, prop, front)


def _add_handle(tray: mujoco.MjsBody, prop: Prop, front: float) -> None:
    reach, level = DRAWER_HANDLE
    bar = front + reach
    _geom(tray, prop, "handle", _BOX, (0.006, 0.052, 0.007), pos=(bar, 0, level), rgba=_LIGHT, mass=0.05, condim=4)
    for side, y in (("left", 0.046), ("right", -0.046)):
        _geom(tray, prop, f"post_{side}", _BOX, (reach / 2, 0.005, 0.005), pos=(front + reach / 2, y, level), rgba=_LIGHT, mass=0.02)


def _add_button(body: mujoco.MjsBody, prop: Prop) -> None:
    _geom(body, prop, "base", _CYLINDER, (0.045, 0.011), pos=(0, 0, 0.011), rgba=_BODY)
    _mark(body, prop, "ring", _CYLINDER, (0.034, 0.0125), pos=(0, 0, 0.0125), rgba=(0.75, 0.76, 0.78, 1))
    cap = body.add_body(name=f"{prop.name}/cap")
    cap.add_joint(
        name=f"{prop.name}/press",
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, 0, -1),
        range=(0, BUTTON_TRAVEL * prop.scale),
        limited=True,
        stiffness=[250.0, 0, 0],
        springref=-0.004,
        damping=[4.0, 0, 0],
        armature=0.02,
    )
    half = (BUTTON_HEIGHT - 0.022) / 2
    _geom(cap, prop, "cap", _CYLINDER, (0.028, half), pos=(0, 0, BUTTON_HEIGHT - half), mass=0.03)


def _add_knob(body: mujoco.MjsBody, prop: Prop) -> None:
    _geom(body, prop, "base", _CYLINDER, (0.055, 0.008), pos=(0, 0, 0.008), rgba=_BODY)
    for index in range(12):
        angle = 2 * np.pi * index / 12
        tick = (0.049 * np.cos(angle), 0.049 * np.sin(angle), 0.016)
        quaternion = (np.cos(angle / 2), 0, 0, np.sin(angle / 2))
        _mark(body, prop, f"tick{index}", _BOX, (0.004, 0.001, 0.0006), pos=tick, quat=quaternion, rgba=_LIGHT)
    turn = body.add_body(name=f"{prop.name}/dial")
    turn.add_joint(
        name=f"{prop.name}/turn",
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=(0, 0, 1),
        range=(-KNOB_LIMIT, KNOB_LIMIT),
        limited=True,
        frictionloss=0.03,
        damping=[0.02, 0, 0],
        armature=0.002,
    )
    _geom(turn, prop, "disc", _CYLINDER, (0.040, 0.006), pos=(0, 0, 0.023), mass=0.05)
    low = 0.029
    half = (KNOB_HEIGHT - low) / 2
    _geom(turn, prop, "bar", _BOX, (0.034, 0.009, half), pos=(0, 0, low + half), mass=0.05, condim=4)
    _mark(turn, prop, "pointer", _BOX, (0.010, 0.004, 0.0008), pos=(0.022, 0, KNOB_HEIGHT), rgba=_contrast(prop))


def _add_block(body: mujoco.MjsBody, prop: Prop) -> None:
    length, width, height = BLOCK_SIZE
    _geom(body, prop, "body", _BOX, (length / 2, width / 2, height / 2), mass=0.12, condim=4)
    # A sleeve around the +x end: seen from above, from the front and from the sides.
    sleeve = (0.010, width / 2 + 0.0006, height / 2 + 0.0006)
    _mark(body, prop, "mark", _BOX, sleeve, pos=(length / 2 - 0.0094, 0, 0), rgba=_contrast(prop))


def _add_puck(body: mujoco.MjsBody, prop: Prop) -> None:
    _geom(body, prop, "body", _BOX, [s / 2 for s in PUCK_SIZE], mass=0.2, friction=(0.5, 0.01, 0.0001))
    light = tuple(0.5 + 0.5 * c for c in prop.paint)
    _mark(body, prop, "inlay", _BOX, (0.032, 0.032, 0.0006), pos=(0, 0, PUCK_SIZE[2] / 2), rgba=(*light, 1))


def _add_zone(body: mujoco.MjsBody, prop: Prop) -> None:
    half = ZONE_SIZE / 2
    pale = tuple(0.55 * c + 0.25 for c in prop.paint)
    _mark(body, prop, "edge", _BOX, (half, half, 0.0004), pos=(0, 0, 0.0004))
    _mark(body, prop, "field", _BOX, (half - 0.008, half - 0.008, 0.0004), pos=(0, 0, 0.0010), rgba=(*pale, 1))


def _add_dot(body: mujoco.MjsBody, prop: Prop) -> None:
    _mark(body, prop, "disc", _CYLINDER, (DOT_RADIUS, 0.0006), pos=(0, 0, 0.0006))


def _add_ball(body: mujoco.MjsBody, prop: Prop) -> None:
    # Felt: it rolls when it is pushed, and comes to rest.
    _geom(body, prop, "body", _SPHERE, [BALL_RADIUS], mass=0.05, condim=6, friction=(1.0, 0.01, 0.002))


def _add_cylinder(body: mujoco.MjsBody, prop: Prop) -> None:
    radius, height = CYLINDER_SIZE
    _geom(body, prop, "body", _CYLINDER, (radius, height / 2), mass=0.08, condim=4)


def _add_corner(body: mujoco.MjsBody, prop: Prop) -> None:
    length, width, height = CORNER_SIZE
    half, away = width / 2, (length - width) / 2
    _geom(body, prop, "long", _BOX, (length / 2, half, height / 2), pos=(0, -away, 0), mass=0.06, condim=4)
    _geom(body, prop, "short", _BOX, (half, away, height / 2), pos=(-away, half, 0), mass=0.04, condim=4)


def _contrast(prop: Prop) -> tuple[float, float, float, float]:
    """Return white, or black on a light prop."""
    return (0.05, 0.05, 0.05, 1.0) if prop.colour in ("white", "yellow") else _LIGHT


_FREE: Final = frozenset(
    {PropKind.CUBE, PropKind.PLATE, PropKind.BOWL, PropKind.BLOCK, PropKind.PUCK, PropKind.BALL, PropKind.CYLINDER, PropKind.CORNER}
)
_BUILDERS: Final = {
    PropKind.CUBE: _add_cube,
    PropKind.PLATE: _add_plate,
    PropKind.BOWL: _add_bowl,
    PropKind.DRAWER: _add_drawer,
    PropKind.BUTTON: _add_button,
    PropKind.KNOB: _add_knob,
    PropKind.BLOCK: _add_block,
    PropKind.PUCK: _add_puck,
    PropKind.ZONE: _add_zone,
    PropKind.DOT: _add_dot,
    PropKind.BALL: _add_ball,
    PropKind.CYLINDER: _add_cylinder,
    PropKind.CORNER: _add_corner,
}
