"""Which stored episodes people corrected: what there is to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sessions.reading import decoding
from sessions.store import Store
from workbench.core.events import Event, EventKind, Outcome
from workbench.core.types import ACTION_DIM
from workbench.intervention.segments import interventions_of, kinds_of_steps
from workbench.learning.lessons import Lesson

_QUERY: Final = """
    SELECT * FROM (
        SELECT e.num, e.id, e.task, e.instruction, e.outcome, e.num_steps, e.started,
            coalesce((SELECT json_extract(v.payload, '$.policy') FROM events v WHERE v.episode = e.num AND v.kind = 'policy'
                ORDER BY v.num DESC LIMIT 1), e.policy) AS driver,
            (SELECT count(*) FROM steps s WHERE s.episode = e.num AND s.actor = 'human') AS num_human_steps,
            (SELECT count(*) FROM events v WHERE v.episode = e.num AND v.kind = 'takeover')
                - (SELECT count(*) FROM events v WHERE v.episode = e.num AND v.kind = 'discard') AS num_corrections
        FROM episodes e
        WHERE e.deleted_at IS NULL AND e.ended IS NOT NULL AND json_extract(e.config, '$.simulator') = 'bench'
            AND EXISTS (SELECT 1 FROM events v WHERE v.episode = e.num AND v.kind = 'takeover')
    ) WHERE num_corrections > 0 AND num_human_steps > 0
    ORDER BY num DESC LIMIT ?"""


@dataclass(frozen=True)
class CorrectedEpisode:
    """The head of an episode in which a person took over at least once and did not discard it."""

    id: str
    task: str
    instruction: str
    driver: str
    """Name of the policy that drove last beside the person."""
    is_success: bool
    num_steps: int
    num_human_steps: int
    num_corrections: int
    """Take-overs that were not discarded."""
    started: float
    """Unix time [s]."""


def corrected_episodes(store: Store, *, limit: int = 500) -> tuple[CorrectedEpisode, ...]:
    """Return the episodes on the bench that have ended and that people corrected, newest first."""
    with store.reading() as connection:
        rows = connection.execute(_QUERY, [limit]).fetchall()
    with decoding("Stored episode"):
        return tuple(
            CorrectedEpisode(
                id=str(row["id"]),
                task=str(row["task"]),
                instruction=str(row["instruction"]),
                driver=str(row["driver"]),
                is_success=row["outcome"] == "success",
                num_steps=int(row["num_steps"]),
                num_human_steps=int(row["num_human_steps"]),
                num_corrections=int(row["num_corrections"]),
                started=float(row["started"]),
            )
            for row in rows
        )


def read_lesson(store: Store, episode: CorrectedEpisode) -> Lesson:
    """Return everything of a corrected episode that a policy learns from.

    Raises:
        NotStored: it was deleted meanwhile.
        StoreCorrupt: its data is damaged.
    """
    info, events, steps = store.episode(episode.id), store.events(episode.id), tuple(store.steps(episode.id))
    last = 1 + max((s.index for s in steps), default=-1)
    kinds, texts = kinds_of_steps(interventions_of(events, last), last), _texts(info.instruction, events, last)
    return Lesson(
        episode_id=info.id,
        config=info.config,
        driver=episode.driver,
        is_success=info.outcome is Outcome.SUCCESS,
        states=tuple(s.state for s in steps),
        actions=np.array([s.action for s in steps], dtype=np.float32).reshape(-1, ACTION_DIM),
        actors=tuple(s.actor for s in steps),
        kinds=tuple(kinds[s.index].value for s in steps),
        texts=tuple(texts[s.index] for s in steps),
        is_solved=np.array([s.is_success for s in steps], dtype=bool),
    )


def _texts(first: str, events: Sequence[Event], num_steps: int) -> list[str]:
    """Return the words that were in force at each step."""
    found, text = [], first
    told = {e.step: str(e.payload.get("text", "")) for e in events if e.kind is EventKind.INSTRUCTION}
    for step in range(num_steps):
        text = told.get(step, text)
        found.append(text)
    return found
