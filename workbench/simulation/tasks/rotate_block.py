"""Rotate a block by a stated signed angle, on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.core.geometry import wrap_angle
from workbench.simulation import relations
from workbench.simulation.layout import (
    CUBE_COLOURS,
    Want,
    cubes,
    draw_colours,
    draw_layout,
    draw_turn,
    draw_wording,
    grasp_yaw,
    turn_words,
)
from workbench.simulation.scene import PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

TOLERANCE_RAD = float(np.deg2rad(10))
MAX_SHIFT = 0.04
"""The block stays where it is within this distance [m]."""
MAX_LIFT = 0.005
"""A block that lies flat is not higher than this above its start [m]."""

TEMPLATES = (
    "rotate the {target} {angle} degrees {direction}",
    "turn the {target} {direction} by {angle} degrees",
    "give the {target} a turn of {angle} degrees {direction}",
)


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw a block, two cubes, and an angle that one grasp can turn it by."""
    colours = draw_colours(rng, CUBE_COLOURS, 3)
    angle = draw_turn(rng)
    yaw = float(rng.uniform(-np.pi, np.pi))
    while grasp_yaw(yaw, angle) is None:
        yaw = float(rng.uniform(-np.pi, np.pi))
    block = Want(PropKind.BLOCK, f"block_{colours[0]}", colours[0], yaw=(yaw, yaw))
    props = draw_layout(rng, [block, *cubes(colours[1:])])
    words = draw_wording(rng, TEMPLATES, target=f"{colours[0]} block", **turn_words(angle))
    return TaskInstance(Scene(props), words, {"target": block.name}, {"angle_rad": angle})


def error(world: World, instance: TaskInstance) -> float:
    """Return how far the block is from where it shall be [rad], positive when it must still turn counter-clockwise."""
    target = instance.roles["target"]
    return wrap_angle(world.initial.yaw(target) + instance.numbers["angle_rad"] - world.yaw(target))


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the block was rotated by the stated angle, lies where it was, and was let go."""
    target = instance.roles["target"]
    return (
        abs(error(world, instance)) <= TOLERANCE_RAD
        and relations.displacement(world, target) <= MAX_SHIFT
        and abs(relations.lift(world, target)) <= MAX_LIFT
        and relations.is_let_go(world, target)
    )


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure the distance to the block, how far it moved, and the angle that is left."""
    target = instance.roles["target"]
    return {
        "distance_to_object": relations.reach(world, target),
        "shift": relations.displacement(world, target),
        "angle_left_rad": error(world, instance),
    }


TASK = Task("rotate_block", "Rotate a block by an angle", TEMPLATES, sample, holds, measure, 20.0)
