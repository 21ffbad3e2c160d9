"""Comparisons under steering in the store: their table of effects, and every run as an episode that opens on the stage."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sessions import writing
from sessions.campaigns import insert_tape
from sessions.concepts import save_asset
from sessions.reading import decoding
from sessions.store import Store
from sessions.writing import clean_text, json_text
from workbench.core.errors import NotStored
from workbench.core.events import EpisodeStart, new_id
from workbench.evaluation.steering_compare import ComparePlan, CompareResult, RunOutcome

RUNNING: Final = "running"
DONE: Final = "done"
INTERRUPTED: Final = "interrupted: the workbench ended while it ran"


@dataclass(frozen=True)
class StoredComparison:
    """A comparison that was kept."""

    id: str
    title: str
    asked: Mapping[str, Any]
    found: Mapping[str, Any]
    """``table``: arm -> quantity -> difference; ``arms``: arm -> its runs with path, success and episode; ``sweep``: doses. Empty while it runs."""
    status: str
    """``running``, ``done``, or why it stopped."""
    started: float


def begin_comparison(store: Store, plan: ComparePlan, title: str) -> str:
    """Make a comparison without results, and the session of its episodes; return its id."""
    comparison_id, now = new_id(), time.time()
    asked = {
        "policy": plan.policy,
        "mix": dict(plan.mix),
        "text": plan.text,
        "quantity": plan.quantity,
        "num_random": plan.num_random,
        "manner": plan.manner,
        "is_sweep": plan.is_sweep,
        "starts": [{"config": s.config.to_dict(), "parent_id": s.parent_id, "step": s.step} for s in plan.starts],
    }
    row = [comparison_id, clean_text(title), json_text(asked), "{}", RUNNING, now]
    with store.transaction() as connection:
        connection.execute("UPDATE comparisons SET status = ? WHERE status = ?", [INTERRUPTED, RUNNING])
        connection.execute("INSERT INTO comparisons (id, title, asked, found, status, started) VALUES (?, ?, ?, ?, ?, ?)", row)
        writing.insert_session(connection, comparison_id, now, f"comparison: {clean_text(title)}")
    return comparison_id


def keep_run(store: Store, arm: str, outcome: RunOutcome) -> str:
    """Keep the episode of a run under the name of its arm, with what its edits name, and return its id."""
    for asset in outcome.assets.values():
        save_asset(store, asset, is_listed=False)
    with store.transaction() as connection:
        episode_id = insert_tape(connection, outcome.tape)
    assert episode_id is not None, "a run has a beginning"
    store.rename(episode_id, arm)
    return episode_id


def finish_comparison(store: Store, comparison_id: str, result: CompareResult | None, error: str = "") -> None:
    """Keep what a comparison came to, or why it stopped; raises NotStored when there is none of that id."""
    found = json_text({} if result is None else document_of(result))
    with store.transaction() as connection:
        changed = connection.execute(
            "UPDATE comparisons SET found = ?, status = ? WHERE id = ?", [found, clean_text(error) or DONE, comparison_id]
        ).rowcount
    if changed != 1:
        raise NotStored(f"Comparison {comparison_id}", reason="there is none of that id")


def document_of(result: CompareResult) -> dict[str, Any]:
    """Return a result as JSON values."""
    return {
        "table": {arm: {name: asdict(d) for name, d in row.items()} for arm, row in result.table.items()},
        "arms": {arm: [_run_document(outcome) for outcome in runs] for arm, runs in result.runs.items()},
        "sweep": [{"dose": p.dose, "kind": p.kind.value, "change": asdict(p.change), "success": asdict(p.success)} for p in result.sweep],
    }


def list_comparisons(store: Store, limit: int = 50) -> tuple[StoredComparison, ...]:
    """List comparisons, newest first."""
    with store.reading() as connection:
        rows = connection.execute("SELECT * FROM comparisons ORDER BY num DESC LIMIT ?", [limit]).fetchall()
    return tuple(_comparison(row) for row in rows)


def find_comparison(store: Store, comparison_id: str) -> StoredComparison:
    """Return one comparison; raises NotStored when there is none of that id."""
    with store.reading() as connection:
        row = connection.execute("SELECT * FROM comparisons WHERE id = ?", [comparison_id]).fetchone()
    if row is None:
        raise NotStored(f"Comparison {comparison_id}", reason="there is none of that id")
    return _comparison(row)


def _run_document(outcome: RunOutcome) -> dict[str, Any]:
    head = next(e for e in outcome.tape.entries if isinstance(e, EpisodeStart))
    return {
        "episode_id": head.episode_id,
        "is_success": outcome.is_success,
        "path": [list(point) for point in outcome.path],
        "action": list(outcome.action),
        "note": outcome.note,
    }


def _comparison(row: sqlite3.Row) -> StoredComparison:
    with decoding("Stored comparison"):
        return StoredComparison(
            str(row["id"]),
            str(row["title"]),
            dict(json.loads(row["asked"])),
            dict(json.loads(row["found"])),
            str(row["status"]),
            float(row["started"]),
        )
