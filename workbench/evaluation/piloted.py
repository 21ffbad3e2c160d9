"""Trials that a pilot leads: told something else first, or told an instruction of several steps, with and without what helps there.

A *switch* tells the policy at first something else that could be done in the scene, about other things, and then, ``early`` (the hand has
come half of the way, and touches nothing), ``mid`` (the thing is in the air) or ``late`` (it is over its goal), the task's own instruction.
*Goals* judge an instruction of several steps: each must have held, in its order, and what was put somewhere must lie there at the end; the
judge is the truth, apart from whatever verifies within the trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.core.types import Prompt, Step
from workbench.evaluation.settings import BARE_PLAN, EARLY, MID, WHOLE, Setting
from workbench.planning.decomposition import decompose
from workbench.planning.subgoals import plan_of
from workbench.rollout.goals import Goal, find_goal, look_at
from workbench.rollout.loop import LiveEpisode, change_prompt
from workbench.rollout.pilot import Pilot, PilotSettings
from workbench.simulation.relations import displacement, distance, lift
from workbench.simulation.sayings import sayings_in
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

VERBS: Final = frozenset(template.split()[0] for entry in TASKS for template in TASKS.load(entry.name).templates) - {"first"}
"""Words that an instruction of some task begins with."""
MAX_ATTEMPTS: Final = 2
NUM_HOLDS: Final = 3
"""Control steps in a row for which a step of several must have held."""
SWITCH_BY_S: Final = 10.0
"""A switch that waits for what does not come is made then [s]."""
UNDONE_M: Final = 0.03
"""The first thing counts as put back within this distance of where it stood [m]."""
_FIRST_TASKS: Final = ("place_on_plate", "place_in_bowl", "pick")
_HALF_WAY: Final = 0.5
_IN_AIR_M: Final = 0.03
_OVER_GOAL_M: Final = 0.06
_PILOTS: Final[Mapping[str, PilotSettings]] = MappingProxyType(
    {
        "": PilotSettings(asks=False),
        BARE_PLAN: PilotSettings(is_verifying=False, is_recovering=False, asks=False, max_attempts=1),
        "verify": PilotSettings(is_recovering=False, asks=False, max_attempts=MAX_ATTEMPTS),
        "verify+recover": PilotSettings(asks=False, max_attempts=MAX_ATTEMPTS),
    }
)


class PilotedTrial:
    """What is special about one piloted trial; made when its simulator stands at its start."""

    def __init__(self, simulator: BenchSimulator, setting: Setting, told: Prompt, *, seed: int) -> None:
        """Decide what is told at first, and what is judged.

        Raises:
            InvalidInput: nothing else can be asked for in this scene, or the instruction has no steps that could be judged.
        """
        self._simulator, self._setting, self._own = simulator, setting, told.text
        self.goals = _steps_of(simulator, told.text) if setting.goals else ()
        self.first = told
        self._other: Goal | None = None
        if setting.switch:
            other = _something_else(simulator, seed)
            self.first, self._other = replace(told, text=other), find_goal(simulator, other)
        self._is_switched = not setting.switch
        self._switched_at, self._start_m = 0, self._reach()
        self._num_done = self._num_holds = 0

    def begin(self, episode: LiveEpisode) -> None:
        """Give the episode its pilot, and its plan."""
        if self._setting.has_modes or self._setting.goals not in ("", WHOLE):
            episode.pilot = Pilot(_PILOTS[self._setting.goals])
            if self.goals:
                episode.pilot.follower.start(episode, plan_of(tuple((words, words) for words, _ in self.goals)))

    @property
    def limit_s(self) -> float:
        """Time that the whole episode has [s]."""
        if not self.goals:
            return (
                self._switched_at / self._simulator.control_hz
                + self._simulator.task.time_limit_s
                + (0.0 if self._is_switched else SWITCH_BY_S)
            )
        attempts = 1 if self._setting.goals == WHOLE else MAX_ATTEMPTS
        return attempts * sum(goal.task.time_limit_s for _, goal in self.goals)

    def look(self, episode: LiveEpisode, step: Step) -> None:
        """Take in a step: judge it, and switch when the moment has come."""
        if self.goals and self._num_done < len(self.goals):
            holds = look_at(self.goals[self._num_done][1], self._simulator).holds
            self._num_holds = self._num_holds + 1 if holds else 0
            goal = self.goals[self._num_done][1]
            if self._num_holds >= (goal.task.num_hold_steps if goal.is_momentary else NUM_HOLDS):
                self._num_done, self._num_holds = self._num_done + 1, 0
        if not self._is_switched and (self._is_moment() or step.time_s >= SWITCH_BY_S):
            self._is_switched, self._switched_at = True, episode.index
            change_prompt(episode, {"text": self._own})

    def is_success(self, episode: LiveEpisode) -> bool:
        """Tell whether everything was done; what was put somewhere must lie there now."""
        if not self.goals:
            return self._is_switched and episode.is_success
        lasting = [goal for _, goal in self.goals if not goal.is_momentary]
        return self._num_done == len(self.goals) and all(look_at(goal, self._simulator).holds for goal in lasting)

    def measures(self, episode: LiveEpisode) -> dict[str, float]:
        """Return what was measured besides, see :data:`workbench.evaluation.funnel.MEASURES`."""
        if self.goals:
            found = {"steps_done": self._num_done / len(self.goals)}
            plan = episode.pilot.plan if episode.pilot else None
            return found if plan is None else found | {"attempts": float(sum(g.attempts for g in plan.goals))}
        if self._other is None:
            return {}
        name, world = self._other.acts_on, self._simulator.world
        is_back = displacement(world, name) < UNDONE_M and world.is_touching(name, "table")
        return {"undone": float(is_back), "after_switch_s": (episode.index - self._switched_at) / self._simulator.control_hz}

    def _reach(self) -> float:
        if self._other is None:
            return 0.0
        return float(np.linalg.norm(self._simulator.world.ee_position - self._simulator.world.position(self._other.acts_on)))

    def _is_moment(self) -> bool:
        """Tell whether the moment of the switch has come."""
        assert self._other is not None
        world, roles, name = self._simulator.world, self._other.instance.roles, self._other.acts_on
        if self._setting.switch == EARLY:
            return self._reach() < _HALF_WAY * self._start_m
        is_in_air = world.is_held(name) and lift(world, name) > _IN_AIR_M
        if self._setting.switch == MID:
            return is_in_air
        return is_in_air and ("place" not in roles or distance(world, name, roles["place"]) < _OVER_GOAL_M)


def _steps_of(simulator: BenchSimulator, text: str) -> tuple[tuple[str, Goal], ...]:
    """Return the steps of an instruction, in words of the scene, and what each asks for."""
    words = {wording: saying.wordings[0] for saying in sayings_in(simulator) for wording in saying.wordings}
    steps = decompose(text, lambda clause: words.get(clause.lower().strip(), ""), VERBS)
    found = [(step.instruction, find_goal(simulator, step.instruction)) for step in steps]
    known = tuple((words, goal) for words, goal in found if goal is not None)
    if len(known) < len(found):
        missing = next(step.text for step, (_, goal) in zip(steps, found, strict=True) if goal is None)
        raise InvalidInput("setting goals", expected="steps that the scene has words for", found=missing)
    return known


def _something_else(simulator: BenchSimulator, seed: int) -> str:
    """Return an instruction about things that the task does not need, one that brings a thing somewhere if there is one."""
    roles = set(simulator.instance.roles.values())
    sayings = [s for s in sayings_in(simulator) if s.task in _FIRST_TASKS and roles.isdisjoint(s.roles.values())]
    bringing: Sequence[str] = [s.wordings[0] for s in sayings if "place" in s.roles] or [s.wordings[0] for s in sayings]
    if not bringing:
        raise InvalidInput("setting switch", expected="a scene in which something else can be done", found=simulator.task.name)
    return bringing[int(np.random.default_rng((seed, 77)).integers(len(bringing)))]
