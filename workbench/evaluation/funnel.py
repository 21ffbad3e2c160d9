"""How far an episode came: to the right thing, had it, brought it, solved; and how it moved on the way.

Source: INT-ACT, arXiv:2506.09930, scores intention (coming near the right thing) apart from execution. Ours also counts coming near a
wrong thing first: a policy that hovers over everything would otherwise score full intention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.types import Step
from workbench.evaluation.drawing import aim_point
from workbench.simulation import relations
from workbench.simulation.props import PUCK_SIZE
from workbench.simulation.scene import PropKind
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import GRIPPER, World

NEAR: Final = 0.04
"""The end-effector is at a thing within this distance of it [m]."""
GOAL_NEAR: Final = 0.05
"""A thing has reached its goal within this distance, seen from above [m]."""
MOVED: Final = 0.03
"""A thing was moved when it is this far from where it stood [m]."""
MOVING_SPEED: Final = 0.02
"""Below this speed the end-effector stands still [m/s]."""
_GOALS: Final = frozenset({PropKind.PLATE, PropKind.BOWL, PropKind.ZONE, PropKind.DOT})
_MOVABLE: Final = frozenset({PropKind.CUBE, PropKind.BLOCK, PropKind.PUCK})

MEASURES: Final[Mapping[str, str]] = {
    "near": "came within 4 cm of the right thing [0 or 1]",
    "went": "did so before coming near any other [0 or 1]",
    "held": "held the right thing; for tasks without a grasp: touched it [0 or 1]",
    "moved_wrong": "moved another thing by 3 cm, further than the right one [0 or 1]",
    "reached": "brought the thing within 5 cm of its goal; only tasks that bring something [0 or 1]",
    "mean_speed": "mean speed of the end-effector while it moves [m/s]",
    "mean_height": "mean height of the end-effector over the whole episode [m]",
    "shut_share": "share of the time in which the gripper is at most half open [0 to 1]",
    "clearance": "highest place of the end-effector while it holds the thing [m]",
    "policy_calls": "how often the policy was asked",
    "agreement": "share of action tokens on which decoding token by token agrees with decoding in parallel [0 to 1]",
    "strength": "mean strength that a controller set, of steering in closed loop [in its own unit]",
    "sae_explained": "share of the variance that a sparse autoencoder keeps of tokens that it was not trained on [0 to 1]",
    "sae_general": "share of its features that count as general rather than memorised [0 to 1]",
    "sae_dead": "share of its features that are never active [0 to 1]",
    "planning_s": "how long a planner searched before it moved [s]",
    "planning_tries": "how many branches it tried",
    "steps_done": "share of the steps of an instruction that were done in their order [0 to 1]",
    "attempts": "attempts at all its sub-goals together",
    "undone": "the thing of an instruction that was taken back stands within 3 cm of where it stood, on the table [0 or 1]",
    "after_switch_s": "time from the change of the instruction to the end of the episode [s]",
    "own_error": "error of the policy's own actions to the expert's, normalised root mean square, mean over its calls",
    "chosen_error": "the same of the candidate that was chosen",
    "chosen_other": "share of the calls at which another candidate than the policy's own was chosen [0 to 1]",
    "bumped": "ran into an obstacle, with the arm, the hand or what it held; only scenes with obstacles [0 or 1]",
    "frechet_m": "discrete Fréchet distance of the driven path to the one that was told with depths [m]",
    "trace_px": "mean distance of the points that the policy first predicted to the path that was then driven [px of 256]",
}
"""What is measured in a trial; a measure that does not apply is left out."""

Floats = NDArray[np.float64]


class FunnelMeter:
    """Watches one episode; made at its start, told after every step."""

    def __init__(self, simulator: BenchSimulator) -> None:
        world, roles = simulator.world, simulator.instance.roles
        self._world = world
        self._right = target_of(simulator)
        self._goal = roles.get("place", "")
        self._others = [
            p.name for p in world.scene.props if p.name != self._right and p.kind not in _GOALS and p.name not in roles.values()
        ]
        if "other" in roles:
            self._others.append(roles["other"])
        self._needs_grasp = simulator.task.name not in _TOUCHED
        self._control_hz = simulator.control_hz
        self._path = [world.ee_position]
        self._is_near = self._is_wrong_first = self._is_held = self._has_moved_wrong = self._has_reached = False
        self._heights: list[float] = []
        self._num_shut = 0

    def look(self, step: Step) -> None:
        """Look at the world after a step."""
        world = self._world
        self._path.append(world.ee_position)
        self._num_shut += world.gripper <= 0.5
        is_at_right, is_shut = is_at(world, self._right), world.gripper_command < 0.5
        if not self._is_near:
            self._is_wrong_first = self._is_wrong_first or any(is_at(world, name) for name in self._others)
            self._is_near = is_at_right
        if is_at_right and not self._is_held:  # contacts are costly to ask for, so only here
            self._is_held = is_shut and world.is_held(self._right) if self._needs_grasp else world.is_touching(GRIPPER, self._right)
        if is_at_right and is_shut and self._is_held and self._needs_grasp:
            self._heights.append(float(world.ee_position[2]))
        self._has_moved_wrong = self._has_moved_wrong or self._is_wrong_moved()
        if self._goal:
            self._has_reached = self._has_reached or relations.distance(world, self._right, self._goal) <= GOAL_NEAR

    @property
    def path(self) -> Floats:
        """``(N, 3)`` the end-effector's way [m], one place a step and the start."""
        return np.array(self._path)

    def measures(self) -> dict[str, float]:
        """Return what was seen, see :data:`MEASURES`."""
        found = {
            "near": float(self._is_near),
            "went": float(self._is_near and not self._is_wrong_first),
            "held": float(self._is_held),
            "moved_wrong": float(self._has_moved_wrong),
        }
        if self._goal:
            found["reached"] = float(self._has_reached)
        found["mean_height"] = float(self.path[:, 2].mean())
        found["shut_share"] = self._num_shut / max(1, len(self._path) - 1)
        speeds = np.linalg.norm(np.diff(self.path, axis=0), axis=1) * self._control_hz
        if (speeds > MOVING_SPEED).any():
            found["mean_speed"] = float(speeds[speeds > MOVING_SPEED].mean())
        if self._heights:
            found["clearance"] = max(self._heights)
        return found

    def _is_wrong_moved(self) -> bool:
        world = self._world
        wrong = [relations.displacement(world, name) for name in self._others if world.prop(name).kind in _MOVABLE]
        return bool(wrong) and max(wrong) > max(MOVED, relations.displacement(world, self._right))


def target_of(simulator: BenchSimulator) -> str:
    """Return the name of the thing that the task is about."""
    roles = simulator.instance.roles
    return roles.get("target") or roles.get("pick") or next(iter(p.name for p in simulator.world.scene.props))


_TOUCHED: Final = frozenset({"touch", "push_to_zone", "press_button", "close_drawer"})
"""Tasks in which nothing is grasped."""


_BEYOND: Final[Mapping[PropKind, float]] = {PropKind.PUCK: PUCK_SIZE[0] / 2, PropKind.DOT: 0.02}
"""How much further off the end-effector stays when it is at a thing: a puck's side, the height over a dot [m]."""


def is_at(world: World, name: str) -> bool:
    """Tell whether the end-effector is at a thing: at a drawer's handle, at a puck's side, over a dot, else at where one would point."""
    kind = world.prop(name).kind
    place = world.part_position(name, "handle") if kind is PropKind.DRAWER else aim_point(world, name)
    reach = NEAR + _BEYOND.get(kind, 0.0)
    return float(np.linalg.norm(world.ee_position - place)) <= reach
