"""Close a drawer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation.drawers import draw_drawer_scene
from workbench.simulation.layout import draw_wording
from workbench.simulation.props import DRAWER_TRAVEL
from workbench.simulation.scene import TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

MAX_OPENING = 0.008
"""A closed drawer stands out at most this far [m]."""

TEMPLATES = ("close the drawer", "push the drawer shut", "close the {target}", "shut the {target}")


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw an open drawer and two cubes."""
    scene = draw_drawer_scene(rng, float(rng.uniform(0.6, 1.0)) * DRAWER_TRAVEL)
    target = scene.props[0]
    return TaskInstance(scene, draw_wording(rng, TEMPLATES, target=target.label), {"target": target.name})


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the drawer is shut."""
    return world.joint(instance.roles["target"]) <= MAX_OPENING


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure how far the drawer is open."""
    return {"opening": world.joint(instance.roles["target"])}


TASK = Task("close_drawer", "Close a drawer", TEMPLATES, sample, holds, measure, 15.0)
