"""The recorder: a rollout observer that returns at once, and one thread that writes what it was told.

What was told is on disk within half a second; a killed process loses no more than that. When the disk refuses, everything is kept
in memory and tried again, an alarm is raised, and the rollout goes on.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final

from sessions import writing
from sessions.store import Store
from sessions.writing import EpisodeProgress
from workbench.core.errors import StoreError
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, Outcome
from workbench.core.types import Step

log: Final = logging.getLogger(__name__)

MAX_PENDING: Final = 60_000
"""Entries kept in memory while the disk refuses: 50 minutes at 20 Hz, about 200 MB."""
_PERIOD_S: Final = 0.25
_RETRY_S: Final = 1.0
_BATCH: Final = 2048
"""Entries in one transaction at most, so that none takes long."""


@dataclass(frozen=True)
class RecorderStatus:
    """How the recording goes."""

    is_failing: bool = False
    """Whether the disk refuses at the moment."""
    num_pending: int = 0
    """Entries that wait in memory."""
    num_lost: int = 0
    """Entries that could not be kept, since the recorder was made."""
    message: str = ""
    """What is wrong and what to do; empty when all is well."""


@dataclass(frozen=True)
class _StepEntry:
    """A step with the episode that its thread was running."""

    episode_id: str
    step: Step


@dataclass(frozen=True)
class _EventEntry:
    """An event with its episode."""

    episode_id: str
    event: Event


@dataclass
class _Barrier:
    """Tells a waiting thread that everything before it was written."""

    reached: threading.Event = field(default_factory=threading.Event)


_Entry = EpisodeStart | EpisodeEnd | _StepEntry | _EventEntry
_Progress = dict[str, EpisodeProgress]


class Recorder:
    """Records any number of rollouts, each with its own stepping thread, into one store.

    A step carries no episode id: it belongs to the episode that was last started in the thread that tells of it.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_alarm: Callable[[RecorderStatus], None] = lambda status: None,
        max_pending: int = MAX_PENDING,
        period_s: float = _PERIOD_S,
    ) -> None:
        """Start the writing thread.

        Args:
            store: where to write; it must stay open until the recorder is closed.
            on_alarm: called in the writing thread when writing begins to fail, when something is lost, and when all is well again.
            max_pending: entries kept in memory at most; newer steps are dropped beyond.
            period_s: time between two commits [s].
        """
        self._store = store
        self._on_alarm = on_alarm
        self._max_pending = max_pending
        self._period_s = period_s
        self._queue: queue.SimpleQueue[_Entry | _Barrier] = queue.SimpleQueue()
        self._batch: list[_Entry] = []
        self._current = threading.local()
        self._progress: _Progress = {}
        self._status = RecorderStatus()
        self._num_dropped = 0
        self._wake = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    # Told by the rollout, in its stepping thread

    def on_start(self, start: EpisodeStart) -> None:
        """Begin an episode."""
        self._current.episode_id = start.episode_id
        self._queue.put(start)

    def on_step(self, step: Step) -> None:
        """Record a step of the episode that this thread runs."""
        if self._queue.qsize() + len(self._batch) >= self._max_pending:
            self._num_dropped += 1
            return
        self._queue.put(_StepEntry(self._current.episode_id, step))

    def on_event(self, episode_id: str, event: Event) -> None:
        """Record an event."""
        self._queue.put(_EventEntry(episode_id, event))

    def on_end(self, end: EpisodeEnd) -> None:
        """End an episode."""
        self._queue.put(end)

    # For everyone

    def status(self) -> RecorderStatus:
        """Return how the recording goes."""
        return replace(self._status, num_pending=self._queue.qsize() + len(self._batch))

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything told so far is on disk; False when that takes longer."""
        barrier = _Barrier()
        self._queue.put(barrier)
        self._wake.set()
        return barrier.reached.wait(timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is left, mark episodes that did not end as interrupted, and stop the thread."""
        self._is_closing = True
        self._wake.set()
        self._thread.join(timeout_s)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # The writing thread

    def _run(self) -> None:
        while True:
            is_last = self._is_closing
            try:
                is_written = self._write_all()
            except Exception:  # the thread must survive whatever an entry holds; nothing is recorded without it
                log.exception("The recorder met an error")
                is_written = False
            if is_last:
                self._interrupt_open_episodes()
                return
            self._wake.wait(self._period_s if is_written else _RETRY_S)
            self._wake.clear()

    def _write_all(self) -> bool:
        """Write what has been told so far; False when the disk refuses."""
        while True:
            barrier = self._fill_batch()
            is_drained = barrier is None and len(self._batch) < _BATCH
            if self._batch and not self._write_batch():
                if barrier is not None:
                    self._queue.put(barrier)
                return False
            self._batch = []
            if barrier is not None:
                barrier.reached.set()
            if is_drained:
                self._report()
                return True

    def _fill_batch(self) -> _Barrier | None:
        """Take entries from the queue up to the next barrier."""
        while len(self._batch) < _BATCH:
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return None
            if isinstance(entry, _Barrier):
                return entry
            self._batch.append(entry)
        return None

    def _write_batch(self) -> bool:
        """Write the batch in one transaction, or entry by entry when one of them is at fault; False when the disk refuses."""
        try:
            self._commit(self._batch)
        except StoreError as error:
            if self._store.is_closed or not isinstance(error.__cause__, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                self._report(message=str(error), is_failing=True)
                return False
            self._write_one_by_one()
        except Exception:
            log.exception("An entry cannot be recorded")
            self._write_one_by_one()
        return True

    def _write_one_by_one(self) -> None:
        """Keep every entry but those that cannot be written."""
        num_lost = 0
        for entry in self._batch:
            try:
                self._commit([entry])
            except Exception:
                log.exception("Lost an entry of the recording: %s", type(entry).__name__)
                num_lost += 1
        if num_lost:
            self._report(message=f"{num_lost} entries of the recording could not be stored; the log has the reason.", num_lost=num_lost)

    def _commit(self, entries: Sequence[_Entry]) -> None:
        """Write entries in one transaction; the progress counts only once it is committed."""
        with self._store.transaction() as connection:
            progress = write_entries(connection, dict(self._progress), entries)
        self._progress = progress

    def _interrupt_open_episodes(self) -> None:
        try:
            ends = [
                EpisodeEnd(episode_id, Outcome.INTERRUPTED, progress.num_steps, self._time_s(episode_id))
                for episode_id, progress in self._progress.items()
            ]
            self._commit(ends)
        except StoreError as error:
            self._report(message=str(error), is_failing=True)

    def _time_s(self, episode_id: str) -> float:
        with self._store.reading() as connection:
            (duration,) = connection.execute("SELECT duration_s FROM episodes WHERE id = ?", [episode_id]).fetchone()
        return float(duration)

    def _report(self, *, message: str = "", is_failing: bool = False, num_lost: int = 0) -> None:
        """Note how it goes, and raise the alarm when that changed."""
        dropped, self._num_dropped = self._num_dropped, 0
        if dropped:
            message = f"{message} {dropped} steps were not recorded: memory was full while the disk refused.".strip()
        status = RecorderStatus(is_failing, 0, self._status.num_lost + num_lost + dropped, message)
        before, self._status = self._status, status
        if before != status:
            try:
                self._on_alarm(self.status())
            except Exception:
                log.exception("The recorder's alarm failed")


def write_entries(connection: sqlite3.Connection, progress: _Progress, entries: Sequence[_Entry]) -> _Progress:
    """Write entries in order, the steps of an episode together, and return how far each running episode is."""
    position = 0
    while position < len(entries):
        entry = entries[position]
        position += 1
        if isinstance(entry, _StepEntry):
            steps = [entry.step]
            while position < len(entries):
                following = entries[position]
                if not isinstance(following, _StepEntry) or following.episode_id != entry.episode_id:
                    break
                steps.append(following.step)
                position += 1
            progress[entry.episode_id] = writing.insert_steps(connection, progress[entry.episode_id], steps)
        elif isinstance(entry, EpisodeStart):
            progress[entry.episode_id] = writing.insert_start(connection, entry)
        elif isinstance(entry, EpisodeEnd):
            writing.insert_end(connection, progress.pop(entry.episode_id), entry)
        else:
            writing.insert_event(connection, _episode_num(connection, progress, entry.episode_id), entry.event)
    return progress


def _episode_num(connection: sqlite3.Connection, progress: _Progress, episode_id: str) -> int:
    """Return the key of an episode's row; events may come after its end."""
    if episode_id in progress:
        return progress[episode_id].num
    row = connection.execute("SELECT num FROM episodes WHERE id = ?", [episode_id]).fetchone()
    if row is None:
        raise KeyError(f"an event of the unknown episode {episode_id}")
    return int(row[0])
