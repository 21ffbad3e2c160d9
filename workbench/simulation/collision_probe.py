"""What an arm would run into along a path of joint angles: contacts of a copied state that is never stepped.

What the fingers close on is carried along, as far as it can be; what they close on, let go, and touch at the end of a path is meant to be
touched, and does not count there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Final, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.simulation.rig import Rig, find_rig
from workbench.simulation.scene import Scene
from workbench.simulation.world import ARM, GRIPPER, geom_owners

SAFE_M: Final = 0.004
"""Things that come nearer than this are in the way."""
TOUCH_M: Final = 0.003
"""Where a touch is meant, things may be this deep in each other: so soft are contacts, and so exact is a grasp."""
MEANT_M: Final = 0.06
"""A touch is meant this near to where the gripper opens or closes, and to the end of the path."""
_CLOSING: Final = (0.8, 0.65, 0.5, 0.35, 0.2, 0.1, 0.0)
"""Openings at which closing fingers look for what is between them."""
OBSTACLE: Final = "obstacle_"
"""How the owners of obstacles begin."""
_OWN: Final = 1 << 10
"""A kind of contact of its own, for the arm with itself."""
_NAMES: Final = {GRIPPER: "the hand", ARM: "the arm"}

Floats = NDArray[np.float64]


class Touching(NamedTuple):
    """What is in the way at one place."""

    what: str
    """For the person."""
    depth_m: float
    """Negative while apart."""
    push: Floats
    """``(3,)`` unit vector in which the arm gets out of it."""


class _Held(NamedTuple):
    """What is between the fingers."""

    owners: frozenset[str]
    bodies: tuple[tuple[int, Floats, Floats], ...]
    """Address of each free body's pose, its place ``(3,)`` and turn ``(3, 3)`` in the hand."""


_NOTHING: Final = _Held(frozenset(), ())


class CollisionProbe:
    """Asks for contacts of one scene; make and use it in one thread."""

    def __init__(self, model: mujoco.MjModel, scene: Scene) -> None:
        """Take the compiled scene, which is copied, and its description."""
        self._model = copy.copy(model)
        self._rig: Rig = find_rig(self._model)
        owners = geom_owners(self._model, scene, self._rig)
        self._meet_itself([i for i, owner in enumerate(owners) if owner in _NAMES])
        self._usual: frozenset[tuple[int, int]] = frozenset()
        """Pairs of bodies of the arm that touch where it stands: crude shapes of neighbours."""
        # Contacts are told before they happen.
        self._model.geom_margin[[i for i, owner in enumerate(owners) if owner in _NAMES]] = SAFE_M
        self._owners = owners
        self._data = mujoco.MjData(self._model)
        self._labels = {p.name: f"the {p.label}" for p in scene.props}
        self._free = {
            self._model.body(int(self._model.jnt_bodyid[j])).name: int(self._model.jnt_qposadr[j])
            for j in range(self._model.njnt)
            if self._model.jnt_type[j] == int(mujoco.mjtJoint.mjJNT_FREE)
        }

    def set_state(self, physics: Floats) -> None:
        """Let everything stand as in the ``physics`` part of a state of this scene."""
        mujoco.mj_setState(self._model, self._data, np.ascontiguousarray(physics), mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_collision(self._model, self._data)
        self._usual = frozenset(self._bodies(i) for i in range(self._data.ncon) if self._is_own(i))
        self._start = self._data.qpos.copy()

    @property
    def joints(self) -> Floats:
        """``(n,)`` of the arm in the state that was set [rad]."""
        return self._start[self._rig.qpos]

    @property
    def opening(self) -> float:
        """Measured opening of the gripper in the state that was set, 0..1."""
        return self._rig.opening(self._start)

    def touches(self, joints: Floats, openings: Floats, end: Floats | None = None) -> list[Touching | None]:
        """Return what is in the way at each place of a path, from the state that was set.

        Args:
            joints: ``(M, n)`` of the arm, in the order in which they are passed [rad].
            openings: ``(M,)`` of the gripper 0..1 wanted there.
            end: ``(3,)`` near which a touch is meant [m]; by default the last place.
        """
        data, rig = self._data, self._rig
        data.qpos[:] = self._start
        hands = self._hand_places(joints)
        is_shut = openings < 0.5
        meant = _meant(hands, is_shut, hands[-1] if end is None else end)
        held, found = _NOTHING, []
        for index, opening in enumerate(openings):
            was_shut = is_shut[index - 1] if index else rig.opening(self._start) < 0.5
            data.qpos[rig.qpos] = joints[index]
            if not is_shut[index]:
                held = _NOTHING
                data.qpos[rig.fingers] = rig.finger_closed + opening * (rig.finger_open - rig.finger_closed)
            elif held is _NOTHING and (not was_shut or index == 0):
                held = self._take(is_held=index == 0 and bool(was_shut))
            self._carry(held)
            found.append(self._worst(held, bool(meant[index])))
        data.qpos[:] = self._start
        return found

    def inside_obstacles(self) -> tuple[str, ...]:
        """Return what obstacles go into in the state that was set."""
        mujoco.mj_collision(self._model, self._data)
        pairs = zip(self._pairs(), self._data.contact.dist, strict=True)
        deep = [pair for pair, distance in pairs if distance < -TOUCH_M]
        found = [b if a.startswith(OBSTACLE) else a for a, b in deep if a.startswith(OBSTACLE) != b.startswith(OBSTACLE)]
        return tuple(dict.fromkeys(self._label(owner) for owner in found if owner != "table"))

    def _meet_itself(self, geoms: Sequence[int]) -> None:
        """Let the arm's own shapes meet each other, which they do not in the physics of the built-in arm."""
        model = self._model
        for geom in geoms:
            if model.geom_contype[geom] == 0 and model.geom_conaffinity[geom] != 0:
                model.geom_contype[geom] |= _OWN
                model.geom_conaffinity[geom] |= _OWN
                # Whole bodies are passed over by what their shapes have together.
                model.body_contype[model.geom_bodyid[geom]] |= _OWN
                model.body_conaffinity[model.geom_bodyid[geom]] |= _OWN

    def _bodies(self, index: int) -> tuple[int, int]:
        first, second = sorted(int(self._model.geom_bodyid[g]) for g in self._data.contact[index].geom)
        return first, second

    def _is_own(self, index: int) -> bool:
        """Tell whether a contact is one of the arm with itself; fingers, which meet when they close, are one body for that."""
        a, b = (self._owners[g] for g in self._data.contact[index].geom)
        return a in _NAMES and b in _NAMES and not (a == b == GRIPPER)

    def _hand_places(self, joints: Floats) -> Floats:
        """Return ``(M, 3)`` where the end-effector is [m]."""
        data, rig, places = self._data, self._rig, np.empty((len(joints), 3))
        for index, q in enumerate(joints):
            data.qpos[rig.qpos] = q
            mujoco.mj_kinematics(self._model, data)
            places[index] = data.site_xpos[rig.site]
        data.qpos[:] = self._start
        return places

    def _take(self, *, is_held: bool) -> _Held:
        """Close the fingers on what is between them, and return what that is."""
        data, rig = self._data, self._rig
        owners: frozenset[str] = frozenset()
        for opening in (rig.opening(self._start),) if is_held else _CLOSING:
            data.qpos[rig.fingers] = rig.finger_closed + opening * (rig.finger_open - rig.finger_closed)
            mujoco.mj_kinematics(self._model, data)
            mujoco.mj_collision(self._model, data)
            owners = frozenset(owner for pair in self._pairs() if GRIPPER in pair for owner in pair if owner in self._labels)
            if owners:
                break
        place, turn = data.site_xpos[rig.site].copy(), data.site_xmat[rig.site].reshape(3, 3).copy()
        bodies = []
        for name in owners & self._free.keys():
            address = self._free[name]
            matrix = np.empty(9)
            mujoco.mju_quat2Mat(matrix, data.qpos[address + 3 : address + 7])
            bodies.append((address, turn.T @ (data.qpos[address : address + 3] - place), turn.T @ matrix.reshape(3, 3)))
        return _Held(owners, tuple(bodies))

    def _carry(self, held: _Held) -> None:
        """Move what is held to where the hand is, and look for contacts."""
        data, rig = self._data, self._rig
        mujoco.mj_kinematics(self._model, data)
        if held.bodies:
            place, turn = data.site_xpos[rig.site], data.site_xmat[rig.site].reshape(3, 3)
            for address, offset, rotation in held.bodies:
                data.qpos[address : address + 3] = place + turn @ offset
                quaternion = np.empty(4)
                mujoco.mju_mat2Quat(quaternion, (turn @ rotation).ravel())
                data.qpos[address + 3 : address + 7] = quaternion
            mujoco.mj_kinematics(self._model, data)
        mujoco.mj_collision(self._model, data)

    def _pairs(self) -> list[tuple[str, str]]:
        return [(self._owners[c.geom[0]], self._owners[c.geom[1]]) for c in self._data.contact[: self._data.ncon]]

    def _worst(self, held: _Held, is_meant: bool) -> Touching | None:
        """Return the deepest contact of the arm, or of what it carries, that is not meant."""
        worst: Touching | None = None
        carried = {name for name in held.owners if name in self._free}
        contacts = self._data.contact
        for index in range(self._data.ncon):
            contact = contacts[index]
            first, second = self._owners[contact.geom[0]], self._owners[contact.geom[1]]
            if self._is_own(index):
                if contact.dist < -TOUCH_M and self._bodies(index) not in self._usual:
                    worst = _deeper(worst, Touching("the arm and itself", float(-contact.dist), np.array(contact.frame[:3])))
                continue
            ours = [owner in _NAMES or owner in carried for owner in (first, second)]
            if ours[0] == ours[1] or contact.dist > self._allowed((first, second), held, is_meant):
                continue
            mine, other = (first, second) if ours[0] else (second, first)
            # The normal points from the first geom to the second.
            normal = np.array(contact.frame[:3])
            found = Touching(f"{self._label(mine)} and {self._label(other)}", float(-contact.dist), -normal if ours[0] else normal)
            worst = _deeper(worst, found)
        return worst

    def _allowed(self, pair: tuple[str, str], held: _Held, is_meant: bool) -> float:
        """Return the distance [m] under which a contact of two owners counts."""
        if GRIPPER in pair and (pair[0] in held.owners or pair[1] in held.owners):
            return -np.inf
        other = pair[1] if pair[0] in _NAMES or pair[0] in held.owners else pair[0]
        is_obstacle = other not in self._labels and other != "table"
        if ARM in pair or is_obstacle or not is_meant:
            return SAFE_M if GRIPPER in pair or ARM in pair else 0.0
        # A thing that is to be grasped, put down or touched; the fingers may go along its sides.
        return -TOUCH_M if other == "table" else -np.inf

    def _label(self, owner: str) -> str:
        return _NAMES.get(owner) or self._labels.get(owner) or f"the {owner.replace('_', ' ')}"


def _deeper(one: Touching | None, other: Touching) -> Touching:
    return other if one is None or other.depth_m > one.depth_m else one


def _meant(places: Floats, is_shut: NDArray[np.bool_], end: Floats) -> NDArray[np.bool_]:
    """Return at which places ``(M, 3)`` a touch is meant: near the end, and near where the gripper opens or closes."""
    changes = np.flatnonzero(is_shut[1:] != is_shut[:-1]) + 1
    centres: Sequence[Floats] = [end, *places[changes]]
    gaps = np.linalg.norm(places[:, None] - np.array(centres)[None], axis=-1)
    return np.asarray((gaps <= MEANT_M).any(axis=1))
