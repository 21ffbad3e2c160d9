"""Files made of stored episodes, and archives taken in."""

from __future__ import annotations

from pathlib import Path

from panels.state import AppState

EXPORTS = {"x": 1}


def export_episode(app: AppState, episode_id: str, *, kind: str, step: int) -> Path:
    raise NotImplementedError


def import_archive(app: AppState, path: Path) -> None:
    raise NotImplementedError
