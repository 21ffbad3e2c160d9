"""How fast the simulator steps and draws."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any, Final

import mujoco
import numpy as np

from workbench.core.protocols import Quality
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.cameras import BenchView
from workbench.simulation.robot import PHYSICS_PERIOD_S
from workbench.simulation.simulator import BenchSimulator

TASK: Final = "place_in_bowl"
"""The scene that is measured: an arm, three cubes, a bowl and a plate."""

_PICTURES: Final[Sequence[tuple[Quality, int, int]]] = (("policy", 224, 60), ("live", 480, 60), ("still", 480, 6))
"""Quality, width and height [px], how many are drawn."""
_STILLNESS: Final = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)


def bench_simulation() -> dict[str, Any]:
    """Return the time of one control step, beside that of its bare physics steps; ``ratio`` is ours over bare.

    ``details`` holds the cost of pictures and of inverse kinematics.
    """
    stepping = measure_stepping()
    return {
        "name": "simulation",
        "value": stepping["control_step_ms"],
        "unit": "ms per control step of 50 ms",
        "baseline": stepping["bare_physics_ms"],
        "ratio": stepping["control_step_ms"] / stepping["bare_physics_ms"],
        "n": int(stepping["n"]),
        "details": {"stepping": stepping, "rendering": measure_rendering()},
    }


def measure_stepping(num_steps: int = 200) -> dict[str, float]:
    """Return medians [ms] of a control step and of its bare physics steps, measured alternately, and of inverse kinematics.

    Args:
        num_steps: control steps that are measured.
    """
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig(TASK, 0))
    model, data = simulator.model, mujoco.MjData(simulator.model)
    num_physics = round(1.0 / simulator.control_hz / PHYSICS_PERIOD_S)
    ours, bare, solving = [], [], []
    for index in range(num_steps):
        angle = 2 * np.pi * index / 50
        action = _STILLNESS + np.array([0.01 * np.cos(angle), 0.02 * np.sin(angle), -0.002 * np.cos(angle), 0, 0, 0, 0], dtype=np.float32)
        mujoco.mj_setState(model, data, simulator.state().physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        bare.append(_milliseconds(partial(_step_bare, model, data, num_physics)))
        world = simulator.world
        position, quaternion, joints = world.ee_position + action[:3], world.ee_quaternion, world.joints
        solving.append(_milliseconds(partial(simulator.kinematics.follow, position, quaternion, joints, 0.05)))
        ours.append(_milliseconds(partial(simulator.step, action)))
    simulator.close()
    return {
        "control_step_ms": median(ours),
        "bare_physics_ms": median(bare),
        "inverse_kinematics_ms": median(solving),
        "times_real_time": 50.0 / median(ours),
        "n": float(num_steps),
    }


def measure_rendering(pictures: Sequence[tuple[Quality, int, int]] = _PICTURES) -> dict[str, Mapping[str, float]]:
    """Return for each quality the median time of a picture [ms] and pictures a second, on the front camera.

    Args:
        pictures: quality, width and height [px], and how many are drawn of each.
    """
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig(TASK, 0))
    states = []
    for _ in range(8):
        simulator.step(_STILLNESS + np.array([0.02, 0.01, -0.01, 0, 0, 0, 0], dtype=np.float32))
        states.append(simulator.state().physics)
    view = BenchView(simulator.model)
    found: dict[str, Mapping[str, float]] = {}
    for quality, side, count in pictures:
        camera = CameraRequest("front", side, side)
        view.render(states[0], camera, quality)
        times = [_milliseconds(partial(view.render, states[index % len(states)], camera, quality)) for index in range(count)]
        found[f"{quality} {side}x{side}"] = {"ms": median(times), "fastest_ms": min(times), "per_second": 1000.0 / median(times)}
    view.close()
    simulator.close()
    return found


def _step_bare(model: mujoco.MjModel, data: mujoco.MjData, count: int) -> None:
    for _ in range(count):
        mujoco.mj_step(model, data)


def _milliseconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return 1000.0 * (time.perf_counter() - start)
