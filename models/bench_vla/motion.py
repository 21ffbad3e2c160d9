"""A kinematic stand-in for the world: it moves as actions say, costs next to nothing, and the scripted expert can act in it.

It answers what :class:`~workbench.simulation.world.World` answers and the expert asks for. The arm follows its commands as the real one
does; what the gripper closes on is carried, turned or pulled along; nothing else pushes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from workbench.core.geometry import (
    matrix_from_quat,
    quat_conjugate,
    quat_from_rotvec,
    quat_multiply,
    rotvec_from_quat,
    wrap_angle,
)
from workbench.simulation.controllers import WORKSPACE_HIGH, WORKSPACE_LOW
from workbench.simulation.expert import ExpertAction, expert_action
from workbench.simulation.expert_motion import gripper_yaw
from workbench.simulation.manner import Manner
from workbench.simulation.props import BLOCK_SIZE, BUTTON_HEIGHT, CUBE_SIZE, DRAWER_TRAVEL, KNOB_HEIGHT, PUCK_SIZE
from workbench.simulation.robot import FINGER_RANGE
from workbench.simulation.scene import Prop, PropKind, Scene, TaskInstance
from workbench.simulation.world import World

Floats = NDArray[np.float64]

CHUNK: Final = 8
"""Actions in a chunk."""
SETTLING: Final = 0.35
"""Share of the distance between commanded and measured pose that the arm makes good in one control step at 20 Hz."""
GRIPPER_DECAY: Final = 0.56
"""Share of the difference between commanded and measured opening that is left after one control step at 20 Hz."""
JOINT_PARTS: Final = {PropKind.DRAWER: "handle", PropKind.BUTTON: "cap", PropKind.KNOB: "bar"}
"""The part of a thing with a joint that a hand goes for."""

_GRIPPER_WIDTH: Final = 2 * FINGER_RANGE
_GRASP_WIDTH: Final = {PropKind.CUBE: CUBE_SIZE, PropKind.BLOCK: BLOCK_SIZE[1], PropKind.KNOB: 0.018, PropKind.DRAWER: 0.012}
"""How wide the fingers stand when they hold a thing of a kind [m]."""
_GRASP_REACH: Final = 0.014
"""The fingers close on a thing whose grasp point is this near [m]."""
_TIP: Final = 0.004
"""How far the finger tips reach beyond the end-effector [m]."""
_PATH_HZ: Final = 10.0
"""Control rate beyond the first chunk: a path needs no more."""
_PUSH_HEIGHT: Final = 0.03
_SHUT_DRAWER: Final = 0.003
"""A drawer that is open by less is shut [m]."""
_FINGER_DEPTH: Final = 0.0095
"""Half the thickness of a finger [m]."""


@dataclass
class Thing:
    """Where one prop is."""

    position: Floats
    quaternion: Floats
    joint: float = 0.0
    part: Floats | None = None
    """``(3,)``: middle of the part that a hand goes for [m]."""

    def copy(self) -> Thing:
        """Return a copy; arrays are never written to, so they are shared."""
        return Thing(self.position, self.quaternion, self.joint, self.part)


class Arm(NamedTuple):
    """Measured and commanded pose of the end-effector, and the gripper."""

    position: Floats
    quaternion: Floats
    commanded_position: Floats
    commanded_quaternion: Floats
    gripper: float
    gripper_command: float


class ProxyWorld:
    """The truth of one moment, and how it goes on; see the module."""

    def __init__(self, scene: Scene, things: dict[str, Thing], arm: Arm, initial: ProxyWorld | None = None) -> None:
        self.scene = scene
        self.things = things
        self.arm = arm
        self.held: str | None = None
        """What the fingers hold."""
        self.has_touched = False
        """Whether the gripper has come to touch something: from then on the real motion differs."""
        self.progress: Floats = np.zeros(4)
        self._initial = initial
        self._pushed: str | None = None

    @staticmethod
    def of(world: World, commanded_position: Floats, commanded_quaternion: Floats, initial: ProxyWorld | None = None) -> ProxyWorld:
        """Read a world; ``initial`` is the start of its episode, by default this moment."""
        things = {}
        for prop in world.scene.props:
            part = JOINT_PARTS.get(prop.kind)
            joint = world.joint(prop.name) if part else 0.0
            place = world.part_position(prop.name, part) if part else None
            things[prop.name] = Thing(world.position(prop.name), world.quaternion(prop.name), joint, place)
        arm = Arm(world.ee_position, world.ee_quaternion, commanded_position, commanded_quaternion, world.gripper, world.gripper_command)
        proxy = ProxyWorld(world.scene, things, arm, initial)
        proxy.progress = world.progress.copy()
        return proxy

    def copy(self) -> ProxyWorld:
        """Return a copy that can go its own way; nothing in it counts as solved."""
        other = ProxyWorld(self.scene, {n: t.copy() for n, t in self.things.items()}, self.arm, self.initial)
        other.held = self.held
        return other

    def as_start(self) -> ProxyWorld:
        """Return this moment as if an episode began with it."""
        return ProxyWorld(self.scene, self.things, self.arm)

    # --- What the expert asks for ------------------------------------------------------------------------------------------------

    @property
    def initial(self) -> ProxyWorld:
        """The world at the start of the episode; this moment when there was none."""
        return self if self._initial is None else self._initial

    @property
    def ee_position(self) -> Floats:
        """``(3,)`` in the world [m]."""
        return self.arm.position

    @property
    def ee_quaternion(self) -> Floats:
        """``(4,)`` wxyz, end-effector to world."""
        return self.arm.quaternion

    @property
    def gripper(self) -> float:
        """Measured opening 0..1."""
        return self.arm.gripper

    @property
    def gripper_command(self) -> float:
        """Commanded opening 0..1."""
        return self.arm.gripper_command

    def prop(self, name: str) -> Prop:
        """Return a prop's description."""
        return self.scene.prop(name)

    def position(self, name: str) -> Floats:
        """Return ``(3,)``, the origin of a prop in the world [m]."""
        return self.things[name].position

    def quaternion(self, name: str) -> Floats:
        """Return ``(4,)`` wxyz, prop to world."""
        return self.things[name].quaternion

    def yaw(self, name: str) -> float:
        """Return the angle of the prop's x axis about world +Z [rad]."""
        w, x, y, z = self.things[name].quaternion
        return float(np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z)))

    def joint(self, name: str) -> float:
        """Return the joint position of a drawer [m], button [m] or knob [rad]."""
        return self.things[name].joint

    def part_position(self, name: str, part: str) -> Floats:
        """Return ``(3,)``, the middle of the part that a hand goes for [m]."""
        place = self.things[name].part
        assert place is not None and part == JOINT_PARTS[self.prop(name).kind]
        return place

    def is_held(self, name: str) -> bool:
        """Tell whether a prop is between the fingers."""
        return self.held == name

    def is_touching(self, a: str, b: str) -> bool:
        """Tell whether the gripper (one of the two) touches what it holds or pushes."""
        return (self.held or self._pushed) in (a, b)

    # --- How it goes on ----------------------------------------------------------------------------------------------------------

    def step(self, action: Floats, target: str, control_hz: float) -> None:
        """Execute one action ``(7,)``; ``target`` is what the gripper may take or push."""
        before = self.arm
        self.arm = self._follow(action, control_hz)
        move = self.arm.position - before.position
        if self.held is not None:
            if action[6] > 0.5:
                self.held = None
            else:
                self._carry(before, move)
                return
        kind = self.prop(target).kind
        if kind in _GRASP_WIDTH:
            self._close_on(target, _GRASP_WIDTH[kind] / _GRIPPER_WIDTH)
        self._touch(target, kind, move)

    def _follow(self, action: Floats, control_hz: float) -> Arm:
        arm, share = self.arm, 20.0 / control_hz
        settled, decay = 1 - (1 - SETTLING) ** share, GRIPPER_DECAY**share
        commanded = np.minimum(np.maximum(arm.commanded_position + action[:3], WORKSPACE_LOW), WORKSPACE_HIGH)
        position = arm.position + action[:3] + settled * (arm.commanded_position - arm.position)
        turn = quat_from_rotvec(action[3:6])
        quaternion = commanded_quaternion = quat_multiply(turn, arm.commanded_quaternion)
        if arm.quaternion is not arm.commanded_quaternion:
            lead = rotvec_from_quat(quat_multiply(arm.commanded_quaternion, quat_conjugate(arm.quaternion)))
            quaternion = quat_multiply(quat_from_rotvec(settled * lead), quat_multiply(turn, arm.quaternion))
        command = float(action[6])
        gripper = command + (arm.gripper - command) * decay
        position = np.minimum(np.maximum(position, WORKSPACE_LOW), WORKSPACE_HIGH)
        return Arm(position, quaternion, commanded, commanded_quaternion, gripper, command)

    def grasp_point(self, name: str) -> Floats:
        """Return ``(3,)``, what the fingers close on [m]."""
        thing = self.things[name]
        if self.prop(name).kind is PropKind.KNOB:
            middle: Floats = thing.position + np.array([0.0, 0.0, KNOB_HEIGHT - 0.012])
            return middle
        place: Floats = thing.position if thing.part is None else thing.part
        return place

    def _close_on(self, name: str, opening: float) -> None:
        """Let the fingers, if they are closing around a thing, stop at its width and hold it."""
        arm = self.arm
        is_around = float(np.linalg.norm(self.grasp_point(name) - arm.position)) < _GRASP_REACH
        if arm.gripper_command < 0.5 and is_around and arm.gripper <= opening + 0.01:
            self.arm = arm._replace(gripper=opening - 0.01)
            self.held, self.has_touched = name, True

    def _carry(self, before: Arm, move: Floats) -> None:
        """Take along what is held."""
        assert self.held is not None
        thing, kind = self.things[self.held], self.prop(self.held).kind
        self.arm = self.arm._replace(gripper=before.gripper)
        turn = quat_multiply(self.arm.quaternion, quat_conjugate(before.quaternion))
        if kind is PropKind.KNOB:
            thing.joint += float(rotvec_from_quat(turn)[2])
        elif kind is PropKind.DRAWER:
            outward = np.array([np.cos(self.yaw(self.held)), np.sin(self.yaw(self.held)), 0.0])
            way = float(np.clip(thing.joint + move @ outward, 0.0, DRAWER_TRAVEL)) - thing.joint
            thing.joint += way
            assert thing.part is not None
            thing.part = thing.part + way * outward
        else:
            thing.position = self.arm.position + matrix_from_quat(turn) @ (thing.position - before.position)
            thing.quaternion = quat_multiply(turn, thing.quaternion)

    def _touch(self, name: str, kind: PropKind, move: Floats) -> None:
        """Note contact with a thing that is not grasped, and push it where a push is meant."""
        thing, position, tip = self.things[name], self.arm.position, self.arm.position[2] - _TIP
        offset = position - thing.position
        level = float(np.hypot(offset[0], offset[1]))
        if kind is PropKind.BUTTON and level < 0.03 and tip < BUTTON_HEIGHT - thing.joint:
            self.has_touched = True
            thing.joint = min(BUTTON_HEIGHT - tip, 0.012)
        elif kind is PropKind.CUBE and self.arm.gripper < 0.5 and level < 0.03 and tip < thing.position[2] + CUBE_SIZE / 2:
            self.has_touched = True
            self._pushed = name
        elif kind is PropKind.PUCK and position[2] < _PUSH_HEIGHT and level < 0.12:
            self._push_puck(thing, move)
            self._pushed = name if self.has_touched else None
        elif kind is PropKind.DRAWER and thing.part is not None and self.arm.gripper_command < 0.5:
            self._push_drawer(thing, name)

    def _push_puck(self, thing: Thing, move: Floats) -> None:
        """Push a puck along with fingers that go towards it."""
        length = float(np.linalg.norm(move[:2]))
        if length < 1e-4:
            return
        along = np.array([move[0], move[1], 0.0]) / length
        angle = wrap_angle(_heading(thing.quaternion) - float(np.arctan2(along[1], along[0])))
        contact = PUCK_SIZE[0] / 2 * float(abs(np.cos(angle)) + abs(np.sin(angle))) + _FINGER_DEPTH
        behind = -float((self.arm.position - thing.position) @ along)
        if 0 < behind < contact:
            self.has_touched = True
            thing.position = thing.position + (contact - behind) * along

    def _push_drawer(self, thing: Thing, name: str) -> None:
        """Push a drawer in with shut fingers before its handle."""
        assert thing.part is not None
        outward = np.array([np.cos(self.yaw(name)), np.sin(self.yaw(name)), 0.0])
        offset = self.arm.position - thing.part
        ahead = float(offset @ outward)
        contact = 0.006 + _FINGER_DEPTH
        if np.linalg.norm(offset - ahead * outward) < 0.03 and 0 < ahead < contact:
            self.has_touched = True
            way = min(contact - ahead, thing.joint)
            thing.joint -= way
            thing.part = thing.part - way * outward


def _heading(quaternion: Floats) -> float:
    axis = matrix_from_quat(quaternion)[:, 0]
    return float(np.arctan2(axis[1], axis[0]))


class RollOut(NamedTuple):
    """What the expert would do from a moment on, kinematically."""

    actions: NDArray[np.float32]
    """``(8, 7)``: the clean chunk."""
    valid: NDArray[np.bool_]
    """``(8,)``: false from the first action on that follows a touch."""
    turn: float
    """What the gripper must turn on now [rad]."""
    path: NDArray[np.float64]
    """``(n, 4)``: x y z [m] of the end-effector from now to the end, and the opening wanted."""
    is_finished: bool
    """Whether the path goes to the task's end."""
    is_done: bool
    """Whether nothing is left to do now."""


def act(task: str, world: ProxyWorld, instance: TaskInstance, manner: Manner, control_hz: float) -> ExpertAction:
    """Ask the expert in a proxy; it uses nothing but what the proxy has."""
    return expert_action(task, cast(World, world), instance, manner, control_hz)


def roll_out(
    task: str, start: ProxyWorld, instance: TaskInstance, manner: Manner, *, control_hz: float = 20.0, num_path_steps: int = 0
) -> RollOut:
    """Let the expert act from a moment on, kinematically: a chunk, then at most ``num_path_steps`` coarser steps of the path.

    Args:
        task: name of the task.
        start: the moment; it stays as it is.
        instance: the task's roles and numbers in that scene.
        manner: how fast, how high.
        control_hz: rate of the chunk.
        num_path_steps: longest continuation; 0 for the chunk alone.
    """
    world = start.copy()
    actions, valid = np.zeros((CHUNK, 7), dtype=np.float32), np.zeros(CHUNK, dtype=bool)
    path: list[Floats] = []
    is_over = is_done = False
    turn = 0.0
    for index in range(CHUNK + num_path_steps):
        hz = control_hz if index < CHUNK else _PATH_HZ
        found = act(task, world, instance, manner, hz)
        is_over = _is_over(task, world, instance, found)
        if index == 0:
            is_done, turn = is_over, found.command.yaw - gripper_yaw(cast(World, world))
        action = np.array([*np.zeros(6), found.action[6]]) if is_over else found.action
        path.append(np.array([*world.arm.position, action[6]]))
        if index < CHUNK:
            # The end of a touch or press is known by contact forces alone.
            valid[index] = not world.has_touched and (not is_over or index == 0)
            actions[index] = action
        if is_over and index >= CHUNK - 1:
            break
        world.step(action, _target(task, world, instance), hz)
    path.append(np.array([*world.arm.position, path[-1][3]]))
    return RollOut(actions, np.logical_and.accumulate(valid), turn, np.array(path), is_over, is_done)


def _is_over(task: str, world: ProxyWorld, instance: TaskInstance, found: ExpertAction) -> bool:
    """Tell whether the expert has come to its end; a proxy knows no contact forces, so ends are seen from places."""
    if found.command.is_done:
        return True
    if task == "close_drawer":
        return world.joint(instance.roles["target"]) < _SHUT_DRAWER
    left = float(np.linalg.norm(found.command.position - world.arm.position))
    if task == "pick":
        return world.held is not None and left < 0.01
    return task in ("touch", "press_button") and world.has_touched and left < 0.003


def _target(task: str, world: ProxyWorld, instance: TaskInstance) -> str:
    """Return what the gripper may take or push now."""
    roles = instance.roles
    if task == "sort_two" and float(np.linalg.norm((world.position(roles["pick"]) - world.position(roles["place"]))[:2])) < 0.03:
        return roles["pick_2"]
    return roles["target"] if "target" in roles else roles["pick"]
