"""Policies that first search for a way from where they are to a goal, in a copy of the scene, and then go it.

All that they take from the prompt's trace is its end: the goal. What lies between is theirs to find.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.protocols import Policy, PolicyFactory, PolicySpec, Simulator
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.rollout.ghost import control_period
from workbench.rollout.hold import hold_action
from workbench.rollout.path_checks import PathChecker
from workbench.rollout.path_planning import plan_around, plan_by_trying
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.drive import PathDrive
from workbench.trajectory.paths import Floats, SpacePath, lift_trace

MAX_TRIED: Final = 200
"""Branches of a tree of actions."""

Actions = NDArray[np.float32]


class PlanningPolicy:
    """Plans once for each trace that it is told, then executes the plan; holds still without one."""

    def __init__(self, simulator: BenchSimulator, name: str, *, tries_actions: bool, make_sampler: PolicyFactory | None = None) -> None:
        """Take the simulator to copy, and how to search.

        Args:
            simulator: the one that acts; it is read only.
            name: of this policy.
            tries_actions: whether branches are actions that are tried, else straight ways that are checked.
            make_sampler: makes the policy that draws the branches, for the copy; None searches without learning.
        """
        about = "with actions that are tried" if tries_actions else "with straight ways"
        drawn = ", most of them drawn by the bench VLA" if make_sampler else ""
        self.spec = PolicySpec(
            name, prompts=frozenset({"text", "trace"}), description=f"Searches a way around obstacles by a random tree {about}{drawn}."
        )
        self._simulator, self._tries_actions, self._make_sampler = simulator, tries_actions, make_sampler
        self._told: str | None = None
        self._actions: list[Actions] = []
        self._drive: PathDrive | None = None
        self._goal: Floats | None = None
        self._opening: float | None = None
        """Of the gripper, wanted at the goal; None: as it is."""

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the plan."""
        self._told, self._actions, self._drive, self._goal = None, [], None, None

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the next action of the plan; a newly told trace is planned for first.

        Raises:
            InvalidInput: the trace has no depths.
            Unreachable: no way was found.
        """
        scores = {}
        if prompt.trace is None:
            self._told = None
        elif prompt.id != self._told:
            self._told = prompt.id
            told = lift_trace(prompt.trace, observation.cameras[prompt.trace.camera])
            self._goal, self._opening = told.positions[-1], None if told.gripper is None else float(told.gripper[-1])
            scores = self._plan(observation, replace(prompt, trace=None), rng)
        return ActionChunk(self._next(observation)[None], 1.0 / control_period(self._simulator), scores)

    def _next(self, observation: Observation) -> Actions:
        if self._told is None or self._goal is None:
            return hold_action(observation)
        if self._actions:
            return self._actions.pop(0)
        if self._drive is None:  # the last bit, from where the actions ended
            here = observation.ee_position
            self._drive = PathDrive(self._with_gripper(SpacePath(np.stack([here, self._goal])), observation), observation)
        return self._drive.act(observation, control_period(self._simulator))

    def _with_gripper(self, path: SpacePath, observation: Observation) -> SpacePath:
        """Return a way on which the gripper stays as it is now up to the goal, and does there what the trace's end says."""
        now = float(observation.gripper_command > 0.5)
        openings = np.full(path.num_points, now)
        openings[-1] = now if self._opening is None else self._opening
        return SpacePath(path.positions, openings)

    def _plan(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> dict[str, float]:
        """Search in a copy of the scene; return how long it took, and how many branches."""
        assert self._goal is not None
        self._actions, self._drive = [], None
        copy = BenchSimulator()
        try:
            copy.reset(self._simulator.config, instance=self._simulator.instance)
            copy.restore(self._simulator.state())
            sampler = self._make_sampler(copy) if self._make_sampler and self._tries_actions else None
            begun = time.perf_counter()
            if self._tries_actions:
                tried = plan_by_trying(copy, self._goal, rng, policy=sampler, prompt=prompt, max_tried=MAX_TRIED)
                self._actions, num_tries = list(tried.actions), tried.num_tried
            else:
                way = plan_around(PathChecker(copy), self._goal, rng)
                self._drive, num_tries = PathDrive(self._with_gripper(way.path, observation), observation), way.num_checks
            return {"planning_s": time.perf_counter() - begun, "planning_tries": float(num_tries)}
        finally:
            copy.close()


def planner(name: str, *, tries_actions: bool, make_sampler: PolicyFactory | None = None) -> Callable[[Simulator], Policy]:
    """Return a factory of planning policies; arguments as :class:`PlanningPolicy`."""

    def make(simulator: Simulator) -> Policy:
        if not isinstance(simulator, BenchSimulator):
            raise InvalidInput(
                f"policy {name!r}",
                expected="the bench simulator, which can be copied",
                found=f"the simulator {simulator.spec.name!r}",
                fix="Choose another driver.",
            )
        return PlanningPolicy(simulator, name, tries_actions=tries_actions, make_sampler=make_sampler)

    return make
