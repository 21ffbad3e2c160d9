"""A tree of what the robot really does: branches are actions that were tried in a copy of the world.

Source: DiTree (arXiv:2508.21001): a tree search keeps completeness and freedom from collision, a learned policy as sampler of actions keeps
it from searching everywhere. There a diffusion policy draws many different actions at one state; here any policy serves: its actions are
shaken, and a share of the branches comes from a sampler without learning, so that every place is reached in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.types import ACTION_DIM
from workbench.trajectory.paths import Floats, SpacePath

NUM_STEPS: Final = 8
"""Control steps of one branch."""
GOAL_SHARE: Final = 0.3
"""Share of branches that grow from the place nearest to the goal."""
SPEED: Final = 0.3
"""Of branches without learning [m/s]."""
SPREAD: Final = 0.6
"""Of their directions: 0 is straight to the target."""
MAX_TRIES: Final = 6
"""A place from which so many branches in a row led nowhere is left alone."""

Actions = NDArray[np.float32]


class Tried(NamedTuple):
    """What became of actions that were tried."""

    state: Any
    """Of the world afterwards."""
    positions: Floats
    """``(T, 3)`` end-effector after each action that was free [m]."""
    actions: Actions
    """``(T, 7)`` those that were free: a branch ends before something is touched."""
    is_goal: bool


Propagate = Callable[[Any, Actions], Tried]
"""``propagate(state, actions (T, 7))``."""
Sampler = Callable[[Any, Floats, Floats, np.random.Generator], Actions]
"""``sample(state, position (3,), target (3,), rng) -> actions (T, 7)``."""


@dataclass(frozen=True, eq=False)
class ActionPlan:
    """Actions that lead to the goal, as they were tried."""

    actions: Actions
    """``(T, 7)``"""
    positions: Floats
    """``(T + 1, 3)`` end-effector, from the start [m]."""
    num_nodes: int
    num_tried: int
    """Branches that were tried."""
    num_informed: int
    """Branches of the plan that a learned sampler drew."""

    def path(self) -> SpacePath:
        """Return the way as a path, with the gripper as commanded."""
        openings = np.concatenate([self.actions[:1, 6], self.actions[:, 6]]).astype(float)
        return SpacePath(self.positions, np.where(openings > 0.5, 1.0, 0.0))


class Search(NamedTuple):
    """What a tree searches for, and how long."""

    goal: Floats
    """``(3,)`` [m]"""
    low: Floats
    """``(3,)`` least x, y, z of targets [m]."""
    high: Floats
    max_tried: int = 300
    informed_share: float = 0.7
    """Share of branches that a learned sampler draws, if there is one."""


@dataclass(eq=False)
class _Node:
    state: Any
    position: Floats
    parent: int
    actions: Actions
    positions: Floats
    is_informed: bool
    num_failed: int = 0


def plan_action_tree(
    start: tuple[Any, Floats],
    propagate: Propagate,
    samplers: tuple[Sampler, Sampler | None],
    search: Search,
    rng: np.random.Generator,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> ActionPlan:
    """Return actions from the start to the goal that touch nothing on the way.

    Args:
        start: state of the world, and position ``(3,)`` of the end-effector [m].
        propagate: tries actions.
        samplers: one without learning, and a learned one or None.
        search: the goal and the effort.
        rng: of everything that is drawn.
        is_stopped: asked before each branch.

    Raises:
        Unreachable: no way was found with so many branches.
    """
    plain, learned = samplers
    empty: Actions = np.empty((0, ACTION_DIM), dtype=np.float32)
    nodes = [_Node(start[0], np.asarray(start[1], dtype=float), -1, empty, np.empty((0, 3)), False)]
    num_tried = 0
    while num_tried < search.max_tried and not is_stopped():
        is_informed = learned is not None and bool(rng.random() < search.informed_share)
        target = search.goal if rng.random() < GOAL_SHARE else rng.uniform(search.low, search.high)
        index = _nearest(nodes, target)
        node = nodes[index]
        sample = learned if is_informed and learned is not None else plain
        tried = propagate(node.state, sample(node.state, node.position, target, rng))
        num_tried += 1
        if not len(tried.actions):
            node.num_failed += 1
            continue
        nodes.append(_Node(tried.state, tried.positions[-1], index, tried.actions, tried.positions, is_informed))
        if tried.is_goal:
            return _plan(nodes, num_tried)
    reason = f"no way was found among {num_tried} tries"
    raise Unreachable("the goal", reason=reason, fix="Allow more tries, or move the goal or what is in the way.")


def steer_plainly(period_s: float) -> Sampler:
    """Return a sampler without learning: about straight to the target at a steady speed, the gripper as it is wanted open.

    Args:
        period_s: of a control step [s].
    """

    def sample(state: Any, position: Floats, target: Floats, rng: np.random.Generator) -> Actions:
        offset = target - position
        length = float(np.linalg.norm(offset))
        heading = offset / max(length, 1e-9) + SPREAD * rng.normal(size=3) * min(1.0, length / 0.1)
        step = heading / max(float(np.linalg.norm(heading)), 1e-9) * min(SPEED * period_s, length / NUM_STEPS)
        actions = np.zeros((NUM_STEPS, ACTION_DIM), dtype=np.float32)
        actions[:, :3], actions[:, 6] = step, 1.0
        return actions

    return sample


def _nearest(nodes: Sequence[_Node], target: Floats) -> int:
    gaps = np.array([np.inf if n.num_failed >= MAX_TRIES else float(((n.position - target) ** 2).sum()) for n in nodes])
    return int(np.argmin(gaps)) if np.isfinite(gaps).any() else 0


def _plan(nodes: Sequence[_Node], num_tried: int) -> ActionPlan:
    branch, index = [], len(nodes) - 1
    while index > 0:
        branch.append(nodes[index])
        index = nodes[index].parent
    branch.reverse()
    actions = np.concatenate([n.actions for n in branch])
    positions = np.concatenate([nodes[0].position[None], *(n.positions for n in branch)])
    return ActionPlan(actions, positions, len(nodes), num_tried, sum(n.is_informed for n in branch))
