"""Takes the pictures: puts a scene's things and the arm where they shall be, and draws colours and true ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from models.sam2_bench.scenes import FREE_CAMERAS, FREE_KINDS, SetScene, draw_end, draw_names, draw_set
from workbench.core.geometry import quat_from_rotvec, quat_multiply
from workbench.core.types import CameraRequest
from workbench.simulation.build import build_model
from workbench.simulation.cameras import SceneRenderer, make_pinhole
from workbench.simulation.controllers import Kinematics
from workbench.simulation.expert_motion import down_quaternion
from workbench.simulation.props import rest_height
from workbench.simulation.robot import FINGER_RANGE
from workbench.simulation.scene import Scene
from workbench.simulation.world import World

Floats = NDArray[np.float64]

CLIP_LENGTH: Final = 8
"""Frames of a clip."""
_JOINTS: Final = ("slide", "turn", "press")


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture with its truth."""

    rgb: NDArray[np.uint8]
    """``(S, S, 3)``"""
    ids: NDArray[np.uint8]
    """``(S, S)``: 0 for what is no thing, else 1 + index in :attr:`names`."""
    parts: NDArray[np.uint8]
    """``(S, S)``: number of the part of the thing, from 1; 0 for what is no thing."""
    names: tuple[str, ...]
    """The things of the scene: props, ``gripper``, ``arm``."""
    clip: int = -1
    """Which clip of its scene it belongs to; -1 for a picture by itself."""


class Studio:
    """What a process keeps from scene to scene: the arm's kinematics and a GL context."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._kinematics = Kinematics(build_model(Scene(())))
        self._gl = mujoco.GLContext(side, side)
        self._gl.make_current()

    def shoot(self, seed: int, *, num_stills: int, num_clips: int, is_held_out: bool = False) -> list[Shot]:
        """Draw a scene and take its pictures; everything follows from the seed."""
        rng = np.random.default_rng(seed)
        stage = Stage(draw_set(rng, is_held_out=is_held_out), self._kinematics, self._gl, self._side)
        try:
            shots = [stage.still(rng, camera) for camera in draw_names(rng, num_stills)]
            for clip in range(num_clips):
                shots += stage.clip(rng, clip)
        finally:
            stage.close()
        return shots

    def close(self) -> None:
        """Release the GL context."""
        self._gl.free()


class Stage:
    """One scene, ready to be drawn."""

    def __init__(self, drawn: SetScene, kinematics: Kinematics, gl: mujoco.GLContext, side: int) -> None:
        self._drawn, self._kinematics, self._side = drawn, kinematics, side
        self._model = build_model(drawn.scene)
        self._data = mujoco.MjData(self._model)
        self._free = drawn.cameras
        self._renderer = SceneRenderer(self._model, self._free, gl=gl)
        self._home = np.array(drawn.scene.arm_joints)
        owners = World(self._model, self._data, drawn.scene, kinematics.rig, lambda: 1.0).geom_owners
        self._names = (*(p.name for p in drawn.scene.props), "gripper", "arm")
        self._things, self._parts = _tables(self._model, owners, self._names)
        self._put_things()

    def close(self) -> None:
        """Release what draws."""
        self._renderer.close()

    def still(self, rng: np.random.Generator, camera: str) -> Shot:
        """Take one picture with the arm anywhere."""
        self._put_arm(self._reach(*draw_end(rng)), float(rng.random()))
        return self._shoot(rng, camera)

    def clip(self, rng: np.random.Generator, number: int) -> list[Shot]:
        """Take a few pictures in a row: the arm moves, often past a thing, perhaps carrying one; other things slide."""
        camera = str(rng.choice(["front", "top", FREE_CAMERAS[0]], p=[0.6, 0.15, 0.25]))
        path = self._draw_path(rng, camera)
        slides = self._draw_slides(rng)
        carried = self._draw_carried(rng)
        opening, shots = float(rng.random()), []
        for joints in path:
            self._put_arm(joints, opening)
            for name, step in slides.items():
                pose = self._data.joint(f"{name}/free").qpos
                pose[:2] = np.clip(pose[:2] + step[:2], (0.24, -0.40), (0.76, 0.40))
                pose[3:] = quat_multiply(quat_from_rotvec(np.array([0.0, 0.0, step[2]])), pose[3:])
            if carried is not None:
                self._data.joint(f"{carried}/free").qpos[:3] = self._data.site_xpos[self._kinematics.rig.site]
            shots.append(self._shoot(rng, camera, number))
        return shots

    def _put_things(self) -> None:
        mujoco.mj_resetData(self._model, self._data)
        for prop, height in zip(self._drawn.scene.props, self._drawn.heights, strict=True):
            if prop.kind in FREE_KINDS:
                self._data.joint(f"{prop.name}/free").qpos[2] = rest_height(prop) + height
            for joint in _JOINTS:
                index = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_JOINT, f"{prop.name}/{joint}")
                if prop.opening and index >= 0:
                    self._data.joint(index).qpos[0] = prop.opening

    def _reach(self, position: Floats, yaw: float) -> Floats:
        """Return joint angles that bring the end-effector about there."""
        return self._kinematics.solve(position, down_quaternion(yaw), self._home, num_iterations=25).joints

    def _put_arm(self, joints: Floats, opening: float) -> None:
        for index, angle in enumerate(joints, start=1):
            self._data.joint(f"robot/joint{index}").qpos[0] = angle
        for side in ("left", "right"):
            self._data.joint(f"robot/finger_{side}").qpos[0] = opening * FINGER_RANGE
        mujoco.mj_kinematics(self._model, self._data)

    def _draw_path(self, rng: np.random.Generator, camera: str) -> list[Floats]:
        """Draw joint angles of each frame: from somewhere to somewhere, two times of three through the view of a thing."""
        ends = [self._reach(*draw_end(rng)) for _ in range(2)]
        middle = self._reach(*(self._before(rng, camera) if rng.random() < 0.67 else draw_end(rng)))
        knots, times = np.stack([ends[0], middle, ends[1]]), np.sort(rng.uniform(0.0, 1.0, 2))
        if times[1] - times[0] < 0.3:
            times = np.array([0.0, 1.0])
        share = np.linspace(times[0], times[1], CLIP_LENGTH)
        return [np.array([np.interp(s, (0.0, 0.5, 1.0), knots[:, j]) for j in range(knots.shape[1])]) for s in share]

    def _before(self, rng: np.random.Generator, camera: str) -> tuple[Floats, float]:
        """Draw an end-effector pose between a thing and the camera."""
        props = self._drawn.scene.props
        prop = props[int(rng.integers(len(props)))]
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        eye = make_pinhole(self._model, self._data, CameraRequest(camera), self._free).T_world_camera[:3, 3]
        thing = np.array([prop.x, prop.y, 0.03])
        point = thing + rng.uniform(0.05, 0.35) * (eye - thing)
        return np.clip(point, (0.3, -0.35, 0.03), (0.70, 0.35, 0.45)), float(rng.uniform(-1.3, 2.5))

    def _draw_slides(self, rng: np.random.Generator) -> dict[str, Floats]:
        """Draw which things move on the table, and by how much a frame: x, y [m], turn [rad]."""
        able = [p.name for p in self._drawn.scene.props if p.kind in FREE_KINDS]
        chosen = [name for name in able if rng.random() < 0.35]
        return {name: np.append(rng.normal(0.0, 0.014, 2), rng.normal(0.0, 0.12)) for name in chosen}

    def _draw_carried(self, rng: np.random.Generator) -> str | None:
        able = [p.name for p in self._drawn.scene.props if p.kind in FREE_KINDS and p.kind.value not in ("plate", "bowl", "puck")]
        return str(rng.choice(able)) if able and rng.random() < 0.45 else None

    def _shoot(self, rng: np.random.Generator, camera: str, clip: int = -1) -> Shot:
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        request = CameraRequest(camera, self._side, self._side)
        rgb = self._renderer.rgb(self._data, request, "live" if rng.random() < 0.5 else "policy")
        geoms = self._renderer.geom_ids(self._data, request)
        return Shot(np.ascontiguousarray(rgb), self._things[geoms], self._parts[geoms], self._names, clip)


def _tables(model: mujoco.MjModel, owners: Sequence[str], names: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return for each geom, and at the end for none, the number of its thing and of its part; parts are bodies and large marks."""
    things, parts = np.zeros(model.ngeom + 1, np.uint8), np.zeros(model.ngeom + 1, np.uint8)
    seen: dict[str, dict[str, int]] = {name: {} for name in names}
    for geom, owner in enumerate(owners):
        if owner not in seen:
            continue
        label = model.geom(geom).name.rstrip("0123456789") or str(int(model.geom_bodyid[geom]))
        things[geom] = 1 + list(names).index(owner)
        parts[geom] = seen[owner].setdefault(label, 1 + len(seen[owner]))
    return things, parts
