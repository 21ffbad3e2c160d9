"""Open a drawer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation.drawers import draw_drawer_scene
from workbench.simulation.layout import draw_wording
from workbench.simulation.scene import TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

MIN_OPENING = 0.08
"""An open drawer stands out at least this far [m]."""

TEMPLATES = ("open the drawer", "pull the drawer open", "open the {target}", "pull out the {target}")


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw a closed drawer and two cubes."""
    scene = draw_drawer_scene(rng, 0.0)
    target = scene.props[0]
    return TaskInstance(scene, draw_wording(rng, TEMPLATES, target=target.label), {"target": target.name})


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the drawer stands open."""
    return world.joint(instance.roles["target"]) >= MIN_OPENING


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure how far the drawer is open."""
    return {"opening": world.joint(instance.roles["target"])}


TASK = Task("open_drawer", "Open a drawer", TEMPLATES, sample, holds, measure, 15.0)
