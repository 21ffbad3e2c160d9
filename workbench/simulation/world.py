"""Read-only truth about the present scene, by prop name: what tasks judge and the scripted expert sees."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import UnknownName
from workbench.core.geometry import quat_from_matrix
from workbench.simulation.rig import Rig, is_below
from workbench.simulation.robot import ROBOT_PREFIX
from workbench.simulation.scene import Prop, PropKind, Scene

GRIPPER: Final = "gripper"
"""Name of the hand and fingers for contacts."""
ARM: Final = "arm"
"""Name of the rest of the robot for contacts."""

_JOINTS: Final = {PropKind.DRAWER: "slide", PropKind.BUTTON: "press", PropKind.KNOB: "turn"}

Floats = NDArray[np.float64]


class World:
    """The truth of one simulator's data; valid until the simulator builds another scene."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, scene: Scene, rig: Rig, gripper_command: Callable[[], float]) -> None:
        self.scene = scene
        self._model, self._data, self._rig, self._gripper_command = model, data, rig, gripper_command
        self._bodies = {prop.name: model.body(prop.name).id for prop in scene.props}
        self.geom_owners = geom_owners(model, scene, rig)
        """For each geom the name of its prop, ``gripper``, ``arm``, ``table`` or ``floor``."""
        self._initial: World | None = None
        self.progress: Floats = np.zeros(0)
        """What the task remembers, ``(num_progress,)``; the simulator keeps it in its state."""

    def snapshot(self) -> World:
        """Return a copy that stays as it is."""
        command = self._gripper_command()
        world = World(self._model, copy.copy(self._data), self.scene, self._rig, lambda: command)
        world.progress = self.progress.copy()
        return world

    def mark_start(self) -> None:
        """Remember the present moment as :attr:`initial`."""
        self._initial = self.snapshot()

    @property
    def initial(self) -> World:
        """The world at the start of the episode."""
        assert self._initial is not None, "mark_start was not called"
        return self._initial

    @property
    def time_s(self) -> float:
        """Simulated time [s]."""
        return float(self._data.time)

    def prop(self, name: str) -> Prop:
        """Return a prop's description; ``x``, ``y`` and ``yaw`` in it are those of the start."""
        self._body(name)
        return self.scene.prop(name)

    def position(self, name: str) -> Floats:
        """Return ``(3,)``, the origin of a prop in the world [m].

        The origin is the centre of cubes, blocks and pucks, and the middle of the foot of everything else.
        """
        return self._data.xpos[self._body(name)].copy()

    def quaternion(self, name: str) -> Floats:
        """Return ``(4,)`` wxyz, prop to world."""
        return self._data.xquat[self._body(name)].copy()

    def yaw(self, name: str) -> float:
        """Return the angle of the prop's x axis about world +Z [rad], in (-pi, pi]."""
        matrix = self._data.xmat[self._body(name)].reshape(3, 3)
        return float(np.arctan2(matrix[1, 0], matrix[0, 0]))

    def joint(self, name: str) -> float:
        """Return the joint position of a drawer [m], button [m] or knob [rad]."""
        kind = self.prop(name).kind
        if kind not in _JOINTS:
            raise UnknownName("prop with a joint", name, [p.name for p in self.scene.props if p.kind in _JOINTS])
        return float(self._data.joint(f"{name}/{_JOINTS[kind]}").qpos[0])

    def part_position(self, name: str, part: str) -> Floats:
        """Return ``(3,)``, the centre of a prop's part in the world [m], for example ``handle``, ``cap`` or ``bar``."""
        self._body(name)
        return self._data.geom(f"{name}/{part}").xpos.copy()

    def speed(self, name: str) -> float:
        """Return the linear speed of a prop [m/s]."""
        return float(np.linalg.norm(self._velocity(mujoco.mjtObj.mjOBJ_BODY, self._body(name))))

    def is_touching(self, a: str, b: str) -> bool:
        """Tell whether two things touch: names of props, ``gripper``, ``arm`` or ``table``."""
        return any({a, b} == {first, second} for first, second, _, _ in self._contacts())

    def touched_by(self, name: str) -> frozenset[str]:
        """Return the names of the props that ``gripper``, ``arm`` or a prop touches."""
        pairs = [{first, second} for first, second, _, _ in self._contacts()]
        return frozenset(other for pair in pairs if name in pair for other in pair - {name} if other in self._bodies)

    def is_held(self, name: str) -> bool:
        """Tell whether a prop is between the fingers: touched by two bodies of the gripper, fingers on opposite sides."""
        forces: dict[int, Floats] = {}
        force = np.zeros(6)
        for index, contact in enumerate(self._data.contact[: self._data.ncon]):
            owners = [self.geom_owners[g] for g in contact.geom]
            if set(owners) != {name, GRIPPER}:
                continue
            mujoco.mj_contactForce(self._model, self._data, index, force)
            side = owners.index(GRIPPER)
            body = int(self._model.geom_bodyid[contact.geom[side]])
            sign = 1.0 if side == 0 else -1.0
            forces[body] = forces.get(body, np.zeros(3)) + sign * force[0] * contact.frame[:3]
        pushes = [f / np.linalg.norm(f) for f in forces.values() if np.linalg.norm(f) > 0.1]
        return any(float(a @ b) < -0.5 for i, a in enumerate(pushes) for b in pushes[i + 1 :])

    @property
    def ee_position(self) -> Floats:
        """``(3,)``, the end-effector in the world [m]."""
        return self._data.site_xpos[self._rig.site].copy()

    @property
    def ee_quaternion(self) -> Floats:
        """``(4,)`` wxyz, end-effector to world."""
        return quat_from_matrix(self._data.site_xmat[self._rig.site].reshape(3, 3))

    @property
    def ee_speed(self) -> float:
        """Linear speed of the end-effector [m/s]."""
        return float(np.linalg.norm(self._velocity(mujoco.mjtObj.mjOBJ_SITE, self._rig.site)))

    @property
    def joints(self) -> Floats:
        """``(n,)`` arm joint angles [rad]."""
        return self._data.qpos[self._rig.qpos].copy()

    @property
    def gripper(self) -> float:
        """Measured opening, 0 closed to 1 open."""
        return self._rig.opening(self._data.qpos)

    @property
    def gripper_command(self) -> float:
        """Commanded opening, 0 closed to 1 open."""
        return self._gripper_command()

    def _body(self, name: str) -> int:
        if name not in self._bodies:
            raise UnknownName("prop", name, self._bodies)
        return self._bodies[name]

    def _velocity(self, kind: mujoco.mjtObj, index: int) -> Floats:
        velocity = np.zeros(6)
        mujoco.mj_objectVelocity(self._model, self._data, kind, index, velocity, 0)
        return velocity[3:]

    def _contacts(self) -> list[tuple[str, str, int, int]]:
        found = []
        for contact in self._data.contact[: self._data.ncon]:
            if contact.dist > 0.0005:
                continue
            first, second = int(contact.geom[0]), int(contact.geom[1])
            found.append((self.geom_owners[first], self.geom_owners[second], first, second))
        return found


def geom_owners(model: mujoco.MjModel, scene: Scene, rig: Rig) -> list[str]:
    """Return for each geom the name of the prop, ``gripper``, ``arm``, or of the geom itself up to the first slash."""
    names = {prop.name for prop in scene.props}
    owners = []
    for geom in range(model.ngeom):
        name = model.geom(geom).name
        body = model.body(int(model.geom_bodyid[geom])).name
        head = name.split("/")[0]
        if name.startswith(ROBOT_PREFIX) or body.startswith(ROBOT_PREFIX):
            owners.append(GRIPPER if is_below(model, int(model.geom_bodyid[geom]), rig.hand) else ARM)
        else:
            owners.append(head if head in names or head else body)
    return owners
