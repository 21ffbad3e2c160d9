"""How often the scripted expert solves each task: physics only, no pictures.

``python -m workbench.simulation.expert_rates [--tasks NAME ...] [--seeds N] [--first SEED] [--processes 1|2] [--json]``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from math import sqrt
from typing import Final

import numpy as np

from workbench.core.types import EpisodeConfig, Prompt
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

FIRST_SEED: Final = 1_000_000
"""First seed of published figures."""
MAX_PROCESSES: Final = 2


@dataclass(frozen=True)
class ExpertTrial:
    """One seeded episode."""

    seed: int
    is_success: bool
    """Solved, and left solved: the expert said that it had finished."""
    num_steps: int


@dataclass(frozen=True)
class SolveRate:
    """Outcome of a task over several seeds."""

    task: str
    n: int
    successes: int
    low: float
    """Ends of the 95 % Wilson interval of the success rate."""
    high: float
    mean_steps: float
    """Over the solved seeds."""
    time_limit_s: float
    control_hz: float
    failed_seeds: tuple[int, ...]


def run_trial(simulator: BenchSimulator, task: str, seed: int, *, control_hz: float = 20.0) -> ExpertTrial:
    """Let the expert play one episode until it says that it has finished, or the task's time is over."""
    simulator.reset(EpisodeConfig(task, seed, control_hz=control_hz))
    expert, rng = ScriptedExpert(simulator), np.random.default_rng(seed)
    expert.reset(rng)
    limit = round(simulator.task.time_limit_s * control_hz)
    for step in range(limit):
        chunk = expert.act(simulator.observe(()), Prompt(), rng)
        if chunk.scores["done"]:
            return ExpertTrial(seed, True, step)
        simulator.step(chunk.actions[0])
    return ExpertTrial(seed, False, limit)


def solve_rate(task: str, seeds: Iterable[int], *, control_hz: float = 20.0) -> SolveRate:
    """Count how many of ``seeds`` the scripted expert solves within the task's time limit."""
    simulator = BenchSimulator()
    try:
        trials = [run_trial(simulator, task, seed, control_hz=control_hz) for seed in seeds]
    finally:
        simulator.close()
    solved = [t for t in trials if t.is_success]
    low, high = _wilson(len(solved), len(trials))
    mean_steps = float(np.mean([t.num_steps for t in solved])) if solved else float("nan")
    failed = tuple(t.seed for t in trials if not t.is_success)
    return SolveRate(task, len(trials), len(solved), low, high, mean_steps, TASKS.load(task).time_limit_s, control_hz, failed)


def solve_rates(
    tasks: Sequence[str],
    seeds: Sequence[int],
    *,
    control_hz: float = 20.0,
    num_processes: int = 1,
    on_rate: Callable[[SolveRate], None] = lambda rate: None,
) -> list[SolveRate]:
    """Measure several tasks, in as many processes as asked for, at most two; ``on_rate`` is told of each task in turn."""
    measure = partial(solve_rate, seeds=list(seeds), control_hz=control_hz)
    rates = []
    if num_processes < 2:
        for rate in map(measure, tasks):
            on_rate(rate)
            rates.append(rate)
        return rates
    with ProcessPoolExecutor(min(num_processes, MAX_PROCESSES)) as pool:
        for rate in pool.map(measure, tasks):
            on_rate(rate)
            rates.append(rate)
    return rates


def to_document(rates: Sequence[SolveRate]) -> dict[str, object]:
    """Return the result as a JSON-able document."""
    return {"name": "expert", "cells": [asdict(rate) for rate in rates]}


def _wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a rate."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, successes / n
    middle, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n))


def _show(rate: SolveRate) -> None:
    failed = f", failed {list(rate.failed_seeds)}" if rate.failed_seeds else ""
    print(
        f"{rate.task:17s} {rate.successes:3d} of {rate.n} (95 % {100 * rate.low:.1f} to {100 * rate.high:.1f}), "
        f"{rate.mean_steps:5.0f} steps{failed}",
        file=sys.stderr,
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit status 0 when every task was solved on 98 of 100 seeds or better."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.simulation.expert_rates", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    names = [entry.name for entry in TASKS]
    parser.add_argument("--tasks", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="first seed")
    parser.add_argument("--hz", type=float, default=20.0, help="control rate")
    parser.add_argument("--processes", type=int, choices=(1, MAX_PROCESSES), default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    rates = solve_rates(options.tasks, seeds, control_hz=options.hz, num_processes=options.processes, on_rate=_show)
    if options.json:
        print(json.dumps(to_document(rates)))
    return 0 if all(rate.successes >= 0.98 * rate.n for rate in rates) else 1


if __name__ == "__main__":
    raise SystemExit(main())
