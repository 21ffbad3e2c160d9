"""REST: what is stored, as JSON and files, and the timeline of a live tab. The page and scripts use the same addresses."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from panels.admission import Admission
from panels.export import Thumbnails
from panels.live import LiveSession
from panels.state import AppState
from panels.timeline import timeline_document
from panels.watch_alarms_desk import risk_points
from sessions.records import EpisodeInfo, EpisodeQuery
from workbench.core.errors import StoreError

MAX_PAGE = 500
"""Most episodes in one answer."""
NO_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#97a0b0" opacity=".25"/></svg>'


class EpisodeFilter(BaseModel):
    """Query of ``/api/episodes``."""

    model_config = ConfigDict(extra="forbid")
    q: str = Field("", max_length=500)
    session: str | None = None
    task: str | None = None
    outcome: str | None = None
    policy: str | None = None
    rating: int | None = Field(None, ge=1, le=5)
    deleted: bool = False
    order: Literal["newest", "oldest", "longest", "best"] = "newest"
    limit: int = Field(50, ge=1, le=MAX_PAGE)
    offset: int = Field(0, ge=0)

    def to_query(self) -> EpisodeQuery:
        """Return it in the store's words."""
        return EpisodeQuery(
            text=self.q,
            session_id=self.session,
            task=self.task,
            outcome=self.outcome,
            policy=self.policy,
            rating=self.rating,
            is_deleted=self.deleted,
            order=self.order,
            limit=self.limit,
            offset=self.offset,
        )


def make_router(app: AppState) -> APIRouter:
    """Return the routes under ``/api``, ``/healthz`` included."""
    router = APIRouter()

    @router.get("/healthz")
    def healthz() -> dict[str, Any]:
        """Tell that the server answers."""
        return {"status": "ok", "live": len(app.live)}

    @router.get("/api/sessions")
    def list_sessions(
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100, offset: Annotated[int, Query(ge=0)] = 0
    ) -> list[dict[str, Any]]:
        """List sessions, the one used last first."""
        return [asdict(s) for s in app.store.sessions(limit=limit, offset=offset)]

    @router.get("/api/sessions/{session_id}")
    def get_session(session_id: str) -> dict[str, Any]:
        """Return a session and its episodes."""
        episodes = app.store.episodes(EpisodeQuery(session_id=session_id, limit=MAX_PAGE)).episodes
        return {**asdict(app.store.session(session_id)), "episodes": [episode_to_dict(e) for e in episodes]}

    @router.get("/api/episodes")
    def list_episodes(query: Annotated[EpisodeFilter, Query()]) -> dict[str, Any]:
        """Search and filter episodes."""
        page = app.store.episodes(query.to_query())
        return {"total": page.total, "episodes": [episode_to_dict(e) for e in page.episodes]}

    @router.get("/api/facets")
    def get_facets() -> dict[str, Any]:
        """Return which tasks, outcomes and policies there are, with how many episodes have them."""
        return asdict(app.store.facets())

    @router.get("/api/live/{tab_id}/timeline")
    def get_live_timeline(tab_id: str, x_live_token: Annotated[str, Header()] = "") -> dict[str, Any]:
        """Return what the timeline draws of a live tab; the token of the tab goes into ``X-Live-Token``."""
        return live_timeline(app, Admission(app.live).session_of(tab_id, x_live_token))

    _add_episode(router, app)
    return router


def _add_episode(router: APIRouter, app: AppState) -> None:
    """Add the routes of one stored episode."""
    thumbnails = Thumbnails(app)

    @router.get("/api/episodes/{episode_id}/timeline")
    def get_timeline(episode_id: str) -> dict[str, Any]:
        """Return what the timeline draws of a stored episode."""
        return stored_timeline(app, app.store.episode(episode_id))

    @router.get("/api/episodes/{episode_id}/events")
    def get_events(episode_id: str) -> list[dict[str, Any]]:
        """Return the events in order."""
        return [event.to_dict() for event in app.store.events(episode_id)]

    @router.get("/api/episodes/{episode_id}/steps")
    def get_steps(episode_id: str) -> dict[str, Any]:
        """Return the readable numbers of every step, column by column."""
        columns = app.store.columns(episode_id)
        return {name: json_column(getattr(columns, name)) for name in columns.__dataclass_fields__}

    @router.get("/api/episodes/{episode_id}/thumbnail.jpg")
    def get_thumbnail(episode_id: str) -> Response:
        """Return the small picture of an episode; a plain one while there is none."""
        try:
            jpeg = thumbnails.get(episode_id)
        except StoreError:
            jpeg = None
        if jpeg is None:
            return Response(NO_PICTURE, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})

    @router.get("/api/episodes/{episode_id}")  # decorators apply upwards: the more specific address must be added first
    @router.get("/api/episodes/{episode_id}.json")
    def get_episode(episode_id: str) -> dict[str, Any]:
        """Return an episode with its events and notes."""
        info = app.store.episode(episode_id)
        notes = [asdict(note) for note in app.store.notes(episode_id)]
        return {**episode_to_dict(info), "notes": notes, "events": get_events(episode_id)}


def live_timeline(app: AppState, session: LiveSession) -> dict[str, Any]:
    """Return the timeline of the live episode, from memory; its branches from the store."""
    if session.config is None:
        return timeline_document(episode_id="", num_steps=0, control_hz=20.0, actors=[], events=[])
    history = session.controller.history()
    start = history.start
    return timeline_document(
        episode_id=start.episode_id,
        num_steps=history.num_steps,
        control_hz=session.config.control_hz,
        actors=[(step.index, step.actor.value) for step in history.steps()],
        events=[event.to_dict() for event in history.events()],
        parent={"episode_id": start.parent_id, "step": start.branch_step} if start.parent_id else None,
        branches=branches_of(app, start.episode_id),
    )


def stored_timeline(app: AppState, info: EpisodeInfo) -> dict[str, Any]:
    """Return the timeline of a stored episode."""
    columns = app.store.columns(info.id)
    return timeline_document(
        episode_id=info.id,
        num_steps=info.num_steps,
        control_hz=info.config.control_hz,
        actors=[(int(i), actor) for i, actor in zip(columns.steps, columns.actors, strict=True)],
        events=[event.to_dict() for event in app.store.events(info.id)],
        parent={"episode_id": info.parent_id, "step": info.branch_step} if info.parent_id else None,
        branches=branches_of(app, info.id),
        risk=risk_points(app.store.scores(info.id)),
    )


def branches_of(app: AppState, episode_id: str) -> list[dict[str, Any]]:
    """Return the branches that leave an episode; one that was just started may not be on disk yet."""
    found = app.store.branches(episode_id)
    return [{"episode_id": b.id, "step": b.branch_step or 0, "label": b.name, "outcome": b.outcome.value} for b in found]


def episode_to_dict(info: EpisodeInfo) -> dict[str, Any]:
    """Return the head of an episode as JSON values."""
    data = asdict(info)
    return {**data, "config": info.config.to_dict(), "outcome": info.outcome.value, "task": info.task, "title": info.title}


def json_column(values: Any) -> list[Any]:
    """Return a column as JSON values; what was not recorded (NaN) is null."""
    if not isinstance(values, np.ndarray):
        return list(values)
    if values.dtype.kind != "f":
        return list(values.tolist())
    found = values.astype(object)
    found[~np.isfinite(values)] = None
    return list(found.tolist())
