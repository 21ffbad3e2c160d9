"""The rater's page ``/rate`` and what it asks for; it works alone, without the rest of the workbench.

Raters stay blind: what the page gets of an episode is its instruction and a film without any writing on it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from panels.asset_urls import asset_url
from panels.rating_files import export_judgements, summary
from panels.state import AppState
from sessions.feedback import find_pair, next_comparison, next_episode, save_preference, save_rating
from sessions.video import VideoOptions, write_video
from workbench.core.errors import UnknownName
from workbench.core.types import CameraRequest
from workbench.feedback.judgements import REASONS, parse_rater, parse_rating

FILM: Final = CameraRequest("front", 360, 360)
Rater = Annotated[str, Query(max_length=200)]
Session = Annotated[str, Query(max_length=64)]

_PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Judge episodes</title><link rel="icon" href="/favicon.ico" type="image/svg+xml"><link rel="stylesheet" href="{css}"></head>
<body class="rate"><main></main><script src="{js}"></script></body></html>"""


class RatingBody(BaseModel):
    """A rating; its contents are checked by their parser."""

    model_config = ConfigDict(extra="forbid")
    rater: str = Field(max_length=200)
    episode_id: str = Field(max_length=64)
    rating: dict[str, Any]


class PreferenceBody(BaseModel):
    """A preference between the two of a pair, in the order in which this rater saw them."""

    model_config = ConfigDict(extra="forbid")
    rater: str = Field(max_length=200)
    pair: str = Field(max_length=64)
    choice: str = Field(max_length=10)
    reason: str = Field("", max_length=1000)


class Films:
    """Films of stored episodes without any writing, made when they are first asked for, one at a time."""

    def __init__(self, app: AppState) -> None:
        self._app, self._lock = app, threading.Lock()

    def path(self, episode_id: str) -> Path:
        """Return the film of an episode; errors as :func:`sessions.video.write_video`."""
        info = self._app.store.episode(episode_id)
        path = self._app.settings.exports_dir / "films" / f"{info.file_stem}.mp4"
        with self._lock:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_video(self._app.store, episode_id, path, self._app.simulators.load, options=VideoOptions(FILM, has_overlay=False))
        return path


def make_rating_router(app: AppState) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    @router.get("/rate", include_in_schema=False)
    def rate_page() -> HTMLResponse:
        """Serve the page."""
        page = _PAGE.format(css=asset_url("rate.css"), js=asset_url("rate.js"))
        return HTMLResponse(page, headers={"Cache-Control": "no-cache"})

    @router.get("/api/feedback/next")
    def get_next(rater: Rater, kind: Annotated[str, Query(pattern="^(pair|episode)$")] = "pair", session: Session = "") -> dict[str, Any]:
        """Return what a rater judges next, and how far he has come."""
        name = parse_rater(rater)
        app.recorder.flush()
        if kind == "episode":
            episode_id, progress = next_episode(app.store, name, session)
            item = None if episode_id is None else _episode(app, episode_id)
        else:
            pair, progress = next_comparison(app.store, name, session)
            item = None if pair is None else {"kind": "pair", "id": pair.id, "instruction": app.store.episode(pair.first).instruction}
        return {"item": item, "done": progress.num_done, "all": progress.num_all, "reasons": list(REASONS)}

    _add_films(router, app)
    _add_judgements(router, app)
    return router


def _episode(app: AppState, episode_id: str) -> dict[str, Any]:
    info = app.store.episode(episode_id)
    return {"kind": "episode", "id": info.id, "instruction": info.instruction, "duration_s": info.duration_s}


def _add_films(router: APIRouter, app: AppState) -> None:
    """Add what raters look at."""
    films = Films(app)

    @router.get("/api/feedback/pairs/{pair}/{side}.mp4")
    def get_pair_film(pair: str, side: str, rater: Rater) -> Response:
        """Return the film of one side of a pair, as this rater sees it."""
        if side not in ("a", "b"):
            raise UnknownName("side", side, ("a", "b"))
        found = find_pair(app.store, parse_rater(rater), pair)
        return FileResponse(films.path(found.first if side == "a" else found.second), media_type="video/mp4")

    @router.get("/api/feedback/films/{episode_id}.mp4")
    def get_film(episode_id: str) -> Response:
        """Return the film of an episode."""
        return FileResponse(films.path(episode_id), media_type="video/mp4")


def _add_judgements(router: APIRouter, app: AppState) -> None:
    """Add what raters send, and what comes of it."""

    @router.post("/api/feedback/ratings")
    def post_rating(body: RatingBody) -> dict[str, str]:
        """Keep a rating."""
        save_rating(app.store, body.episode_id, parse_rater(body.rater), parse_rating(body.rating))
        return {"status": "kept"}

    @router.post("/api/feedback/preferences")
    def post_preference(body: PreferenceBody) -> dict[str, str]:
        """Keep a preference."""
        rater = parse_rater(body.rater)
        save_preference(app.store, find_pair(app.store, rater, body.pair), rater, body.choice, body.reason)
        return {"status": "kept"}

    @router.get("/api/feedback/summary")
    def get_summary() -> dict[str, Any]:
        """Return agreement, ranking and how much was judged."""
        return summary(app.store)

    @router.get("/api/feedback/export/{form}")
    def get_export(form: str) -> FileResponse:
        """Return all judgements as a file: csv, parquet, json, or preferences."""
        path = export_judgements(app.store, form, app.settings.exports_dir)
        return FileResponse(path, filename=path.name)
