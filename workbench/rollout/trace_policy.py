"""A policy that goes along a trace with depths: way points in the world, gripper events where they were set, no pictures."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.protocols import PolicySpec, Simulator
from workbench.core.trajectories import Phase, Trajectory, Waypoint
from workbench.core.types import ACTION_DIM, ActionChunk, Observation, Prompt, Trace
from workbench.rollout.sketch_policy import DEFAULT_PERIOD_S
from workbench.rollout.trace_path import SPEED, SPEEDS, positions_of
from workbench.trajectory.follower import WaypointFollower

Floats = NDArray[np.float64]

GRIP_DWELL_S: Final = 0.6
"""Time that the gripper gets to open or close."""
PASS_TOLERANCE_M: Final = 0.008
STAY_TOLERANCE_M: Final = 0.004
"""At gripper events, and at the end."""


class TracePolicy:
    """Follows the trace of its prompt, from the moment it is told; holds still without one.

    The loop trims a trace while it is travelled; this policy keeps the one that it was told, and its own progress along it.
    """

    spec = PolicySpec(
        "trace-follower",
        prompts=frozenset({"trace"}),
        description="Goes along a drawn path point by point; opens and closes the gripper where the path says so.",
    )

    def __init__(self, simulator: Simulator) -> None:
        self._drive: WaypointFollower | None = None
        self._told: tuple[str, bool] | None = None
        self.note = ""
        """Why it cannot follow, for the person; empty when it can."""

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the trace and how far it was travelled."""
        self._drive, self._told, self.note = None, None, ""

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action; a newly told trace starts at its first point.

        Raises:
            InvalidInput: the trace has no depths.
        """
        period_s = observation.time_s / observation.step if observation.step > 0 else DEFAULT_PERIOD_S
        told = (prompt.id, prompt.trace is not None)
        if told != self._told:
            self._told, self.note = told, ""
            self._drive = None if prompt.trace is None else WaypointFollower(waypoints_of(prompt.trace, observation))
        if self._drive is None:
            return ActionChunk(_stay(observation)[None], 1.0 / period_s)
        action = self._drive.act(observation, period_s)
        if self._drive.stuck:
            self.note = f"cannot follow: something holds the gripper back before way point {self._drive.stuck[-1] + 1}"
        return ActionChunk(action[None], 1.0 / period_s, {"waypoint": float(self._drive.index), "done": float(self._drive.is_done)})

    def ahead(self, observation: Observation, num_steps: int) -> Floats:
        """Return where it goes next, ``(N, 3)`` in the world [m]: from the end-effector along what about ``num_steps`` steps take."""
        place = np.asarray(observation.part("ee_position"), dtype=float)
        found, left = [place], SPEED * DEFAULT_PERIOD_S * num_steps
        for way in self._drive.trajectory.waypoints[self._drive.index :] if self._drive else ():
            length = float(np.linalg.norm(way.position - found[-1]))
            if length >= left:
                found.append(found[-1] + (way.position - found[-1]) * left / max(length, 1e-9))
                break
            found.append(way.position)
            left -= length
        return np.array(found)


def waypoints_of(trace: Trace, observation: Observation) -> Trajectory:
    """Return a trace with depths as way points: the gripper keeps its turn, and acts at the points where its opening changes."""
    positions = positions_of(trace, observation.cameras[trace.camera])
    opening = float(observation.part("gripper_command")[0] > 0.5)
    openings = [opening] * len(positions) if trace.gripper is None else [float(g > 0.5) for g in trace.gripper]
    turn = np.asarray(observation.part("ee_quaternion"), dtype=float)
    ways: list[Waypoint] = []
    for i, (position, speed) in enumerate(zip(positions, _speeds(trace, positions), strict=True)):
        is_event, is_last = openings[i] != opening, i == len(positions) - 1
        tolerance = STAY_TOLERANCE_M if is_event or is_last else PASS_TOLERANCE_M
        ways.append(Waypoint(position, turn, opening, Phase.MOVE, speed=speed, tolerance=tolerance))
        if is_event:
            opening = openings[i]
            phase = Phase.RELEASE if opening > 0.5 else Phase.GRASP
            ways.append(Waypoint(position, turn, opening, phase, speed=speed, tolerance=0.03, dwell_s=GRIP_DWELL_S))
    return Trajectory(tuple(ways), 0)


def _speeds(trace: Trace, positions: Floats) -> list[float]:
    """Return the speed on the way to each point [m/s], as the trace's times want it."""
    if trace.times_s is None:
        return [SPEED] * len(positions)
    lengths = np.linalg.norm(np.diff(positions, axis=0, prepend=positions[:1]), axis=1)
    periods = np.diff(trace.times_s, prepend=trace.times_s[0])
    is_timed = periods > 1e-6
    speeds = np.where(is_timed, lengths / np.where(is_timed, periods, 1.0), SPEED)
    return [float(s) for s in np.clip(speeds, *SPEEDS)]


def _stay(observation: Observation) -> NDArray[np.float32]:
    action = np.zeros(ACTION_DIM, dtype=np.float32)
    action[6] = observation.part("gripper_command")[0]
    return action
