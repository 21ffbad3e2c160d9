"""``bench policy``: what a call of the bench VLA costs beside its network."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch

from models.bench_vla.policy import BenchVlaPolicy, load_policy
from models.bench_vla.processor import read_inputs
from workbench.core.types import EpisodeConfig, Observation, Prompt
from workbench.simulation.simulator import BenchSimulator

_ROUNDS: Final = 100
_WARM_UP: Final = 10


def bench_policy() -> dict[str, Any]:
    """Measure a whole call (pictures to tensors, words to tokens, network, bins to actions) against the bare forward pass, in turn."""
    simulator = BenchSimulator()
    try:
        instruction = simulator.reset(EpisodeConfig("place_on_plate", 0))
        policy = load_policy(simulator)
        seen = simulator.observe(policy.spec.cameras)
        observation = replace(seen, images={name: seen.images[name] for name in ("front", "wrist")})
    finally:
        simulator.close()
    calls, passes = _measure(policy, observation, Prompt(instruction))
    value, baseline = statistics.median(calls), statistics.median(passes)
    return {
        "name": "policy",
        "value": round(value, 2),
        "unit": "ms a call, pictures rendered",
        "baseline": round(baseline, 2),
        "ratio": round(value / baseline, 3),
        "n": _ROUNDS,
        "details": {
            "baseline_is": "forward pass of the network on prepared tensors",
            "p95_ms": round(float(np.percentile(calls, 95)), 2),
            "threads": torch.get_num_threads(),
            "parameters": sum(p.numel() for p in policy.module.parameters()),
            "actions_a_call": policy.spec.action_horizon,
        },
    }


def _measure(policy: BenchVlaPolicy, observation: Observation, prompt: Prompt) -> tuple[list[float], list[float]]:
    network, rng = policy.network, np.random.default_rng(0)
    batch = read_inputs(network.config, network.vocabulary, observation, prompt, np.zeros(10, dtype=np.float32))
    calls, passes = [], []
    for index in range(_WARM_UP + _ROUNDS):
        policy.reset(rng)
        begun = time.perf_counter()
        policy.act(observation, prompt, rng)
        called = time.perf_counter()
        with torch.inference_mode():
            network(batch)
        passed = time.perf_counter()
        if index >= _WARM_UP:
            calls.append(1e3 * (called - begun))
            passes.append(1e3 * (passed - called))
    return calls, passes
