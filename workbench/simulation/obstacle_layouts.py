"""Obstacles that are drawn to suit a scene: blocks between the things, or a hurdle between a thing and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.simulation.obstacles import MAX_OBSTACLES
from workbench.simulation.scene import Obstacle, TaskInstance

HAND_M: Final = 0.12
"""A high box leaves the hand this much room around things that it goes down to, seen from above [m]."""
HOME_M: Final = (0.30, 0.0)
"""Where the arm starts, seen from above."""
X_RANGE: Final = (0.38, 0.68)
Y_RANGE: Final = (-0.33, 0.33)
SIDES_M: Final = (0.04, 0.12)
HEIGHTS_M: Final = (0.12, 0.30)
LOW_M: Final = 0.05
"""A box of this height may stand beside a thing that is grasped: the hand stays above it."""
BESIDE_M: Final = 0.09
"""A high hurdle leaves the hand this much room where it goes down: half of its length [m]."""
THING_M, GOAL_M = 0.035, 0.085
"""Half the size of a thing, and of a plate or bowl, with a little room [m]."""
HURDLE_M: Final = (0.025, 0.14)
"""Thickness and width of a hurdle."""
_NUM_DRAWS: Final = 400


def apply_blocks(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    """Return the task with up to ``num`` blocks between its things: ``{"num": 3, "seed": 5}``; fewer where there is no room.

    Raises:
        InvalidInput: the option is not of that form.
    """
    num, seed = (_whole(name, value.get(name, 0)) for name in ("num", "seed"))
    if set(value) - {"num", "seed"} or num > MAX_OBSTACLES:
        raise InvalidInput("option 'blocks'", expected=f"num up to {MAX_OBSTACLES}, and seed", found=repr(dict(value))[:60])
    rng = np.random.default_rng(seed)
    kept = [(p.x, p.y) for p in instance.scene.props] + [HOME_M]
    found: list[Obstacle] = []
    for _ in range(_NUM_DRAWS):
        if len(found) >= num:
            break
        width, depth = rng.uniform(*SIDES_M, size=2)
        box = Obstacle(
            float(rng.uniform(*X_RANGE)), float(rng.uniform(*Y_RANGE)), float(width), float(depth), float(rng.uniform(*HEIGHTS_M))
        )
        if min(_gap(box, place) for place in kept) >= HAND_M:
            found.append(box)
    return _with(instance, found)


def apply_hurdle(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    """Return a task that brings a thing somewhere with a hurdle half-way, across: ``{"height": 0.12}`` [m].

    Where both are too near for the hand to go down beside a high one, the hurdle is low; where there is no room at all, there is none.

    Raises:
        InvalidInput: the height is no number from 1 to 30 cm.
    """
    height = value.get("height")
    if set(value) != {"height"} or isinstance(height, bool) or not isinstance(height, int | float) or not 0.01 <= height <= 0.3:
        raise InvalidInput("option 'hurdle'", expected="a height from 0.01 to 0.3 m", found=repr(dict(value))[:60])
    roles = instance.roles
    if "pick" not in roles or "place" not in roles:
        return instance
    first, last = instance.scene.prop(roles["pick"]), instance.scene.prop(roles["place"])
    away = np.array([last.x - first.x, last.y - first.y])
    x, y = 0.5 * (first.x + last.x), 0.5 * (first.y + last.y)
    thickness, width = HURDLE_M
    sizes = (thickness, width) if abs(away[1]) > abs(away[0]) else (width, thickness)
    box = Obstacle(float(x), float(y), *sizes, float(height))
    gaps = {p.name: _gap(box, (p.x, p.y)) for p in instance.scene.props}
    if min(gaps[first.name], gaps[last.name]) < BESIDE_M:
        box = replace(box, height=min(LOW_M, float(height)))
    has_room = min(gaps.values()) >= THING_M and gaps[last.name] >= GOAL_M
    return _with(instance, [box] if has_room else [])


def _gap(box: Obstacle, place: tuple[float, float]) -> float:
    """Return the distance [m] of a place from a box, seen from above."""
    aside = np.maximum(np.abs([place[0] - box.x, place[1] - box.y]) - [0.5 * box.depth, 0.5 * box.width], 0.0)
    return float(np.hypot(*aside))


def _with(instance: TaskInstance, boxes: list[Obstacle]) -> TaskInstance:
    scene = instance.scene
    return replace(instance, scene=replace(scene, obstacles=(*scene.obstacles, *boxes)))


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(f"blocks, {name}", expected="a whole number, 0 or more", found=repr(value)[:40])
    return value
