"""Other poses of the built-in arm to start an episode from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import mujoco
import numpy as np

from workbench.core.errors import InvalidInput
from workbench.simulation.build import build_model
from workbench.simulation.controllers import WORKSPACE_HIGH
from workbench.simulation.rig import Rig, find_rig
from workbench.simulation.scene import Scene

MAX_RADIUS: Final = 0.6
"""Largest distance of a start from the usual one, over all joints together [rad]."""
_LOWEST: Final = 0.16
"""Height of the end-effector that no thing on the table reaches, nor a cube in the tilted gripper [m]."""
_NUM_TRIES: Final = 200


def draw_start(rng: np.random.Generator, joints: Sequence[float], radius_rad: float) -> tuple[float, ...]:
    """Draw arm angles ``(7,)`` [rad] that are ``radius_rad`` away from ``joints`` in a random direction.

    The end-effector stays over the table and clear of everything on it, and no joint comes to its limit.

    Source: LIBERO-Plus (arXiv:2510.13626), its axis "robot initial states".

    Raises:
        InvalidInput: the radius is negative or too large, or no such pose was found.
    """
    if not 0.0 <= radius_rad <= MAX_RADIUS:
        raise InvalidInput("start, radius_rad", expected=f"a number from 0 to {MAX_RADIUS:g}", found=str(radius_rad))
    usual = np.array(joints, dtype=float)
    for _ in range(_NUM_TRIES):
        direction = rng.standard_normal(len(usual))
        drawn = usual + radius_rad * direction / np.linalg.norm(direction)
        if _is_clear(drawn):
            return tuple(drawn.tolist())
    raise InvalidInput("start", expected="a pose over the table", found="none at that distance", fix="Ask for a smaller radius.")


@lru_cache(maxsize=1)
def _bare_arm() -> tuple[mujoco.MjModel, Rig]:
    model = build_model(Scene(()))
    return model, find_rig(model)


def _is_clear(joints: np.ndarray) -> bool:
    model, rig = _bare_arm()
    if np.any(joints < rig.lower + 0.05) or np.any(joints > rig.upper - 0.05):
        return False
    data = mujoco.MjData(model)
    data.qpos[rig.qpos] = joints
    mujoco.mj_forward(model, data)
    x, y, z = data.site_xpos[rig.site]
    is_inside = 0.22 <= x <= WORKSPACE_HIGH[0] and abs(y) <= WORKSPACE_HIGH[1] and _LOWEST <= z <= WORKSPACE_HIGH[2]
    return bool(is_inside and data.ncon == 0)
