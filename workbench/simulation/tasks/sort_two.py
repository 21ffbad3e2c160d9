"""Sort two cubes onto two plates: two steps."""

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
    "put the {pick} on the {place}, then the {pick_2} on the {place_2}",
    "first move the {pick} to the {place}, then move the {pick_2} to the {place_2}",
    "sort the cubes: {pick} on the {place}, {pick_2} on the {place_2}",
)


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw two cubes and two plates, and which cube goes where."""
    colours = draw_colours(rng, CUBE_COLOURS, 2)
    dishes = draw_colours(rng, DISH_COLOURS, 2)
    plates = [Want(PropKind.PLATE, f"plate_{c}", c) for c in dishes]
    props = draw_layout(rng, plates + cubes(colours))
    words = draw_wording(
        rng,
        TEMPLATES,
        pick=f"{colours[0]} cube",
        place=f"{dishes[0]} plate",
        pick_2=f"{colours[1]} cube",
        place_2=f"{dishes[1]} plate",
    )
    roles = {
        "pick": f"cube_{colours[0]}",
        "place": f"plate_{dishes[0]}",
        "pick_2": f"cube_{colours[1]}",
        "place_2": f"plate_{dishes[1]}",
    }
    return TaskInstance(Scene(props), words, roles)


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether each cube was put on its plate."""
    roles = instance.roles
    pairs = ((roles["pick"], roles["place"]), (roles["pick_2"], roles["place_2"]))
    return all(relations.is_on_plate(world, cube, plate) for cube, plate in pairs)


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure both pick-and-places; the second's names end in ``_2``."""
    roles = instance.roles
    second = relations.placing_scores(world, roles["pick_2"], roles["place_2"])
    return relations.placing_scores(world, roles["pick"], roles["place"]) | {f"{k}_2": v for k, v in second.items()}


TASK = Task("sort_two", "Sort two cubes onto two plates", TEMPLATES, sample, holds, measure, 40.0)
