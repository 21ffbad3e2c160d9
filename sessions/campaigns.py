"""Campaigns that were run, with every trial, so that a figure can be traced to its seeds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sessions.reading import decoding
from sessions.records import StoredCampaign
from sessions.store import Store
from sessions.writing import json_text
from workbench.core.errors import NotStored
from workbench.core.events import new_id
from workbench.evaluation.campaign import Cell, CellResult, TrialResult, report

_QUERY = "SELECT c.*, (SELECT count(*) FROM trials t WHERE t.campaign = c.num) AS num_trials FROM campaigns c"


def save_campaign(
    store: Store, name: str, results: Sequence[CellResult], *, config: Mapping[str, Any], started: float, ended: float
) -> StoredCampaign:
    """Keep a campaign and its trials.

    Args:
        store: where to.
        name: what it is called, for example ``rovi``.
        results: its cells with their trials.
        config: what was asked for; JSON values.
        started: Unix time [s].
        ended: Unix time [s].

    Raises:
        StoreError: the database refuses.
    """
    campaign_id = new_id()
    rows = [
        (r.cell.policy, r.cell.task, r.cell.prompt, r.cell.edits, t.seed, int(t.is_success), t.num_steps, t.note)
        for r in results
        for t in r.trials
    ]
    with store.transaction() as connection:
        cursor = connection.execute(
            "INSERT INTO campaigns (id, name, config, report, started, ended) VALUES (?, ?, ?, ?, ?, ?)",
            [campaign_id, name, json_text(config), json_text(report(name, results)), started, ended],
        )
        connection.executemany(
            f"""INSERT INTO trials (campaign, policy, task, prompt, edits, seed, is_success, num_steps, note)
            VALUES ({cursor.lastrowid}, ?, ?, ?, ?, ?, ?, ?, ?)""",
            rows,
        )
    return find_campaign(store, campaign_id)


def list_campaigns(store: Store, *, limit: int = 100) -> tuple[StoredCampaign, ...]:
    """List campaigns, newest first."""
    with store.reading() as connection:
        rows = connection.execute(f"{_QUERY} ORDER BY c.started DESC, c.num DESC LIMIT ?", [limit]).fetchall()
    return tuple(_campaign(row) for row in rows)


def find_campaign(store: Store, campaign_id: str) -> StoredCampaign:
    """Return one campaign; raises NotStored when there is none of that id."""
    with store.reading() as connection:
        row = connection.execute(f"{_QUERY} WHERE c.id = ?", [campaign_id]).fetchone()
    if row is None:
        raise NotStored(f"Campaign {campaign_id}", reason="there is none of that id")
    return _campaign(row)


def load_cells(store: Store, campaign_id: str) -> tuple[CellResult, ...]:
    """Return the cells of a campaign with their trials; raises NotStored when there is none of that id."""
    find_campaign(store, campaign_id)
    query = "SELECT * FROM trials WHERE campaign = (SELECT num FROM campaigns WHERE id = ?) ORDER BY num"
    with store.reading() as connection:
        rows = connection.execute(query, [campaign_id]).fetchall()
    cells: dict[tuple[str, ...], list[TrialResult]] = {}
    with decoding(f"Campaign {campaign_id}"):
        for row in rows:
            key = tuple(str(row[name]) for name in ("policy", "task", "prompt", "edits"))
            trial = TrialResult(int(row["seed"]), bool(row["is_success"]), int(row["num_steps"]), str(row["note"]))
            cells.setdefault(key, []).append(trial)
    return tuple(
        CellResult(Cell(policy, task, prompt, tuple(t.seed for t in trials), edits), tuple(trials))
        for (policy, task, prompt, edits), trials in cells.items()
    )


def _campaign(row: sqlite3.Row) -> StoredCampaign:
    with decoding("Stored campaign"):
        return StoredCampaign(
            id=str(row["id"]),
            name=str(row["name"]),
            config=dict(json.loads(row["config"])),
            report=dict(json.loads(row["report"])),
            started=float(row["started"]),
            ended=float(row["ended"]),
            num_trials=int(row["num_trials"]),
        )
