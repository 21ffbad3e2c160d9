"""Any MJCF arm in place of the built-in one: find its arm, its gripper and its tool centre point, and put it on the table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.geometry import matrix_from_quat, quat_from_matrix
from workbench.simulation.rig import is_below
from workbench.simulation.robot import EE_SITE, HOME, PHYSICS_PERIOD_S, ROBOT_PREFIX

MIN_JOINTS: Final = 3
"""An arm has at least so many hinge joints, one after the other, each with an actuator."""

_MAX_FINGER_JOINTS: Final = 4
_TIP_MARGIN: Final = 0.006
"""The tool centre point lies so far behind the finger tips [m]."""
_GRIPPER_WORDS: Final = re.compile(r"finger|gripper|jaw|knuckle|driver|claw", re.IGNORECASE)
_TCP_WORDS: Final = re.compile(r"(^|[^a-z])(tcp|ee|eef|pinch|grip|grasp|attachment|end_?effector|tool)", re.IGNORECASE)
_STIFFNESS_PER_TORQUE: Final = 25.0
"""Gain of a position actuator that replaces a motor, over its largest torque [1/rad]."""
_DAMPING_TIME_S: Final = 0.04
_MOST_DAMPING: Final = 0.8
"""Largest damping of an actuator, over inertia / physics period."""
_HINGE: Final = int(mujoco.mjtJoint.mjJNT_HINGE)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Arm:
    """What was found in a robot's own model."""

    joints: tuple[int, ...]
    hand: int
    """Body that carries the tool centre point."""
    position: Floats
    """Tool centre point in the hand's frame [m]."""
    quaternion: Floats
    """+z out of the gripper, fingers slide along y; tool to hand, wxyz."""
    home: Floats
    """``(n,)`` joint angles of the first key frame, or of the model's own zero [rad]."""


def attach_robot(spec: mujoco.MjSpec, path: str) -> None:
    """Add the robot of an MJCF file to a model under construction: names prefixed, gravity compensated, arm driven by position.

    Raises:
        InvalidInput: the file cannot be read, does not compile, or holds no arm that can be used.
    """
    child = _load(path)
    model = _compile(child, path)
    arm = _find_arm(model, path)
    for site in child.sites:
        if site.name == EE_SITE.removeprefix(ROBOT_PREFIX):
            site.name += "_of_file"
    hand = child.body(model.body(arm.hand).name)
    hand.add_site(name=EE_SITE.removeprefix(ROBOT_PREFIX), pos=arm.position, quat=arm.quaternion, rgba=(0, 0, 0, 0), group=5)
    _drive_by_position(child, model, arm)
    for body in child.bodies[1:]:
        body.gravcomp = 1.0
    for thing in (*child.keys, *child.lights, *child.cameras, *(g for g in child.worldbody.geoms)):
        child.delete(thing)
    # Physics and look are the scene's anyway; where they differ, attaching would warn.
    _adopt(spec.option, child.option)
    _adopt(spec.stat, child.stat)
    for part in ("global_", "quality", "headlight", "map", "scale", "rgba"):
        _adopt(getattr(spec.visual, part), getattr(child.visual, part))
    spec.attach(child, prefix=ROBOT_PREFIX, frame=spec.worldbody.add_frame())
    spec.add_numeric(name=HOME, data=arm.home, size=len(arm.home))


def _adopt(ours: object, theirs: object) -> None:
    """Give one settings structure all values of another."""
    for name in vars(type(ours)):  # not dir(): libraries there are that put names of their own on every object
        if not name.startswith("_"):
            setattr(theirs, name, getattr(ours, name))


def _load(path: str) -> mujoco.MjSpec:
    if not Path(path).is_file():
        raise InvalidInput("robot file", expected="the path of an MJCF file (.xml)", found=f"{path!r}, where there is no file")
    try:
        child = mujoco.MjSpec.from_file(path)
    except ValueError as error:
        raise InvalidInput("robot file", expected="a MuJoCo model", found=f"{Path(path).name}, which cannot be read: {error}") from error
    for index, body in enumerate(child.bodies):
        body.name = body.name or f"body{index}"
    for index, joint in enumerate(child.joints):
        joint.name = joint.name or f"joint{index}"
    return child


def _compile(child: mujoco.MjSpec, path: str) -> mujoco.MjModel:
    try:
        return child.compile()
    except ValueError as error:
        raise InvalidInput(
            "robot file",
            expected="a model that compiles",
            found=f"{Path(path).name}: {error}",
            fix="Keep the mesh folder beside the file.",
        ) from error


def _find_arm(model: mujoco.MjModel, path: str) -> _Arm:
    driven = {int(model.actuator_trnid[a, 0]) for a in range(model.nu) if model.actuator_trntype[a] == int(mujoco.mjtTrn.mjTRN_JOINT)}
    chains = [_arm_chain(model, body, driven) for body in range(model.nbody)]
    joints = _without_fingers(model, max(chains, key=len, default=[]))
    if len(joints) < MIN_JOINTS:
        raise InvalidInput(
            "robot file",
            expected=f"an arm: a chain of at least {MIN_JOINTS} hinge joints from a fixed base, each with an actuator",
            found=f"{Path(path).name}, whose longest chain has {len(joints)}",
            fix="Give the file of an arm, not of a gripper or of a walking robot.",
        )
    data = mujoco.MjData(model)
    if model.nkey:
        mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_kinematics(model, data)
    home = data.qpos[model.jnt_qposadr[joints]].copy()
    link = int(model.jnt_bodyid[joints[-1]])
    below = [b for b in range(model.nbody) if is_below(model, b, link)]
    fingers = [b for b in below if b != link and model.body_jntnum[b] > 0 and not _has_joint_between(model, b, link)]
    site = next((s for s in range(model.nsite) if model.site_bodyid[s] in below and _TCP_WORDS.search(model.site(s).name)), -1)
    if fingers:
        hand = int(model.body_parentid[fingers[0]])
        position, matrix = _between_fingers(model, data, hand, fingers)
        if site >= 0:
            position = data.xmat[hand].reshape(3, 3).T @ (data.site_xpos[site] - data.xpos[hand])
    elif site >= 0:
        hand = int(model.site_bodyid[site])
        position, matrix = model.site_pos[site].copy(), matrix_from_quat(model.site_quat[site])
    else:
        hand, position, matrix = link, np.zeros(3), np.eye(3)
    return _Arm(tuple(joints), hand, position, quat_from_matrix(matrix), home)


def _arm_chain(model: mujoco.MjModel, body: int, driven: set[int]) -> list[int]:
    """Return the hinge joints from the world to ``body``, or nothing where another kind of joint or a passive one is among them."""
    found: list[int] = []
    while body > 0:
        start, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
        for joint in reversed(range(start, start + count)):
            if model.jnt_type[joint] != _HINGE or joint not in driven or _GRIPPER_WORDS.search(model.joint(joint).name):
                return []
            found.insert(0, joint)
        body = int(model.body_parentid[body])
    return found


def _without_fingers(model: mujoco.MjModel, joints: list[int]) -> list[int]:
    """Cut a chain where it goes on into one of several jointed branches near its end: those are fingers, whatever their names."""
    for count in range(min(_MAX_FINGER_JOINTS, len(joints) - MIN_JOINTS), 0, -1):
        palm = int(model.body_parentid[model.jnt_bodyid[joints[-count]]])
        branches = [b for b in range(1, model.nbody) if model.body_parentid[b] == palm]
        is_jointed = [any(model.body_jntnum[b] > 0 and is_below(model, b, branch) for b in range(model.nbody)) for branch in branches]
        if sum(is_jointed) > 1:
            return joints[:-count]
    return joints


def _has_joint_between(model: mujoco.MjModel, body: int, ancestor: int) -> bool:
    """Tell whether a body strictly between ``body`` and ``ancestor`` has a joint."""
    body = int(model.body_parentid[body])
    while body not in (0, ancestor):
        if model.body_jntnum[body] > 0:
            return True
        body = int(model.body_parentid[body])
    return False


def _between_fingers(model: mujoco.MjModel, data: mujoco.MjData, hand: int, fingers: list[int]) -> tuple[Floats, Floats]:
    """Return the tool centre point ``(3,)`` and its axes ``(3, 3)`` in the hand's frame, from where the fingers are."""
    to_hand = data.xmat[hand].reshape(3, 3).T
    clouds = [_corners(model, data, finger) for finger in fingers]
    clouds = [(cloud - data.xpos[hand]) @ to_hand.T for cloud in clouds if len(cloud)]
    if not clouds:
        clouds = [((data.xpos[f] - data.xpos[hand]) @ to_hand.T)[None] for f in fingers]
    middles = np.array([0.5 * (c.min(axis=0) + c.max(axis=0)) for c in clouds])
    apart = [(float(np.linalg.norm(a - b)), i, j) for i, a in enumerate(middles) for j, b in enumerate(middles) if j > i]
    _, left, right = max(apart, default=(0.0, 0, 0))
    centre = 0.5 * (middles[left] + middles[right])
    forward = _main_axis(centre, lambda axis: True)
    across = _main_axis(middles[left] - middles[right], lambda axis: not forward[axis])
    # Fingers are alike: of the two ways to name them take the one that looks away from the base (+x) at home.
    if (data.xmat[hand].reshape(3, 3) @ np.cross(across, forward))[0] < 0:
        across = -across
    reach = max(float((cloud @ forward).max()) for cloud in (clouds[left], clouds[right])) - _TIP_MARGIN
    position = centre + (reach - centre @ forward) * forward
    return position, np.stack([np.cross(across, forward), across, forward], axis=1)


def _main_axis(vector: Floats, is_allowed: Callable[[int], bool]) -> Floats:
    """Return the allowed coordinate axis, with sign, along which ``vector`` ``(3,)`` is longest."""
    axis = max((i for i in range(3) if is_allowed(i)), key=lambda i: abs(vector[i]))
    unit = np.zeros(3)
    unit[axis] = 1.0 if vector[axis] >= 0 else -1.0
    return unit


def _corners(model: mujoco.MjModel, data: mujoco.MjData, finger: int) -> Floats:
    """Return ``(N, 3)``, the corners in the world of the boxes around a finger's geoms."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    found = [np.zeros((0, 3))]
    for geom in range(model.ngeom):
        if is_below(model, int(model.geom_bodyid[geom]), finger):
            centre, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
            found.append((centre + signs * half) @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom])
    return np.concatenate(found)


def _drive_by_position(child: mujoco.MjSpec, model: mujoco.MjModel, arm: _Arm) -> None:
    """Turn what is not a position actuator with its gain as stiffness (a motor, a velocity servo) into one, and keep all from chattering."""
    inertias = dict(zip((model.joint(j).name for j in arm.joints), _effective_inertias(model, arm), strict=True))
    for actuator in child.actuators:
        if actuator.target not in inertias or actuator.trntype != mujoco.mjtTrn.mjTRN_JOINT:
            continue
        stiffness = -actuator.biasprm[1]
        is_servo = actuator.biastype == mujoco.mjtBias.mjBIAS_AFFINE and stiffness > 0
        if not is_servo or abs(actuator.gainprm[0] - stiffness) > 1e-6 * stiffness:
            _make_servo(actuator, model)
        # A motor at its torque limit must not reverse the speed within one physics step; see robot.py.
        most = _MOST_DAMPING * inertias[actuator.target] / PHYSICS_PERIOD_S
        bias = np.array(actuator.biasprm)
        bias[2] = max(bias[2], -most)
        actuator.biasprm = bias


def _effective_inertias(model: mujoco.MjModel, arm: _Arm) -> Floats:
    """Return ``(n,)``: what each arm joint alone feels at home, all other joints being free [kg m^2]."""
    data = mujoco.MjData(model)
    data.qpos[model.jnt_qposadr[list(arm.joints)]] = arm.home
    mujoco.mj_forward(model, data)
    dofs = model.jnt_dofadr[list(arm.joints)]
    inverse = np.zeros((len(dofs), model.nv))
    rows = np.zeros((len(dofs), model.nv))
    rows[np.arange(len(dofs)), dofs] = 1.0
    mujoco.mj_solveM(model, data, inverse, rows)
    return 1.0 / inverse[np.arange(len(dofs)), dofs]


def _make_servo(actuator: mujoco.MjsActuator, model: mujoco.MjModel) -> None:
    joint, torque = model.joint(actuator.target), _largest_torque(actuator)
    actuator.set_to_position(kp=_STIFFNESS_PER_TORQUE * torque, kv=_DAMPING_TIME_S * _STIFFNESS_PER_TORQUE * torque)
    actuator.gear = [1, 0, 0, 0, 0, 0]
    actuator.ctrllimited, actuator.ctrlrange = 0, (0, 0)
    actuator.forcelimited, actuator.forcerange = True, (-torque, torque)
    if model.jnt_limited[joint.id]:
        # From the compiled model: there angles are radians whatever the file says.
        actuator.ctrllimited, actuator.ctrlrange = True, joint.range


def _largest_torque(actuator: mujoco.MjsActuator) -> float:
    """Return what a motor can give [N m]; 80 where the file does not say."""
    gear = abs(float(actuator.gear[0])) or 1.0
    if actuator.forcerange[1] > 0:
        return float(actuator.forcerange[1]) * gear
    if actuator.ctrlrange[1] > 0 and actuator.biastype == mujoco.mjtBias.mjBIAS_NONE:
        return float(actuator.ctrlrange[1]) * gear * abs(float(actuator.gainprm[0]))
    return 80.0
