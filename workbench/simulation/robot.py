"""The built-in arm: seven joints with the Franka Panda's kinematics, and a parallel gripper, from primitive shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np

PHYSICS_PERIOD_S: Final = 0.0025
"""Time of one physics step [s]; the servos' damping is bounded by it."""
ROBOT_PREFIX: Final = "robot/"
"""Every name of the robot in a built model starts with this."""
EE_SITE: Final = "robot/ee"
"""Site of the tool centre point between the finger tips: +z out of the gripper, fingers slide along y."""
HOME: Final = "robot/home"
"""Custom numbers of a model with another robot: joint angles from which to look for a start pose."""
FINGER_RANGE: Final = 0.04
"""Travel of each finger [m]."""

ARM_GEOMS: Final = 2
"""Group of arm shapes that only look; collision shapes that do not show are in group 3."""

_WHITE: Final = (0.93, 0.935, 0.94, 1.0)
_DARK: Final = (0.16, 0.18, 0.21, 1.0)
_ACCENT: Final = (0.10, 0.52, 0.62, 1.0)
_RUBBER: Final = (0.09, 0.09, 0.10, 1.0)

_TURN_BACK: Final = (1.0, -1.0, 0.0, 0.0)
_TURN_FORTH: Final = (1.0, 1.0, 0.0, 0.0)
_FLANGE_TO_HAND: Final = (np.cos(np.pi / 8), 0.0, 0.0, -np.sin(np.pi / 8))

Vector = tuple[float, float, float]
Colour = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Link:
    """A moving link: where its joint stands in its parent, and what the joint can do (Panda data sheet)."""

    position: Vector
    quaternion: tuple[float, float, float, float]
    lower: float
    upper: float
    max_speed: float
    """[rad/s]"""
    max_torque: float
    """[N m]"""
    stiffness: float
    damping: float
    armature: float
    """Rotor and gears, as seen at the joint [kg m^2]."""
    mass: float


# With the gains that are usual for a simulated Panda (damping a tenth of the stiffness) a motor at its torque limit reverses
# the speed within one physics step and chatters for ever. Damping times the period must stay below the joint's inertia.
_LINKS: Final = (
    _Link((0, 0, 0.333), (1, 0, 0, 0), -2.8973, 2.8973, 2.175, 87, 2400, 110, 0.3, 4.97),
    _Link((0, 0, 0), _TURN_BACK, -1.7628, 1.7628, 2.175, 87, 2400, 110, 0.3, 3.2),
    _Link((0, -0.316, 0), _TURN_FORTH, -2.8973, 2.8973, 2.175, 87, 2400, 110, 0.3, 3.23),
    _Link((0.0825, 0, 0), _TURN_FORTH, -3.0718, -0.0698, 2.175, 87, 2400, 110, 0.3, 3.0),
    _Link((-0.0825, 0.384, 0), _TURN_BACK, -2.8973, 2.8973, 2.61, 12, 2000, 45, 0.15, 1.8),
    _Link((0, 0, 0), _TURN_FORTH, -0.0175, 3.7525, 2.61, 12, 2000, 45, 0.15, 1.4),
    _Link((0.088, 0, 0), _TURN_FORTH, -2.8973, 2.8973, 2.61, 12, 2000, 45, 0.15, 0.73),
)
MAX_JOINT_SPEEDS: Final = tuple(link.max_speed for link in _LINKS)
"""Seven joint speed limits [rad/s]."""

_Shape = tuple[str, Vector, Vector, float, Colour]
"""Kind (``capsule`` or ``cylinder``), both ends in the link frame [m], radius [m], colour."""

_LOOK: Final[tuple[tuple[_Shape, ...], ...]] = (
    (
        ("cylinder", (0, 0, -0.192), (0, 0, -0.186), 0.0595, _ACCENT),
        ("cylinder", (0, 0, -0.186), (0, 0, -0.05), 0.057, _WHITE),
        ("cylinder", (0, -0.066, 0), (0, 0.066, 0), 0.058, _DARK),
    ),
    (
        ("cylinder", (0, 0, -0.055), (0, 0, 0.055), 0.0595, _WHITE),
        ("capsule", (0, -0.03, 0), (0, -0.12, 0), 0.054, _WHITE),
        ("cylinder", (0, -0.12, 0), (0, -0.194, 0), 0.054, _WHITE),
    ),
    (
        ("cylinder", (0, 0, -0.122), (0, 0, -0.116), 0.0565, _ACCENT),
        ("capsule", (0, 0, -0.11), (0, 0, -0.055), 0.053, _WHITE),
        ("capsule", (0, 0, -0.06), (0.0825, 0, 0), 0.045, _WHITE),
        ("cylinder", (0.0825, -0.062, 0), (0.0825, 0.062, 0), 0.05, _DARK),
    ),
    (
        ("cylinder", (0, 0, -0.052), (0, 0, 0.052), 0.0515, _WHITE),
        ("capsule", (0, 0, 0), (-0.0825, 0.085, 0), 0.045, _WHITE),
        ("cylinder", (-0.0825, 0.07, 0), (-0.0825, 0.124, 0), 0.053, _WHITE),
    ),
    (
        ("cylinder", (0, 0, -0.26), (0, 0, -0.254), 0.0555, _ACCENT),
        ("capsule", (0, 0, -0.255), (0, 0.03, -0.16), 0.05, _WHITE),
        ("capsule", (0, 0.03, -0.16), (0, 0.045, -0.02), 0.042, _WHITE),
        ("cylinder", (0, -0.055, 0), (0, 0.07, 0), 0.044, _DARK),
    ),
    (
        ("cylinder", (0, 0, -0.045), (0, 0, 0.045), 0.0455, _WHITE),
        ("capsule", (0, 0, 0), (0.088, 0, 0), 0.04, _WHITE),
    ),
    (
        ("cylinder", (0, 0, -0.045), (0, 0, 0.05), 0.0435, _WHITE),
        ("cylinder", (0, 0, 0.05), (0, 0, 0.056), 0.0455, _ACCENT),
        ("cylinder", (0, 0, 0.056), (0, 0, 0.107), 0.036, _DARK),
    ),
)
"""What each moving link looks like."""

_COLLISION: Final[tuple[tuple[Vector, Vector, float], ...]] = (
    ((0, 0, -0.15), (0, 0, -0.05), 0.06),
    ((0, 0, 0), (0, -0.16, 0), 0.06),
    ((0, 0, -0.12), (0.06, 0, -0.01), 0.055),
    ((0, 0, 0), (-0.0825, 0.10, 0), 0.055),
    ((0, 0, -0.25), (0, 0.04, -0.02), 0.05),
    ((0, 0, 0), (0.088, 0, 0), 0.045),
    ((0, 0, 0.0), (0, 0, 0.08), 0.043),
)
"""One capsule a link: what touches the table and the props."""


def add_robot(spec: mujoco.MjSpec) -> None:
    """Add the arm with its base at the world's origin, its actuators and its ``ee`` site to a model under construction."""
    spec.add_material(name=ROBOT_PREFIX + "shell", specular=0.55, shininess=0.65, reflectance=0.0)
    body = _add_base(spec)
    for number, (link, shapes, capsule) in enumerate(zip(_LINKS, _LOOK, _COLLISION, strict=True), start=1):
        body = body.add_body(name=f"{ROBOT_PREFIX}link{number}", pos=link.position, quat=link.quaternion, gravcomp=1.0)
        body.add_joint(
            name=f"{ROBOT_PREFIX}joint{number}",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=(0, 0, 1),
            range=(link.lower, link.upper),
            limited=True,
            armature=link.armature,
            damping=[1.0, 0, 0],
        )
        for index, shape in enumerate(shapes):
            _add_look(body, f"{ROBOT_PREFIX}link{number}/look{index}", shape)
        start, end, radius = capsule
        body.add_geom(
            name=f"{ROBOT_PREFIX}link{number}/hull",
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=[*start, *end],
            size=[radius, 0, 0],
            mass=link.mass,
            contype=0,
            conaffinity=1,
            group=3,
        )
        actuator = spec.add_actuator(
            name=f"{ROBOT_PREFIX}joint{number}", target=f"{ROBOT_PREFIX}joint{number}", trntype=mujoco.mjtTrn.mjTRN_JOINT
        )
        actuator.set_to_position(kp=link.stiffness, kv=link.damping)
        actuator.ctrllimited, actuator.ctrlrange = True, (link.lower, link.upper)
        actuator.forcelimited, actuator.forcerange = True, (-link.max_torque, link.max_torque)
    _add_gripper(spec, body)


def _add_base(spec: mujoco.MjSpec) -> mujoco.MjsBody:
    base = spec.worldbody.add_body(name=ROBOT_PREFIX + "base")
    shapes: tuple[_Shape, ...] = (
        ("cylinder", (0, 0, 0), (0, 0, 0.012), 0.105, _DARK),
        ("cylinder", (0, 0, 0.012), (0, 0, 0.10), 0.072, _WHITE),
        ("cylinder", (0, 0, 0.10), (0, 0, 0.141), 0.06, _WHITE),
        ("capsule", (-0.10, 0, 0.05), (0, 0, 0.05), 0.05, _WHITE),
    )
    for index, shape in enumerate(shapes):
        _add_look(base, f"{ROBOT_PREFIX}base/look{index}", shape)
    return base


def _add_look(body: mujoco.MjsBody, name: str, shape: _Shape) -> None:
    kind, start, end, radius, colour = shape
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_CAPSULE if kind == "capsule" else mujoco.mjtGeom.mjGEOM_CYLINDER,
        fromto=[*start, *end],
        size=[radius, 0, 0],
        rgba=colour,
        material=ROBOT_PREFIX + "shell",
        mass=0,
        contype=0,
        conaffinity=0,
        group=ARM_GEOMS,
    )


def _add_gripper(spec: mujoco.MjSpec, flange: mujoco.MjsBody) -> None:
    hand = flange.add_body(name=ROBOT_PREFIX + "hand", pos=(0, 0, 0.107), quat=_FLANGE_TO_HAND, gravcomp=1.0)
    _add_look(hand, ROBOT_PREFIX + "hand/look0", ("capsule", (0, -0.075, 0.030), (0, 0.075, 0.030), 0.027, _WHITE))
    _add_look(hand, ROBOT_PREFIX + "hand/look1", ("cylinder", (0, 0, 0), (0, 0, 0.012), 0.038, _WHITE))
    hand.add_geom(
        name=ROBOT_PREFIX + "hand/rail",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=(0, 0, 0.0475),
        size=(0.017, 0.092, 0.0125),
        rgba=_DARK,
        mass=0.73,
        contype=0,
        conaffinity=1,
        group=ARM_GEOMS,
    )
    hand.add_site(name=EE_SITE, pos=(0, 0, 0.1034), size=(0.004, 0.004, 0.004), rgba=(0, 0, 0, 0), group=5)
    for side, quaternion in (("left", (1, 0, 0, 0)), ("right", (0, 0, 0, 1))):
        _add_finger(hand, f"{ROBOT_PREFIX}finger_{side}", quaternion)
    spec.add_equality(
        name=ROBOT_PREFIX + "mirror",
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1=ROBOT_PREFIX + "finger_left",
        name2=ROBOT_PREFIX + "finger_right",
        data=[0, 1, *[0] * 10],
        solimp=[0.95, 0.99, 0.001, 0.5, 2],
        solref=[0.005, 1],
    )
    tendon = spec.add_tendon(name=ROBOT_PREFIX + "fingers")
    tendon.wrap_joint(ROBOT_PREFIX + "finger_left", 0.5)
    tendon.wrap_joint(ROBOT_PREFIX + "finger_right", 0.5)
    actuator = spec.add_actuator(name=ROBOT_PREFIX + "gripper", target=ROBOT_PREFIX + "fingers", trntype=mujoco.mjtTrn.mjTRN_TENDON)
    actuator.set_to_position(kp=1500, kv=120)
    actuator.ctrllimited, actuator.ctrlrange = True, (0, FINGER_RANGE)
    actuator.forcelimited, actuator.forcerange = True, (-60, 60)


def _add_finger(hand: mujoco.MjsBody, name: str, quaternion: tuple[float, ...]) -> None:
    finger = hand.add_body(name=name, pos=(0, 0, 0.0584), quat=quaternion, gravcomp=1.0)
    finger.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, 1, 0),
        range=(0, FINGER_RANGE),
        limited=True,
        armature=0.1,
        damping=[5.0, 0, 0],
    )
    finger.add_geom(
        name=name + "/shaft",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=(0, 0.0115, 0.011),
        size=(0.0112, 0.0085, 0.011),
        rgba=_WHITE,
        mass=0.01,
        contype=0,
        conaffinity=0,
        group=ARM_GEOMS,
    )
    finger.add_geom(
        name=name + "/pad",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=(0, 0.005, 0.0265),
        size=(0.0095, 0.005, 0.0225),
        rgba=_RUBBER,
        mass=0.02,
        contype=0,
        conaffinity=1,
        condim=4,
        friction=(1.6, 0.02, 0.0001),
        solref=(0.01, 1),
        solimp=(0.95, 0.99, 0.001, 0.5, 2),
        priority=1,
        group=ARM_GEOMS,
    )
