"""The path that a person would drag on the picture for a task: the expert's own, from the present state to the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.geometry import Pinhole
from workbench.core.polylines import simplify_indices
from workbench.core.types import CameraRequest, Prompt, Trace
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.manner import MANNERS, PLAIN
from workbench.simulation.simulator import BenchSimulator

TRACE_CAMERA: Final = "front"
TRACE_PX: Final = 256
"""Side of the frame that traces are given in [px]."""
TRACE_TASKS: Final = (
    "touch",
    "push_to_zone",
    "pick",
    "place_on_plate",
    "place_in_bowl",
    "press_button",
    "open_drawer",
    "close_drawer",
    "stack",
    "ambiguous_cubes",
    "ambiguous_plates",
)
"""Tasks that a path tells without any words; a turn on the spot leaves no path."""
_MIN_STEP: Final = 0.001
"""Samples nearer than this to the one before, without a change of the opening, are left out [m]."""
_TOLERANCE: Final = 0.008
"""How far a simplified path may lie beside the driven one [m]."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlannedPath:
    """What the expert drives from a state to the end of the task."""

    positions: Floats
    """``(N, 3)`` end-effector in the world [m]."""
    openings: Floats
    """``(N,)`` commanded opening, 0 shut .. 1 open, on the way to and at each of them."""


def plan_path(simulator: BenchSimulator, manner: str = PLAIN) -> PlannedPath:
    """Let the expert play the task from the present state, and put that state back exactly."""
    before = simulator.state()
    expert, rng = ScriptedExpert(simulator, manner=MANNERS[manner]), np.random.default_rng(0)
    positions, openings = [simulator.world.ee_position], [float(simulator.world.gripper_command)]
    try:
        for _ in range(round(simulator.task.time_limit_s * simulator.control_hz)):
            chunk = expert.act(simulator.observe(()), Prompt(), rng)
            if chunk.scores["done"]:
                break
            simulator.step(chunk.actions[0])
            opening = float(chunk.actions[0, 6])
            position = simulator.world.ee_position
            if opening != openings[-1] or np.linalg.norm(position - positions[-1]) >= _MIN_STEP:
                positions.append(position)
                openings.append(opening)
    finally:
        simulator.restore(before)
    return PlannedPath(np.array(positions), np.array(openings))


def trace_of(path: PlannedPath, pinhole: Pinhole, *, has_depth: bool = True) -> Trace:
    """Return a path on a picture: its corners, with the opening wanted at each, and their depths."""
    kept = _corners(path)
    pixels, depths = pinhole.project(path.positions[kept])
    return Trace(
        pinhole.name,
        pinhole.width,
        pinhole.height,
        tuple((float(u), float(v)) for u, v in pixels),
        depths_m=tuple(float(d) for d in depths) if has_depth else None,
        gripper=tuple(float(o) for o in path.openings[kept]),
    )


def trace_pinhole(simulator: BenchSimulator) -> Pinhole:
    """Return the camera on which traces are drawn."""
    request = CameraRequest(TRACE_CAMERA, TRACE_PX, TRACE_PX)
    return simulator.observe((request,)).cameras[TRACE_CAMERA]


def _corners(path: PlannedPath) -> list[int]:
    """Return the samples that a simplified path keeps: ends, changes of the opening, corners."""
    changes = np.flatnonzero(np.diff(path.openings)) + 1
    ends = [0, *(int(c) for c in changes), len(path.openings) - 1]
    return simplify_indices(path.positions, _TOLERANCE, fixed=ends)
