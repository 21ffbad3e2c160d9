"""A copy of the live scene, in a thread of its own: paths are checked, previewed and planned there, and the live episode never waits."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from workbench.core.catalog import Catalog
from workbench.core.protocols import Simulator
from workbench.core.types import EpisodeConfig, SimState

T = TypeVar("T")

_END: Final = None


@dataclass(frozen=True, eq=False)
class _Job:
    future: Future[Any]
    config: EpisodeConfig
    state: SimState | None
    work: Callable[[Simulator], Any]
    slot: str


class SceneCopy:
    """Runs functions on a simulator that stands where the live one stands; the thread starts with the first of them."""

    def __init__(self, simulators: Catalog[Simulator]) -> None:
        self._simulators = simulators
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._newest: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._loaded: EpisodeConfig | None = None

    def run(self, config: EpisodeConfig, state: SimState | None, work: Callable[[Simulator], T], *, slot: str = "") -> Future[T]:
        """Run ``work(simulator)`` at a state of an episode; what it does to the simulator is gone afterwards.

        Args:
            config: of the live episode.
            state: to stand at; None: the start of the episode.
            work: what to do, in the copy's thread.
            slot: of several jobs that wait under one name only the newest is done; the others are cancelled. Empty: every job is done.
        """
        job = _Job(Future(), config, state, work, slot)
        with self._lock:
            if self._is_closed:
                job.future.cancel()
                return job.future
            before = self._newest.pop(slot, None) if slot else None
            if slot:
                self._newest[slot] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="scene copy", daemon=True)
                self._thread.start()
            self._jobs.put(job)
        if before is not None:
            before.future.cancel()
        return job.future

    def close(self) -> None:
        """Cancel what waits, release the simulator in its own thread, and wait for that; again is harmless."""
        with self._lock:
            is_first, self._is_closed = not self._is_closed, True
            thread = self._thread
            for job in self._newest.values():
                job.future.cancel()
        if is_first:
            self._jobs.put(_END)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _serve(self) -> None:
        simulator: Simulator | None = None
        try:
            while (job := self._jobs.get()) is not _END:
                if self._is_closed:
                    job.future.cancel()
                if not job.future.set_running_or_notify_cancel():
                    continue
                try:
                    simulator = self._stand(simulator, job)
                    job.future.set_result(job.work(simulator))
                except Exception as error:
                    job.future.set_exception(error)
        finally:
            if simulator is not None:
                simulator.close()

    def _stand(self, simulator: Simulator | None, job: _Job) -> Simulator:
        """Return the simulator at a job's state; the scene is built anew only when it is another one."""
        if simulator is not None and (self._loaded is None or self._loaded.simulator != job.config.simulator):
            simulator.close()
            simulator = self._loaded = None
        if simulator is None:
            simulator = self._simulators.load(job.config.simulator)
        if self._loaded is None or self._loaded.digest() != job.config.digest() or job.state is None:
            self._loaded = None  # until the scene stands
            simulator.reset(job.config)
            self._loaded = job.config
        if job.state is not None:
            simulator.restore(job.state)
        return simulator
