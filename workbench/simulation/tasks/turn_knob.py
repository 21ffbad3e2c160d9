"""Turn a knob by a stated signed angle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import (
    CUBE_COLOURS,
    DISH_COLOURS,
    Want,
    cubes,
    draw_colours,
    draw_layout,
    draw_turn,
    draw_wording,
    grasp_yaw,
    turn_words,
)
from workbench.simulation.props import KNOB_LIMIT
from workbench.simulation.scene import PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

TOLERANCE_RAD = float(np.deg2rad(10))

TEMPLATES = (
    "turn the {target} {angle} degrees {direction}",
    "rotate the {target} {direction} by {angle} degrees",
    "give the {target} a turn of {angle} degrees {direction}",
)


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw a knob, two cubes, and an angle that one grasp can turn it by."""
    colours = draw_colours(rng, CUBE_COLOURS, 2)
    (colour,) = draw_colours(rng, DISH_COLOURS, 1)
    angle = draw_turn(rng)
    opening = float(rng.uniform(-KNOB_LIMIT, KNOB_LIMIT))
    while grasp_yaw(opening, angle) is None or abs(opening + angle) > KNOB_LIMIT - 0.1:
        opening = float(rng.uniform(-KNOB_LIMIT, KNOB_LIMIT))
    knob = Want(PropKind.KNOB, f"knob_{colour}", colour, opening=opening)
    props = draw_layout(rng, [knob, *cubes(colours)])
    words = draw_wording(rng, TEMPLATES, target=f"{colour} knob", **turn_words(angle))
    return TaskInstance(Scene(props), words, {"target": knob.name}, {"angle_rad": angle})


def error(world: World, instance: TaskInstance) -> float:
    """Return how far the knob is from where it shall be [rad], positive when it must still turn counter-clockwise."""
    target = instance.roles["target"]
    return world.initial.joint(target) + instance.numbers["angle_rad"] - world.joint(target)


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the knob was turned by the stated angle and let go."""
    target = instance.roles["target"]
    return abs(error(world, instance)) <= TOLERANCE_RAD and relations.is_let_go(world, target)


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure the distance to the knob and the angle that is left."""
    target = instance.roles["target"]
    return {"distance_to_object": relations.reach(world, target), "angle_left_rad": error(world, instance)}


TASK = Task("turn_knob", "Turn a knob by an angle", TEMPLATES, sample, holds, measure, 20.0)
