"""Put one of several cubes on one of two plates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, DISH_COLOURS, Want, cubes, draw_colours, draw_layout, draw_wording
from workbench.simulation.scene import PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

TEMPLATES = (
    "put the {pick} on the {place}",
    "place the {pick} on the {place}",
    "move the {pick} onto the {place}",
    "set the {pick} down on the {place}",
)


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw three cubes and two plates; the first of each is meant."""
    colours = draw_colours(rng, CUBE_COLOURS, 3)
    dishes = draw_colours(rng, DISH_COLOURS, 2)
    plates = [Want(PropKind.PLATE, f"plate_{c}", c) for c in dishes]
    props = draw_layout(rng, plates + cubes(colours))
    words = draw_wording(rng, TEMPLATES, pick=f"{colours[0]} cube", place=f"{dishes[0]} plate")
    return TaskInstance(Scene(props), words, {"pick": f"cube_{colours[0]}", "place": f"plate_{dishes[0]}"})


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the cube was put on the plate."""
    return relations.is_on_plate(world, instance.roles["pick"], instance.roles["place"])


TASK = Task("place_on_plate", "Put a cube on a plate", TEMPLATES, sample, holds, relations.measure_placing, 20.0)
