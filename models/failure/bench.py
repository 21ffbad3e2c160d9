"""``bench watching``: what watching adds to a call of the policy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch

from models.bench_vla.policy import load_policy
from models.failure.checkpoint import KINDS, FailureModel, network_arrays
from models.steering import as_steerable
from workbench.core.calls import PolicyCall
from workbench.core.types import ACTION_DIM, EpisodeConfig, Prompt
from workbench.failure.features import Pooling
from workbench.failure.networks import CumulativeMlp, StepLstm
from workbench.simulation.simulator import BenchSimulator
from workbench.steering.policy import SteeredPolicy

_ROUNDS: Final = 100
_WARM_UP: Final = 10
_CALLS: Final = 300
_REFERENCES: Final = 128


def bench_watching() -> dict[str, Any]:
    """Measure the score of one call by the LSTM, the costliest detector, beside the call of the policy that it is about.

    The sizes are those of a trained detector; what it was trained on does not matter to time.
    """
    simulator = BenchSimulator()
    try:
        instruction = simulator.reset(EpisodeConfig("place_on_plate", 0))
        policy = SteeredPolicy(as_steerable(load_policy(simulator)))
        seen = simulator.observe(policy.spec.cameras)
        observation = replace(seen, images={camera.name: seen.images[camera.name] for camera in policy.spec.cameras})
    finally:
        simulator.close()
    rng, heard = np.random.default_rng(0), list[PolicyCall]()

    def ask() -> None:
        policy.act(observation, Prompt(instruction), rng)

    def ask_and_hear() -> None:
        policy.hear(lambda call: heard.append(call) or {})  # type: ignore[func-returns-value]
        ask()
        policy.hear(None)

    bare, listened = _in_turn(ask, ask_and_hear)
    model = untrained_model(heard[0].tokens.shape[1])
    detectors = {name: _score_ms(model, name, heard[-1]) for name in KINDS}
    value, baseline = detectors["lstm"], statistics.median(bare)
    return {
        "name": "watching",
        "value": round(value, 3),
        "unit": "ms a call, score of the LSTM",
        "baseline": round(baseline, 2),
        "ratio": round(value / baseline, 4),
        "n": _CALLS,
        "details": {
            "baseline_is": "a call of the policy that nobody watches",
            "reading_ms": round(statistics.median(listened) - baseline, 3),
            "detectors_ms": {name: round(ms, 3) for name, ms in detectors.items()},
            "limit_ms": 1.0,
            "threads": torch.get_num_threads(),
        },
    }


def untrained_model(width: int) -> FailureModel:
    """Return a model of the usual sizes that knows nothing."""
    rng = np.random.default_rng(0)
    arrays = network_arrays("lstm", StepLstm(width)) | network_arrays("mlp", CumulativeMlp(width))
    near = {name: rng.normal(size=(_REFERENCES, width)).astype(np.float16) for name in ("successes", "failures")}
    return FailureModel("", Pooling.MEAN, {**arrays, **near, "scale": np.ones(ACTION_DIM, dtype=np.float32)}, {})


def _in_turn(first: Callable[[], None], second: Callable[[], None]) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    for index in range(_WARM_UP + _ROUNDS):
        for kept, run in zip(times, (first, second), strict=True):
            begun = time.perf_counter()
            run()
            if index >= _WARM_UP:
                kept.append(1e3 * (time.perf_counter() - begun))
    return times


def _score_ms(model: FailureModel, name: str, call: PolicyCall) -> float:
    detector, times = model.make(name), []
    for index in range(_WARM_UP + _CALLS):
        begun = time.perf_counter()
        detector.score(call)
        if index >= _WARM_UP:
            times.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(times)
