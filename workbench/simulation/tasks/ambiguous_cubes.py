"""Put one of two equal cubes on a plate: only a drawing or a click tells which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, DISH_COLOURS, QUARTER_TURN, Want, draw_colours, draw_layout, draw_wording
from workbench.simulation.scene import PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

TEMPLATES = ("put this cube on the plate", "put the {pick} on the {place}", "move that {pick} onto the {place}")


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw two equal cubes, which of them is meant, and a plate."""
    (colour,) = draw_colours(rng, CUBE_COLOURS, 1)
    (dish,) = draw_colours(rng, DISH_COLOURS, 1)
    names = [f"cube_{colour}_1", f"cube_{colour}_2"]
    wants = [Want(PropKind.PLATE, f"plate_{dish}", dish)]
    wants += [Want(PropKind.CUBE, name, colour, yaw=QUARTER_TURN) for name in names]
    pick, other = rng.permutation(names)
    words = draw_wording(rng, TEMPLATES, pick=f"{colour} cube", place=f"{dish} plate")
    roles = {"pick": str(pick), "other": str(other), "place": f"plate_{dish}"}
    return TaskInstance(Scene(draw_layout(rng, wants)), words, roles)


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the meant cube, and it alone, was put on the plate."""
    roles = instance.roles
    return relations.is_on_plate(world, roles["pick"], roles["place"]) and not world.is_touching(roles["other"], roles["place"])


TASK = Task(
    "ambiguous_cubes", "Put one of two equal cubes on a plate", TEMPLATES, sample, holds, relations.measure_placing, 20.0, is_ambiguous=True
)
