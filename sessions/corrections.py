"""Which stored episodes people corrected: what there is to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sessions.reading import decoding
from sessions.store import Store

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
