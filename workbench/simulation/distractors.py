"""Further things on the table that have no part in the task and do not stand in its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, hypot, pi, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.simulation.drawers import HANDLE_REACH
from workbench.simulation.layout import CUBE_COLOURS, FOOTPRINT, GAP
from workbench.simulation.props import DRAWER_SIZE, DRAWER_TRAVEL, PUCK_SIZE
from workbench.simulation.scene import COLOURS, Prop, PropKind, TaskInstance

MAX_DISTRACTORS: Final = 8

_KINDS: Final = (
    PropKind.CUBE,
    PropKind.BLOCK,
    PropKind.PUCK,
    PropKind.PLATE,
    PropKind.BOWL,
    PropKind.BUTTON,
    PropKind.KNOB,
    PropKind.BALL,
    PropKind.CYLINDER,
    PropKind.CORNER,
)
"""None that is taller than what is carried over it, and none without contact."""
_X: Final = (0.28, 0.72)
_Y: Final = (-0.36, 0.36)
"""Where they stand [m]: in view, also beyond the places of the task's own things."""
_SMALL_GAP: Final = 0.015
"""Free space between two things without a role [m]."""
_NUM_TRIES: Final = 400

Point = tuple[float, float]


@dataclass(frozen=True)
class _Lane:
    """A strip that must stay free: everything within ``radius`` [m] of a line on the table."""

    start: Point
    end: Point
    radius: float


def add_distractors(instance: TaskInstance, rng: np.random.Generator, num: int) -> TaskInstance:
    """Return the task with ``num`` more things, which leave its instruction and its ways as clear as they are.

    Raises:
        InvalidInput: the number is negative or too large, or the table has no room.
    """
    if not 0 <= num <= MAX_DISTRACTORS:
        raise InvalidInput("number of distractors", expected=f"0 to {MAX_DISTRACTORS}", found=str(num))
    lanes = _lanes(instance)
    for index in range(num):
        scene = instance.scene
        prop = _draw(rng, instance, lanes, f"distractor_{index}")
        instance = replace(instance, scene=replace(scene, props=(*scene.props, prop)))
    return instance


def _draw(rng: np.random.Generator, instance: TaskInstance, lanes: Sequence[_Lane], name: str) -> Prop:
    labels = {prop.label for prop in instance.scene.props}
    kinds = _free_kinds(instance)
    for _ in range(_NUM_TRIES):
        kind = kinds[int(rng.integers(len(kinds)))]
        colours = CUBE_COLOURS if kind is PropKind.CUBE else tuple(COLOURS)
        colour = colours[int(rng.integers(len(colours)))]
        x, y, yaw = float(rng.uniform(*_X)), float(rng.uniform(*_Y)), float(rng.uniform(-pi, pi))
        prop = Prop(kind, name, colour, x, y, yaw)
        if prop.label not in labels and _is_clear(prop, instance, lanes):
            return prop
    raise InvalidInput("distractors", expected="a free place on the table", found=f"none for {name}", fix="Ask for fewer.")


def _free_kinds(instance: TaskInstance) -> list[PropKind]:
    """Return the kinds of which one more changes no instruction: not that of a role, unless words tell it from others anyway."""
    roles = set(instance.roles.values())
    meant = {p.kind for p in instance.scene.props if p.name in roles}
    told_apart = {p.kind for p in instance.scene.props if p.name not in roles}
    return [kind for kind in _KINDS if kind not in meant or kind in told_apart]


def _is_clear(prop: Prop, instance: TaskInstance, lanes: Sequence[_Lane]) -> bool:
    roles = set(instance.roles.values())
    radius = FOOTPRINT[prop.kind]
    for other in instance.scene.props:
        gap = GAP if other.name in roles else _SMALL_GAP
        if hypot(prop.x - other.x, prop.y - other.y) < radius + FOOTPRINT[other.kind] + gap:
            return False
    return all(_distance((prop.x, prop.y), lane) > radius + lane.radius for lane in lanes)


def is_clear_of_lanes(prop: Prop, instance: TaskInstance) -> bool:
    """Tell whether a thing leaves free what a task needs beside its things, for example the way of a drawer."""
    return all(_distance((prop.x, prop.y), lane) > FOOTPRINT[prop.kind] + lane.radius for lane in _lanes(instance))


def _distance(point: Point, lane: _Lane) -> float:
    """Return how far a point is from the middle of a lane [m]."""
    start = np.array(lane.start)
    way = np.array(lane.end) - start
    length = float(way @ way)
    share = 0.0 if length == 0.0 else float(np.clip((np.array(point) - start) @ way / length, 0.0, 1.0))
    return float(np.linalg.norm(np.array(point) - start - share * way))


def _lanes(instance: TaskInstance) -> list[_Lane]:
    """Return what the task needs beside its things: the way of a drawer, of a puck and the hand behind it, of a drawn path."""
    props = {prop.name: prop for prop in instance.scene.props}
    roles = {role: props[name] for role, name in instance.roles.items()}
    lanes = [_drawer_lane(prop) for prop in roles.values() if prop.kind is PropKind.DRAWER]
    if "pick" in roles and roles["pick"].kind is PropKind.PUCK:
        lanes.append(_push_lane(roles["pick"], roles["place"]))
    lanes += [_Lane(a[:2], b[:2], 0.05) for a, b in zip(instance.path, instance.path[1:], strict=False)]
    return lanes


def _drawer_lane(drawer: Prop) -> _Lane:
    reach = HANDLE_REACH + DRAWER_TRAVEL + 0.06
    end = (drawer.x + reach * cos(drawer.yaw), drawer.y + reach * sin(drawer.yaw))
    return _Lane((drawer.x, drawer.y), end, DRAWER_SIZE[1] / 2 + 0.03)


def _push_lane(puck: Prop, zone: Prop) -> _Lane:
    start, end = np.array([puck.x, puck.y]), np.array([zone.x, zone.y])
    along: NDArray[np.float64] = (end - start) / max(float(np.linalg.norm(end - start)), 1e-6)
    behind, ahead = start - 0.14 * along, end + 0.03 * along
    half_diagonal = 0.5 * hypot(*PUCK_SIZE[:2])
    return _Lane((float(behind[0]), float(behind[1])), (float(ahead[0]), float(ahead[1])), half_diagonal + 0.02)
