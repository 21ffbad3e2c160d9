"""Put one of several cubes in the bowl."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, DISH_COLOURS, Want, cubes, draw_colours, draw_layout, draw_wording
from workbench.simulation.scene import PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

BOWL_RADIUS = 0.05
"""A cube in the bowl has its centre this near to the bowl's [m]."""

TEMPLATES = (
    "put the {pick} in the {place}",
    "place the {pick} into the {place}",
    "drop the {pick} in the {place}",
    "move the {pick} into the {place}",
)


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw three cubes, a bowl and a plate; the first cube and the bowl are meant."""
    colours = draw_colours(rng, CUBE_COLOURS, 3)
    dish, other = draw_colours(rng, DISH_COLOURS, 2)
    dishes = [Want(PropKind.BOWL, f"bowl_{dish}", dish), Want(PropKind.PLATE, f"plate_{other}", other)]
    props = draw_layout(rng, dishes + cubes(colours))
    words = draw_wording(rng, TEMPLATES, pick=f"{colours[0]} cube", place=f"{dish} bowl")
    return TaskInstance(Scene(props), words, {"pick": f"cube_{colours[0]}", "place": f"bowl_{dish}"})


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the cube was let go and lies in the bowl."""
    return relations.is_put_on(world, instance.roles["pick"], instance.roles["place"], BOWL_RADIUS)


TASK = Task("place_in_bowl", "Put a cube in a bowl", TEMPLATES, sample, holds, relations.measure_placing, 20.0)
