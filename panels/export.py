"""Files made of stored episodes, thumbnails for their list, and archives taken in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from panels.frames import encode_jpeg
from panels.state import AppState
from sessions import archive
from sessions.records import EpisodeInfo
from sessions.replay import render_step
from sessions.video import write_events, write_picture, write_video
from workbench.core.errors import UnknownName
from workbench.core.events import Outcome
from workbench.core.types import CameraRequest
from workbench.sketch.raster import draw_sketch

THUMBNAIL: Final = CameraRequest("front", 112, 112)
THUMBNAIL_QUALITY: Final = 82


@dataclass(frozen=True)
class Export:
    """One kind of file."""

    suffix: str
    write: Callable[[AppState, EpisodeInfo, int, Path], object]
    """``write(app, episode, step, path)``."""


def _video(app: AppState, info: EpisodeInfo, step: int, path: Path) -> None:
    write_video(app.store, info.id, path, app.simulators.load, draw_sketch=draw_sketch)


def _picture(app: AppState, info: EpisodeInfo, step: int, path: Path) -> None:
    write_picture(app.store, info.id, min(step, info.num_steps), path, app.simulators.load, draw_sketch=draw_sketch)


def _events(app: AppState, info: EpisodeInfo, step: int, path: Path) -> None:
    write_events(app.store, info.id, path)


def _archive(app: AppState, info: EpisodeInfo, step: int, path: Path) -> None:
    archive.export_session(app.store, info.session_id, path)


EXPORTS: Final[Mapping[str, Export]] = {
    "Video with overlays (MP4)": Export(".mp4", _video),
    "Picture of this step (PNG)": Export(".png", _picture),
    "Events (JSON)": Export(".json", _events),
    "Whole session (archive)": Export(".zip", _archive),
}
"""What the history offers, by title."""


def export_episode(app: AppState, episode_id: str, *, kind: str, step: int) -> Path:
    """Write a file of a stored episode into the folder of exports, and return its path.

    Raises:
        UnknownName: no such kind.
        StoreError: there is no such episode or step, or the file cannot be written.
    """
    if kind not in EXPORTS:
        raise UnknownName("export", kind, EXPORTS)
    app.recorder.flush()
    info = app.store.episode(episode_id)
    export = EXPORTS[kind]
    at_step = f"-step{step}" if export.suffix == ".png" else ""
    path = app.settings.exports_dir / f"{info.file_stem}{at_step}{export.suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    export.write(app, info, step, path)
    return path


def import_archive(app: AppState, path: Path) -> None:
    """Take in a session archive; errors as :func:`sessions.archive.import_archive`."""
    archive.import_archive(app.store, path)


class Thumbnails:
    """Small pictures of the end of each episode, drawn when they are first asked for, one at a time."""

    def __init__(self, app: AppState) -> None:
        self._app, self._lock = app, threading.Lock()

    def get(self, episode_id: str) -> bytes | None:
        """Return the JPEG of an episode, or None while it runs.

        Raises:
            StoreError: there is no such episode, or it has no states.
        """
        store = self._app.store
        found = store.thumbnail(episode_id)
        if found is not None:
            return found
        info = store.episode(episode_id)
        if info.outcome is Outcome.RUNNING:
            return None
        with self._lock:
            found = store.thumbnail(episode_id)
            if found is None:
                last = info.num_steps if store.final_state(episode_id) is not None else max(0, info.num_steps - 1)
                found = encode_jpeg(render_step(store, episode_id, last, self._app.simulators.load, THUMBNAIL), THUMBNAIL_QUALITY)
                if not store.is_read_only:
                    store.set_thumbnail(episode_id, found)
        return found
