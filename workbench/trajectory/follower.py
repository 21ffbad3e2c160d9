"""Drives an end-effector along way points, one delta action a control step.

Source: VIEW's low-level policy, arXiv:2505.00693: the cost of way point i is ``L_i = a |e_t - e_i| + (1 - a) |theta_t - theta_i|``
with a = 1 for translation and 0 for rotation, and the next way point is taken when it falls to eps. Differences: angles are signed
(theirs are arc cosines, which lose the direction and end at half a turn), and speed is planned, so that the gripper slows down
before it stays, passes through points of a shaft without stopping, and never overshoots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.geometry import (
    matrix_from_quat,
    quat_conjugate,
    quat_from_rotvec,
    quat_multiply,
    rotvec_from_quat,
    shortened,
    signed_angle,
)
from workbench.core.trajectories import Phase, Trajectory, Waypoint
from workbench.core.types import ACTION_DIM, Observation

EPS_TURN_RAD: Final = float(np.deg2rad(2.5))
"""eps of a rotation; eps of a translation is the way point's own tolerance."""
MAX_ACCELERATION: Final = 1.6
"""[m/s^2]"""
MAX_TURN_SPEED: Final = 1.6
"""[rad/s]"""
MAX_LEAD_M: Final = 0.012
"""The reference waits while the gripper is further behind than this: in contact, the push does not grow without end."""
MAX_LEAD_RAD: Final = 0.12
CORRECTION_GAIN: Final = 0.25
MAX_CORRECTION_STEP_M: Final = 0.003
MAX_CORRECTION_M: Final = 0.025
"""What is left between gripper and way point when the reference stands still, for example after a halt, is made up step by step."""
LOST_M: Final = 0.04
"""A gripper this far from the reference was moved by somebody else: the reference starts again from where it is."""
LOST_RAD: Final = 0.5
STUCK_S: Final = 0.6
"""Without progress for this long, the gripper is held by something."""
PROGRESS_M: Final = 0.0015
PROGRESS_RAD: Final = 0.01
METRES_PER_RAD: Final = 0.1


@dataclass
class WaypointFollower:
    """The state of one drive along one trajectory."""

    trajectory: Trajectory
    index: int = 0
    """Way point that is being driven to; the number of way points when done."""
    stuck: list[int] = field(default_factory=list)
    """Way points that were given up because the gripper did not get nearer."""
    _position: NDArray[np.float64] | None = None
    """Reference position ``(3,)`` in the world [m]: what the low-level controller was commanded."""
    _quaternion: NDArray[np.float64] | None = None
    _correction: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    """``(3,)``, how far the controller was commanded beyond the reference [m]."""
    _speed: float = 0.0
    _dwelled_s: float = 0.0
    _best_cost: float = np.inf
    _waited_s: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether every way point was reached or given up."""
        return self.index >= len(self.trajectory.waypoints)

    @property
    def current(self) -> Waypoint:
        """The way point that is being driven to; the last one when done."""
        return self.trajectory.waypoints[min(self.index, len(self.trajectory.waypoints) - 1)]

    def skip_to(self, index: int) -> None:
        """Drive to a later way point next: what lies between was passed in another way."""
        self.index = index
        self._dwelled_s, self._best_cost, self._waited_s = 0.0, np.inf, 0.0

    def act(self, observation: Observation, period_s: float) -> NDArray[np.float32]:
        """Return the action ``(7,)`` of a control step that lasts ``period_s`` [s]."""
        position = observation.ee_position
        quaternion = observation.ee_quaternion
        self._locate(position, quaternion)
        while not self.is_done and self._is_reached(position, quaternion, period_s):
            self._go_on()
        action = np.zeros(ACTION_DIM, dtype=np.float32)
        action[6] = self.current.gripper
        if not self.is_done:
            action[:3] = self._move(position, period_s)
            action[3:6] = self._turn(quaternion, period_s)
        return action

    def _locate(self, position: NDArray[np.float64], quaternion: NDArray[np.float64]) -> None:
        """Start the reference from the measured pose, at first and whenever somebody else moved the gripper."""
        if self._position is None or self._quaternion is None:
            self._position, self._quaternion = position.copy(), quaternion.copy()
        elif np.linalg.norm(self._position - position) > LOST_M or np.linalg.norm(_turn_between(quaternion, self._quaternion)) > LOST_RAD:
            self._position, self._quaternion, self._speed = position.copy(), quaternion.copy(), 0.0
            self._correction = np.zeros(3)
            self._best_cost, self._waited_s = np.inf, 0.0

    def _is_reached(self, position: NDArray[np.float64], quaternion: NDArray[np.float64], period_s: float) -> bool:
        assert self._position is not None and self._quaternion is not None
        goal = self.current
        is_turn = goal.phase is Phase.ROTATE
        cost = waypoint_cost(position, quaternion, goal)
        eps = EPS_TURN_RAD if is_turn else goal.tolerance
        # Passing through needs the cost alone; staying needs the reference's turn to be finished, too.
        is_there = cost <= eps and (
            self._passes_through() or float(np.linalg.norm(_turn_between(self._quaternion, goal.quaternion))) < 1e-3
        )
        if is_there or self._dwelled_s > 0:
            self._dwelled_s += period_s
            return self._dwelled_s > goal.dwell_s + 1e-9
        # A turn is progress too, also where the cost counts metres: 0.1 rad as much as a centimetre.
        left = cost if is_turn else cost + METRES_PER_RAD * float(np.linalg.norm(_turn_between(quaternion, goal.quaternion)))
        if left < self._best_cost - (PROGRESS_RAD if is_turn else PROGRESS_M):
            self._best_cost, self._waited_s = left, 0.0
        else:
            self._waited_s += period_s
        if self._waited_s > STUCK_S:
            self.stuck.append(self.index)
            return True
        return False

    def _go_on(self) -> None:
        self.skip_to(self.index + 1)

    def _following(self) -> Waypoint | None:
        ways = self.trajectory.waypoints
        return ways[self.index + 1] if self.index + 1 < len(ways) else None

    def _passes_through(self) -> bool:
        """Tell whether the present way point is a point on the way, where nothing has to settle."""
        following = self._following()
        return following is not None and self.current.dwell_s == 0 and following.phase in (self.current.phase, Phase.MOVE, Phase.RETREAT)

    def _move(self, measured: NDArray[np.float64], period_s: float) -> NDArray[np.float64]:
        """Move the reference towards the way point and return by how much ``(3,)`` [m]."""
        assert self._position is not None
        offset = self.current.position - self._position
        distance = float(np.linalg.norm(offset))
        if distance < 1e-6:
            self._speed = 0.0
            return self._correct(measured)
        lead = self._position - measured
        if np.linalg.norm(lead) > MAX_LEAD_M and lead @ offset > 0:
            self._speed = 0.0
            return np.zeros(3)
        braking = np.sqrt(self._end_speed(offset / distance) ** 2 + MAX_ACCELERATION * distance)
        self._speed = float(min(self.current.speed, self._speed + MAX_ACCELERATION * period_s, braking))
        move = offset * min(1.0, self._speed * period_s / distance)
        self._position = self._position + move
        return np.asarray(move)

    def _correct(self, measured: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a small move ``(3,)`` [m] towards the way point from where the gripper really is; none while it presses on something."""
        goal = self.current
        left = goal.position - measured
        if goal.phase is Phase.PRESS or np.linalg.norm(left) < 0.5 * goal.tolerance:
            return np.zeros(3)
        wanted = self._correction + shortened(CORRECTION_GAIN * left, MAX_CORRECTION_STEP_M)
        move = shortened(wanted, MAX_CORRECTION_M) - self._correction
        self._correction = self._correction + move
        return np.asarray(move)

    def _end_speed(self, direction: NDArray[np.float64]) -> float:
        """Return the speed [m/s] with which the way point may be passed: none where the gripper stays or turns back."""
        following = self._following()
        if following is None or not self._passes_through():
            return 0.0
        onward = following.position - self.current.position
        length = float(np.linalg.norm(onward))
        return 0.0 if length < 1e-6 else min(self.current.speed, following.speed) * max(0.0, float(direction @ onward) / length)

    def _turn(self, measured: NDArray[np.float64], period_s: float) -> NDArray[np.float64]:
        """Turn the reference towards the way point and return by how much, a rotation vector ``(3,)`` [rad]."""
        assert self._quaternion is not None
        offset = _turn_between(self._quaternion, self.current.quaternion)
        angle = float(np.linalg.norm(offset))
        lead = _turn_between(measured, self._quaternion)
        if angle < 1e-9 or (np.linalg.norm(lead) > MAX_LEAD_RAD and lead @ offset > 0):
            return np.zeros(3)
        turn = offset * min(1.0, MAX_TURN_SPEED * period_s / angle)
        quaternion = quat_multiply(quat_from_rotvec(turn), self._quaternion)
        self._quaternion = quaternion / np.linalg.norm(quaternion)
        return np.asarray(turn)


def waypoint_cost(position: NDArray[np.float64], quaternion: NDArray[np.float64], goal: Waypoint) -> float:
    """Return VIEW's cost of a way point: metres for a translation, radians for a rotation."""
    alpha = 0.0 if goal.phase is Phase.ROTATE else 1.0
    distance = float(np.linalg.norm(position - goal.position))
    return alpha * distance + (1.0 - alpha) * abs(signed_turn(quaternion, goal.quaternion))


def signed_turn(start: NDArray[np.float64], end: NDArray[np.float64]) -> float:
    """Return the signed angle [rad] about world +Z from one gripper orientation ``(4,)`` to another, seen from above."""
    return signed_angle(matrix_from_quat(start)[:2, 1], matrix_from_quat(end)[:2, 1])


def _turn_between(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation vector ``(3,)`` [rad] in the world that turns ``start`` into ``end``."""
    return rotvec_from_quat(quat_multiply(end, quat_conjugate(start)))
