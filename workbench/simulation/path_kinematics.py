"""Joint angles along a whole path of the end-effector, quickly: damped least squares, each place from the one before.

The controller's inverse kinematics (:mod:`workbench.simulation.controllers`) solves a quadratic programme for each pose, with joint limits
as constraints, in about a millisecond. A path has a hundred poses and is checked while a hand drags it: here a pose takes some
hundredths of a millisecond for each of a few iterations, on data of its own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.geometry import matrix_from_quat
from workbench.simulation.rig import Rig, find_rig

MAX_JOINT_ACCELERATIONS: Final = (15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0)
"""Of the built-in arm [rad/s^2] (Panda data sheet)."""
OTHER_ACCELERATION: Final = 7.5
"""Of every joint of another arm, whose data sheet is not known [rad/s^2]."""

_NEAR_M: Final = 0.0005
_NEAR_RAD: Final = 0.005
_MAX_TURN_RAD: Final = 0.2
"""Of a joint in one iteration."""
_DAMPING: Final = 0.02
_ORIENTATION_WEIGHT: Final = 0.3
"""A radian counts like so many metres."""
_POSTURE_GAIN: Final = 0.05
_NUM_ITERATIONS: Final = 25
_FIRST_ITERATIONS: Final = 120
"""For the first place, which may be far from where the arm is."""

Floats = NDArray[np.float64]


class JointPath(NamedTuple):
    """Joints along a path of ``M`` places."""

    joints: Floats
    """``(M, n)`` [rad]"""
    positions: Floats
    """``(M, 3)`` where the end-effector gets to [m]."""
    angle_errors_rad: Floats
    """``(M,)``"""


class PathKinematics:
    """Inverse kinematics of the arm of a model along paths; make and use it in one thread."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self.rig: Rig = find_rig(model)
        self._model, self._data = model, mujoco.MjData(model)
        self._jacobian = np.zeros((6, model.nv))
        n = self.rig.num_joints
        self.accelerations: Floats = (
            np.array(MAX_JOINT_ACCELERATIONS) if n == len(MAX_JOINT_ACCELERATIONS) else np.full(n, OTHER_ACCELERATION)
        )
        """``(n,)`` greatest joint accelerations [rad/s^2]."""

    def solve(self, positions: Floats, quaternion: Floats, start_joints: Floats, posture: Floats | None = None) -> JointPath:
        """Return joints along a path; where the arm does not reach, those that get nearest.

        Args:
            positions: ``(M, 3)`` of the end-effector in the world [m].
            quaternion: ``(4,)`` wxyz, end-effector to world, the same everywhere.
            start_joints: ``(n,)`` where the search of the first place starts [rad].
            posture: ``(n,)`` preferred joints where the pose leaves a choice; by default the start's.
        """
        rotation = matrix_from_quat(quaternion)
        preferred = start_joints if posture is None else posture
        q = np.array(start_joints, dtype=float)
        joints, reached, errors = np.empty((len(positions), len(q))), np.empty((len(positions), 3)), np.empty(len(positions))
        for index, position in enumerate(np.asarray(positions, dtype=float)):
            q = self._approach(position, rotation, q, preferred, _NUM_ITERATIONS if index else _FIRST_ITERATIONS)
            joints[index], reached[index] = q, self._data.site_xpos[self.rig.site]
            errors[index] = np.linalg.norm(_turn_left(rotation, self._data.site_xmat[self.rig.site].reshape(3, 3)))
        return JointPath(joints, reached, errors)

    def _approach(self, position: Floats, rotation: Floats, start: Floats, posture: Floats, num_iterations: int) -> Floats:
        model, data, rig = self._model, self._data, self.rig
        jacobian, dofs = self._jacobian, rig.dofs
        weights = np.array([1.0, 1.0, 1.0, *[_ORIENTATION_WEIGHT] * 3])
        q = start
        for _ in range(num_iterations):
            self._place(q)
            offset = position - data.site_xpos[rig.site]
            turn = _turn_left(rotation, data.site_xmat[rig.site].reshape(3, 3))
            if offset @ offset < _NEAR_M**2 and turn @ turn < _NEAR_RAD**2:
                return q
            mujoco.mj_comPos(model, data)
            mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], rig.site)
            J = weights[:, None] * jacobian[:, dofs]
            error = weights * np.concatenate([offset, turn])
            # A joint that stands at its limit and would go on takes no part.
            inverse = J.T @ np.linalg.inv(J @ J.T + _DAMPING**2 * np.eye(6))
            step = inverse @ error + _POSTURE_GAIN * (posture - q - inverse @ (J @ (posture - q)))
            is_blocked = ((q <= rig.lower + 1e-6) & (step < 0)) | ((q >= rig.upper - 1e-6) & (step > 0))
            if is_blocked.any():
                J = np.where(is_blocked, 0.0, J)
                step = J.T @ np.linalg.solve(J @ J.T + _DAMPING**2 * np.eye(6), error)
            largest = float(np.abs(step).max())
            q = np.clip(q + step * min(1.0, _MAX_TURN_RAD / max(largest, 1e-9)), rig.lower, rig.upper)
        self._place(q)
        return q

    def _place(self, joints: Floats) -> None:
        self._data.qpos[self.rig.qpos] = joints
        mujoco.mj_kinematics(self._model, self._data)


def _turn_left(wanted: Floats, present: Floats) -> Floats:
    """Return the rotation vector ``(3,)`` [rad] in the world that is left between two ``(3, 3)`` orientations."""
    R = wanted @ present.T
    axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    sine, cosine = 0.5 * float(np.sqrt(axis @ axis)), 0.5 * float(R[0, 0] + R[1, 1] + R[2, 2] - 1.0)
    if sine < 1e-9:
        return 0.5 * axis if cosine > 0 else np.array([np.pi, 0.0, 0.0])
    return axis * (0.5 * np.arctan2(sine, cosine) / sine)
