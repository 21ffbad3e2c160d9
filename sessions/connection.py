"""Opening the database file: who may write, is it ours, is it whole; and SQLite's errors in words."""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlite_utils

from sessions.migrations import APPLICATION_ID, migrations
from workbench.core.errors import StoreCorrupt, StoreError, StoreLocked

_HEADER: Final = b"SQLite format 3\0"
_CHECKED_WHOLE_BYTES: Final = 256 * 2**20
"""Files up to this size are checked page by page at every opening, larger ones only after an unclean end."""
_KEEP: Final = "The file was left as it was; keep a copy of it, or set it aside and start a new one."


@contextlib.contextmanager
def errors_in_words(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, which say what to do.

    Raises:
        StoreLocked: another process holds the database.
        StoreCorrupt: the file is damaged.
        StoreError: it cannot be read or written.
    """
    what = f"Database {path}"
    try:
        yield
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StoreError(what, reason="the disk is full", fix="Free some space; nothing stored so far is lost.") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreLocked(what, reason="another process is writing to it", fix="Close it there, or open it read-only.") from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
            raise StoreError(what, reason="it is read-only", fix="Make file and folder writable, or open it read-only.") from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOLFS):
            raise StoreError(what, reason=f"the disk refused ({error})", fix="Check that it is there and has space.") from error
        if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
            raise StoreError(what, reason="it was closed", fix="Open it again.") from error
        raise StoreCorrupt(what, reason=f"it is damaged or not ours ({error})", fix=_KEEP) from error
    except OSError as error:
        raise StoreError(what, reason=error.strerror or str(error), fix="Check that the folder exists and is writable.") from error


class WriterLock:
    """Held by the one process that may write; the kernel releases it when that process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._file = path.with_name(path.name + ".lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read(200).strip() or "another process"
            self._file.close()
            raise StoreLocked(
                f"Database {path}", reason=f"{holder} is using it", fix="Close that one first, or open the database read-only."
            ) from error
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()}")
        self._file.flush()

    def release(self) -> None:
        """Let another process write."""
        self._file.close()


class Connections:
    """One connection that writes and a few that read, for one database file. Safe to use from any thread."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        """Open, check, and bring the schema up to date; errors as :func:`errors_in_words`."""
        self.path = path
        self.read_only = read_only
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._write_lock = threading.RLock()
        self._is_closed = False
        self._immutable = False
        with contextlib.ExitStack() as undo, errors_in_words(path):
            if read_only:
                self._check_file()
                self._immutable = _must_be_immutable(path)
                undo.callback(self._close_idle)
                with self.reading() as connection:
                    _check_contents(connection, path, must_be_current=True)
                self._writer = None
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = WriterLock(path)
                undo.callback(self._lock.release)
                self._writer = self._open_writer(undo)
            undo.pop_all()

    def _open_writer(self, undo: contextlib.ExitStack) -> sqlite3.Connection:
        is_new = not self.path.exists() or (self.path.stat().st_size == 0 and not _wal_size(self.path))
        if not is_new:
            self._check_file()
            if not os.access(self.path, os.W_OK):
                raise StoreError(
                    f"Database {self.path}", reason="it is read-only", fix="Make file and folder writable, or open it read-only."
                )
        connection = sqlite3.connect(self.path, timeout=5.0, check_same_thread=False)
        undo.callback(connection.close)
        if is_new:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        else:
            _check_contents(connection, self.path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrations.apply(sqlite_utils.Database(connection, execute_plugins=False))
        return connection

    def _check_file(self) -> None:
        """Tell early, and without SQLite, that the file is not a database."""
        if not self.path.is_file():
            raise StoreError(f"Database {self.path}", reason="there is no such file", fix="Check the path, or open it for writing.")
        with self.path.open("rb") as file:
            start = file.read(len(_HEADER))
        if start != _HEADER:
            raise StoreCorrupt(f"Database {self.path}", reason="it is not an SQLite file, or its start is damaged", fix=_KEEP)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the writing connection within a transaction: all of it is kept, or nothing.

        Raises:
            StoreError: opened read-only, or the disk refuses; see :func:`errors_in_words`.
        """
        if self._writer is None:
            raise StoreError(f"Database {self.path}", reason="it was opened read-only", fix="Open it for writing to change it.")
        with self._write_lock, errors_in_words(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees the last commit and cannot write; errors as :func:`errors_in_words`."""
        with errors_in_words(self.path):
            if self._is_closed:
                raise StoreError(f"Database {self.path}", reason="it was closed", fix="Open it again.")
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._open_reader()
            try:
                yield connection
            finally:
                if self._is_closed:
                    connection.close()
                else:
                    self._idle.put(connection)

    def _open_reader(self) -> sqlite3.Connection:
        mode = "mode=ro&immutable=1" if self._immutable else "mode=ro"
        uri = f"{self.path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=5.0, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = ON")
        return connection

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._is_closed

    def give_back_space(self) -> None:
        """Shorten the file by the pages that a removal freed; errors as :func:`errors_in_words`."""
        if self._writer is not None:
            with self._write_lock, errors_in_words(self.path):
                # A script, because the first statement works on while it returns rows without columns, which ``execute`` stops at.
                self._writer.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")

    def close(self) -> None:
        """Write back everything and let go of the file."""
        if self._is_closed:
            return
        self._is_closed = True
        self._close_idle()
        if self._writer is not None:
            with self._write_lock:
                # A failing disk keeps the log beside the file; SQLite reads it at the next opening.
                with contextlib.suppress(sqlite3.Error):
                    self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._writer.close()
            self._lock.release()

    def _close_idle(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


def set_aside(path: Path) -> Path:
    """Rename a damaged database, with its log, so that a new one can be started under its name; return where it went.

    Raises:
        StoreLocked: a process writes to it.
        StoreError: the folder is not writable, or there is no such file.
    """
    with errors_in_words(path):
        lock = WriterLock(path)
        try:
            target = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
            while target.exists():
                target = target.with_name(f"{target.stem}+{target.suffix}")
            path.rename(target)
            for ending in ("-wal", "-shm"):
                side = path.with_name(path.name + ending)
                if side.exists():
                    side.rename(target.with_name(target.name + ending))
        finally:
            lock.release()
    return target


def _wal_size(path: Path) -> int:
    wal = path.with_name(path.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def _must_be_immutable(path: Path) -> bool:
    """Tell whether SQLite could not make its side files, so that the file has to be read as if it never changed."""
    if os.access(path.parent, os.W_OK) or path.with_name(path.name + "-shm").exists():
        return False
    if _wal_size(path):
        raise StoreError(
            f"Database {path}", reason="its last changes lie in a log that cannot be read in a read-only folder", fix="Copy all its files."
        )
    return True


def _check_contents(connection: sqlite3.Connection, path: Path, *, must_be_current: bool = False) -> None:
    """Raise unless the file is one of ours, of a version we know, and whole."""
    what = f"Database {path}"
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise StoreCorrupt(what, reason="it belongs to another program", fix="Choose another path; the file was not touched.")
    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        known = {migration.name for migration in migrations.pending(sqlite_utils.Database(empty, execute_plugins=False))}
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", [migrations.name]).fetchall()
    applied = {str(name) for (name,) in rows}
    unknown = applied - known
    if unknown:
        raise StoreError(what, reason=f"a newer version of the workbench wrote it ({max(unknown)})", fix="Update the workbench.")
    if must_be_current and known - applied:
        raise StoreError(
            what, reason="an older version of the workbench wrote it", fix="Open it once for writing, which brings it up to date."
        )
    (num_pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    if not _wal_size(path) and path.stat().st_size < num_pages * page_bytes:
        raise StoreCorrupt(what, reason="its end is missing", fix=_KEEP)
    if path.stat().st_size <= _CHECKED_WHOLE_BYTES or _wal_size(path):
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StoreCorrupt(what, reason=str(verdict).replace("\n", "; "), fix=_KEEP)
