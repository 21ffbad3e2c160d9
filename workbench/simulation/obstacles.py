"""Boxes that stand in the way: fixed to the table, part of no task; an episode's options or the page put them there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import mujoco

from workbench.core.errors import InvalidInput, TooLarge
from workbench.simulation.scene import Obstacle, TaskInstance

MAX_OBSTACLES: Final = 12
LIMITS: Final = {"x": (0.1, 0.9), "y": (-0.6, 0.6), "width": (0.01, 0.6), "depth": (0.01, 0.6), "height": (0.01, 0.5)}
"""Least and largest value of each number of an obstacle [m]."""
_COLOUR: Final = (0.93, 0.62, 0.20, 1.0)


def apply_obstacles(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    """Return the task with obstacles: ``{"boxes": [{"x": 0.5, "y": 0.0, "width": 0.2, "depth": 0.03, "height": 0.15}, ...]}`` [m].

    ``x`` and ``y`` are the middle of the foot, ``depth`` lies along world X and ``width`` along world Y.

    Raises:
        InvalidInput: a box is not of that form.
        TooLarge: more than :data:`MAX_OBSTACLES`.
    """
    boxes = value.get("boxes", [])
    if set(value) - {"boxes"} or not isinstance(boxes, list | tuple):
        raise InvalidInput("option 'obstacles'", expected="a list 'boxes'", found=repr(dict(value))[:60])
    if len(boxes) > MAX_OBSTACLES:
        raise TooLarge("obstacles", limit=str(MAX_OBSTACLES), found=str(len(boxes)))
    obstacles = tuple(read_obstacle(box, i) for i, box in enumerate(boxes))
    return replace(instance, scene=replace(instance.scene, obstacles=obstacles))


def read_obstacle(box: object, index: int) -> Obstacle:
    """Return a box of the option; errors as :func:`apply_obstacles`."""
    what = f"obstacle {index + 1}"
    if not isinstance(box, Mapping) or set(box) != set(LIMITS):
        raise InvalidInput(what, expected=f"the numbers {', '.join(LIMITS)}", found=repr(box)[:80])
    for name, (low, high) in LIMITS.items():
        number = box[name]
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or not low <= number <= high:
            raise InvalidInput(f"{what}, {name}", expected=f"{low:g} to {high:g} m", found=repr(number)[:40])
    return Obstacle(**{name: float(box[name]) for name in LIMITS})


def add_obstacle(spec: mujoco.MjSpec, obstacle: Obstacle, index: int) -> None:
    """Add one obstacle to a model under construction; its geom is named ``obstacle_<number>/body``."""
    spec.worldbody.add_geom(
        name=f"obstacle_{index + 1}/body",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=(obstacle.x, obstacle.y, obstacle.height / 2),
        size=(obstacle.depth / 2, obstacle.width / 2, obstacle.height / 2),
        rgba=_COLOUR,
    )
