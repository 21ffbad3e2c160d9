"""Everything that one could ask for in a scene: counterfactual instructions, whose labels the kinematic expert gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.bench_vla.motion import ProxyWorld
from workbench.simulation.layout import GAP, draw_turn, draw_wording, grasp_yaw, turn_words
from workbench.simulation.props import CUBE_SIZE, DRAWER_TRAVEL, KNOB_LIMIT
from workbench.simulation.scene import Prop, PropKind, Scene, TaskInstance
from workbench.simulation.tasks import TASKS
from workbench.simulation.tasks.push_to_zone import PUSH_LENGTH, REACH_X, REACH_Y, RUN_UP

Floats = NDArray[np.float64]

_ON_TABLE: Final = 0.008
"""A cube stands on the table when its centre is no higher than this above half its edge [m]."""
_TAKEN: Final = 0.09
"""A place is taken when a cube is this near [m]."""
_AT_ONCE: Final = ("touch", "press_button", "close_drawer")
"""Tasks that are begun with shut fingers."""
_LANE: Final = 0.10
_MIN_PUSH: Final = 0.06
"""A puck this near to the middle of a zone is in it [m]."""
FLAT: Final = frozenset({PropKind.ZONE, PropKind.DOT})
"""Kinds that nothing bumps into."""


@dataclass(frozen=True)
class Ask:
    """One instruction that a scene allows."""

    task: str
    instance: TaskInstance
    is_ambiguous: bool
    """Whether the words fit more than one thing."""

    @property
    def key(self) -> tuple[object, ...]:
        """What is meant: equal for equal goals."""
        return (self.task, *sorted(self.instance.roles.items()), *sorted(self.instance.numbers.items()))


def possible_asks(world: ProxyWorld, rng: np.random.Generator) -> list[Ask]:
    """Return everything that may be asked of a moment at which nothing is held and nothing of it is done yet, in random order."""
    asks = [*_cube_asks(world, rng), *_push_asks(world, rng), *_fixture_asks(world, rng), *_block_asks(world, rng)]
    return [asks[i] for i in rng.permutation(len(asks))]


def take_turns(asks: Sequence[Ask], count: int) -> list[Ask]:
    """Return at most ``count`` asks, the tasks in turn: of cubes there is always more to ask than of anything else."""
    by_task: dict[str, list[Ask]] = {}
    for ask in asks:
        by_task.setdefault(ask.task, []).append(ask)
    rounds = zip_longest(*by_task.values())
    return [ask for round_ in rounds for ask in round_ if ask is not None][:count]


def is_clear(ask: Ask, world: ProxyWorld) -> bool:
    """Tell whether the gripper is ready, or has room and time to get ready, before it comes to touch the thing.

    A shut gripper that is about to come down on a cube would push it; an open one that is low around a cube would grasp it.
    """
    wants_shut = ask.task in _AT_ONCE
    is_ready = world.gripper < 0.2 if wants_shut else world.gripper > 0.8
    if ask.task == "push_to_zone":
        is_ready = abs(world.gripper - 0.5) < 0.2
    if is_ready:
        return True
    name = ask.instance.roles.get("target", ask.instance.roles.get("pick", ""))
    thing = world.things[name]
    offset = world.ee_position - (thing.position if thing.part is None else thing.part)
    return float(np.hypot(offset[0], offset[1])) > 0.07 or float(offset[2]) > 0.09


def _ask(world: ProxyWorld, rng: np.random.Generator, task: str, roles: dict[str, str], **numbers: float) -> Ask:
    """Make an ask, worded by one of the task's templates."""
    counts = Counter(p.label for p in world.scene.props)
    names = {role: world.prop(name).label for role, name in roles.items()}
    words = {**names, **(turn_words(numbers["angle_rad"]) if numbers else {})}
    templates = [t for t in TASKS.load(task).templates if _is_telling(t, task, world.scene)]
    instruction = draw_wording(rng, templates, **words)
    is_ambiguous = any(counts[label] > 1 for label in names.values())
    return Ask(task, TaskInstance(world.scene, instruction, roles, numbers), is_ambiguous)


def _is_telling(template: str, task: str, scene: Scene) -> bool:
    """Tell whether a wording without a name is enough in this scene."""
    kinds = Counter(p.kind for p in scene.props)
    if task in ("open_drawer", "close_drawer"):
        return "{target}" in template or kinds[PropKind.DRAWER] == 1
    if task == "ambiguous_cubes":
        return "{place}" in template or kinds[PropKind.PLATE] == 1
    if task == "ambiguous_plates":
        return "{pick}" in template or kinds[PropKind.CUBE] == 1
    return True


def _of_kind(world: ProxyWorld, kind: PropKind) -> list[Prop]:
    return [p for p in world.scene.props if p.kind is kind]


def _cube_asks(world: ProxyWorld, rng: np.random.Generator) -> Iterator[Ask]:
    cubes = [c for c in _of_kind(world, PropKind.CUBE) if world.position(c.name)[2] < CUBE_SIZE / 2 + _ON_TABLE]
    every_cube = _of_kind(world, PropKind.CUBE)
    labels = Counter(p.label for p in world.scene.props)
    for cube in cubes:
        yield _ask(world, rng, "touch", {"target": cube.name})
        yield _ask(world, rng, "pick", {"target": cube.name})
        for dish in (*_of_kind(world, PropKind.PLATE), *_of_kind(world, PropKind.BOWL)):
            if any(_distance(world, other.name, dish.name) < _TAKEN for other in every_cube):
                continue
            task = "place_in_bowl" if dish.kind is PropKind.BOWL else "place_on_plate"
            if task == "place_on_plate" and labels[cube.label] > 1:
                task = "ambiguous_cubes"
            elif task == "place_on_plate" and labels[dish.label] > 1:
                task = "ambiguous_plates"
            yield _ask(world, rng, task, {"pick": cube.name, "place": dish.name})
        for other in cubes:
            if other is not cube and labels[other.label] == 1:
                yield _ask(world, rng, "stack", {"pick": cube.name, "place": other.name})


def _distance(world: ProxyWorld, a: str, b: str) -> float:
    offset = world.position(a) - world.position(b)
    return float(np.hypot(offset[0], offset[1]))


def _push_asks(world: ProxyWorld, rng: np.random.Generator) -> Iterator[Ask]:
    for puck in _of_kind(world, PropKind.PUCK):
        start = world.position(puck.name)[:2]
        solid = [world.position(p.name)[:2] for p in world.scene.props if p.name != puck.name and p.kind not in FLAT]
        for zone in _of_kind(world, PropKind.ZONE):
            if is_pushable(start, world.position(zone.name)[:2], solid):
                yield _ask(world, rng, "push_to_zone", {"pick": puck.name, "place": zone.name})


def is_pushable(start: Floats, end: Floats, solid: Sequence[Floats]) -> bool:
    """Tell whether a puck can be pushed straight from ``start`` to ``end`` ``(2,)`` [m]: within reach, not there yet, and a free way.

    Args:
        start: middle of the puck.
        end: middle of the zone.
        solid: ``(2,)`` middles of the other things that can be touched.
    """
    length = float(np.linalg.norm(end - start))
    if not _MIN_PUSH < length <= PUSH_LENGTH[1] + 0.04:
        return False
    behind = start - RUN_UP * (end - start) / length
    if not (REACH_X[0] <= behind[0] <= REACH_X[1] and REACH_Y[0] <= behind[1] <= REACH_Y[1]):
        return False
    lane = [behind + t * (end - behind) for t in np.linspace(0, 1, 8)]
    return all(float(np.hypot(*(place - point))) > _LANE + GAP for point in lane for place in solid)


def _fixture_asks(world: ProxyWorld, rng: np.random.Generator) -> Iterator[Ask]:
    for button in _of_kind(world, PropKind.BUTTON):
        yield _ask(world, rng, "press_button", {"target": button.name})
    for drawer in _of_kind(world, PropKind.DRAWER):
        if world.joint(drawer.name) < 0.03:
            yield _ask(world, rng, "open_drawer", {"target": drawer.name})
        if world.joint(drawer.name) > 0.4 * DRAWER_TRAVEL:
            yield _ask(world, rng, "close_drawer", {"target": drawer.name})
    for knob in _of_kind(world, PropKind.KNOB):
        heading = world.joint(knob.name)
        for _ in range(2):
            angle = draw_turn(rng)
            if grasp_yaw(world.yaw(knob.name) + heading, angle) is not None and abs(heading + angle) < KNOB_LIMIT - 0.1:
                yield _ask(world, rng, "turn_knob", {"target": knob.name}, angle_rad=angle)


def _block_asks(world: ProxyWorld, rng: np.random.Generator) -> Iterator[Ask]:
    for block in _of_kind(world, PropKind.BLOCK):
        for _ in range(2):
            angle = draw_turn(rng)
            if grasp_yaw(world.yaw(block.name), angle) is not None:
                yield _ask(world, rng, "rotate_block", {"target": block.name}, angle_rad=angle)
