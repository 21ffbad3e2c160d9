"""A whole session as files, for the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sessions.archive import export_session, import_archive
from sessions.lerobot_export import export_dataset, export_zip
from sessions.lerobot_import import import_dataset, is_dataset
from sessions.recorded import DATASETS_DIR
from sessions.records import EpisodeInfo, EpisodeQuery
from sessions.replay import MakeSimulator
from sessions.store import Store
from sessions.video import write_events, write_video
from workbench.core.errors import UnknownName

FORMATS: Final = ("archive", "json", "lerobot", "mp4")
MAX_EPISODES: Final = 10_000


def export_files(store: Store, session_id: str, *, form: str, out: Path, make_simulator: MakeSimulator) -> dict[str, Any]:
    """Write a session: ``archive`` to one file, ``json`` and ``mp4`` to a folder with one file an episode, ``lerobot`` to a folder or a ``.zip``.

    Returns:
        What was written, as JSON values.

    Raises:
        UnknownName: no such format.
        NotStored: no such session.
        InvalidInput: nothing in it can be a dataset, or there is something at ``out`` already.
        StoreError: a file cannot be written.
    """
    if form not in FORMATS:
        raise UnknownName("export format", form, FORMATS)
    if form == "archive":
        report = dataclasses.asdict(export_session(store, session_id, out))
        return {**report, "path": str(out)}
    if form == "lerobot":
        export = export_zip if out.suffix == ".zip" else export_dataset
        return {**dataclasses.asdict(export(store, session_id, out, make_simulator)), "path": str(out)}
    store.session(session_id)
    write: Callable[[EpisodeInfo, Path], object]
    if form == "json":
        write = lambda info, path: write_events(store, info.id, path)  # noqa: E731 - the two writers differ only in what they need
    else:
        write = lambda info, path: write_video(store, info.id, path, make_simulator)  # noqa: E731
    page = store.episodes(EpisodeQuery(session_id=session_id, order="oldest", limit=MAX_EPISODES))
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for info in page.episodes:
        if form == "mp4" and info.num_steps == 0:
            continue
        path = out / f"{info.file_stem}.{form}"
        write(info, path)
        paths.append(str(path))
    return {"path": str(out), "files": paths}


def import_file(store: Store, path: Path) -> dict[str, Any]:
    """Take in an archive, or a LeRobot dataset; errors as :func:`sessions.archive.import_archive` and :func:`import_dataset`."""
    if is_dataset(path):
        return dataclasses.asdict(import_dataset(store, path, store.path.parent / DATASETS_DIR))
    return dataclasses.asdict(import_archive(store, path))
