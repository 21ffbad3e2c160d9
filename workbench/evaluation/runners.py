"""Where trials are run: here, in other processes of this machine, or by Ray; the same results bit for bit.

A runner is a generator of outcomes in the order in which they end. Closing it, or ``is_cancelled`` turning true, stops its workers;
trials that were under way are simply not told, and run again when the campaign is resumed.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final, Protocol

from workbench.core.errors import InvalidInput
from workbench.evaluation.campaign import ERROR, Trial, TrialResult
from workbench.evaluation.worker import ATTEMPTS, TrialOutcome, TrialWorker, WorkerSetup

log: Final = logging.getLogger(__name__)

MAX_WORKERS: Final = 64
POLL_S: Final = 0.2
"""How soon a cancelled campaign stops waiting for its workers [s]."""
NICENESS: Final = 10
"""How much workers step back, so that a page which runs beside them stays quick."""

IsCancelled = Callable[[], bool]


def never() -> bool:
    """Tell that nobody cancels."""
    return False


class Runner(Protocol):
    """Runs trials somewhere."""

    def run(self, trials: Sequence[Trial], is_cancelled: IsCancelled = never) -> Generator[TrialOutcome, None, None]:
        """Yield the outcome of each trial as it ends."""
        ...


@dataclass(frozen=True)
class SerialRunner:
    """Runs trials one after the other in this thread."""

    setup: WorkerSetup

    def run(self, trials: Sequence[Trial], is_cancelled: IsCancelled = never) -> Generator[TrialOutcome, None, None]:
        """Yield the outcome of each trial as it ends."""
        worker = TrialWorker(self.setup)
        try:
            for trial in trials:
                if is_cancelled():
                    return
                yield worker.run(trial)
        finally:
            worker.close()


@dataclass
class _Helper:
    """A worker process, and the trial that it has."""

    process: SpawnProcess
    pipe: Connection
    trial: Trial | None = None

    def give(self, waiting: deque[Trial]) -> None:
        """Send it the next trial, if it has none."""
        if self.trial is None and waiting:
            self.trial = waiting.popleft()
            with suppress(OSError):  # it has died: whoever waits for its answer finds out
                self.pipe.send(self.trial)


@dataclass(frozen=True)
class ProcessRunner:
    """Runs trials in other processes; one that dies is replaced, and the trial that it had is tried again, then named."""

    setup: WorkerSetup
    workers: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= MAX_WORKERS:
            raise InvalidInput("workers", expected=f"1 to {MAX_WORKERS}", found=str(self.workers))

    def run(self, trials: Sequence[Trial], is_cancelled: IsCancelled = never) -> Generator[TrialOutcome, None, None]:
        """Yield the outcome of each trial as it ends."""
        waiting, deaths = deque(trials), dict.fromkeys(trials, 0)
        helpers = [self._start() for _ in range(min(self.workers, len(waiting)))]
        try:
            while waiting or any(h.trial for h in helpers):
                if is_cancelled():
                    return
                for helper in helpers:
                    helper.give(waiting)
                busy = [h for h in helpers if h.trial]
                ready = wait([h.pipe for h in busy], timeout=POLL_S)
                for helper in busy:
                    if helper.pipe in ready:
                        yield from self._take(helper, helpers, waiting, deaths)
        finally:
            for helper in helpers:
                _stop(helper)

    def _start(self) -> _Helper:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve_trials, args=(self.setup, theirs), daemon=True, name="trials")
        process.start()
        theirs.close()
        return _Helper(process, ours)

    def _take(self, helper: _Helper, helpers: list[_Helper], waiting: deque[Trial], deaths: dict[Trial, int]) -> Iterator[TrialOutcome]:
        """Take what a worker says; replace one that died."""
        trial = helper.trial
        assert trial is not None
        helper.trial = None
        try:
            outcome = helper.pipe.recv()
        except (EOFError, OSError):
            helper.process.join()
            _stop(helper)
            helpers[helpers.index(helper)] = self._start()
            deaths[trial] += 1
            log.warning("A worker ended with status %s in trial %s", helper.process.exitcode, trial)
            if deaths[trial] < ATTEMPTS:
                waiting.appendleft(trial)
            else:
                note = f"{ERROR}the worker process ended with status {helper.process.exitcode}, {deaths[trial]} times"
                yield TrialOutcome(trial, TrialResult(trial.seed, False, 0, note))
        else:
            helper.give(waiting)  # it runs the next one while this one is kept
            yield outcome


def serve_trials(setup: WorkerSetup, pipe: Connection) -> None:
    """Run the trials that come through a pipe until it is closed; the main function of a worker process."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("LP_NUM_THREADS", "0")  # software rendering: handing over small pictures costs more than drawing them
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    worker = TrialWorker(setup)
    try:
        while True:
            pipe.send(worker.run(pipe.recv()))
    except (EOFError, OSError):
        return  # whoever asked is gone
    finally:
        worker.close()


def _stop(helper: _Helper) -> None:
    helper.pipe.close()
    if helper.process.is_alive():
        helper.process.terminate()
    helper.process.join()
