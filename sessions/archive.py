"""A single file that carries episodes to another workbench: a zip of JSON lines, states and thumbnails with check sums.

Nothing in an archive is executed or unpickled and nothing is unpacked to disk. Every value is checked before the first one is
stored, so that an archive either can be taken in or changes nothing.

Members: ``manifest.json`` (format, version, and size and SHA-256 of each other member), ``sessions.json``, and for each episode
``e000001/`` with ``episode.json``, ``steps.jsonl``, ``states.bin``, ``events.jsonl``, ``notes.json``, and where there is one
``thumbnail.jpg``, ``start.state`` and ``final.state``.
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from sessions import archive_rows, writing
from sessions.archive_file import FORMAT, VERSION, ArchiveReader, open_archive
from sessions.archive_rows import ArchivedEpisode
from sessions.files import new_file
from sessions.records import EpisodeQuery
from sessions.store import Store
from workbench.core.errors import InvalidInput, TooLarge
from workbench.core.events import new_id

OnProgress = Callable[[int, int], None]
"""``on_progress(episodes done, episodes altogether)``."""

MAX_EPISODES: Final = 10_000
MAX_UNPACKED_BYTES: Final = 4 * 2**30
_STEPS_AT_ONCE: Final = 512


@dataclass(frozen=True)
class ArchiveReport:
    """What was written."""

    path: Path
    num_episodes: int
    num_steps: int
    num_bytes: int


@dataclass(frozen=True)
class ImportReport:
    """What was taken in."""

    imported: tuple[str, ...]
    """Ids of the new episodes, in the order of the archive."""
    skipped: tuple[str, ...]
    """Ids that were there already."""
    session_ids: tuple[str, ...]
    """Sessions that the new episodes belong to."""


def export_session(store: Store, session_id: str, path: Path, *, on_progress: OnProgress = lambda done, total: None) -> ArchiveReport:
    """Write a session's episodes, deleted ones left out, to one file; errors as :func:`export_episodes`."""
    store.session(session_id)
    page = store.episodes(EpisodeQuery(session_id=session_id, order="oldest", limit=MAX_EPISODES + 1))
    return export_episodes(store, [episode.id for episode in page.episodes], path, on_progress=on_progress)


def export_episodes(
    store: Store, episode_ids: Sequence[str], path: Path, *, on_progress: OnProgress = lambda done, total: None
) -> ArchiveReport:
    """Write episodes to one file.

    Raises:
        NotStored: there is no such episode.
        TooLarge: more than 10,000 episodes.
        StoreError: the file cannot be written; what was there before stays.
    """
    if len(episode_ids) > MAX_EPISODES:
        raise TooLarge("archive", limit=f"{MAX_EPISODES:,} episodes", found=f"{len(episode_ids):,}", fix="Export fewer at once.")
    members: dict[str, dict[str, Any]] = {}
    num_steps = 0
    with new_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:

        def add(name: str, content: bytes) -> None:
            members[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            is_packed = name.endswith((".bin", ".jpg", ".state"))
            file.writestr(name, content, zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED)

        session_ids: dict[str, None] = {}
        for number, episode_id in enumerate(episode_ids, 1):
            info = store.episode(episode_id)
            session_ids[info.session_id] = None
            num_steps += info.num_steps
            for name, content in archive_rows.members_of(store, info).items():
                add(f"e{number:06d}/{name}", content)
            on_progress(number, len(episode_ids))
        sessions = [store.session(session_id) for session_id in session_ids]
        add("sessions.json", _json([{"id": s.id, "name": s.name, "started": s.started} for s in sessions]))
        manifest = {"format": FORMAT, "version": VERSION, "created": time.time(), "num_episodes": len(episode_ids), "members": members}
        file.writestr("manifest.json", _json(manifest))
    return ArchiveReport(path, len(episode_ids), num_steps, path.stat().st_size)


def import_archive(
    store: Store,
    path: Path,
    *,
    existing: Literal["skip", "copy"] = "skip",
    only: Collection[str] | None = None,
    max_bytes: int = MAX_UNPACKED_BYTES,
    on_progress: OnProgress = lambda done, total: None,
) -> ImportReport:
    """Take the episodes of an archive into a store, with their ids.

    Args:
        store: where to.
        path: the archive.
        existing: what to do with an episode whose id is there already: leave it out, or take it in under a new id in a new session.
        only: ids of the episodes to take in; None takes all.
        max_bytes: largest unpacked size.
        on_progress: called after each episode that was stored.

    Raises:
        InvalidInput: not an archive, damaged, or of a newer version; nothing was stored.
        TooLarge: it unpacks to more than ``max_bytes``; nothing was stored.
        StoreError: the database refuses; episodes stored so far stay, and importing again continues.
    """
    with open_archive(path, max_bytes=max_bytes, max_episodes=MAX_EPISODES) as reader:
        sessions = archive_rows.parse_sessions(reader.json("sessions.json"))
        folders = []
        for folder in reader.folders:
            episode = archive_rows.parse_episode(reader, folder)
            if only is None or episode.start.episode_id in only:
                _check(episode, sessions)
                folders.append(folder)
        return _take_in(store, _Chosen(reader, folders), sessions, existing, on_progress)


def _check(episode: ArchivedEpisode, sessions: dict[str, tuple[str, float]]) -> None:
    """Raise unless an episode is whole."""
    if episode.start.session_id not in sessions:
        raise InvalidInput("archive", expected="the session of each episode", found=f"none of id {episode.start.session_id!r}")
    for _ in episode.steps():
        pass


class _Chosen(NamedTuple):
    """Which episodes of an archive are taken in."""

    reader: ArchiveReader
    folders: Sequence[str]


def _take_in(store: Store, chosen: _Chosen, sessions: dict[str, tuple[str, float]], existing: str, on_progress: OnProgress) -> ImportReport:
    imported, skipped = [], []
    used: dict[str, None] = {}
    episodes: dict[str, str] = {}  # ids in the archive -> ids here
    copies: dict[str, str] = {}
    for number, folder in enumerate(chosen.folders, 1):
        episode = archive_rows.parse_episode(chosen.reader, folder)
        old_id, old_session = episode.start.episode_id, episode.start.session_id
        if not store.has_episode(old_id):
            used[old_session] = None
        elif existing == "skip":
            skipped.append(old_id)
            on_progress(number, len(chosen.folders))
            continue
        else:
            episodes[old_id] = new_id()
            used[copies.setdefault(old_session, new_id())] = None
            episode = episode.renamed(episodes, copies)
        name, started = sessions[old_session]
        _store(store, episode, name + (" (copy)" if old_id in episodes else ""), started)
        imported.append(episode.start.episode_id)
        on_progress(number, len(chosen.folders))
    return ImportReport(tuple(imported), tuple(skipped), tuple(used))


def _store(store: Store, episode: ArchivedEpisode, session_name: str, session_started: float) -> None:
    """Write one episode, all of it or nothing."""
    with store.transaction() as connection:
        writing.insert_session(connection, episode.start.session_id, session_started, session_name)
        progress = writing.insert_start(connection, episode.start)
        batch = []
        for step in episode.steps():
            batch.append(step)
            if len(batch) == _STEPS_AT_ONCE:
                progress = writing.insert_steps(connection, progress, batch)
                batch = []
        if batch:
            progress = writing.insert_steps(connection, progress, batch)
        for event in episode.events:
            writing.insert_event(connection, progress.num, event, is_live=False)
        writing.insert_end(connection, progress, episode.end)
        for note in episode.notes:
            connection.execute(
                "INSERT INTO notes (id, episode, step, text, written) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [note.id, progress.num, note.step, note.text, note.written],
            )
        connection.execute("UPDATE episodes SET name = ?, rating = ? WHERE num = ?", [episode.name, episode.rating, progress.num])
        if episode.thumbnail is not None:
            connection.execute("INSERT INTO thumbnails VALUES (?, ?)", [progress.num, episode.thumbnail])


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode()
