"""Random scenes for segmentation: any thing in any colour anywhere, any arm pose, any camera; nothing is simulated, things are put."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.simulation.appearance import draw_look
from workbench.simulation.cameras import FreeCamera
from workbench.simulation.layout import FOOTPRINT
from workbench.simulation.props import BLOCK_SIZE, CUBE_SIZE, DRAWER_TRAVEL, KNOB_LIMIT, PLATE_HEIGHT, PUCK_SIZE
from workbench.simulation.scene import COLOURS, Prop, PropKind, Scene

Floats = NDArray[np.float64]

HELD_OUT_KINDS: Final = (PropKind.BALL, PropKind.CYLINDER, PropKind.CORNER)
"""Shapes that are never trained on."""
HELD_OUT_HUES: Final = (0.44, 0.57)
"""Hues that no thing has in training: turquoise to cyan."""
KNOWN_KINDS: Final = tuple(kind for kind in PropKind if kind not in HELD_OUT_KINDS)
FREE_KINDS: Final = frozenset(
    {PropKind.CUBE, PropKind.PLATE, PropKind.BOWL, PropKind.BLOCK, PropKind.PUCK, PropKind.BALL, PropKind.CYLINDER, PropKind.CORNER}
)
"""What may be moved about, and stand on something."""
_SUPPORTS: Final = {PropKind.PLATE: PLATE_HEIGHT, PropKind.CUBE: CUBE_SIZE, PropKind.PUCK: PUCK_SIZE[2], PropKind.BLOCK: BLOCK_SIZE[2]}
"""What something may stand on, and how high that is [m]."""
_X: Final = (0.28, 0.72)
_Y: Final = (-0.36, 0.36)
_NUM_TRIES: Final = 30
FREE_CAMERAS: Final = ("free0", "free1", "free2")
"""Names of the cameras that stand anywhere."""
_BENCH_CAMERAS: Final = {"front": 0.42, "top": 0.14, "wrist": 0.12}
"""How often each of the bench's own cameras takes a picture; the rest is for the free ones."""
_WEIGHTS: Final = {PropKind.CUBE: 4.0, PropKind.PLATE: 1.5, PropKind.DOT: 0.4, PropKind.DRAWER: 0.7}


@dataclass(frozen=True)
class SetScene:
    """A scene to be drawn, with what a model cannot say."""

    scene: Scene
    heights: tuple[float, ...]
    """How far above the table each thing is put [m]."""
    cameras: Mapping[str, FreeCamera]
    """Cameras besides those of the bench."""


def draw_set(rng: np.random.Generator, *, is_held_out: bool = False) -> SetScene:
    """Draw a scene; a held-out one has only things of a shape or a colour that training never shows."""
    strength = max(0.0, float(rng.uniform(-0.3, 1.0)))
    look = draw_look(rng, strength=strength)
    look.pop("colours")  # every thing has a paint of its own
    props: list[Prop] = []
    heights: list[float] = []
    for _ in range(int(rng.integers(3, 10))):
        found = _place(rng, _draw_prop(rng, f"thing_{len(props)}", is_held_out=is_held_out), props, heights)
        if found is not None:
            props.append(found[0])
            heights.append(found[1])
    return SetScene(Scene(tuple(props), look=look), tuple(heights), {name: draw_camera(rng) for name in FREE_CAMERAS})


def _draw_prop(rng: np.random.Generator, name: str, *, is_held_out: bool) -> Prop:
    has_new_shape = is_held_out and rng.random() < 0.5
    kinds = HELD_OUT_KINDS if has_new_shape else KNOWN_KINDS
    weights = np.array([_WEIGHTS.get(kind, 1.0) for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    opening = 0.0
    if kind is PropKind.DRAWER:
        opening = float(rng.choice([0.0, rng.uniform(0.0, DRAWER_TRAVEL)]))
    elif kind is PropKind.KNOB:
        opening = float(rng.uniform(-KNOB_LIMIT, KNOB_LIMIT))
    scale = 1.0 if rng.random() < 0.5 else float(rng.uniform(0.8, 1.5))
    rgb = _draw_paint(rng, must_be_new=is_held_out and not has_new_shape)
    return Prop(kind, name, "grey", 0.0, 0.0, float(rng.uniform(-pi, pi)), scale, opening, rgb)


def _draw_paint(rng: np.random.Generator, *, must_be_new: bool) -> tuple[float, float, float]:
    """Draw a colour: one of the bench's own, changed a little, or any; ``must_be_new`` draws it from the held-out hues."""
    low, high = HELD_OUT_HUES
    if must_be_new:
        return colorsys.hsv_to_rgb(float(rng.uniform(low, high)), float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.35, 1.0)))
    if rng.random() < 0.6:
        hue, saturation, value = colorsys.rgb_to_hsv(*COLOURS[str(rng.choice(list(COLOURS)))])
        hue, saturation, value = hue + rng.normal(0.0, 0.01), saturation * rng.uniform(0.85, 1.1), value * rng.uniform(0.8, 1.15)
    else:
        hue, saturation, value = rng.random(), rng.uniform(0.0, 1.0), rng.uniform(0.1, 1.0)
    hue = float(hue) % 1.0
    if low < hue < high:
        hue = (hue + 0.25) % 1.0
    return colorsys.hsv_to_rgb(hue, float(np.clip(saturation, 0.0, 1.0)), float(np.clip(value, 0.0, 1.0)))


def _place(rng: np.random.Generator, prop: Prop, props: list[Prop], heights: list[float]) -> tuple[Prop, float] | None:
    """Put a thing on the table where there is room, or on top of another one; None when there is no room."""
    bases = [i for i, p in enumerate(props) if p.kind in _SUPPORTS and heights[i] == 0.0]
    if prop.kind in FREE_KINDS and prop.kind not in (PropKind.PLATE, PropKind.BOWL) and bases and rng.random() < 0.2:
        base = int(rng.choice(bases))
        x, y = np.array([props[base].x, props[base].y]) + rng.normal(0.0, 0.008, 2)
        return _at(prop, float(x), float(y)), props[base].scale * _SUPPORTS[props[base].kind]
    for _ in range(_NUM_TRIES):
        x, y = float(rng.uniform(*_X)), float(rng.uniform(*_Y))
        radius = prop.scale * FOOTPRINT[prop.kind]
        if all(np.hypot(x - p.x, y - p.y) > 0.9 * (radius + p.scale * FOOTPRINT[p.kind]) for p in props):
            return _at(prop, x, y), 0.0
    return None


def _at(prop: Prop, x: float, y: float) -> Prop:
    return Prop(prop.kind, prop.name, prop.colour, x, y, prop.yaw, prop.scale, prop.opening, prop.rgb)


def draw_camera(rng: np.random.Generator) -> FreeCamera:
    """Draw a camera that looks at the table from anywhere above it."""
    target = (float(rng.uniform(0.40, 0.56)), float(rng.uniform(-0.12, 0.12)), float(rng.uniform(0.0, 0.10)))
    azimuth, elevation = float(rng.uniform(-pi, pi)), -float(rng.uniform(0.35, 1.4))
    return FreeCamera(target, float(rng.uniform(0.6, 1.4)), azimuth, elevation)


def draw_end(rng: np.random.Generator) -> tuple[Floats, float]:
    """Draw where the end-effector is put: a point over the table ``(3,)`` [m], and the gripper's turn [rad]."""
    position = np.array([rng.uniform(0.30, 0.68), rng.uniform(-0.32, 0.32), 0.03 + 0.35 * rng.random() ** 1.5])
    return position, float(rng.uniform(-1.3, 2.5))


def draw_names(rng: np.random.Generator, count: int) -> list[str]:
    """Draw which cameras take the pictures of a scene."""
    rest = (1.0 - sum(_BENCH_CAMERAS.values())) / len(FREE_CAMERAS)
    shares = {**_BENCH_CAMERAS, **dict.fromkeys(FREE_CAMERAS, rest)}
    return [str(name) for name in rng.choice(list(shares), size=count, p=list(shares.values()))]
