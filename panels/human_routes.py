"""REST of the Human tab: how much each policy was helped."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from panels.state import AppState
from sessions.interventions import help_by_policy


def make_human_router(app: AppState) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    @router.get("/api/interventions")
    def get_interventions() -> list[dict[str, Any]]:
        """Return for each policy how often and how long people drove, with the trend over its newest episodes."""
        return [{**asdict(h), "share": h.share} for h in help_by_policy(app.store)]

    return router
