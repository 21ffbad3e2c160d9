"""Whether what was asked for is done, by the measure of the task whose words these are; the truth of a simulator that tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from workbench.core.protocols import Simulator
from workbench.core.types import Observation
from workbench.planning.switching import Contact
from workbench.rollout.mask_checks import is_holding
from workbench.simulation.manner import strip_manner
from workbench.simulation.relations import lift
from workbench.simulation.sayings import sayings_in
from workbench.simulation.scene import PropKind, TaskInstance
from workbench.simulation.task import Task
from workbench.simulation.tasks import TASKS
from workbench.simulation.tasks.close_drawer import MAX_OPENING
from workbench.simulation.tasks.open_drawer import MIN_OPENING
from workbench.simulation.tasks.pick import MIN_LIFT
from workbench.simulation.world import GRIPPER, World

_NUMBERS = re.compile(r"\d")
_MOMENTARY: Final = frozenset({"touch", "press_button"})
_LIFTED_M: Final = 0.01
"""A thing that is this much higher than at the start has left its place [m]."""


@dataclass(frozen=True, eq=False)
class Goal:
    """What an instruction asks for in a scene."""

    task: Task
    instance: TaskInstance

    @property
    def acts_on(self) -> str:
        """Name of the thing that is moved, pressed or touched."""
        return self.instance.roles.get("pick") or self.instance.roles.get("target", "")

    @property
    def is_momentary(self) -> bool:
        """Whether it holds only for a moment, so that it must be looked at in every control step."""
        return self.task.name in _MOMENTARY

    def is_like(self, other: Goal | None) -> bool:
        """Tell whether another instruction asks for the same."""
        return other is not None and (self.task.name, self.instance.roles) == (other.task.name, other.instance.roles)


@dataclass(frozen=True)
class GoalLook:
    """One look at a goal."""

    holds: bool
    remaining: float
    """What is left to do, as a way of hand and thing together [m]."""


def find_goal(simulator: Simulator, instruction: str) -> Goal | None:
    """Return what an instruction asks for; None where nothing measures that.

    Turns by an angle are not measured: their goal depends on where the thing stood when the words were said.
    """
    instance, world = getattr(simulator, "instance", None), getattr(simulator, "world", None)
    words = strip_manner(instruction).strip()
    if world is None or not isinstance(instance, TaskInstance) or _NUMBERS.search(words):
        return None
    for saying in sayings_in(simulator):
        if words in saying.wordings:
            return Goal(TASKS.load(saying.task), replace(instance, roles=dict(saying.roles)))
    return None


def look_at(goal: Goal, simulator: Simulator) -> GoalLook:
    """Look whether a goal holds now, and how much is left."""
    world: World = simulator.world  # type: ignore[attr-defined]  # a goal is found only where there is one
    memory = np.zeros(goal.task.num_memory)
    scores = goal.task.measure(world, goal.instance, memory)
    return GoalLook(bool(goal.task.holds(world, goal.instance, memory)), _remaining(goal, world, scores))


def _remaining(goal: Goal, world: World, scores: dict[str, float]) -> float:
    name = goal.acts_on
    if "opening" in scores:
        reach = float(np.linalg.norm(world.ee_position - world.part_position(name, "handle")))
        opening = scores["opening"]
        return reach + (max(0.0, MIN_OPENING - opening) if goal.task.name == "open_drawer" else max(0.0, opening - MAX_OPENING))
    left = scores.get("distance_to_object", 0.0) + scores.get("distance_to_goal", 0.0)
    return left + (max(0.0, MIN_LIFT - scores["lift"]) if goal.task.name == "pick" else 0.0)


def goal_holds(simulator: Simulator, instruction: str) -> bool | None:
    """Tell whether an instruction is fulfilled now; None where nothing measures that."""
    goal = find_goal(simulator, instruction)
    return None if goal is None else look_at(goal, simulator).holds


def contact_of(simulator: Simulator, observation: Observation) -> Contact:
    """Return what the hand is in touch with: by the simulator's contacts, else by what the fingers measure."""
    world = getattr(simulator, "world", None)
    if not isinstance(world, World):
        is_full = is_holding(observation.proprio)
        return Contact(is_full, "", is_full)
    touched = {n for n in world.touched_by(GRIPPER) if world.prop(n).kind not in (PropKind.ZONE, PropKind.DOT)}
    held = next((name for name in sorted(touched) if world.is_held(name)), "")
    return Contact(bool(touched), held, bool(held) and lift(world, held) > _LIFTED_M)
