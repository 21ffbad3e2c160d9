"""The arm as a chain of points, for drawing a see-through robot over any picture."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.simulation.rig import find_rig
from workbench.simulation.simulator import STATE, BenchSimulator


def skeletons(simulator: BenchSimulator, physics: Sequence[NDArray[np.float64]], count: int) -> tuple[NDArray[np.float64], list[int]]:
    """Return ``(K, n + 1, 3)`` world points [m] of the joints and the end-effector, for at most ``count`` of some states, and which.

    Args:
        simulator: of the scene; nothing of it is written.
        physics: the ``physics`` part of states of that scene.
        count: how many are wanted, evenly, the first and the last among them.
    """
    model = simulator.model
    rig, data = find_rig(model), mujoco.MjData(model)
    chosen = sorted({round(i) for i in np.linspace(0, len(physics) - 1, min(count, len(physics)))})
    found = []
    for index in chosen:
        mujoco.mj_setState(model, data, np.ascontiguousarray(physics[index]), STATE)
        mujoco.mj_kinematics(model, data)
        found.append(np.vstack([data.xanchor[rig.joints], data.site_xpos[rig.site]]))
    return np.array(found), chosen
