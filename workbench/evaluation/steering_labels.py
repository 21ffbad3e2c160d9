"""What the simulator knows about a moment, as labels for probes: height, speed, distance to the target, gripper, contact, success."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.types import SimState
from workbench.evaluation.drawing import aim_point
from workbench.evaluation.funnel import target_of
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import GRIPPER


@dataclass(frozen=True)
class Label:
    """A quantity that a probe may learn to read."""

    title: str
    unit: str
    is_binary: bool = False


LABELS: Final[Mapping[str, Label]] = {
    "height": Label("Height of the end-effector", "m"),
    "speed": Label("Speed of the end-effector", "m/s"),
    "distance": Label("Distance of the end-effector to the thing that is meant", "m"),
    "gripper": Label("Opening of the gripper, 0 closed to 1 open", ""),
    "contact": Label("The gripper touches the thing that is meant", "", is_binary=True),
    "success": Label("The episode will be solved", "", is_binary=True),
}
"""By name. ``success`` is known at the end of an episode only, and is the same for all its moments."""


def label_now(simulator: BenchSimulator) -> dict[str, float]:
    """Return every label of the present state but ``success``; binary ones as 0 and 1."""
    world, target = simulator.world, target_of(simulator)
    return {
        "height": float(world.ee_position[2]),
        "speed": world.ee_speed,
        "distance": float(np.linalg.norm(world.ee_position - aim_point(world, target))),
        "gripper": float(world.gripper),
        "contact": float(world.is_touching(GRIPPER, target)),
    }


def label_states(simulator: BenchSimulator, states: Iterable[SimState], *, is_success: bool) -> dict[str, NDArray[np.float64]]:
    """Return every label ``(n,)`` of some states of a stored episode.

    Args:
        simulator: reset to the episode's configuration; it stands at the last of the states afterwards.
        states: in any order.
        is_success: how the episode ended.
    """
    rows = []
    for state in states:
        simulator.restore(state)
        rows.append(label_now(simulator) | {"success": float(is_success)})
    return {name: np.array([row[name] for row in rows]) for name in LABELS}
