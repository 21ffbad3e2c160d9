"""Which joints, actuators and bodies of a model are the arm and the gripper: read once from a compiled model."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.simulation.robot import EE_SITE, MAX_JOINT_SPEEDS, ROBOT_PREFIX

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rig:
    """Indices and limits of the robot in a compiled model; ``n`` arm joints."""

    site: int
    """The tool centre point."""
    hand: int
    """Body that carries the tool centre point."""
    joints: Ints
    """``(n,)`` joint ids, from the base to the hand."""
    qpos: Ints
    """``(n,)`` addresses in ``qpos``."""
    dofs: Ints
    """``(n,)`` addresses in ``qvel``."""
    actuators: Ints
    """``(n,)`` position actuator of each arm joint."""
    lower: Floats
    """``(n,)`` [rad]"""
    upper: Floats
    max_speeds: Floats
    """``(n,)`` [rad/s]"""
    lag_s: Floats
    """``(n,)`` damping over stiffness of each actuator: how far ahead in time a moving target must be put [s]."""
    damping: Floats
    """``(n,)`` torque per speed of joint and actuator together [N m s]."""
    grippers: Ints
    """``(g,)`` gripper actuators; may be empty."""
    gripper_closed: Floats
    """``(g,)`` control value of each gripper actuator that closes."""
    gripper_open: Floats
    fingers: Ints
    """``(f,)`` addresses in ``qpos`` of the finger joints."""
    finger_closed: Floats
    """``(f,)`` joint position of a closed gripper."""
    finger_open: Floats

    @property
    def num_joints(self) -> int:
        """Number of arm joints."""
        return len(self.joints)

    def opening(self, qpos: Floats) -> float:
        """Return the measured gripper opening, 0 closed to 1 open."""
        if not len(self.fingers):
            return 0.0
        parts = (qpos[self.fingers] - self.finger_closed) / (self.finger_open - self.finger_closed)
        return float(np.clip(parts.mean(), 0.0, 1.0))

    def gripper_controls(self, opening: float) -> Floats:
        """Return the control values ``(g,)`` of an opening target 0..1."""
        return self.gripper_closed + opening * (self.gripper_open - self.gripper_closed)


def find_rig(model: mujoco.MjModel) -> Rig:
    """Find the robot in a compiled model by its ``robot/ee`` site.

    Raises:
        InvalidInput: the chain from the world to the site has no hinge joints, or one of them has no actuator.
    """
    site = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, EE_SITE)
    if site < 0:
        raise InvalidInput("robot", expected=f"a site named {EE_SITE!r}", found="none")
    hand = int(model.site_bodyid[site])
    joints = _chain(model, hand)
    actuators = np.array([_actuator_of(model, j) for j in joints], dtype=np.int64)
    missing = [model.joint(int(j)).name for j, a in zip(joints, actuators, strict=True) if a < 0]
    if len(joints) == 0 or missing:
        raise InvalidInput(
            "robot arm", expected="an actuator at every hinge joint up to the hand", found=f"none at {missing or 'any joint'}"
        )
    limited = model.jnt_limited[joints].astype(bool)
    lower = np.where(limited, model.jnt_range[joints, 0], -2 * np.pi)
    upper = np.where(limited, model.jnt_range[joints, 1], 2 * np.pi)
    speeds = np.full(len(joints), min(MAX_JOINT_SPEEDS))
    if len(joints) == len(MAX_JOINT_SPEEDS):
        speeds = np.array(MAX_JOINT_SPEEDS)
    grippers, fingers = _find_gripper(model, int(model.jnt_bodyid[joints[-1]]), set(actuators.tolist()))
    is_open_high = _opens_high(model, site, fingers)
    ranges = model.actuator_ctrlrange[grippers]
    damping = model.dof_damping[model.jnt_dofadr[joints]] - model.actuator_biasprm[actuators, 2]
    finger_ranges = model.jnt_range[fingers]
    return Rig(
        site=site,
        hand=hand,
        joints=joints,
        qpos=model.jnt_qposadr[joints].astype(np.int64),
        dofs=model.jnt_dofadr[joints].astype(np.int64),
        actuators=actuators,
        lower=lower,
        upper=upper,
        max_speeds=speeds,
        lag_s=damping / -model.actuator_biasprm[actuators, 1],
        damping=damping,
        grippers=grippers,
        gripper_closed=ranges[:, 0] if is_open_high else ranges[:, 1],
        gripper_open=ranges[:, 1] if is_open_high else ranges[:, 0],
        fingers=model.jnt_qposadr[fingers].astype(np.int64),
        finger_closed=finger_ranges[:, 0] if is_open_high else finger_ranges[:, 1],
        finger_open=finger_ranges[:, 1] if is_open_high else finger_ranges[:, 0],
    )


def _chain(model: mujoco.MjModel, body: int) -> Ints:
    """Return the hinge joints from the world to ``body``."""
    found: list[int] = []
    while body > 0:
        start, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
        hinges = [j for j in range(start, start + count) if model.jnt_type[j] == int(mujoco.mjtJoint.mjJNT_HINGE)]
        found = hinges + found
        body = int(model.body_parentid[body])
    return np.array(found, dtype=np.int64)


def _actuator_of(model: mujoco.MjModel, joint: int) -> int:
    for actuator in range(model.nu):
        if model.actuator_trntype[actuator] == int(mujoco.mjtTrn.mjTRN_JOINT) and model.actuator_trnid[actuator, 0] == joint:
            return actuator
    return -1


def _find_gripper(model: mujoco.MjModel, link: int, taken: set[int]) -> tuple[Ints, Ints]:
    """Return the actuators beyond the arm's last ``link``, and the limited joints that they move."""
    grippers: list[int] = []
    fingers: set[int] = set()
    for actuator in range(model.nu):
        if actuator in taken or not model.actuator(actuator).name.startswith(ROBOT_PREFIX):
            continue
        moved = [j for j in _moved_joints(model, actuator) if is_below(model, int(model.jnt_bodyid[j]), link)]
        if moved:
            grippers.append(actuator)
            fingers |= {j for j in moved if model.jnt_limited[j]}
    return np.array(grippers, dtype=np.int64), np.array(sorted(fingers), dtype=np.int64)


def _moved_joints(model: mujoco.MjModel, actuator: int) -> list[int]:
    """Return the joints that an actuator pulls at, directly or by a tendon."""
    target = int(model.actuator_trnid[actuator, 0])
    if model.actuator_trntype[actuator] == int(mujoco.mjtTrn.mjTRN_JOINT):
        return [target]
    if model.actuator_trntype[actuator] == int(mujoco.mjtTrn.mjTRN_TENDON):
        start, count = int(model.tendon_adr[target]), int(model.tendon_num[target])
        return [int(model.wrap_objid[w]) for w in range(start, start + count) if model.wrap_type[w] == int(mujoco.mjtWrap.mjWRAP_JOINT)]
    return []


def is_below(model: mujoco.MjModel, body: int, ancestor: int) -> bool:
    """Tell whether a body is another one, or hangs from it."""
    while body > 0 and body != ancestor:
        body = int(model.body_parentid[body])
    return body == ancestor


def _opens_high(model: mujoco.MjModel, site: int, fingers: Ints) -> bool:
    """Tell whether the fingers are farther from the tool's axis at the upper end of their joints' ranges than at the lower."""
    spreads = []
    moved = np.isin(model.geom_bodyid, model.jnt_bodyid[fingers])
    for end in (0, 1):
        data = mujoco.MjData(model)
        data.qpos[model.jnt_qposadr[fingers]] = model.jnt_range[fingers, end]
        mujoco.mj_kinematics(model, data)
        local = (data.geom_xpos[moved] - data.site_xpos[site]) @ data.site_xmat[site].reshape(3, 3)  # (G, 3)
        spreads.append(float(np.linalg.norm(local[:, :2], axis=1).mean()) if len(local) else float(end))
    return spreads[1] > spreads[0]
