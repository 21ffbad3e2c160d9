"""The store: one SQLite file with every session, open in this process. What the panels and the command line call."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from sessions import writing
from sessions.codec import decode_states
from sessions.connection import Connections
from sessions.reading import (
    EPISODE_COLUMNS,
    columns_from_rows,
    decoding,
    episode_from_row,
    event_from_row,
    note_from_row,
    order,
    scores_from_rows,
    session_from_row,
    step_from_row,
    where,
)
from sessions.records import EpisodeInfo, EpisodePage, EpisodeQuery, Facets, Note, SessionInfo, StepColumns, StorageUse
from workbench.core.errors import InvalidInput, NotStored, StoreCorrupt, TooLarge
from workbench.core.events import Event, new_id
from workbench.core.types import SimState, Step

MAX_TEXT = 20_000
"""Longest name or note [characters]."""
MAX_THUMBNAIL_BYTES = 512 * 1024


class Store:
    """An open database. Every method may be called from any thread; each raises ``StoreError`` when the file fails.

    Use :meth:`open`, and close it or use it as a context manager.
    """

    def __init__(self, connections: Connections, *, clock: Callable[[], float] = time.time) -> None:
        self._connections = connections
        self._clock = clock

    @staticmethod
    def open(path: Path | str, *, read_only: bool = False, clock: Callable[[], float] = time.time) -> Store:
        """Open a database, make it when it is not there, bring an older one up to date, and close what a killed process left open.

        Args:
            path: the database file; its folder is made when needed.
            read_only: change nothing, and allow another process to write.
            clock: Unix time [s].

        Raises:
            StoreLocked: another process writes to it.
            StoreCorrupt: not a database of ours, or damaged; the file is left as it is
                (:func:`sessions.connection.set_aside` renames it).
            StoreError: it cannot be read or written, or a newer workbench made it.
        """
        connections = Connections(Path(path), read_only=read_only)
        store = Store(connections, clock=clock)
        if not read_only:
            try:
                with store.transaction() as connection:
                    writing.mark_interrupted(connection)
            except BaseException:
                connections.close()
                raise
        return store

    @property
    def path(self) -> Path:
        """The database file."""
        return self._connections.path

    @property
    def is_read_only(self) -> bool:
        """Whether changes are refused."""
        return self._connections.read_only

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._connections.is_closed

    def close(self) -> None:
        """Let go of the file; close a :class:`sessions.recorder.Recorder` first."""
        self._connections.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Return the writing connection for one transaction; for the modules of this package."""
        return self._connections.writing()

    def reading(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Return a connection that only reads; for the modules of this package."""
        return self._connections.reading()

    # Sessions

    def sessions(self, *, limit: int = 100, offset: int = 0) -> tuple[SessionInfo, ...]:
        """List sessions, the one used last first."""
        return self._sessions("1", [], limit, offset)

    def session(self, session_id: str) -> SessionInfo:
        """Return one session; raises NotStored when there is none of that id."""
        found = self._sessions("s.id = ?", [session_id], 1, 0)
        if not found:
            raise NotStored(f"Session {session_id}", reason="there is none of that id")
        return found[0]

    def rename_session(self, session_id: str, name: str) -> None:
        """Name a session; makes it when it has no episode yet."""
        with self.transaction() as connection:
            writing.insert_session(connection, session_id, self._clock())
            connection.execute("UPDATE sessions SET name = ? WHERE id = ?", [_text(name), session_id])

    # Episodes

    def episodes(self, query: EpisodeQuery | None = None) -> EpisodePage:
        """List, search and filter episodes, a page at a time."""
        query = query or EpisodeQuery()
        condition, values = where(query)
        listing = f"SELECT {EPISODE_COLUMNS} FROM episodes e WHERE {condition} ORDER BY {order(query)} LIMIT ? OFFSET ?"
        with self.reading() as connection:
            (total,) = connection.execute(f"SELECT count(*) FROM episodes e WHERE {condition}", values).fetchone()
            rows = connection.execute(listing, [*values, query.limit, query.offset]).fetchall()
        return EpisodePage(tuple(episode_from_row(row) for row in rows), int(total))

    def has_episode(self, episode_id: str) -> bool:
        """Tell whether an episode is stored."""
        try:
            self.episode(episode_id)
        except NotStored:
            return False
        return True

    def episode(self, episode_id: str) -> EpisodeInfo:
        """Return one episode, deleted or not; raises NotStored when there is none of that id."""
        with self.reading() as connection:
            row = connection.execute(f"SELECT {EPISODE_COLUMNS} FROM episodes e WHERE e.id = ?", [episode_id]).fetchone()
        if row is None:
            raise NotStored(f"Episode {episode_id}", reason="there is none of that id")
        return episode_from_row(row)

    def branches(self, episode_id: str) -> tuple[EpisodeInfo, ...]:
        """Return the episodes that start from a step of this one, oldest first."""
        return self.episodes(EpisodeQuery(parent_id=episode_id, order="oldest", limit=10_000)).episodes

    def facets(self) -> Facets:
        """Return which tasks, outcomes and policies there are, for filters."""
        counts: list[dict[str, int]] = []
        with self.reading() as connection:
            for column in ("task", "outcome", "policy"):
                rows = connection.execute(
                    f"SELECT {column}, count(*) FROM episodes WHERE deleted_at IS NULL GROUP BY {column} ORDER BY {column}"
                )
                counts.append({str(value): int(n) for value, n in rows})
        return Facets(*counts)

    def events(self, episode_id: str) -> tuple[Event, ...]:
        """Return the timeline of an episode, in the order in which things happened."""
        rows = self._rows(episode_id, "SELECT * FROM events WHERE episode = ? ORDER BY num")
        return tuple(event_from_row(row) for row in rows)

    def columns(self, episode_id: str) -> StepColumns:
        """Return the readable numbers of every step, without the states."""
        return columns_from_rows(self._rows(episode_id, "SELECT * FROM steps WHERE episode = ? ORDER BY step"))

    def scores(self, episode_id: str) -> list[tuple[int, dict[str, float]]]:
        """Return what was scored at each step, without the states; steps without scores are left out."""
        return scores_from_rows(self._rows(episode_id, "SELECT step, scores FROM steps WHERE episode = ? ORDER BY step"))

    def steps(self, episode_id: str, start: int = 0, stop: int | None = None) -> Iterator[Step]:
        """Yield recorded steps ``start <= index < stop`` with their states, exactly as they were recorded.

        ``proprio`` is not stored as such; a simulator gives it again from the state.
        """
        stop = 2**62 if stop is None else stop
        started = self.episode(episode_id).started
        steps = """SELECT s.*, p.id AS prompt_id FROM steps s LEFT JOIN prompts p ON p.num = s.prompt
            WHERE s.episode = ? AND s.step >= ? AND s.step < ? ORDER BY s.step"""
        chunks = "SELECT * FROM state_chunks WHERE episode = ? AND first_step + num_steps > ? AND first_step < ? ORDER BY first_step"
        for chunk in self._rows(episode_id, chunks, start, stop):
            first, num = int(chunk["first_step"]), int(chunk["num_steps"])
            states = decode_states(chunk["data"])
            for row in self._rows(episode_id, steps, max(start, first), min(stop, first + num)):
                with decoding(f"Episode {episode_id}"):
                    state = SimState.from_bytes(states[int(row["step"]) - first])
                yield step_from_row(row, state, started)

    def state_at(self, episode_id: str, index: int) -> SimState:
        """Return the state before step ``index``; ``index == num_steps`` gives the final state.

        Raises:
            NotStored: there is no such episode or step.
            StoreCorrupt: the stored state is damaged.
        """
        query = "SELECT * FROM state_chunks WHERE episode = ? AND first_step <= ? ORDER BY first_step DESC LIMIT 1"
        rows = self._rows(episode_id, query, index)
        if rows and index < int(rows[0]["first_step"]) + int(rows[0]["num_steps"]):
            states = decode_states(rows[0]["data"])
            with decoding(f"Episode {episode_id}"):
                return SimState.from_bytes(states[index - int(rows[0]["first_step"])])
        info = self.episode(episode_id)
        blob = self._blob(episode_id, "final_state" if index else "start_state")
        if index != info.num_steps or blob is None:
            raise NotStored(f"Step {index} of episode {episode_id}", reason=f"it has {info.num_steps} steps")
        with decoding(f"Episode {episode_id}"):
            return SimState.from_bytes(blob)

    def start_state(self, episode_id: str) -> SimState | None:
        """Return the state that a branch starts from, or None for an episode that starts from its seed."""
        blob = self._blob(episode_id, "start_state")
        with decoding(f"Episode {episode_id}"):
            return None if blob is None else SimState.from_bytes(blob)

    def final_state(self, episode_id: str) -> SimState | None:
        """Return the state after the last step, or None for an episode that was interrupted."""
        blob = self._blob(episode_id, "final_state")
        with decoding(f"Episode {episode_id}"):
            return None if blob is None else SimState.from_bytes(blob)

    # Changes

    def rename(self, episode_id: str, name: str) -> None:
        """Give an episode a name; an empty one removes it."""
        self._change(episode_id, "UPDATE episodes SET name = ? WHERE id = ?", _text(name))

    def rate(self, episode_id: str, rating: int | None) -> None:
        """Rate an episode 1 to 5, or remove its rating."""
        if rating is not None and rating not in (1, 2, 3, 4, 5):
            raise InvalidInput("rating", expected="1 to 5, or none", found=repr(rating))
        self._change(episode_id, "UPDATE episodes SET rating = ? WHERE id = ?", rating)

    def add_note(self, episode_id: str, text: str, *, step: int | None = None) -> Note:
        """Write a note on an episode, or on one of its steps."""
        note = Note(new_id(), episode_id, step, _text(text), self._clock())
        query = "INSERT INTO notes (id, episode, step, text, written) SELECT ?, num, ?, ?, ? FROM episodes WHERE id = ?"
        with self.transaction() as connection:
            cursor = connection.execute(query, [note.id, step, note.text, note.written, episode_id])
            _require(cursor, episode_id)
        return note

    def edit_note(self, note_id: str, text: str) -> None:
        """Change a note; an empty text removes it."""
        text = _text(text)
        with self.transaction() as connection:
            if text:
                cursor = connection.execute("UPDATE notes SET text = ? WHERE id = ?", [text, note_id])
            else:
                cursor = connection.execute("DELETE FROM notes WHERE id = ?", [note_id])
            if cursor.rowcount != 1:
                raise NotStored(f"Note {note_id}", reason="there is none of that id")

    def notes(self, episode_id: str) -> tuple[Note, ...]:
        """Return the notes on an episode, oldest first."""
        rows = self._rows(episode_id, "SELECT * FROM notes WHERE episode = ? ORDER BY num")
        return tuple(note_from_row(row, episode_id) for row in rows)

    def delete(self, episode_id: str) -> None:
        """Hide an episode until it is restored or purged."""
        self._change(episode_id, "UPDATE episodes SET deleted_at = ? WHERE id = ?", self._clock())

    def restore(self, episode_id: str) -> None:
        """Undo :meth:`delete`."""
        self._change(episode_id, "UPDATE episodes SET deleted_at = ? WHERE id = ?", None)

    def purge(self, *, deleted_before: float | None = None) -> int:
        """Remove the deleted episodes for ever, and return how many; their branches stay.

        Args:
            deleted_before: only those deleted before this Unix time [s].
        """
        before = self._clock() + 1.0 if deleted_before is None else deleted_before
        with self.transaction() as connection:
            num = connection.execute("DELETE FROM episodes WHERE deleted_at < ?", [before]).rowcount
            connection.execute("DELETE FROM sessions WHERE id NOT IN (SELECT session_id FROM episodes) AND name = ''")
            connection.execute("DELETE FROM prompts WHERE num NOT IN (SELECT prompt FROM steps WHERE prompt IS NOT NULL)")
        self._connections.give_back_space()
        return num

    def set_thumbnail(self, episode_id: str, jpeg: bytes) -> None:
        """Keep a small JPEG for the listing."""
        if not jpeg.startswith(b"\xff\xd8"):
            raise InvalidInput("thumbnail", expected="a JPEG file", found=f"{len(jpeg)} bytes of something else")
        if len(jpeg) > MAX_THUMBNAIL_BYTES:
            raise TooLarge("thumbnail", limit=f"{MAX_THUMBNAIL_BYTES} bytes", found=f"{len(jpeg)} bytes")
        with self.transaction() as connection:
            cursor = connection.execute("INSERT OR REPLACE INTO thumbnails SELECT num, ? FROM episodes WHERE id = ?", [jpeg, episode_id])
            _require(cursor, episode_id)

    def thumbnail(self, episode_id: str) -> bytes | None:
        """Return the JPEG of an episode, or None."""
        rows = self._rows(episode_id, "SELECT jpeg FROM thumbnails WHERE episode = ?")
        return bytes(rows[0]["jpeg"]) if rows else None

    def storage(self) -> StorageUse:
        """Return what lies on disk."""
        query = """SELECT (SELECT count(*) FROM sessions), count(*), total(num_steps), total(deleted_at IS NOT NULL),
            total(iif(deleted_at IS NULL, 0, num_bytes)) FROM episodes"""
        with self.reading() as connection:
            sessions, episodes, steps, deleted, deleted_bytes = (int(n) for n in connection.execute(query).fetchone())
            sides = [self.path.with_name(self.path.name + ending) for ending in ("", "-wal")]
            size = sum(side.stat().st_size for side in sides if side.exists())
            free = shutil.disk_usage(self.path.parent).free
        return StorageUse(size, free, sessions, episodes, steps, deleted, deleted_bytes)

    def _sessions(self, condition: str, values: Sequence[object], limit: int, offset: int) -> tuple[SessionInfo, ...]:
        query = f"""
            SELECT s.id, s.name, s.started, count(iif(e.deleted_at IS NULL, e.num, NULL)) AS num_episodes,
                total(iif(e.deleted_at IS NULL, e.num_steps, 0)) AS num_steps, total(e.num_bytes) AS num_bytes,
                coalesce(max(e.started), s.started) AS last_started
            FROM sessions s LEFT JOIN episodes e ON e.session_id = s.id WHERE {condition}
            GROUP BY s.id ORDER BY last_started DESC, s.id DESC LIMIT ? OFFSET ?"""
        with self.reading() as connection:
            rows = connection.execute(query, [*values, limit, offset]).fetchall()
        return tuple(session_from_row(row) for row in rows)

    def _num(self, connection: sqlite3.Connection, episode_id: str) -> int:
        row = connection.execute("SELECT num FROM episodes WHERE id = ?", [episode_id]).fetchone()
        if row is None:
            raise NotStored(f"Episode {episode_id}", reason="there is none of that id")
        return int(row[0])

    def _rows(self, episode_id: str, query: str, *values: object) -> list[sqlite3.Row]:
        """Run a query whose first parameter is the key of an episode's row."""
        with self.reading() as connection:
            return connection.execute(query, [self._num(connection, episode_id), *values]).fetchall()

    def _blob(self, episode_id: str, column: str) -> bytes | None:
        (row,) = self._rows(episode_id, f"SELECT {column} FROM episodes WHERE num = ?")
        if row[0] is not None and not isinstance(row[0], bytes):
            raise StoreCorrupt(f"Episode {episode_id}", reason=f"its {column} is not binary", fix="Other episodes are not affected.")
        return row[0]

    def _change(self, episode_id: str, query: str, value: object) -> None:
        with self.transaction() as connection:
            _require(connection.execute(query, [value, episode_id]), episode_id)


def event_payload(events: Sequence[Event], kind: str, before_step: int) -> Mapping[str, Any] | None:
    """Return the payload of the last event of a kind at or before a step, or None: what was in force at that step."""
    found = [event for event in events if event.kind.value == kind and event.step <= before_step]
    return found[-1].payload if found else None


def _text(text: str) -> str:
    """Check a name or note, and strip it."""
    if not isinstance(text, str) or "\0" in text:
        raise InvalidInput("text", expected="characters without NUL", found=type(text).__name__)
    if len(text) > MAX_TEXT:
        raise TooLarge("text", limit=f"{MAX_TEXT} characters", found=f"{len(text)} characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("text", expected="valid Unicode", found="half of a surrogate pair") from error
    return text.strip()


def _require(cursor: sqlite3.Cursor, episode_id: str) -> None:
    if cursor.rowcount != 1:
        raise NotStored(f"Episode {episode_id}", reason="there is none of that id")
