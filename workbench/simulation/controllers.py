"""From delta end-effector poses to joint targets: a commanded target pose, differential inverse kinematics, and a ramp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import mink
import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidInput, InvalidShape, Unreachable
from workbench.core.geometry import quat_conjugate, quat_from_matrix, quat_from_rotvec, quat_multiply, rotvec_from_quat, shortened
from workbench.core.types import ACTION_DIM
from workbench.simulation.rig import Rig, find_rig
from workbench.simulation.robot import EE_SITE, HOME

WORKSPACE_LOW: Final = (0.25, -0.40, 0.005)
"""Lowest x, y, z of the end-effector in the world [m]."""
WORKSPACE_HIGH: Final = (0.75, 0.40, 0.60)
MAX_LINEAR_SPEED: Final = 0.6
"""Largest commanded speed of the end-effector [m/s]; longer steps are shortened."""
MAX_ANGULAR_SPEED: Final = 2.5
"""Largest commanded turning speed of the end-effector [rad/s]."""
MAX_LEAD: Final = 0.05
"""How far the commanded pose may run ahead of what the joints can reach [m]."""
MAX_LEAD_ANGLE: Final = 0.3
"""The same for turning [rad]."""

_START_POSITIONS: Final = ((0.30, 0.0, 0.36), (0.35, 0.0, 0.25), (0.28, 0.0, 0.15))
"""Where another arm than our own may start, best first [m]."""
_POINTING_DOWN: Final = (0.0, 1.0, 0.0, 0.0)
_NUM_RESTARTS: Final = 8
_SOLVER: Final = "daqp"
_NUM_ITERATIONS: Final = 4
_BRAKED_SHARE: Final = 0.7
"""Part of the arm's momentum that the brakes take in one physics step."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IkResult:
    """What inverse kinematics found."""

    joints: Floats
    """``(n,)`` joint angles [rad]."""
    position_error_m: float
    """Distance that is left [m]."""
    angle_error_rad: float
    """Rotation that is left [rad]."""
    is_at_limit: bool
    """Whether a joint stands at its limit."""


class _Search(NamedTuple):
    """How long to search, and what may be left."""

    dt: float
    """Time of one differential step [s]; joint speed limits hold over it."""
    num_iterations: int
    distance: float
    """[m]"""
    angle: float
    """[rad]"""


class Kinematics:
    """Forward and inverse kinematics of the arm of a model, on data of its own."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self.rig: Rig = find_rig(model)
        self._model = model
        self._configuration = mink.Configuration(model)
        self._reference = np.array(self._configuration.q)
        self._frame = mink.FrameTask(
            EE_SITE, "site", position_cost=1.0, orientation_cost=0.3 if self.rig.num_joints >= 6 else 0.05, lm_damping=1e-3
        )
        cost = np.zeros(model.nv)
        cost[self.rig.dofs] = 1e-3
        self._posture = mink.PostureTask(model, cost=cost, gain=0.02)
        self._posture.set_target(self._reference)
        speeds = {model.joint(int(j)).name: v for j, v in zip(self.rig.joints, self.rig.max_speeds, strict=True)}
        self._limits = [mink.ConfigurationLimit(model), mink.VelocityLimit(model, speeds)]
        frozen = sorted(set(range(model.nv)) - set(self.rig.dofs.tolist()))
        self._constraints = [mink.DofFreezingTask(model, frozen)] if frozen else None

    def find_start(self) -> Floats:
        """Return joint angles ``(n,)`` [rad] that hold the end-effector over the near end of the table, pointing down.

        Raises:
            Unreachable: the arm cannot get there.
        """
        rig, rng = self.rig, np.random.default_rng(0)
        home = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_NUMERIC, HOME)
        known = self._model.numeric(HOME).data if home >= 0 else self._reference[rig.qpos]
        starts = [np.clip(known, rig.lower, rig.upper), *(rng.uniform(rig.lower, rig.upper) for _ in range(_NUM_RESTARTS))]
        self.set_posture(starts[0])
        fallback: Floats | None = None
        for position in _START_POSITIONS:
            for start in starts:
                found = self.solve(position, _POINTING_DOWN, start, num_iterations=80)
                # With fewer than six joints not every orientation can be had.
                if found.position_error_m < 0.005 and (found.angle_error_rad < 0.05 or rig.num_joints < 6):
                    if not found.is_at_limit and not self._touches_something():
                        return found.joints
                    fallback = found.joints if fallback is None else fallback
        if fallback is not None:
            return fallback
        reach = ", ".join(str(p) for p in _START_POSITIONS)
        raise Unreachable("the start over the table", reason=f"this arm reaches none of {reach} m", fix="Use an arm with a longer reach.")

    def _touches_something(self) -> bool:
        """Tell whether the arm, where it was put last, touches itself or the table."""
        mujoco.mj_forward(self._model, self._configuration.data)
        return bool(self._configuration.data.ncon)

    def set_posture(self, joints: ArrayLike) -> None:
        """Prefer these joint angles ``(n,)`` [rad] where the end-effector leaves a choice."""
        self._posture.set_target(self._full(np.asarray(joints, dtype=float)))

    def pose(self, joints: ArrayLike) -> tuple[Floats, Floats]:
        """Return position ``(3,)`` [m] and quaternion ``(4,)`` wxyz of the end-effector in the world, for ``(n,)`` joint angles."""
        self._configuration.update(self._full(np.asarray(joints, dtype=float)))
        site = self._configuration.data
        return site.site_xpos[self.rig.site].copy(), quat_from_matrix(site.site_xmat[self.rig.site].reshape(3, 3))

    def solve(self, position: ArrayLike, quaternion: ArrayLike, start_joints: ArrayLike, *, num_iterations: int = 60) -> IkResult:
        """Find joint angles for a pose, without a limit on time.

        Args:
            position: ``(3,)`` in the world [m].
            quaternion: ``(4,)`` wxyz, end-effector to world.
            start_joints: ``(n,)`` where the search starts [rad].
            num_iterations: most differential steps.
        """
        return self._iterate(
            np.asarray(position, float), np.asarray(quaternion, float), start_joints, _Search(0.2, num_iterations, 1e-5, 1e-4)
        )

    def follow(self, position: Floats, quaternion: Floats, start_joints: Floats, period_s: float) -> IkResult:
        """Go towards a pose as far as the joint speed limits allow within ``period_s`` [s]; arguments as :meth:`solve`."""
        # What is left is caught up in the next control step.
        search = _Search(period_s / _NUM_ITERATIONS, _NUM_ITERATIONS, 1e-4, 1e-3)
        return self._iterate(position, quaternion, start_joints, search)

    def _iterate(self, position: Floats, quaternion: Floats, start_joints: ArrayLike, search: _Search) -> IkResult:
        configuration, rig = self._configuration, self.rig
        configuration.update(self._full(np.clip(np.asarray(start_joints, dtype=float), rig.lower, rig.upper)))
        self._frame.set_target(mink.SE3(np.concatenate([quaternion, position])))
        distance, angle = self._errors(position, quaternion)
        for _ in range(search.num_iterations):
            if distance < search.distance and angle < search.angle:
                break
            velocity = mink.solve_ik(
                configuration,
                [self._frame, self._posture],
                search.dt,
                _SOLVER,
                damping=1e-9,
                limits=self._limits,
                constraints=self._constraints,
            )
            configuration.integrate_inplace(velocity, search.dt)
            distance, angle = self._errors(position, quaternion)
        joints = np.clip(configuration.q[rig.qpos], rig.lower, rig.upper)
        is_at_limit = bool(np.any((joints - rig.lower < 0.01) | (rig.upper - joints < 0.01)))
        return IkResult(joints, distance, angle, is_at_limit)

    def _errors(self, position: Floats, quaternion: Floats) -> tuple[float, float]:
        data, measured, turn = self._configuration.data, np.empty(4), np.empty(3)
        mujoco.mju_mat2Quat(measured, data.site_xmat[self.rig.site])
        mujoco.mju_subQuat(turn, quaternion, measured)
        return float(np.linalg.norm(position - data.site_xpos[self.rig.site])), float(np.linalg.norm(turn))

    def _full(self, joints: Floats) -> Floats:
        if joints.shape != (self.rig.num_joints,):
            raise InvalidShape("joint angles", expected=(self.rig.num_joints,), found=joints.shape)
        q = self._reference.copy()
        q[self.rig.qpos] = joints
        return q


class DeltaPoseController:
    """Integrates delta poses on the commanded target pose, and ramps the joint targets over the slices of a control step.

    The whole memory is :meth:`save`'s vector.
    """

    def __init__(self, kinematics: Kinematics, rig: Rig, period_s: float) -> None:
        """Take the arm of ``kinematics`` (a model of the robot alone) and its indices ``rig`` in the model that is stepped."""
        self.kinematics, self.rig, self.period_s = kinematics, rig, period_s
        self.position, self.quaternion = np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0])
        self.gripper = 1.0
        self.joints = np.zeros(rig.num_joints)
        self._start = self.joints
        self._origin = self.position, self.quaternion

    def reset(self, joints: ArrayLike, gripper: float) -> None:
        """Command the pose of these joint angles ``(n,)`` [rad] and this opening 0..1."""
        self.joints = self._start = np.array(joints, dtype=float)
        self.position, self.quaternion = self.kinematics.pose(self.joints)
        self.gripper = float(gripper)

    def begin(self, action: NDArray[np.float32]) -> None:
        """Take the action ``(7,)`` of a control step."""
        values = check_action(action)
        self._origin = self.position, self.quaternion
        self._start = self.joints
        self._pursue(values, 1.0)

    def take_over(self, action: NDArray[np.float32], fraction: float) -> None:
        """Take another action ``(7,)`` when a ``fraction``, below 1, of the control step is over; what is left executes its share of it.

        The targets go on from where they are: nothing jumps but the speed.
        """
        values, left = check_action(action), 1.0 - fraction
        position, quaternion = self._origin
        self.position = position + fraction * (self.position - position)
        turned = rotvec_from_quat(quat_multiply(self.quaternion, quat_conjugate(quaternion)))
        self.quaternion = quat_multiply(quat_from_rotvec(fraction * turned), quaternion)
        self.joints = here = self._start + fraction * (self.joints - self._start)
        self._pursue(values, left)
        # Where a ramp over the whole step begins that passes here now.
        self._start = self.joints - (self.joints - here) / left

    def _pursue(self, values: Floats, share: float) -> None:
        """Move the commanded pose by a ``share`` of an action, and the joints' targets after it as far as they get in that time."""
        move = share * shortened(values[:3], MAX_LINEAR_SPEED * self.period_s)
        turn = share * shortened(values[3:6], MAX_ANGULAR_SPEED * self.period_s)
        self.gripper = float(np.clip(values[6], 0.0, 1.0))
        self.position = np.clip(self.position + move, WORKSPACE_LOW, WORKSPACE_HIGH)
        if np.any(turn):
            quaternion = quat_multiply(quat_from_rotvec(turn), self.quaternion)
            self.quaternion = quaternion / np.linalg.norm(quaternion)
        result = self.kinematics.follow(self.position, self.quaternion, self.joints, share * self.period_s)
        self.joints = result.joints
        if result.position_error_m > MAX_LEAD or result.angle_error_rad > MAX_LEAD_ANGLE:
            self._pull_back()

    def _pull_back(self) -> None:
        """Keep the commanded pose near what the joints reached, so that it does not wind up."""
        position, quaternion = self.kinematics.pose(self.joints)
        self.position = position + shortened(self.position - position, MAX_LEAD)
        turn = rotvec_from_quat(quat_multiply(self.quaternion, quat_conjugate(quaternion)))
        self.quaternion = quat_multiply(quat_from_rotvec(shortened(turn, MAX_LEAD_ANGLE)), quaternion)

    def write(self, controls: Floats, fractions: Floats) -> None:
        """Write the actuators' targets into ``controls`` ``(k, nu)`` for points ``fractions`` ``(k,)``, 0..1, of the control step.

        A position actuator pulls towards its target and brakes by speed; putting the target ahead by speed times
        damping / stiffness cancels the brake, so that the arm follows the ramp without lag.
        """
        rig = self.rig
        speed = (self.joints - self._start) / self.period_s
        controls[:, rig.actuators] = self._start + fractions[:, None] * (self.joints - self._start) + rig.lag_s * speed
        controls[:, rig.grippers] = rig.gripper_controls(self.gripper)

    def brake(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Halt: engage the brakes for one physics step; the targets are where the arm is, the gripper keeps its target.

        A position target alone would stop within the motors' torque limits and then creep back.
        """
        rig = self.rig
        # This target makes the motors let go: the brakes act alone.
        data.ctrl[rig.actuators] = data.qpos[rig.qpos] + rig.lag_s * data.qvel[rig.dofs]
        data.ctrl[rig.grippers] = rig.gripper_controls(self.gripper)
        speeds, momentum = np.zeros(model.nv), np.zeros(model.nv)
        speeds[rig.dofs] = data.qvel[rig.dofs]
        mujoco.mj_mulM(model, data, momentum, speeds)
        # The implicit integrator counts damping as inertia.
        damping = rig.damping * data.qvel[rig.dofs]
        data.qfrc_applied[rig.dofs] = -_BRAKED_SHARE * (momentum[rig.dofs] / model.opt.timestep + damping)

    def release_brake(self, data: mujoco.MjData) -> None:
        """End a halt: command the pose in which the arm stands."""
        data.qfrc_applied[self.rig.dofs] = 0.0
        self.reset(np.clip(data.qpos[self.rig.qpos], self.rig.lower, self.rig.upper), self.gripper)

    def save(self) -> Floats:
        """Return ``(8 + n,)``: commanded position, quaternion, opening, joint targets."""
        return np.concatenate([self.position, self.quaternion, [self.gripper], self.joints])

    def load(self, saved: Floats) -> None:
        """Take back what :meth:`save` returned."""
        self.position, self.quaternion = saved[:3].copy(), saved[3:7].copy()
        self.gripper = float(saved[7])
        self.joints = self._start = saved[8 : 8 + self.rig.num_joints].copy()


def check_action(action: NDArray[np.float32]) -> Floats:
    """Return an action ``(7,)`` as float64.

    Raises:
        InvalidShape: it is not seven numbers.
        InvalidInput: they are not finite.
    """
    values: Floats = np.asarray(action, dtype=np.float64)
    if values.shape != (ACTION_DIM,):
        raise InvalidShape("action", expected=(ACTION_DIM,), found=values.shape, dtype="float32")
    if not np.all(np.isfinite(values)):
        raise InvalidInput("action", expected="finite numbers", found=str(values.tolist()))
    return values
