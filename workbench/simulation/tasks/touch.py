"""Touch one of several cubes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, cubes, draw_colours, draw_layout, draw_wording
from workbench.simulation.scene import PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

MAX_SHIFT = 0.03
"""A touch does not push the cube further than this [m]."""

TEMPLATES = ("touch the {target}", "tap the {target}", "put a finger on the {target}", "move to the {target} and touch it")


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw three or four cubes; the first is meant."""
    colours = draw_colours(rng, CUBE_COLOURS, int(rng.integers(3, 5)))
    props = draw_layout(rng, cubes(colours))
    words = draw_wording(rng, TEMPLATES, target=f"{colours[0]} cube")
    return TaskInstance(Scene(props), words, {"target": props[0].name})


def advance(world: World, instance: TaskInstance, memory: Vector) -> Vector:
    """Remember whether a wrong cube was touched: touching all of them in turn is no answer."""
    target = instance.roles["target"]
    others = [p.name for p in instance.scene.props if p.kind is PropKind.CUBE and p.name != target]
    is_wrong = memory[0] > 0 or any(world.is_touching("gripper", name) for name in others)
    return np.array([float(is_wrong)])


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the gripper touches the right cube, touched no other before, and did not push it away."""
    target = instance.roles["target"]
    return memory[0] == 0 and world.is_touching("gripper", target) and relations.displacement(world, target) < MAX_SHIFT


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure the distance to the cube."""
    return {"distance_to_object": relations.reach(world, instance.roles["target"]), "touched_wrong": float(memory[0])}


TASK = Task("touch", "Touch a cube", TEMPLATES, sample, holds, measure, 10.0, num_hold_steps=2, num_memory=1, advance=advance)
