"""Shadows for the live picture: every shape drawn once more, flattened onto the table along the light.

A shadow map costs ten times the picture in software rendering; a flattened copy of each shape costs as much as the shape.
"""

from __future__ import annotations

from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.simulation.robot import ROBOT_PREFIX

_HEIGHT: Final = 0.0003
"""Above the table top, below the flat marks that lie on it [m]."""
_FLATNESS: Final = 1e-4
"""What is left of heights; not zero, so that surfaces keep a normal that points up."""
_DARKNESS: Final = 0.62
_SHAPES: Final = frozenset(int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}")) for name in ("BOX", "CAPSULE", "CYLINDER", "SPHERE", "ELLIPSOID"))


class FlatShadows:
    """Adds shadows on a table to drawn scenes of one model."""

    def __init__(self, model: mujoco.MjModel, table: str, light: str) -> None:
        """Take the names of the box that shadows fall on and of the directional light."""
        board = model.geom(table)
        direction = model.light(light).dir
        x_slope, y_slope = -direction[0] / direction[2], -direction[1] / direction[2]
        self._flatten = np.array([[1, 0, x_slope], [0, 1, y_slope], [0, 0, _FLATNESS]])
        self._low = (board.pos - board.size)[:2]
        self._high = (board.pos + board.size)[:2]
        self._rgba = np.array([*(_DARKNESS * board.rgba[:3]), 1.0], dtype=np.float32)
        self._casters = np.array([g for g in range(model.ngeom) if _casts(model, g)], dtype=np.int64)
        self._types = [int(t) for t in model.geom_type[self._casters]]
        self._sizes = model.geom_size[self._casters].copy()

    def add(self, data: mujoco.MjData, scene: mujoco.MjvScene) -> None:
        """Add the shadows of the present moment to a scene that was just updated."""
        positions = data.geom_xpos[self._casters] @ self._flatten.T  # (N, 3)
        positions[:, 2] += _HEIGHT
        matrices: NDArray[np.float64] = self._flatten @ data.geom_xmat[self._casters].reshape(-1, 3, 3)
        is_on_table = np.all((positions[:, :2] > self._low) & (positions[:, :2] < self._high), axis=1)
        geoms = scene.geoms[scene.ngeom :]
        for geom, index in zip(geoms, np.flatnonzero(is_on_table), strict=False):
            mujoco.mjv_initGeom(geom, self._types[index], self._sizes[index], positions[index], matrices[index].ravel(), self._rgba)
            scene.ngeom += 1


def _casts(model: mujoco.MjModel, geom: int) -> bool:
    """Tell whether a geom throws a shadow: what can be touched, and the robot's foot."""
    if int(model.geom_type[geom]) not in _SHAPES:
        return False
    if model.geom_bodyid[geom] == 0:
        return False
    can_touch = bool(model.geom_contype[geom] or model.geom_conaffinity[geom])
    return can_touch or model.geom(geom).name == f"{ROBOT_PREFIX}base/look1"
