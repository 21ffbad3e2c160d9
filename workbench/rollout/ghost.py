"""A ghost that runs a path, or lets a policy run, in a copy of the live scene: as fast as the machine allows, and nobody else notices.

The simulator that is given is a copy in a thread of its own; it stands where the live one stands, and is put back there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.protocols import Policy, Simulator
from workbench.core.types import CameraRequest, Observation, Prompt
from workbench.rollout.loop import DONE, policy_rng
from workbench.trajectory.drive import PathDrive
from workbench.trajectory.paths import SpacePath

MAX_GHOST_S: Final = 60.0
"""A ghost runs at most this long in simulated time [s]."""

Act = Callable[[Observation], NDArray[np.float32] | None]
"""The action ``(7,)`` for an observation, or None at the end."""


@dataclass(frozen=True, eq=False)
class GhostRun:
    """What a ghost did."""

    physics: tuple[NDArray[np.float64], ...]
    """The ``physics`` part of the state before the first and after every control step: what a view draws."""
    positions: NDArray[np.float64]
    """``(M, 3)`` end-effector [m]."""
    openings: NDArray[np.float64]
    """``(M,)`` commanded opening of the gripper, 0..1."""
    period_s: float
    """Between two of them, in simulated time [s]."""
    wall_s: float
    """How long it took to run [s]."""
    is_success: bool
    """Whether the task was solved at any step."""
    trouble: str = ""
    """Why it could not go on, for the person; empty when it came to the end."""

    @property
    def duration_s(self) -> float:
        """Simulated time [s]."""
        return self.period_s * (len(self.positions) - 1)

    @property
    def times_real_time(self) -> float:
        """Simulated over real time."""
        return self.duration_s / self.wall_s if self.wall_s > 0 else 0.0

    def path(self) -> SpacePath:
        """Return where it went."""
        times_s = np.arange(len(self.positions)) * np.float64(self.period_s)
        return SpacePath(self.positions, np.where(self.openings > 0.5, 1.0, 0.0), times_s)


def run_ghost(simulator: Simulator, path: SpacePath, *, is_stopped: Callable[[], bool] = lambda: False) -> GhostRun:
    """Let a ghost go along a path, from where the copy stands to the path's end."""
    drive = PathDrive(path, simulator.observe(()))
    period_s = control_period(simulator)

    def act(observation: Observation) -> NDArray[np.float32] | None:
        action = drive.act(observation, period_s)
        return None if drive.is_done else action

    return _run(simulator, act, is_stopped, round(MAX_GHOST_S / period_s))


def run_policy_ghost(
    simulator: Simulator, policy: Policy, prompt: Prompt, *, num_steps: int, is_stopped: Callable[[], bool] = lambda: False
) -> GhostRun:
    """Let a policy run ahead in the copy: the path that it takes if nobody changes anything.

    Args:
        simulator: a copy that stands where the policy shall begin.
        policy: made for this copy.
        prompt: what it is told.
        num_steps: control steps.
        is_stopped: asked before every step.
    """
    policy.reset(policy_rng(0, 0))
    left: list[NDArray[np.float32]] = []

    def act(observation: Observation) -> NDArray[np.float32] | None:
        if not left:
            chunk = policy.act(observation, prompt, policy_rng(0, observation.step))
            if chunk.scores.get(DONE, 0.0) >= 1.0:
                return None
            left.extend(chunk.actions[: policy.spec.action_horizon])
        return left.pop(0)

    cameras, trace = policy.spec.cameras, prompt.trace
    if trace is not None and trace.camera not in (c.name for c in cameras):
        cameras = (*cameras, CameraRequest(trace.camera, trace.width, trace.height))
    return _run(simulator, act, is_stopped, num_steps, cameras)


def control_period(simulator: Simulator) -> float:
    """Return how long a control step of a simulator's episode lasts [s]."""
    return 1.0 / float(getattr(simulator, "control_hz", 20.0))


def _run(
    simulator: Simulator, act: Act, is_stopped: Callable[[], bool], num_steps: int, cameras: tuple[CameraRequest, ...] = ()
) -> GhostRun:
    start = simulator.state()
    physics, positions, openings = [start.physics], [], []
    is_success, trouble = False, ""
    begun = time.perf_counter()
    try:
        for _ in range(num_steps + 1):
            observation = simulator.observe(cameras)
            positions.append(observation.ee_position)
            openings.append(observation.gripper_command)
            action = None if is_stopped() or len(physics) > num_steps else act(observation)
            if action is None:
                break
            is_success = simulator.step(action).is_success or is_success
            physics.append(simulator.state().physics)
    except Unreachable as error:
        trouble = str(error)
    finally:
        wall_s = time.perf_counter() - begun
        simulator.restore(start)
    return GhostRun(tuple(physics), np.array(positions), np.array(openings), control_period(simulator), wall_s, is_success, trouble)
