"""A table with several things to do at once: a button, a bowl, a plate and cubes beside what the task has, and an instruction of several steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.simulation.distractors import is_clear_of_lanes
from workbench.simulation.layout import CUBE_COLOURS, DISH_COLOURS, FOOTPRINT, GAP, QUARTER_TURN, X_RANGE, Y_RANGE, distance
from workbench.simulation.scene import Prop, PropKind, TaskInstance

MAX_STEPS: Final = 3
NUM_CUBES: Final = 3
_BESIDE: Final = 0.02
"""Free space between a thing and one that was there before [m], where there is no room for more."""
_WANTED: Final = ((PropKind.BOWL, DISH_COLOURS), (PropKind.PLATE, DISH_COLOURS), (PropKind.BUTTON, CUBE_COLOURS))
_NUM_TRIES: Final = 60
_NUM_TABLES: Final = 40


def add_several(instance: TaskInstance, rng: np.random.Generator, num_steps: int = 1) -> TaskInstance:
    """Return the task on a table that has at least a bowl, a plate, a button and three cubes.

    With more than one step the instruction goes on after the task's own, ", then ...": a button to press, a cube to put where none goes. The
    task's own measure stays that of the first step.

    Raises:
        InvalidInput: the number of steps is not 1 to 3, or the table has no room.
    """
    if not 1 <= num_steps <= MAX_STEPS:
        raise InvalidInput("several, steps", expected=f"1 to {MAX_STEPS}", found=str(num_steps))
    for _ in range(_NUM_TABLES):
        props = _filled(instance, rng)
        if props is not None:
            found = replace(instance, scene=replace(instance.scene, props=props))
            return replace(found, instruction=", then ".join([instance.instruction, *_more_to_do(found, rng)[: num_steps - 1]]))
    raise InvalidInput(
        "several things", expected="room on the table", found=f"none beside {instance.instruction!r}", fix="Take another task."
    )


def _filled(instance: TaskInstance, rng: np.random.Generator) -> tuple[Prop, ...] | None:
    """Return the things of a scene with those that it lacks; None where one found no room."""
    props = list(instance.scene.props)
    for kind, colours in _WANTED:
        if all(p.kind is not kind for p in props) and not _put(instance, props, kind, _free(props, kind, colours, rng), rng):
            return None
    while sum(p.kind is PropKind.CUBE for p in props) < NUM_CUBES:
        if not _put(instance, props, PropKind.CUBE, _free(props, PropKind.CUBE, CUBE_COLOURS, rng), rng):
            return None
    return tuple(props)


def _free(props: Sequence[Prop], kind: PropKind, colours: Sequence[str], rng: np.random.Generator) -> str:
    """Draw a colour that no thing of the kind has, and no other dish."""
    dishes = (PropKind.BOWL, PropKind.PLATE)
    taken = {p.colour for p in props if p.kind is kind or (kind in dishes and p.kind in dishes)}
    free = [c for c in colours if c not in taken] or [c for c in colours if c not in {p.colour for p in props if p.kind is kind}]
    return str(rng.choice(free))


def _put(instance: TaskInstance, props: list[Prop], kind: PropKind, colour: str, rng: np.random.Generator) -> bool:
    """Put a thing where there is room; tell whether there was."""
    for number in range(_NUM_TRIES):
        x, y = float(rng.uniform(*X_RANGE)), float(rng.uniform(*Y_RANGE))
        yaw = float(rng.uniform(*QUARTER_TURN)) if kind is PropKind.CUBE else 0.0
        prop = Prop(kind, f"{kind.value}_{colour}", colour, x, y, yaw)
        gap = GAP if number < _NUM_TRIES // 2 else _BESIDE
        if all(distance(prop, p) >= FOOTPRINT[kind] + FOOTPRINT[p.kind] + gap for p in props) and is_clear_of_lanes(prop, instance):
            props.append(prop)
            return True
    return False


def _more_to_do(instance: TaskInstance, rng: np.random.Generator) -> list[str]:
    """Return what else could be done there, in random order: each with things that no other step has."""
    roles = set(instance.roles.values())
    free = [p for p in instance.scene.props if p.name not in roles]
    found = [f"press the {p.label}" for p in free if p.kind is PropKind.BUTTON][:1]
    cubes = [p for p in free if p.kind is PropKind.CUBE]
    dishes = [p for p in free if p.kind in (PropKind.PLATE, PropKind.BOWL)]
    if cubes and dishes:
        found.append(f"put the {cubes[0].label} {'in' if dishes[0].kind is PropKind.BOWL else 'on'} the {dishes[0].label}")
    return [found[i] for i in rng.permutation(len(found))]
