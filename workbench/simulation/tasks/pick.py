"""Pick up one of several cubes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, cubes, draw_colours, draw_layout, draw_wording
from workbench.simulation.scene import Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

MIN_LIFT = 0.08
"""How high the cube must be held [m]."""

TEMPLATES = ("pick up the {target}", "lift the {target}", "grasp the {target} and raise it", "take the {target}")


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw three or four cubes; the first is meant."""
    colours = draw_colours(rng, CUBE_COLOURS, int(rng.integers(3, 5)))
    props = draw_layout(rng, cubes(colours))
    words = draw_wording(rng, TEMPLATES, target=f"{colours[0]} cube")
    return TaskInstance(Scene(props), words, {"target": props[0].name})


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the gripper holds the cube in the air."""
    target = instance.roles["target"]
    return world.is_held(target) and relations.lift(world, target) >= MIN_LIFT and not world.is_touching(target, "table")


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure the distance to the cube and how high it is."""
    target = instance.roles["target"]
    return {"distance_to_object": relations.reach(world, target), "lift": relations.lift(world, target)}


TASK = Task("pick", "Pick up a cube", TEMPLATES, sample, holds, measure, 12.0, num_hold_steps=10)
