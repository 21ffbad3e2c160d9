"""What recording costs: the time of a control step with the recorder and without, at full speed, in the real loop."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from sessions.recorder import Recorder
from sessions.store import Store
from workbench.core.events import EpisodeStart, Outcome, new_id
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, EpisodeConfig, Observation, Prompt
from workbench.rollout.loop import begin_episode, finish_episode, follow_policy, tick
from workbench.rollout.observers import Fanout
from workbench.simulation.simulator import BenchSimulator

_NUM_PAIRS: Final = 9
_BLOCK_STEPS: Final = 300
_PERIOD_20_HZ_S: Final = 0.05


class _Sway:
    """Moves the arm about at random, at the cost of one random draw."""

    spec = PolicySpec(name="sway", description="Moves at random.")

    def reset(self, rng: np.random.Generator) -> None:
        """Do nothing; there is nothing to forget."""

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one small random motion."""
        action = np.append(rng.uniform(-0.01, 0.01, 6), 1.0).astype(np.float32)
        return ActionChunk(action[None], control_hz=20.0)


def bench_store() -> dict[str, Any]:
    """Measure blocks of steps alternately with and without the recorder; what is recorded is on disk when its block ends.

    Returns:
        The bench contract: ``value`` and ``baseline`` are medians of milliseconds a step, ``ratio`` is their quotient.
    """
    simulator = BenchSimulator()
    recorded, bare, told = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        with Store.open(path) as store, Recorder(store) as recorder:
            for _ in range(_NUM_PAIRS):
                bare.append(_time_block(simulator, None))
                recorded.append(_time_block(simulator, recorder))
                told.append(_tell_time(recorder, simulator))
            num_steps = store.storage().num_steps
        file_bytes = path.stat().st_size
    simulator.close()
    value, baseline = statistics.median(recorded), statistics.median(bare)
    return {
        "name": "store",
        "value": 1e3 * value,
        "unit": "ms per step with recorder",
        "baseline": 1e3 * baseline,
        "ratio": value / baseline,
        "n": _NUM_PAIRS,
        "details": {
            "steps_per_block": _BLOCK_STEPS,
            "ratio_at_20_hz": 1.0 + (value - baseline) / _PERIOD_20_HZ_S,
            "told_us_median": 1e6 * statistics.median(told),
            "bytes_per_step": file_bytes / num_steps,
            "recorded_ms": [1e3 * t for t in recorded],
            "bare_ms": [1e3 * t for t in bare],
        },
    }


def _time_block(simulator: BenchSimulator, recorder: Recorder | None) -> float:
    """Return the mean time [s] of a step, writing included."""
    config = EpisodeConfig("pick", seed=1)
    instruction = simulator.reset(config)
    start = EpisodeStart(new_id(), "bench", config.to_dict(), instruction, _Sway.spec.name)
    observer = Fanout([recorder] if recorder is not None else [])
    begun = time.perf_counter()
    episode = begin_episode(simulator, _Sway(), start, prompt=Prompt(text=instruction), observer=observer)
    oversee = follow_policy(episode)
    for _ in range(_BLOCK_STEPS):
        tick(episode, oversee)
    finish_episode(episode, Outcome.STOPPED)
    if recorder is not None:
        recorder.flush(60.0)
    return (time.perf_counter() - begun) / _BLOCK_STEPS


def _tell_time(recorder: Recorder, simulator: BenchSimulator) -> float:
    """Return the time [s] that telling the recorder of one step takes in the stepping thread."""
    config = EpisodeConfig("pick", seed=1)
    simulator.reset(config)
    episode = begin_episode(
        simulator,
        _Sway(),
        EpisodeStart(new_id(), "bench", config.to_dict(), "", _Sway.spec.name),
        prompt=Prompt(),
        observer=recorder,
    )
    step = tick(episode, follow_policy(episode))
    assert step is not None, "the policy always acts"
    begun = time.perf_counter()
    recorder.on_step(step)
    elapsed = time.perf_counter() - begun
    finish_episode(episode, Outcome.STOPPED)
    return elapsed
