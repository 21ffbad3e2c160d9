"""Press one of several buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, Want, draw_colours, draw_layout, draw_wording
from workbench.simulation.props import BUTTON_TRAVEL
from workbench.simulation.scene import PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

PRESSED = 0.8 * BUTTON_TRAVEL
"""A button is pressed from this depth on [m]."""

TEMPLATES = ("press the {target}", "push the {target} down", "hit the {target}", "press down on the {target}")


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw two or three buttons; the first is meant."""
    colours = draw_colours(rng, CUBE_COLOURS, int(rng.integers(2, 4)))
    props = draw_layout(rng, [Want(PropKind.BUTTON, f"button_{c}", c) for c in colours])
    words = draw_wording(rng, TEMPLATES, target=f"{colours[0]} button")
    return TaskInstance(Scene(props), words, {"target": props[0].name})


def _is_pressed(world: World, name: str) -> bool:
    return world.joint(name) >= PRESSED


def advance(world: World, instance: TaskInstance, memory: Vector) -> Vector:
    """Remember whether a wrong button was pressed: pressing all of them in turn is no answer."""
    target = instance.roles["target"]
    others = [p.name for p in instance.scene.props if p.kind is PropKind.BUTTON and p.name != target]
    is_wrong = memory[0] > 0 or any(_is_pressed(world, name) for name in others)
    return np.array([float(is_wrong)])


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the right button is down and no other was pressed before."""
    return memory[0] == 0 and _is_pressed(world, instance.roles["target"])


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure the distance to the button and how far it is pressed."""
    target = instance.roles["target"]
    return {"distance_to_object": relations.reach(world, target), "pressed": world.joint(target), "pressed_wrong": float(memory[0])}


TASK = Task("press_button", "Press a button", TEMPLATES, sample, holds, measure, 10.0, num_hold_steps=2, num_memory=1, advance=advance)
