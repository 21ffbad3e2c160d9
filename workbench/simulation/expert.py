"""The scripted expert: solves every task from the truth of the simulator; for demonstrations and as an upper bound, never a result."""

from __future__ import annotations

from typing import Final

import numpy as np

from workbench.core.errors import UnknownName
from workbench.core.geometry import quat_conjugate, quat_multiply, rotvec_from_quat
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.simulation.expert_motion import Command, Floats, down_quaternion, gripper_yaw
from workbench.simulation.expert_skills import DONE_AT_SUCCESS, SKILLS
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import World

MAX_STEP: Final = 0.03
"""Longest way in one control step [m]."""
APPROACH_GAIN: Final = 0.75
"""Share of the remaining way that one step takes when it is near: below 1, so that an arm that lags does not overshoot."""
MAX_TURN_SPEED: Final = 1.6
"""[rad/s]"""


class ScriptedExpert:
    """A policy that reads the truth of one simulator, and ignores pictures and prompts."""

    spec = PolicySpec("expert", is_privileged=True, description="Scripted, reads the simulator's truth")

    def __init__(self, simulator: BenchSimulator, *, speed: float = 0.32) -> None:
        """Look at ``simulator``; go at most at ``speed`` [m/s]."""
        self._simulator, self._speed = simulator, speed

    def reset(self, rng: np.random.Generator) -> None:
        """Nothing to forget: every action follows from the present."""

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action; ``scores["done"]`` is 1 when the task is solved and the gripper has come away."""
        simulator = self._simulator
        task, world, instance = simulator.task, simulator.world, simulator.instance
        if task.name not in SKILLS:
            raise UnknownName("task of the scripted expert", task.name, SKILLS)
        control_hz = simulator.control_hz
        command = SKILLS[task.name](world, instance)
        is_solved = task.is_success(world, instance)
        if is_solved and (command.is_done or task.name in DONE_AT_SUCCESS):
            stay = np.concatenate([np.zeros(6), [world.gripper_command]])
            return ActionChunk(stay[None].astype(np.float32), control_hz, {"done": 1.0})
        action = self._action(world, command, control_hz)
        return ActionChunk(action[None].astype(np.float32), control_hz, {"done": 0.0})

    def _action(self, world: World, command: Command, control_hz: float) -> Floats:
        """Return the step ``(7,)`` from where the end-effector is towards the command."""
        move = _shorten(APPROACH_GAIN * (command.position - world.ee_position), min(command.pace * self._speed / control_hz, MAX_STEP))
        yaw = gripper_yaw(world)
        most = MAX_TURN_SPEED / control_hz
        wanted = down_quaternion(yaw + float(np.clip(command.yaw - yaw, -most, most)))
        turn = _shorten(rotvec_from_quat(quat_multiply(wanted, quat_conjugate(world.ee_quaternion))), 1.5 * most)
        return np.concatenate([move, turn, [command.gripper]])


def _shorten(vector: Floats, longest: float) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector if length <= longest else vector * (longest / length)
