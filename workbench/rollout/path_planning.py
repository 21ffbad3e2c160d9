"""From start and goal alone to a path around what is in the way: a plain random tree, and one whose branches a policy draws.

Both work on a copy of the live scene, in its thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.protocols import Policy
from workbench.core.types import CameraRequest, Prompt, SimState
from workbench.rollout.ghost import control_period
from workbench.rollout.path_checks import PathChecker
from workbench.simulation.controllers import WORKSPACE_HIGH, WORKSPACE_LOW
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import ARM, GRIPPER
from workbench.trajectory.kinodynamic import NUM_STEPS, ActionPlan, Sampler, Search, Tried, plan_action_tree, steer_plainly
from workbench.trajectory.rrt import MAX_NODES, RandomWay, plan_random_tree

GOAL_M: Final = 0.02
"""The goal counts as reached this near to it."""
SHAKE_M: Final = 0.004
"""How far each step of a policy's action is moved at random, so that asking again gives another branch."""

Floats = NDArray[np.float64]


def plan_around(
    checker: PathChecker,
    goal: ArrayLike,
    rng: np.random.Generator,
    *,
    max_nodes: int = MAX_NODES,
    is_stopped: Callable[[], bool] = lambda: False,
) -> RandomWay:
    """Return a way of the gripper, turned as it is, from where the checker stands to a goal ``(3,)`` [m].

    Raises:
        Unreachable: something is in the way at the start or the goal, or no way was found.
    """
    end = np.asarray(goal, dtype=float)
    bounds = (np.array(WORKSPACE_LOW), np.array(WORKSPACE_HIGH))

    def is_free(places: Floats) -> bool:
        return checker.is_passable(places, end)

    return plan_random_tree(checker.gripper_position, end, is_free, bounds, rng, max_nodes=max_nodes, is_stopped=is_stopped)


def plan_by_trying(
    simulator: BenchSimulator,
    goal: ArrayLike,
    rng: np.random.Generator,
    *,
    policy: Policy | None = None,
    prompt: Prompt | None = None,
    max_tried: int = 300,
    is_stopped: Callable[[], bool] = lambda: False,
) -> ActionPlan:
    """Return actions that take the gripper to a goal ``(3,)`` [m] without touching anything but what stands at the goal.

    Args:
        simulator: a copy; it is put back to where it stands.
        goal: where the end-effector shall be; a solved task counts as well.
        rng: of the search.
        policy: draws most of the branches; None searches without learning.
        prompt: what the policy is told.
        max_tried: branches that are tried at most.
        is_stopped: asked before each branch.

    Raises:
        Unreachable: no way was found.
    """
    end, start = np.asarray(goal, dtype=float), simulator.state()
    search = Search(end, np.array(WORKSPACE_LOW), np.array(WORKSPACE_HIGH), max_tried)
    samplers = (steer_plainly(control_period(simulator)), None if policy is None else _ask(simulator, policy, prompt or Prompt()))
    trial = _Trial(simulator, end)
    try:
        root = (start, simulator.world.ee_position)
        return plan_action_tree(root, trial.propagate, samplers, search, rng, is_stopped=is_stopped)
    finally:
        simulator.restore(start)


class _Trial:
    """Tries actions in a copy of the scene."""

    def __init__(self, simulator: BenchSimulator, goal: Floats) -> None:
        self._simulator, self._goal = simulator, goal
        names = set(simulator.world.geom_owners) - {ARM, GRIPPER}
        self._obstacles = sorted(n for n in names if n not in {p.name for p in simulator.world.scene.props} and n not in ("floor",))

    def propagate(self, state: SimState, actions: NDArray[np.float32]) -> Tried:
        """Execute actions until something is touched that must not be; the branch ends before that."""
        simulator = self._simulator
        simulator.restore(state)
        last, positions, is_goal = state, [], False
        for action in actions:
            is_solved = simulator.step(action).is_success
            if self._is_in_the_way():
                break
            last = simulator.state()
            positions.append(simulator.world.ee_position)
            is_goal = is_solved or float(np.linalg.norm(positions[-1] - self._goal)) <= GOAL_M
            if is_goal:
                break
        return Tried(last, np.array(positions).reshape(-1, 3), actions[: len(positions)], is_goal)

    def _is_in_the_way(self) -> bool:
        world = self._simulator.world
        return any(world.is_touching(robot, name) for name in self._obstacles for robot in (GRIPPER, ARM))


def _ask(simulator: BenchSimulator, policy: Policy, prompt: Prompt) -> Sampler:
    """Return a sampler that asks a policy at the state of the node, and shakes its answer."""
    cameras: tuple[CameraRequest, ...] = policy.spec.cameras

    def sample(state: SimState, position: Floats, target: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
        simulator.restore(state)
        policy.reset(rng)
        actions = policy.act(simulator.observe(cameras), prompt, rng).actions[:NUM_STEPS].copy()
        actions[:, :3] += rng.normal(scale=SHAKE_M, size=3).astype(np.float32)
        return actions

    return sample
