"""Lead the gripper along a path of dots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation.layout import X_RANGE, Y_RANGE, draw_wording
from workbench.simulation.scene import Prop, PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

PASS_RADIUS = 0.02
"""The end-effector passes a dot within this distance seen from above [m]."""
MAX_HEIGHT = 0.06
"""And not higher than this above the table [m]."""
PATH_HEIGHT = 0.03
STRIDE = (0.07, 0.10)
"""Distance from one dot to the next [m]."""
MAX_BEND_RAD = float(np.deg2rad(50))
"""Largest change of direction at a dot, so that the order can be seen."""
FIRST_COLOUR, LAST_COLOUR, COLOUR = "green", "red", "yellow"

TEMPLATES = (
    "follow the dots from the {first} one to the {last} one",
    "trace the dotted path, starting at the {first} dot and ending at the {last} dot",
    "move along the dots from {first} to {last}",
)


def _draw_path(rng: np.random.Generator, count: int) -> Vector | None:
    """Draw ``(count, 2)`` points [m] of a gently bending path, or None where it leaves the table or crosses itself."""
    points = [np.array([rng.uniform(*X_RANGE), rng.uniform(*Y_RANGE)])]
    heading = rng.uniform(-np.pi, np.pi)
    for _ in range(count - 1):
        points.append(points[-1] + rng.uniform(*STRIDE) * np.array([np.cos(heading), np.sin(heading)]))
        heading += rng.uniform(-MAX_BEND_RAD, MAX_BEND_RAD)
    path = np.array(points)
    low, high = np.array([X_RANGE, Y_RANGE]).T
    gaps = np.linalg.norm(path[:, None] - path[None], axis=-1) + np.eye(count)
    is_good = (path >= low).all() and (path <= high).all() and gaps.min() >= STRIDE[0] - 1e-9
    return path if is_good else None


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw four to six dots; the first is green, the last is red."""
    count = int(rng.integers(4, 7))
    path = _draw_path(rng, count)
    while path is None:
        path = _draw_path(rng, count)
    colours = [FIRST_COLOUR, *[COLOUR] * (count - 2), LAST_COLOUR]
    props = tuple(
        Prop(PropKind.DOT, f"dot_{i + 1}", c, float(x), float(y)) for i, (c, (x, y)) in enumerate(zip(colours, path, strict=True))
    )
    words = draw_wording(rng, TEMPLATES, first=FIRST_COLOUR, last=LAST_COLOUR)
    return TaskInstance(Scene(props), words, path=tuple((float(x), float(y), PATH_HEIGHT) for x, y in path))


def advance(world: World, instance: TaskInstance, memory: Vector) -> Vector:
    """Count the dots that were passed in order."""
    passed = int(memory[0])
    if passed < len(instance.path) and world.ee_position[2] <= MAX_HEIGHT:
        offset = world.ee_position[:2] - instance.path[passed][:2]
        passed += int(np.linalg.norm(offset) <= PASS_RADIUS)
    return np.array([float(passed)])


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether all dots were passed in order."""
    return bool(memory[0] >= len(instance.path))


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure the dots passed and the distance to the next (or last) one, seen from above."""
    target = instance.path[min(int(memory[0]), len(instance.path) - 1)]
    return {
        "dots_passed": float(memory[0]),
        "distance_to_goal": float(np.linalg.norm(world.ee_position[:2] - target[:2])),
    }


TASK = Task(
    "follow_path", "Follow a path of dots", TEMPLATES, sample, holds, measure, 15.0, num_hold_steps=1, num_memory=1, advance=advance
)
