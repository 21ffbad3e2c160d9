"""From core types to rows: what one transaction of the recorder writes."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sessions.codec import CHUNK_STEPS, encode_states
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind, Outcome
from workbench.core.types import ACTION_DIM, PROPRIO, PROPRIO_DIM, Step

STEP_BYTES: Final = 170
"""What a row of ``steps`` takes on average, measured; for the estimate of ``episodes.num_bytes``."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_INSERT_STEP: Final = "INSERT OR REPLACE INTO steps VALUES (" + ", ".join("?" * 26) + ")"


@dataclass(frozen=True)
class EpisodeProgress:
    """How far an episode is written: a value, so that a failed transaction is undone by keeping the old one."""

    num: int
    """Key of its row."""
    started: float
    """Unix time [s]."""
    num_steps: int = 0
    chunk_start: int = 0
    """First step of the chunk that still grows."""
    open_states: tuple[bytes, ...] = ()
    """Serialised states of that chunk."""
    closed_bytes: int = 0
    """Size of the chunks that no longer grow."""
    open_bytes: int = 0


def json_text(value: object) -> str:
    """Return strict JSON: NaN and infinities become null, numpy numbers plain ones, and what JSON cannot say its text."""
    try:
        return clean_text(_ENCODER.encode(value))
    except (ValueError, TypeError):
        return clean_text(_ENCODER.encode(_plain(value)))


def clean_text(text: str) -> str:
    """Return text that a database can hold: half a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str | None) else str(value)


def insert_session(connection: sqlite3.Connection, session_id: str, started: float, name: str = "") -> None:
    """Make a session unless it is there."""
    connection.execute("INSERT INTO sessions (id, name, started) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [session_id, name, started])


def insert_start(connection: sqlite3.Connection, start: EpisodeStart) -> EpisodeProgress:
    """Make the row of an episode that starts."""
    insert_session(connection, start.session_id, start.wall_time)
    seed = int(start.config.get("seed", 0))
    cursor = connection.execute(
        """
        INSERT INTO episodes (id, session_id, parent_id, branch_step, task, seed, config, instruction, policy, started, start_state)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            start.episode_id,
            start.session_id,
            start.parent_id,
            start.branch_step,
            clean_text(str(start.config.get("task", ""))),
            seed if abs(seed) < 2**63 else None,  # the configuration keeps a larger one
            json_text(start.config),
            clean_text(start.instruction),
            clean_text(start.policy),
            start.wall_time,
            start.start_state,
        ],
    )
    assert cursor.lastrowid is not None
    return EpisodeProgress(cursor.lastrowid, start.wall_time)


def insert_steps(connection: sqlite3.Connection, progress: EpisodeProgress, steps: Sequence[Step]) -> EpisodeProgress:
    """Add steps in order; the chunk that still grows is written anew each time, so that every commit is complete."""
    prompts = {prompt_id: _prompt_num(connection, prompt_id) for prompt_id in {step.prompt_id for step in steps}}
    connection.executemany(_INSERT_STEP, _step_rows(progress, steps, prompts))
    progress = _insert_states(connection, progress, steps)
    last = steps[-1]
    duration = last.time_s - steps[0].time_s
    per_step = duration / (len(steps) - 1) if len(steps) > 1 else 0.0
    connection.execute(
        "UPDATE episodes SET num_steps = ?, duration_s = ?, num_bytes = ? WHERE num = ?",
        [progress.num_steps, last.time_s + per_step, _num_bytes(progress), progress.num],
    )
    return progress


def insert_event(connection: sqlite3.Connection, episode_num: int, event: Event, *, is_live: bool = True) -> None:
    """Add an event; one that is there already stays as it is. A live rating or note also becomes the episode's."""
    cursor = connection.execute(
        """
        INSERT INTO events (id, episode, step, time_s, kind, actor, wall_time, payload)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING""",
        [event.id, episode_num, event.step, event.time_s, event.kind.value, event.actor, event.wall_time, json_text(event.payload)],
    )
    if cursor.rowcount != 1 or not is_live:
        return
    stars, text, step = (event.payload.get(name) for name in ("stars", "text", "shown_step"))
    if event.kind is EventKind.RATING and stars in (1, 2, 3, 4, 5):
        connection.execute("UPDATE episodes SET rating = ? WHERE num = ?", [stars, episode_num])
    elif event.kind is EventKind.NOTE and isinstance(text, str) and text:
        connection.execute(
            "INSERT INTO notes (id, episode, step, text, written) VALUES (?, ?, ?, ?, ?)",
            [event.id, episode_num, step if isinstance(step, int) else event.step, clean_text(text), event.wall_time],
        )


def insert_end(connection: sqlite3.Connection, progress: EpisodeProgress, end: EpisodeEnd) -> None:
    """Close the row of an episode."""
    connection.execute(
        "UPDATE episodes SET outcome = ?, ended = ?, duration_s = ?, final_state = ?, num_steps = max(num_steps, ?) WHERE num = ?",
        [end.outcome.value, end.wall_time, end.time_s, end.final_state, end.num_steps, progress.num],
    )


def mark_interrupted(connection: sqlite3.Connection) -> int:
    """Mark episodes and campaigns that nobody finished; return how many episodes.

    Only for the one process that may write, before it records.
    """
    connection.execute("UPDATE campaigns SET status = 'interrupted' WHERE status = 'running'")
    query = """
        UPDATE episodes SET outcome = ?, ended = coalesce(
            (SELECT started + max(wall_ms) / 1e3 FROM steps WHERE episode = num), (SELECT max(wall_time) FROM events WHERE episode = num), started)
        WHERE outcome = ?"""
    return connection.execute(query, [Outcome.INTERRUPTED.value, Outcome.RUNNING.value]).rowcount


def _num_bytes(progress: EpisodeProgress) -> int:
    return progress.closed_bytes + progress.open_bytes + STEP_BYTES * progress.num_steps


def _prompt_num(connection: sqlite3.Connection, prompt_id: str) -> int | None:
    """Return the short key of a prompt id; most episodes have a handful of prompts and thousands of steps."""
    if not prompt_id:
        return None
    connection.execute("INSERT INTO prompts (id) VALUES (?) ON CONFLICT DO NOTHING", [prompt_id])
    (num,) = connection.execute("SELECT num FROM prompts WHERE id = ?", [prompt_id]).fetchone()
    return int(num)


def _step_rows(progress: EpisodeProgress, steps: Sequence[Step], prompts: Mapping[str, int | None]) -> list[tuple[object, ...]]:
    """Return the rows of ``steps``; whole columns at once where numpy can."""
    actions = np.array([step.action for step in steps], dtype="<f4").reshape(len(steps), ACTION_DIM)
    # SQLite's numbers keep neither NaN nor the sign of zero, and JSON no infinity; such an action is kept as bytes, too.
    is_odd = ((np.signbit(actions) & (actions == 0)) | ~np.isfinite(actions)).any(axis=1).tolist()
    rows: list[tuple[object, ...]] = []
    for step, seen, action, odd in zip(steps, _seen(steps), actions, is_odd, strict=True):
        exact = action.tobytes()
        proposal = None if step.proposal is None else _bytes(step.proposal)
        rows.append(
            (
                progress.num,
                step.index,
                step.time_s,
                step.actor.value,
                int(step.is_success),
                step.halt_slice,
                *seen,
                *action.tolist(),
                exact if odd else None,
                b"" if proposal == exact else proposal,
                prompts[step.prompt_id],
                _scores_text(step.scores),
                round(1e3 * step.policy_ms),
                round(1e3 * step.step_ms),
                round(1e3 * (step.wall_time - progress.started)),
                *((None, None) if step.takeover is None else (step.takeover.slice, _bytes(step.takeover.action))),
            )
        )
    return rows


def _bytes(action: NDArray[np.float32]) -> bytes:
    return np.asarray(action, dtype="<f4").tobytes()


def _seen(steps: Sequence[Step]) -> list[list[int | None]]:
    """Return end-effector position [um] and opening [1/1000] of each step; None where it is not known or not finite."""
    unknown = np.full(PROPRIO_DIM, np.nan, dtype=np.float32)
    proprio = np.array([unknown if step.proprio is None else step.proprio for step in steps], dtype=np.float64)
    scaled = np.hstack([1e6 * proprio[:, PROPRIO["ee_position"]], 1e3 * proprio[:, PROPRIO["gripper"]]])
    if np.isfinite(scaled).all():
        return list(np.rint(scaled).astype(np.int64).tolist())
    return [[round(value) if math.isfinite(value) else None for value in row] for row in scaled.tolist()]


def _scores_text(scores: Mapping[str, float]) -> str | None:
    """Return scores as JSON with six digits: they are measurements for people; the state gives them again exactly."""
    if not scores:
        return None
    return json_text({str(name): float(f"{value:.6g}") for name, value in scores.items()})


def _insert_states(connection: sqlite3.Connection, progress: EpisodeProgress, steps: Sequence[Step]) -> EpisodeProgress:
    """Append states to the growing chunk, and begin another where it is full or a state does not continue it."""
    start, states, closed_bytes, open_bytes = progress.chunk_start, list(progress.open_states), progress.closed_bytes, 0
    for step in steps:
        state = step.state.to_bytes()
        if states and (step.index != start + len(states) or len(state) != len(states[0])):
            closed_bytes += _write_chunk(connection, progress.num, start, states)
            states = []
        start = start if states else step.index
        states.append(state)
        if len(states) == CHUNK_STEPS:
            closed_bytes += _write_chunk(connection, progress.num, start, states)
            states = []
    if states:
        open_bytes = _write_chunk(connection, progress.num, start, states, is_final=False)
    return replace(
        progress,
        num_steps=steps[-1].index + 1,
        chunk_start=start,
        open_states=tuple(states),
        closed_bytes=closed_bytes,
        open_bytes=open_bytes,
    )


def _write_chunk(
    connection: sqlite3.Connection, episode_num: int, first_step: int, states: Sequence[bytes], *, is_final: bool = True
) -> int:
    """Write a chunk, or write it anew with more states; return its size."""
    blob = encode_states(states, is_final=is_final)
    connection.execute(
        """
        INSERT INTO state_chunks (episode, first_step, num_steps, data) VALUES (?, ?, ?, ?)
        ON CONFLICT (episode, first_step) DO UPDATE SET num_steps = excluded.num_steps, data = excluded.data""",
        [episode_num, first_step, len(states), blob],
    )
    return len(blob)
