"""Recorded activations: safetensors shards in a folder beside the database, written behind the rollout, read back by step.

A shard holds some consecutive policy calls of one episode. Its tensors are named ``call/site``; which call belongs to which step, and
which site is what, stands in the table ``activation_shards`` and in the header of the file. Numbers are kept as float16.
"""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from sessions.files import new_file
from sessions.store import Store
from sessions.writing import json_text
from workbench.core.errors import InvalidInput, NotStored, StoreCorrupt, WorkbenchError
from workbench.core.events import new_id

FOLDER: Final = "activations"
QUOTA_BYTES: Final = 512 * 2**20
CALLS_IN_SHARD: Final = 32
MAX_WAITING: Final = 64
"""Calls that may wait for the disk; beyond that recording stops rather than holding up the robot."""

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordingPlan:
    """What is recorded."""

    sites: tuple[str, ...]
    """As :class:`workbench.steering.places.Site` writes itself, for example ``decoder 2 residual``."""
    tokens: str
    """Token group."""
    policy: str
    """Fingerprint of the weights."""


@dataclass(frozen=True)
class ShardInfo:
    """One file."""

    episode_id: str
    file: str
    first_step: int
    last_step: int
    num_calls: int
    num_bytes: int
    plan: RecordingPlan


@dataclass(frozen=True)
class RecordingState:
    """How a recording goes."""

    is_on: bool
    num_calls: int
    num_bytes: int
    """Of everything in the folder."""
    quota_bytes: int
    trouble: str = ""
    """Why it stopped by itself."""


@dataclass(frozen=True, eq=False)
class _Call:
    episode_id: str
    step: int
    tensors: Mapping[str, NDArray[np.float16]]


class ActivationRecorder:
    """Writes what it is given in a thread of its own; :meth:`put` never waits. Close it before the store."""

    def __init__(self, store: Store, plan: RecordingPlan, *, quota_bytes: int = QUOTA_BYTES) -> None:
        """Begin.

        Raises:
            InvalidInput: nothing to record.
            TooLarge: the folder is full already.
        """
        if not plan.sites:
            raise InvalidInput("recording", expected="at least one layer", found="none", fix="Choose what to record.")
        self._store, self._plan, self._quota = store, plan, quota_bytes
        self._used = used_bytes(store)
        if self._used >= quota_bytes:
            found = f"{self._used / 1e6:.0f} MB"
            raise InvalidInput(
                "recorded activations", expected=f"less than {quota_bytes / 1e6:.0f} MB", found=found, fix="Delete older recordings."
            )
        self._waiting: queue.Queue[_Call | None] = queue.Queue(MAX_WAITING)
        self._calls: list[_Call] = []
        self._num_calls, self._trouble, self._is_on = 0, "", True
        self._thread = threading.Thread(target=self._run, name="activations", daemon=True)
        self._thread.start()

    @property
    def state(self) -> RecordingState:
        """How it goes."""
        return RecordingState(self._is_on, self._num_calls, self._used, self._quota, self._trouble)

    def put(self, episode_id: str, step: int, tensors: Mapping[str, NDArray[np.floating]]) -> None:
        """Take the activations of one policy call, ``{site: (T, C)}``; returns at once, and after trouble does nothing."""
        if not self._is_on:
            return
        kept = {name: np.asarray(values, dtype=np.float16) for name, values in tensors.items()}
        try:
            self._waiting.put_nowait(_Call(episode_id, step, kept))
        except queue.Full:
            self._stop("The disk is slower than the robot, so recording stopped.")

    def close(self) -> RecordingState:
        """Write what is left and end; again is harmless."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
        self._is_on = False
        return self.state

    def _run(self) -> None:
        while (call := self._waiting.get()) is not None:
            try:
                self._take(call)
            except (WorkbenchError, OSError) as error:
                self._calls.clear()
                self._stop(str(error))
        try:
            self._flush()
        except (WorkbenchError, OSError) as error:
            self._stop(str(error))

    def _take(self, call: _Call) -> None:
        if not self._is_on:
            return
        if self._calls and self._calls[0].episode_id != call.episode_id:
            self._flush()
        self._calls = [c for c in self._calls if c.step != call.step]  # asked again at the same step: the last answer counts
        self._calls.append(call)
        if len(self._calls) >= CALLS_IN_SHARD:
            self._flush()

    def _flush(self) -> None:
        if not self._calls:
            return
        size = write_shard(self._store, self._plan, self._calls[0].episode_id, {c.step: c.tensors for c in self._calls})
        self._num_calls += len(self._calls)
        self._used += size
        self._calls = []
        if self._used >= self._quota:
            self._stop(f"The quota of {self._quota / 1e6:.0f} MB is used up, so recording stopped.")

    def _stop(self, trouble: str) -> None:
        if self._is_on:
            log.warning("Recording activations: %s", trouble)
        self._is_on, self._trouble = False, trouble


def folder_of(store: Store) -> Path:
    """Return where the shards of a store lie."""
    return store.path.parent / FOLDER


def used_bytes(store: Store) -> int:
    """Return the size of all shards."""
    with store.reading() as connection:
        return int(connection.execute("SELECT total(num_bytes) FROM activation_shards").fetchone()[0])


def write_shard(store: Store, plan: RecordingPlan, episode_id: str, calls: Mapping[int, Mapping[str, NDArray[np.float16]]]) -> int:
    """Write the calls of an episode by step as one file, and return its size; errors as :func:`sessions.files.new_file`."""
    steps = sorted(calls)
    name = f"{episode_id}-{new_id()}.safetensors"
    tensors = {f"{i}/{site}": np.ascontiguousarray(values) for i, step in enumerate(steps) for site, values in calls[step].items()}
    path = folder_of(store) / name
    meta = {"episode": episode_id, "steps": json.dumps(steps), "tokens": plan.tokens, "policy": plan.policy}
    with new_file(path) as part:
        save_file(tensors, part, metadata=meta)
    size = path.stat().st_size
    sites = json_text({"sites": list(plan.sites), "tokens": plan.tokens})
    row = [episode_id, name, plan.policy, sites, steps[0], steps[-1], len(steps), size, time.time()]
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO activation_shards (episode_id, file, policy, sites, first_step, last_step, num_calls, num_bytes, made) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
    return size


def list_shards(store: Store, episode_id: str | None = None) -> tuple[ShardInfo, ...]:
    """Return the shards of one episode or of all, in order."""
    query = "SELECT * FROM activation_shards WHERE episode_id = coalesce(?, episode_id) ORDER BY num"
    with store.reading() as connection:
        rows = connection.execute(query, [episode_id]).fetchall()
    return tuple(_shard(row) for row in rows)


def read_activations(store: Store, episode_id: str, step: int) -> dict[str, NDArray[np.float16]]:
    """Return what was recorded of the policy call that was in force at a step, ``{site: (T, C)}``.

    Raises:
        NotStored: nothing was recorded up to that step.
        StoreCorrupt: the file is gone or damaged.
    """
    found = [shard for shard in list_shards(store, episode_id) if shard.first_step <= step]
    if not found:
        raise NotStored(f"Activations of step {step}", reason="none were recorded for that episode up to there")
    shard = max(found, key=lambda s: s.first_step)
    try:
        with safe_open(folder_of(store) / shard.file, framework="numpy") as file:
            steps = json.loads(file.metadata()["steps"])
            prefix = f"{bisect_right(steps, step) - 1}/"
            return {name[len(prefix) :]: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
    except Exception as error:  # the library raises its own error, OSError and FileNotFoundError alike
        raise StoreCorrupt(f"Activations in {shard.file}", reason=str(error)[:120], fix="Delete this recording.") from error


def delete_recordings(store: Store, episode_id: str | None = None) -> int:
    """Remove the shards of one episode or of all, and return how many bytes that freed."""
    shards = list_shards(store, episode_id)
    with store.transaction() as connection:
        connection.execute("DELETE FROM activation_shards WHERE episode_id = coalesce(?, episode_id)", [episode_id])
    for shard in shards:
        (folder_of(store) / shard.file).unlink(missing_ok=True)
    return sum(shard.num_bytes for shard in shards)


def _shard(row: sqlite3.Row) -> ShardInfo:
    told: dict[str, Any] = json.loads(row["sites"])
    plan = RecordingPlan(tuple(told["sites"]), str(told["tokens"]), str(row["policy"]))
    numbers = (int(row["first_step"]), int(row["last_step"]), int(row["num_calls"]), int(row["num_bytes"]))
    return ShardInfo(str(row["episode_id"]), str(row["file"]), *numbers, plan)
