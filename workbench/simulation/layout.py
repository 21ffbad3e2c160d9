"""Random scenes: things of stated kinds at places that do not touch, within reach and in view."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, pi
from typing import Final

import numpy as np

from workbench.simulation.props import (
    BALL_RADIUS,
    BLOCK_SIZE,
    BOWL_RADIUS,
    CORNER_SIZE,
    CUBE_SIZE,
    CYLINDER_SIZE,
    DOT_RADIUS,
    DRAWER_SIZE,
    PLATE_RADIUS,
    PUCK_SIZE,
    ZONE_SIZE,
)
from workbench.simulation.scene import Prop, PropKind

Range = tuple[float, float]

X_RANGE: Final[Range] = (0.36, 0.64)
Y_RANGE: Final[Range] = (-0.26, 0.26)
"""Where centres of things are put [m]: inside the workspace, so that the gripper also reaches around them."""
GAP: Final = 0.04
"""Free space between two footprints [m]: room for an open finger."""
QUARTER_TURN: Final[Range] = (-pi / 4, pi / 4)

GRIPPER_YAW: Final[Range] = (-1.3, 2.5)
"""Yaw [rad] that the gripper reaches everywhere on the table, 0 as at the start: the last joint's limits, less the first joint's turn."""

_ANGLE_SAID: Final = re.compile(r"\b(\d+) degrees")
CUBE_COLOURS: Final = ("red", "green", "blue", "yellow", "purple", "orange")
DISH_COLOURS: Final = ("white", "black", "pink")
"""Colours of plates and bowls."""

FOOTPRINT: Final[Mapping[PropKind, float]] = {
    PropKind.CUBE: 0.71 * CUBE_SIZE,
    PropKind.PLATE: PLATE_RADIUS,
    PropKind.BOWL: 1.25 * BOWL_RADIUS,
    PropKind.DRAWER: 0.5 * hypot(*DRAWER_SIZE[:2]),
    PropKind.BUTTON: 0.045,
    PropKind.KNOB: 0.055,
    PropKind.BLOCK: 0.5 * hypot(*BLOCK_SIZE[:2]),
    PropKind.PUCK: 0.5 * hypot(*PUCK_SIZE[:2]),
    PropKind.ZONE: 0.71 * ZONE_SIZE,
    PropKind.DOT: DOT_RADIUS,
    PropKind.BALL: BALL_RADIUS,
    PropKind.CYLINDER: CYLINDER_SIZE[0],
    PropKind.CORNER: 0.71 * CORNER_SIZE[0],
}
"""Radius of the disc that holds a thing of each kind at scale 1 [m]."""


@dataclass(frozen=True)
class Want:
    """A thing that a scene shall have, and where it may stand."""

    kind: PropKind
    name: str
    colour: str
    x: Range = X_RANGE
    y: Range = Y_RANGE
    yaw: Range = (0.0, 0.0)
    opening: float = 0.0
    gap: float = GAP
    """Free space around it [m]."""


def draw_layout(
    rng: np.random.Generator,
    wants: Sequence[Want],
    *,
    is_valid: Callable[[tuple[Prop, ...]], bool] = lambda props: True,
) -> tuple[Prop, ...]:
    """Draw places for all things, in the order of ``wants``, so that footprints keep their gaps and ``is_valid`` agrees."""
    for _ in range(2000):
        props = _try_layout(rng, wants)
        if props is not None and is_valid(props):
            return props
    raise AssertionError(f"no layout found for {[w.name for w in wants]}")


def _try_layout(rng: np.random.Generator, wants: Sequence[Want]) -> tuple[Prop, ...] | None:
    props: list[Prop] = []
    for want in wants:
        for _ in range(30):
            x, y, yaw = (float(rng.uniform(*r)) for r in (want.x, want.y, want.yaw))
            prop = Prop(want.kind, want.name, want.colour, x, y, yaw, opening=want.opening)
            if all(distance(prop, p) >= FOOTPRINT[prop.kind] + FOOTPRINT[p.kind] + want.gap for p in props):
                props.append(prop)
                break
        else:
            return None
    return tuple(props)


def distance(a: Prop, b: Prop) -> float:
    """Return the distance of two things' centres on the table [m]."""
    return hypot(a.x - b.x, a.y - b.y)


def draw_colours(rng: np.random.Generator, colours: Sequence[str], count: int) -> list[str]:
    """Draw ``count`` different colours."""
    return [str(c) for c in rng.choice(colours, size=count, replace=False)]


def draw_wording(rng: np.random.Generator, templates: Sequence[str], **names: str) -> str:
    """Draw one of the wordings and fill in its ``{names}``."""
    return templates[int(rng.integers(len(templates)))].format(**names)


def cubes(colours: Sequence[str]) -> list[Want]:
    """Want a cube of each colour, turned by any angle."""
    return [Want(PropKind.CUBE, f"cube_{c}", c, yaw=QUARTER_TURN) for c in colours]


def draw_turn(rng: np.random.Generator) -> float:
    """Draw a signed angle of 40 to 120 degrees in steps of 5, as somebody would say it; result in [rad], positive counter-clockwise."""
    degrees = int(rng.integers(8, 25)) * 5
    return float(np.deg2rad(degrees * (1 if rng.random() < 0.5 else -1)))


def turn_words(angle_rad: float) -> dict[str, str]:
    """Return the words ``angle`` and ``direction`` of a turn seen from above."""
    return {
        "angle": f"{abs(np.rad2deg(angle_rad)):.0f}",
        "direction": "counter-clockwise" if angle_rad > 0 else "clockwise",
    }


def said_turn(instruction: str) -> float:
    """Return the signed angle [rad] that the words of :func:`turn_words` tell, 0 where they tell none."""
    angle = _ANGLE_SAID.search(instruction)
    if angle is None or "clockwise" not in instruction:
        return 0.0
    return float(np.deg2rad(float(angle.group(1)))) * (1 if "counter-clockwise" in instruction else -1)


def grasp_yaw(heading: float, turn_rad: float = 0.0) -> float | None:
    """Return the gripper yaw [rad] that grips along ``heading`` and may turn on by ``turn_rad``, nearest to the middle of its range.

    The two fingers are alike, so a heading may be gripped from both ends. None when the turn would leave :data:`GRIPPER_YAW`.
    """
    low, high = GRIPPER_YAW
    fitting = [h for k in (-2, -1, 0, 1, 2) if low <= (h := heading + k * pi) <= high and low <= h + turn_rad <= high]
    return min(fitting, key=lambda h: abs(h + turn_rad / 2), default=None)
