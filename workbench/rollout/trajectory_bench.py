"""How fast a path is checked, and how fast a ghost runs it."""

from __future__ import annotations

import time
from statistics import median
from typing import Any, Final

import numpy as np

from workbench.core.types import EpisodeConfig
from workbench.rollout.ghost import run_ghost
from workbench.rollout.path_checks import PathChecker
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.compare import score_path
from workbench.trajectory.paths import SpacePath, cut_path

CONFIG: Final = EpisodeConfig("place_on_plate", 17)
NUM_POINTS: Final = 50
TRAVEL_M: Final = 0.18
"""Height of the way over the table."""
HELD_M: Final = 0.022
"""Height of the gripper over what a cube stands on, when it takes and leaves it."""


def bench_trajectory(rounds: int = 8) -> dict[str, Any]:
    """Return how many times faster than real time a ghost runs a path of 50 points, and how long its feasibility report takes.

    Seconds are processor time of this thread, so that what else the machine does matters little; real time stands beside them.
    """
    simulator = BenchSimulator()
    try:
        simulator.reset(CONFIG)
        path = carrying_path(simulator)
        checker = PathChecker(simulator)
        report = checker.check(path)  # the first one loads the library that times paths
        state = simulator.state()
        speeds, walls, checks = [], [], []
        for _ in range(rounds):
            begun, wall = time.thread_time(), time.perf_counter()
            checker.check(path)
            checks.append((1e3 * (time.thread_time() - begun), 1e3 * (time.perf_counter() - wall)))
            begun = time.thread_time()
            ghost = run_ghost(simulator, path)
            speeds.append(ghost.duration_s / (time.thread_time() - begun))
            walls.append(ghost.times_real_time)
        is_untouched = simulator.state().equals(state)
        score = score_path(path.positions, ghost.positions)
    finally:
        simulator.close()
    return {
        "name": "trajectory",
        "value": median(speeds),
        "unit": "times real time, ghost preview, processor seconds",
        "baseline": 1.0,
        "ratio": median(speeds),
        "n": rounds,
        "details": {
            "times_real_time_by_the_clock": median(walls),
            "check_ms": median(ms for ms, _ in checks),
            "check_ms_by_the_clock": median(ms for _, ms in checks),
            "points": path.num_points,
            "places_checked": len(report.arcs_m),
            "is_feasible": report.is_feasible,
            "ghost_solves_the_task": ghost.is_success,
            "ghost_frechet_m": score.frechet_m,
            "state_bit_equal_afterwards": is_untouched,
        },
    }


def carrying_path(simulator: BenchSimulator, num_points: int = NUM_POINTS) -> SpacePath:
    """Return a path that brings the task's thing to its goal, from where the gripper is: down, up, over, down."""
    world, roles = simulator.world, simulator.instance.roles
    here, pick, place = world.ee_position, world.position(roles["pick"]), world.position(roles["place"])
    take, leave = np.array([pick[0], pick[1], HELD_M]), np.array([place[0], place[1], HELD_M + 0.02])
    over = [np.array([p[0], p[1], TRAVEL_M]) for p in (take, leave)]
    corners = np.array([here, over[0], take, over[0], over[1], leave, over[1]])
    path = SpacePath(corners, np.array([1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0]))
    even = np.linspace(0.0, path.length, num_points - path.num_points + 2)[1:-1]
    return cut_path(path, np.sort(np.concatenate([path.arcs, even])))
