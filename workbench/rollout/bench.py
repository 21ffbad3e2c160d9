"""Measurements of the loop: what it costs beside the bare simulator, and how fast HALT is.

Each returns ``{"name", "value", "unit", "baseline", "ratio", "n", "details"}``.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.catalog import Catalog
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind
from workbench.core.protocols import PolicyFactory, PolicySpec, Simulator
from workbench.core.types import ActionChunk, EpisodeConfig, Observation, Prompt, Step
from workbench.rollout.controller import RolloutController
from workbench.rollout.loop import LiveEpisode
from workbench.rollout.running import run_episode
from workbench.simulation.simulator import SLICE_PERIOD_S, BenchSimulator

CONFIG: Final = EpisodeConfig("place_on_plate", 17)
_NUM_LOADERS: Final = 2
_SETTLE_PERIODS: Final = 2


class SwayPolicy:
    """Swings the arm from side to side: never still, and a function of the step alone."""

    def __init__(self, simulator: Simulator | None = None) -> None:
        self._spec = PolicySpec("sway", description="Swings the arm from side to side.")

    @property
    def spec(self) -> PolicySpec:
        """What it is."""
        return self._spec

    def reset(self, rng: np.random.Generator) -> None:
        """Do nothing; it remembers nothing."""

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action of at most 2 cm."""
        phase = 2 * np.pi * observation.step / 40
        action = np.zeros((1, 7), dtype=np.float32)
        action[0, 1], action[0, 2], action[0, 6] = 0.02 * np.cos(phase), 0.005 * np.sin(phase), 1.0
        return ActionChunk(action, CONFIG.control_hz)


def bench_rollout(*, rounds: int = 40, num_steps: int = 25) -> dict[str, Any]:
    """Measure steps per second of :func:`run_episode` and of the bare simulator with the same actions, in turn.

    Seconds are processor time of this thread, so that what else the machine does matters little.
    """
    simulator = BenchSimulator()
    loop_hz, bare_hz = [], []
    try:
        _time_loop(simulator, num_steps)
        for _ in range(rounds):
            hz, actions = _time_loop(simulator, num_steps)
            loop_hz.append(hz)
            bare_hz.append(_time_bare(simulator, actions))
    finally:
        simulator.close()
    value, baseline = median(loop_hz), median(bare_hz)
    return {
        "name": "rollout",
        "value": value,
        "unit": "steps per processor second",
        "baseline": baseline,
        "ratio": median(a / b for a, b in zip(loop_hz, bare_hz, strict=True)),
        "n": rounds,
        "details": {"steps_per_round": num_steps, "overhead_us_per_step": 1e6 * (1 / value - 1 / baseline)},
    }


def _time_loop(simulator: BenchSimulator, num_steps: int) -> tuple[float, list[NDArray[np.float32]]]:
    stamps: list[float] = []
    actions: list[NDArray[np.float32]] = []

    def note(episode: LiveEpisode, step: Step) -> None:
        stamps.append(time.thread_time())
        actions.append(step.action)

    run_episode(simulator, SwayPolicy(), CONFIG, max_steps=num_steps + 1, stop_on_success=False, on_tick=note)
    return num_steps / (stamps[-1] - stamps[0]), actions


def _time_bare(simulator: BenchSimulator, actions: list[NDArray[np.float32]]) -> float:
    simulator.reset(CONFIG)
    simulator.step(actions[0])
    begun = time.thread_time()
    for action in actions[1:]:
        simulator.step(action)
    return (len(actions) - 1) / (time.thread_time() - begun)


def bench_halt(*, tries: int = 1000) -> dict[str, Any]:
    """Measure how long after ``halt()`` the world stands still, half of the tries with two busy processes beside it.

    The value is the largest delay from the call to the moment at which the stepping thread has finished the control step (its
    targets frozen) and begins no other. The baseline is the control period. Real time includes what the operating system gives to
    other programs; ``simulated_ms_until_frozen`` does not: it is how far the world moved on before the targets froze.
    """
    quiet, quiet_moved = _halt_delays(tries - tries // 2, seed=1)
    with _busy_processes(_NUM_LOADERS):
        loaded, loaded_moved = _halt_delays(tries // 2, seed=2)
    delays_ms = 1e3 * np.concatenate([quiet, loaded])
    moved_ms = 1e3 * np.concatenate([quiet_moved, loaded_moved])
    period_ms = 1e3 / CONFIG.control_hz
    return {
        "name": "halt",
        "value": float(delays_ms.max()),
        "unit": "ms",
        "baseline": period_ms,
        "ratio": float(delays_ms.max() / period_ms),
        "n": len(delays_ms),
        "details": {
            "within_one_period": int((delays_ms <= period_ms).sum()),
            "simulated_ms_until_frozen": percentiles(moved_ms),
            "quiet_ms": percentiles(1e3 * quiet),
            "with_two_busy_processes_ms": percentiles(1e3 * loaded),
        },
    }


def percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the median, two high percentiles and the greatest of values ``(N,)``."""
    return {name: round(float(np.percentile(values, q)), 2) for name, q in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))}


class _HaltWatch:
    """Notes when the stepping thread says that it has halted."""

    def __init__(self) -> None:
        self.is_halted = threading.Event()
        self.time = 0.0

    def on_start(self, start: EpisodeStart) -> None:
        """Do nothing."""

    def on_step(self, step: Step) -> None:
        """Do nothing."""

    def on_event(self, episode_id: str, event: Event) -> None:
        """Note the time of a HALT."""
        if event.kind is EventKind.HALT:
            self.time = time.perf_counter()
            self.is_halted.set()

    def on_end(self, end: EpisodeEnd) -> None:
        """Do nothing."""


class _Delays(NamedTuple):
    """Of each try."""

    wall_s: NDArray[np.float64]
    """``(tries,)``: real time from the call until the world stood still."""
    moved_s: NDArray[np.float64]
    """Simulated time from the state shown at the call until the targets froze, where that state is known for sure."""


def _halt_delays(tries: int, *, seed: int) -> _Delays:
    """Halt many times at random moments; check now and then that nothing moves afterwards."""
    rng, watch = np.random.default_rng(seed), _HaltWatch()
    simulators: Catalog[Simulator] = Catalog("simulator")
    simulators.add("bench", BenchSimulator)
    policies: Catalog[PolicyFactory] = Catalog("policy")
    policies.add("sway", lambda: SwayPolicy)
    controller = RolloutController(simulators=simulators, policies=policies, observers=[watch], session_id="")
    delays, moved = [], []
    try:
        controller.start(CONFIG, policy="sway").result()
        for i in range(tries):
            controller.resume()
            time.sleep(rng.uniform(1.0, 2.0) / CONFIG.control_hz)
            watch.is_halted.clear()
            before, asked = controller.latest(), time.perf_counter()
            controller.halt()
            after = controller.latest()
            watch.is_halted.wait()
            delays.append(watch.time - asked)
            if before is not None and before is after:  # else the call itself was interrupted, and its moment is not known
                moved.append(_frozen_time(controller) - before.time_s)
            if i % 50 == 0:
                _check_still(controller)
            controller.release_halt()
    finally:
        controller.close()
    return _Delays(np.array(delays), np.array(moved))


def _frozen_time(controller: RolloutController) -> float:
    """Return the simulated time [s] from which the targets stood still."""
    history = controller.history()
    last = history.step(history.num_steps - 1)
    num_slices = round(1 / CONFIG.control_hz / SLICE_PERIOD_S)
    part = num_slices if last.halt_slice is None else last.halt_slice
    return last.time_s + part * SLICE_PERIOD_S


def _check_still(controller: RolloutController) -> None:
    before = controller.call(lambda simulator: simulator.state()).result()
    time.sleep(_SETTLE_PERIODS / CONFIG.control_hz)
    after = controller.call(lambda simulator: simulator.state()).result()
    assert before.equals(after), "the world moved after a HALT"


@contextmanager
def _busy_processes(count: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_burn, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    time.sleep(1.0)
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _burn() -> None:
    while True:
        sum(i * i for i in range(10_000))
