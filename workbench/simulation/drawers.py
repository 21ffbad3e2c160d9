"""A drawer in a scene: where it stands, where its handle is, what must stay free."""

from __future__ import annotations

from math import cos, pi, sin
from typing import Final

import numpy as np

from workbench.simulation.layout import CUBE_COLOURS, DISH_COLOURS, GAP, Want, cubes, draw_colours, draw_layout
from workbench.simulation.props import DRAWER_HANDLE, DRAWER_SIZE, DRAWER_TRAVEL
from workbench.simulation.scene import Prop, PropKind, Scene

HANDLE_REACH: Final = DRAWER_SIZE[0] / 2 + 0.005 + DRAWER_HANDLE[0]
"""Distance of a closed drawer's handle from the middle of its cabinet [m]."""
HANDLE_HEIGHT: Final = DRAWER_HANDLE[1]

_X: Final = (0.62, 0.66)
_Y: Final = (-0.20, 0.20)
_YAW: Final = (pi - 0.25, pi + 0.25)
"""Facing the robot, more or less."""


def _is_free(props: tuple[Prop, ...]) -> bool:
    """Tell whether nothing stands where the drawer (first) comes out."""
    drawer, *others = props
    lane = [
        (drawer.x + r * cos(drawer.yaw), drawer.y + r * sin(drawer.yaw)) for r in np.linspace(0, HANDLE_REACH + DRAWER_TRAVEL + 0.06, 8)
    ]
    return all(np.hypot(x - p.x, y - p.y) > DRAWER_SIZE[1] / 2 + 0.03 + GAP for x, y in lane for p in others)


def draw_drawer_scene(rng: np.random.Generator, opening: float) -> Scene:
    """Draw a drawer that is open by ``opening`` [m], and two cubes that are not in its way; the drawer is the first prop."""
    (colour,) = draw_colours(rng, DISH_COLOURS, 1)
    drawer = Want(PropKind.DRAWER, f"drawer_{colour}", colour, x=_X, y=_Y, yaw=_YAW, opening=opening)
    colours = draw_colours(rng, CUBE_COLOURS, 2)
    return Scene(draw_layout(rng, [drawer, *cubes(colours)], is_valid=_is_free))
