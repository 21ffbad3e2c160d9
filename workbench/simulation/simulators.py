"""The catalogue of simulators; each entry imports what it needs only when it is asked for."""

from __future__ import annotations

from typing import Final

from workbench.core.catalog import Catalog
from workbench.core.protocols import Simulator


def _load_bench() -> Simulator:
    from workbench.simulation.simulator import BenchSimulator

    return BenchSimulator()


def _load_gym() -> Simulator:
    from workbench.simulation.gym_env import GymSimulator

    return GymSimulator()


SIMULATORS: Final[Catalog[Simulator]] = Catalog("simulator")
SIMULATORS.add("bench", _load_bench, "our own scenes and tasks on a table")
SIMULATORS.add("gym", _load_gym, "any Gymnasium environment on MuJoCo with a camera; the task is the environment's id")
