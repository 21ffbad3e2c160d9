"""Put a cube on one of two equal plates: only a drawing or a click tells which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, DISH_COLOURS, Want, cubes, draw_colours, draw_layout, draw_wording
from workbench.simulation.scene import PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

TEMPLATES = ("put the cube on this plate", "put the {pick} on the {place}", "move the {pick} onto that {place}")


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw a cube, two equal plates, and which of them is meant."""
    (colour,) = draw_colours(rng, CUBE_COLOURS, 1)
    (dish,) = draw_colours(rng, DISH_COLOURS, 1)
    names = [f"plate_{dish}_1", f"plate_{dish}_2"]
    wants = [Want(PropKind.PLATE, name, dish) for name in names] + cubes([colour])
    place, other = rng.permutation(names)
    words = draw_wording(rng, TEMPLATES, pick=f"{colour} cube", place=f"{dish} plate")
    roles = {"pick": f"cube_{colour}", "place": str(place), "other": str(other)}
    return TaskInstance(Scene(draw_layout(rng, wants)), words, roles)


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the cube was put on the meant plate."""
    return relations.is_on_plate(world, instance.roles["pick"], instance.roles["place"])


TASK = Task(
    "ambiguous_plates",
    "Put a cube on one of two equal plates",
    TEMPLATES,
    sample,
    holds,
    relations.measure_placing,
    20.0,
    is_ambiguous=True,
)
