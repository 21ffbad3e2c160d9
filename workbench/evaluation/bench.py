"""What a campaign costs beside the bare loop of the same calls, and what a second Ray worker gains."""

from __future__ import annotations

import time
from statistics import median
from typing import Any, Final

import numpy as np

from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput, MissingDependency
from workbench.core.protocols import Policy, PolicyFactory, Simulator
from workbench.core.types import EpisodeConfig, Prompt
from workbench.evaluation.campaign import Cell, Trial
from workbench.evaluation.episodes import CONTROL_HZ
from workbench.evaluation.ray_runner import LOCAL, RayRunner, import_ray
from workbench.evaluation.worker import TrialWorker, WorkerSetup
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.simulator import BenchSimulator

TASKS: Final = ("place_on_plate", "stack", "push_to_zone", "open_drawer")
FIRST_SEED: Final = 2_000
RAY_TRIALS: Final = 24


def _load_expert() -> PolicyFactory:
    def make(simulator: Simulator) -> Policy:
        if not isinstance(simulator, BenchSimulator):
            raise InvalidInput("scripted expert", expected="the bench simulator", found=simulator.spec.name)
        return ScriptedExpert(simulator)

    return make


SCRIPTED: Final[Catalog[PolicyFactory]] = Catalog("policy")
SCRIPTED.add("expert", _load_expert, "costs next to nothing beside the simulator")
SETUP: Final = WorkerSetup("workbench.evaluation.bench:SCRIPTED", has_tape=True)


def bench_campaign(repeats: int = 4) -> dict[str, Any]:
    """Return control steps a second of the serial runner beside a bare loop of the same calls, measured alternately; ``ratio`` is ours over bare.

    ``details`` holds the gain of a second Ray worker where Ray is installed.
    """
    ours, bare = measure_serial(repeats)
    return {
        "name": "campaign",
        "value": median(ours),
        "unit": "control steps per second, trials taped",
        "baseline": median(bare),
        "ratio": median([a / b for a, b in zip(ours, bare, strict=True)]),
        "n": repeats * len(TASKS),
        "details": {"ray": measure_ray()},
    }


def measure_serial(repeats: int) -> tuple[list[float], list[float]]:
    """Return control steps a second of each trial by a worker, and of the bare loop on the same seeds."""
    worker, simulator = TrialWorker(SETUP), BenchSimulator()
    ours, bare = [], []
    try:
        worker.run(Trial("expert", TASKS[0], "words", FIRST_SEED))
        for index in range(repeats):
            for task in TASKS:
                seed = FIRST_SEED + index
                begun = time.perf_counter()
                num_steps = worker.run(Trial("expert", task, "words", seed)).result.num_steps
                ours.append(num_steps / (time.perf_counter() - begun))
                begun = time.perf_counter()
                num_steps = run_bare(simulator, task, seed)
                bare.append(num_steps / (time.perf_counter() - begun))
    finally:
        worker.close()
        simulator.close()
    return ours, bare


def run_bare(simulator: BenchSimulator, task: str, seed: int) -> int:
    """Reset, observe, ask, step, until the task is solved; return the number of control steps."""
    simulator.reset(EpisodeConfig(task, seed, control_hz=CONTROL_HZ))
    expert, rng = ScriptedExpert(simulator), np.random.default_rng(seed)
    for step in range(round(simulator.task.time_limit_s * CONTROL_HZ)):
        observation = simulator.observe(())
        if simulator.step(expert.act(observation, Prompt(), rng).actions[0]).is_success:
            return step + 1
    return step + 1


def measure_ray() -> dict[str, Any]:
    """Return trials a second of one and of two local Ray workers, start-up left out, and their ratio; or why there is none."""
    try:
        import_ray()
    except MissingDependency as error:
        return {"skipped": str(error)}
    rates = {workers: _ray_rate(workers) for workers in (1, 2)}
    return {"one_per_s": rates[1], "two_per_s": rates[2], "ratio": rates[2] / rates[1], "trials": RAY_TRIALS}


def _ray_rate(workers: int) -> float:
    trials = Cell("expert", TASKS[0], "words", tuple(range(FIRST_SEED, FIRST_SEED + RAY_TRIALS))).trials()
    ends = [time.perf_counter() for _ in RayRunner(SETUP, LOCAL, workers).run(trials)]
    skipped = 2 * workers  # the first ones wait for the workers to start
    return (len(ends) - skipped) / (ends[-1] - ends[skipped - 1])
