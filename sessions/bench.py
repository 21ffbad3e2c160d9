"""What recording costs: the time of a control step with the recorder and without, at full speed, in the real loop."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from sessions.recorder import Recorder
from sessions.store import Store
from workbench.core.events import EpisodeStart, Outcome, new_id
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, EpisodeConfig, Observation, Prompt
from workbench.rollout.loop import begin_episode, finish_episode, follow_policy, tick
from workbench.rollout.observers import Fanout
from workbench.simulation.simulator import BenchSimulator

_NUM_PAIRS: Final = 15
_BLOCK_STEPS: Final = 200
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
    recorded: list[_Cost] = []
    bare: list[_Cost] = []
    told: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        with Store.open(path) as store, Recorder(store) as recorder:
            for _ in range(_NUM_PAIRS):
                bare.append(_time_block(simulator, None))
                recorded.append(_time_block(simulator, recorder))
                told.append(_tell_time(recorder, simulator))
            recorder.flush()
            num_steps, num_bytes = store.session("bench").num_steps, store.session("bench").num_bytes
    simulator.close()
    pairs = list(zip(recorded, bare, strict=True))
    value, baseline = statistics.median(c.wall_s for c in recorded), statistics.median(c.wall_s for c in bare)
    cpu, bare_cpu = statistics.median(c.cpu_s for c in recorded), statistics.median(c.cpu_s for c in bare)
    return {
        "name": "store",
        "value": 1e3 * value,
        "unit": "ms per step with recorder",
        "baseline": 1e3 * baseline,
        "ratio": value / baseline,
        "n": _NUM_PAIRS,
        "details": {
            "steps_per_block": _BLOCK_STEPS,
            "ratio_of_pairs": statistics.median(a.wall_s / b.wall_s for a, b in pairs),
            "ratio_at_20_hz": 1.0 + statistics.median(a.wall_s - b.wall_s for a, b in pairs) / _PERIOD_20_HZ_S,
            "cpu_ratio": cpu / bare_cpu,
            "cpu_ms": 1e3 * cpu,
            "bare_cpu_ms": 1e3 * bare_cpu,
            "told_us": 1e6 * statistics.median(told),
            "bytes_per_step": num_bytes / num_steps,
        },
    }


class _Cost(NamedTuple):
    """What a step took: time on the clock, and time of all threads on the processors."""

    wall_s: float
    cpu_s: float


def _time_block(simulator: BenchSimulator, recorder: Recorder | None) -> _Cost:
    """Return the mean cost of a step, writing included."""
    config = EpisodeConfig("pick", seed=1)
    instruction = simulator.reset(config)
    start = EpisodeStart(new_id(), "bench", config.to_dict(), instruction, _Sway.spec.name)
    observer = Fanout([recorder] if recorder is not None else [])
    begun, cpu_begun = time.perf_counter(), time.process_time()
    episode = begin_episode(simulator, _Sway(), start, prompt=Prompt(text=instruction), observer=observer)
    oversee = follow_policy(episode)
    for _ in range(_BLOCK_STEPS):
        tick(episode, oversee)
    finish_episode(episode, Outcome.STOPPED)
    if recorder is not None:
        recorder.flush(60.0)
    return _Cost((time.perf_counter() - begun) / _BLOCK_STEPS, (time.process_time() - cpu_begun) / _BLOCK_STEPS)


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
