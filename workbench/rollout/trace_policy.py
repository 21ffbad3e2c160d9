"""A policy that goes along a trace with depths: a path in the world, gripper events where they were set, no pictures."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.protocols import PolicySpec, Simulator
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.rollout.hold import hold_action
from workbench.rollout.sketch_policy import DEFAULT_PERIOD_S
from workbench.trajectory.drive import PathDrive
from workbench.trajectory.paths import DEFAULT_SPEED, lift_trace

Floats = NDArray[np.float64]

NAME: Final = "trace-follower"


class TracePolicy:
    """Follows the trace of its prompt, from the moment it is told; holds still without one.

    The loop trims a trace while it is travelled; this policy keeps the one that it was told, and its own progress along it.
    """

    spec = PolicySpec(
        NAME,
        prompts=frozenset({"trace"}),
        description="Goes along a drawn path point by point; opens and closes the gripper where the path says so.",
    )

    def __init__(self, simulator: Simulator) -> None:
        self._drive: PathDrive | None = None
        self._told: tuple[str, bool] | None = None

    @property
    def note(self) -> str:
        """Why it cannot follow, for the person; empty when it can."""
        return self._drive.trouble if self._drive else ""

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the trace and how far it was travelled."""
        self._drive = self._told = None

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action; a newly told trace starts at its first point.

        Raises:
            InvalidInput: the trace has no depths.
            Unreachable: something keeps the gripper from going on.
        """
        period_s = observation.time_s / observation.step if observation.step > 0 else DEFAULT_PERIOD_S
        told = (prompt.id, prompt.trace is not None)
        if told != self._told:
            trace, self._told = prompt.trace, told
            self._drive = None if trace is None else PathDrive(lift_trace(trace, observation.cameras[trace.camera]), observation)
        if self._drive is None:
            return ActionChunk(hold_action(observation)[None], 1.0 / period_s)
        action = self._drive.act(observation, period_s)
        scores = {"waypoint": float(self._drive.next_point), "done": float(self._drive.is_done)}
        return ActionChunk(action[None], 1.0 / period_s, scores)

    def ahead(self, observation: Observation, num_steps: int) -> Floats:
        """Return where it goes next, ``(N, 3)`` in the world [m]: from the end-effector along what about ``num_steps`` steps take."""
        place = observation.ee_position
        return self._drive.ahead(place, DEFAULT_SPEED * DEFAULT_PERIOD_S * num_steps) if self._drive else place[None]
