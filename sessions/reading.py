"""From rows to core types and records; a row that cannot be read says so instead of failing anyhow."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sessions.records import EpisodeInfo, EpisodeQuery, Note, SessionInfo, StepColumns
from workbench.core.errors import InvalidInput, StoreCorrupt
from workbench.core.events import Event, EventKind, Outcome
from workbench.core.types import ACTION_DIM, Actor, EpisodeConfig, SimState, Step, Takeover

EPISODE_COLUMNS: Final = """
    e.num, e.id, e.session_id, e.parent_id, e.branch_step, e.config, e.instruction, e.policy, e.name, e.rating, e.outcome,
    e.num_steps, e.duration_s, e.started, e.ended, e.deleted_at, e.num_bytes,
    (SELECT count(*) FROM notes n WHERE n.episode = e.num) AS num_notes,
    (SELECT count(*) FROM episodes c WHERE c.parent_id = e.id AND c.deleted_at IS NULL) AS num_branches,
    EXISTS (SELECT 1 FROM thumbnails t WHERE t.episode = e.num) AS has_thumbnail"""

ACTION_COLUMNS: Final = "dx, dy, dz, droll, dpitch, dyaw, gripper_target"

_ORDERS: Final = {
    "newest": "e.started DESC, e.num DESC",
    "oldest": "e.started, e.num",
    "longest": "e.num_steps DESC, e.num DESC",
    "best": "e.rating IS NULL, e.rating DESC, e.started DESC, e.num DESC",
}


@contextlib.contextmanager
def decoding(what: str) -> Iterator[None]:
    """Turn what a damaged row throws into an error that says so.

    Raises:
        StoreCorrupt: something within could not be decoded.
    """
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, InvalidInput) as error:
        raise StoreCorrupt(what, reason=f"its data is damaged ({error})", fix="Other episodes are not affected.") from error


def episode_from_row(row: sqlite3.Row) -> EpisodeInfo:
    """Read a row of :data:`EPISODE_COLUMNS`."""
    with decoding("Stored episode"):
        return EpisodeInfo(
            id=str(row["id"]),
            session_id=str(row["session_id"]),
            parent_id=row["parent_id"],
            branch_step=row["branch_step"],
            config=EpisodeConfig.from_dict(json.loads(row["config"])),
            instruction=str(row["instruction"]),
            policy=str(row["policy"]),
            name=str(row["name"]),
            rating=row["rating"],
            outcome=Outcome(row["outcome"]),
            num_steps=int(row["num_steps"]),
            duration_s=float(row["duration_s"]),
            started=float(row["started"]),
            ended=row["ended"],
            deleted_at=row["deleted_at"],
            num_bytes=int(row["num_bytes"]),
            num_notes=int(row["num_notes"]),
            num_branches=int(row["num_branches"]),
            has_thumbnail=bool(row["has_thumbnail"]),
        )


def session_from_row(row: sqlite3.Row) -> SessionInfo:
    """Read a row of the listing of sessions."""
    with decoding("Stored session"):
        return SessionInfo(
            id=str(row["id"]),
            name=str(row["name"]),
            started=float(row["started"]),
            num_episodes=int(row["num_episodes"]),
            num_steps=int(row["num_steps"]),
            num_bytes=int(row["num_bytes"]),
            last_started=float(row["last_started"]),
        )


def event_from_row(row: sqlite3.Row) -> Event:
    """Read a row of ``events``."""
    with decoding("Stored event"):
        return Event(
            kind=EventKind(row["kind"]),
            step=int(row["step"]),
            time_s=float(row["time_s"]),
            payload=dict(json.loads(row["payload"])),
            actor=str(row["actor"]),
            wall_time=float(row["wall_time"]),
            id=str(row["id"]),
        )


def note_from_row(row: sqlite3.Row, episode_id: str) -> Note:
    """Read a row of ``notes``."""
    with decoding("Stored note"):
        return Note(str(row["id"]), episode_id, row["step"], str(row["text"]), float(row["written"]))


def action_from_row(row: sqlite3.Row) -> NDArray[np.float32]:
    """Return the executed action ``(7,) float32`` of a row of ``steps``, bit for bit."""
    if row["exact_action"] is not None:
        return _vector(row["exact_action"])
    return np.array([row[name] for name in ACTION_COLUMNS.split(", ")], dtype=np.float32)


def step_from_row(row: sqlite3.Row, state: SimState, started: float) -> Step:
    """Read a row of ``steps`` joined with ``prompts.id AS prompt_id``, of an episode that ``started`` at that Unix time [s]."""
    with decoding("Stored step"):
        action = action_from_row(row)
        proposal = row["proposal"]
        return Step(
            index=int(row["step"]),
            time_s=float(row["time_s"]),
            state=state,
            action=action,
            proposal=None if proposal is None else action if proposal == b"" else _vector(proposal),
            actor=Actor(row["actor"]),
            is_success=bool(row["is_success"]),
            halt_slice=row["halt_slice"],
            takeover=None if row["takeover_slice"] is None else Takeover(int(row["takeover_slice"]), _vector(row["takeover_action"])),
            prompt_id=row["prompt_id"] or "",
            scores=_scores(row["scores"]),
            policy_ms=int(row["policy_us"]) / 1e3,
            step_ms=int(row["step_us"]) / 1e3,
            wall_time=started + int(row["wall_ms"]) / 1e3,
        )


def columns_from_rows(rows: Sequence[sqlite3.Row]) -> StepColumns:
    """Gather the readable numbers of rows of ``steps``."""
    with decoding("Stored steps"):
        ee = [(row["ee_x_um"], row["ee_y_um"], row["ee_z_um"]) for row in rows]
        return StepColumns(
            steps=np.array([row["step"] for row in rows], dtype=np.int64),
            times_s=np.array([row["time_s"] for row in rows], dtype=np.float64),
            ee=np.array(ee, dtype=np.float64).reshape(-1, 3) / 1e6,  # None becomes NaN
            gripper=np.array([row["gripper_permille"] for row in rows], dtype=np.float64) / 1e3,
            actions=np.array([action_from_row(row) for row in rows], dtype=np.float32).reshape(-1, ACTION_DIM),
            actors=tuple(str(row["actor"]) for row in rows),
            is_success=np.array([bool(row["is_success"]) for row in rows], dtype=np.bool_),
        )


def scores_from_rows(rows: Sequence[sqlite3.Row]) -> list[tuple[int, dict[str, float]]]:
    """Read the scores of rows of ``steps``."""
    with decoding("Stored scores"):
        return [(int(row["step"]), _scores(row["scores"])) for row in rows if row["scores"] is not None]


def search_terms(text: str) -> str:
    """Return an FTS5 query that finds rows where every word of ``text`` starts some word; empty when there is no word."""
    words = "".join(c if c.isalnum() else " " for c in text).split()
    return " ".join(f'"{word}"*' for word in words)


def where(query: EpisodeQuery) -> tuple[str, list[object]]:
    """Return the condition on ``episodes e`` and its values."""
    conditions = ["e.deleted_at IS NOT NULL" if query.is_deleted else "e.deleted_at IS NULL"]
    values: list[object] = []
    tests = {
        "e.session_id = ?": query.session_id,
        "e.parent_id = ?": query.parent_id,
        "e.task = ?": query.task,
        "e.outcome = ?": query.outcome,
        "e.policy = ?": query.policy,
        "e.rating >= ?": query.rating,
        "e.started >= ?": query.since,
        "e.started < ?": query.until,
    }
    for condition, value in tests.items():
        if value is not None:
            conditions.append(condition)
            values.append(value)
    for term in search_terms(query.text).split(" ") if query.text.strip() else ():
        # Word by word, so that one may stand in the instruction and the next in a note.
        conditions.append(
            """(e.num IN (SELECT rowid FROM episodes_fts WHERE episodes_fts MATCH ?)
            OR e.num IN (SELECT n.episode FROM notes_fts f JOIN notes n ON n.num = f.rowid WHERE notes_fts MATCH ?))"""
        )
        values += [term or '""', term or '""']
    return " AND ".join(conditions), values


def order(query: EpisodeQuery) -> str:
    """Return the ORDER BY expression."""
    return _ORDERS[query.order]


def _vector(blob: bytes) -> NDArray[np.float32]:
    if len(blob) != 4 * ACTION_DIM:
        raise ValueError(f"an action of {len(blob)} bytes")
    return np.frombuffer(blob, "<f4").astype(np.float32)


def _scores(text: str | None) -> dict[str, float]:
    """Read scores; what was not finite when it was written reads as NaN."""
    if text is None:
        return {}
    return {str(name): float("nan") if value is None else float(value) for name, value in json.loads(text).items()}
