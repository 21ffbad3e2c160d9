"""Where things are, for rules and answers; the truth of a simulator that tells it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.core.protocols import Simulator
from workbench.simulation.scene import TaskInstance


def places_of(simulator: Simulator) -> dict[str, NDArray[np.float64]]:
    """Return the name of each thing on the table and its position ``(3,)`` [m]; nothing where the simulator does not tell.

    Things of one name get numbers.
    """
    world, instance = getattr(simulator, "world", None), getattr(simulator, "instance", None)
    if world is None or not isinstance(instance, TaskInstance):
        return {}
    found: dict[str, NDArray[np.float64]] = {}
    for prop in instance.scene.props:
        label, number = prop.label, 2
        while label in found:
            label, number = f"{prop.label} {number}", number + 1
        found[label] = np.asarray(world.position(prop.name), dtype=np.float64)
    return found
