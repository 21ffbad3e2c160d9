"""Stack one cube on another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, cubes, draw_colours, draw_layout, draw_wording
from workbench.simulation.scene import Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

STACK_RADIUS = 0.02
"""Largest offset of the upper cube's centre from the lower one's [m]."""

TEMPLATES = (
    "stack the {pick} on the {place}",
    "put the {pick} on top of the {place}",
    "place the {pick} on the {place}",
    "build a tower: the {pick} on the {place}",
)


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw three cubes; the first goes on the second."""
    colours = draw_colours(rng, CUBE_COLOURS, 3)
    props = draw_layout(rng, cubes(colours))
    words = draw_wording(rng, TEMPLATES, pick=f"{colours[0]} cube", place=f"{colours[1]} cube")
    return TaskInstance(Scene(props), words, {"pick": props[0].name, "place": props[1].name})


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the upper cube rests on the lower one alone, and the lower one still stands on the table."""
    upper, lower = instance.roles["pick"], instance.roles["place"]
    return relations.is_put_on(world, upper, lower, STACK_RADIUS) and world.position(upper)[2] > world.position(lower)[2]


TASK = Task("stack", "Stack a cube on another", TEMPLATES, sample, holds, relations.measure_placing, 20.0)
