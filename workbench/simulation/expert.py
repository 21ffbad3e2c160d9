"""The scripted expert: solves every task from the truth of the simulator; for demonstrations and as an upper bound, never a result."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from workbench.core.errors import UnknownName
from workbench.core.geometry import quat_conjugate, quat_multiply, rotvec_from_quat, shortened
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.simulation.expert_motion import Command, Floats, down_quaternion, gripper_yaw
from workbench.simulation.expert_skills import DONE_AT_SUCCESS, SKILLS
from workbench.simulation.manner import MANNERS, PLAIN, Manner
from workbench.simulation.scene import TaskInstance
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS
from workbench.simulation.world import World

MAX_STEP: Final = 0.03
"""Longest way in one control step [m]."""
APPROACH_GAIN: Final = 0.75
"""Share of the remaining way that one step takes when it is near: below 1, so that an arm that lags does not overshoot."""
MAX_TURN_SPEED: Final = 1.6
"""[rad/s]"""
NEAR_CONTACT: Final = 0.06
"""A careful expert slows down this far from where it touches something [m] ..."""
CAREFUL_PACE: Final = 0.5
"""... to this share of its speed."""


class ExpertAction(NamedTuple):
    """What the expert does next."""

    action: Floats
    """``(7,)``: dx dy dz [m], droll dpitch dyaw [rad], gripper 0..1; base frame."""
    command: Command
    """Where it goes."""
    is_done: bool
    """Whether the task is solved and the gripper has come away: the action is to stay."""


class ScriptedExpert:
    """A policy that reads the truth of one simulator, and ignores pictures and prompts."""

    spec = PolicySpec("expert", is_privileged=True, description="Scripted, reads the simulator's truth")

    def __init__(self, simulator: BenchSimulator, *, manner: Manner = MANNERS[PLAIN]) -> None:
        """Look at ``simulator``; do its tasks in that manner."""
        self._simulator, self._manner = simulator, manner

    def reset(self, rng: np.random.Generator) -> None:
        """Nothing to forget: every action follows from the present."""

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action; ``scores["done"]`` is 1 when the task is solved and the gripper has come away."""
        simulator = self._simulator
        control_hz = simulator.control_hz
        found = expert_action(simulator.task.name, simulator.world, simulator.instance, self._manner, control_hz)
        return ActionChunk(found.action[None].astype(np.float32), control_hz, {"done": float(found.is_done)})


def expert_action(task_name: str, world: World, instance: TaskInstance, manner: Manner, control_hz: float) -> ExpertAction:
    """Return what the expert does next, from what the world shows now and nothing else.

    Args:
        task_name: a key of :data:`~workbench.simulation.expert_skills.SKILLS`.
        world: read only, through its public interface.
        instance: the task's roles, numbers and path.
        manner: how fast, how high, how carefully.
        control_hz: control steps a second.

    Raises:
        UnknownName: the expert does not know that task.
    """
    if task_name not in SKILLS:
        raise UnknownName("task of the scripted expert", task_name, SKILLS)
    command = SKILLS[task_name](world, instance, manner.travel_height)
    is_solved = TASKS.load(task_name).is_success(world, instance)
    if is_solved and (command.is_done or task_name in DONE_AT_SUCCESS):
        return ExpertAction(np.concatenate([np.zeros(6), [world.gripper_command]]), command, True)
    return ExpertAction(_follow(world, command, manner, control_hz), command, False)


def _follow(world: World, command: Command, manner: Manner, control_hz: float) -> Floats:
    """Return the step ``(7,)`` from where the end-effector is towards the command."""
    position = world.ee_position
    is_near = command.contact is not None and float(np.linalg.norm(command.contact - position)) < NEAR_CONTACT
    pace = min(command.pace, CAREFUL_PACE) if manner.is_careful and is_near else command.pace
    move = shortened(APPROACH_GAIN * (command.position - position), min(pace * manner.speed / control_hz, MAX_STEP))
    yaw = gripper_yaw(world)
    most = MAX_TURN_SPEED / control_hz
    wanted = down_quaternion(yaw + float(np.clip(command.yaw - yaw, -most, most)))
    turn = shortened(rotvec_from_quat(quat_multiply(wanted, quat_conjugate(world.ee_quaternion))), 1.5 * most)
    return np.concatenate([move, turn, [command.gripper]])
