"""``bench candidates``: what weighing 16 candidates costs beside one call of the policy."""

from __future__ import annotations

import statistics
import time
from typing import Any, Final

import numpy as np

from models.bench_vla.policy import load_policy
from models.catalog import VERIFIERS
from workbench.core.events import EpisodeStart
from workbench.core.types import EpisodeConfig, Prompt
from workbench.rollout.candidates import LIKELIHOOD, CandidateSettings, Selection, When
from workbench.rollout.loop import begin_episode
from workbench.rollout.observers import Fanout
from workbench.simulation.simulator import BenchSimulator

COUNT: Final = 16
ROUNDS: Final = 60
WARM_UP: Final = 5
CONFIG: Final = EpisodeConfig("place_on_plate", 0)


def bench_candidates(*, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure drawing, checking and scoring of 16 candidates by the value function against one policy call, in turn; pictures are drawn anew."""
    seconds = {name: _measure(name, rounds) for name in ("value", LIKELIHOOD)}
    calls, weighed = seconds["value"]
    value, baseline = 1e3 * statistics.median(weighed), 1e3 * statistics.median(calls)
    return {
        "name": "candidates",
        "value": round(value, 2),
        "unit": f"ms to weigh {COUNT} candidates",
        "baseline": round(baseline, 2),
        "ratio": round(statistics.median(w / c for c, w in zip(calls, weighed, strict=True)), 3),
        "n": rounds,
        "details": {
            "baseline_is": "one call of the bench VLA with its pictures",
            "candidates": COUNT,
            "by": "value",
            "ratio_by_likelihood": round(statistics.median(w / c for c, w in zip(*seconds[LIKELIHOOD], strict=True)), 3),
            "p95_ms": round(1e3 * float(np.percentile(weighed, 95)), 2),
        },
    }


def _measure(verifier: str, rounds: int) -> tuple[list[float], list[float]]:
    """Return the processor seconds of policy calls and of weighing their candidates."""
    simulator = BenchSimulator()
    try:
        instruction = simulator.reset(CONFIG)
        policy, rng = load_policy(simulator), np.random.default_rng(0)
        prompt = Prompt(instruction)
        start = EpisodeStart("bench", "", CONFIG.to_dict(), instruction, policy.spec.name)
        episode = begin_episode(simulator, policy, start, prompt=prompt, observer=Fanout(()))
        selection = Selection(VERIFIERS)
        selection.settings = CandidateSettings(When.ALWAYS, COUNT, verifier=verifier)
        selection.begin(episode)
        calls, weighed = [], []
        for index in range(WARM_UP + rounds):
            simulator.step(np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32))  # so that pictures are drawn anew
            observation = simulator.observe(policy.spec.cameras)
            begun = time.thread_time()
            chunk = policy.act(observation, prompt, rng)
            called = time.thread_time()
            selection.choose(episode, observation, prompt, chunk)
            chosen = time.thread_time()
            if index >= WARM_UP:
                calls.append(called - begun)
                weighed.append(chosen - called)
        assert not selection.trouble, selection.trouble
        return calls, weighed
    finally:
        simulator.close()
