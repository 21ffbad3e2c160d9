"""Campaigns in the store: kept while they run, trial by trial, so that one that was cut off goes on where it stopped."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, Literal

from sessions import writing
from sessions.codec import pack_path, unpack_path
from sessions.reading import decoding
from sessions.records import StoredCampaign
from sessions.store import Store
from sessions.writing import json_text
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.events import EpisodeEnd, EpisodeStart, new_id
from workbench.core.types import Step
from workbench.evaluation.campaign import Cell, CellResult, Trial, TrialResult
from workbench.evaluation.driver import Campaign
from workbench.evaluation.worker import EpisodeTape, TrialOutcome

Status = Literal["running", "done", "cancelled", "interrupted"]

_QUERY: Final = "SELECT c.*, (SELECT count(*) FROM trials t WHERE t.campaign = c.num) AS num_trials FROM campaigns c"
_CELL: Final = ("policy", "task", "prompt", "edits", "perturbation", "setting")
_INSERT_CAMPAIGN: Final = """
    INSERT INTO campaigns (id, name, config, digest, report, started, ended, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_INSERT_TRIAL: Final = """
    INSERT OR REPLACE INTO trials (campaign, policy, task, prompt, edits, perturbation, setting, seed, is_success, num_steps, note, measures,
        policy_ms, path, episode_id)
    SELECT num, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM campaigns WHERE id = ?"""


def begin_campaign(store: Store, campaign: Campaign, *, clock: Callable[[], float] = time.time) -> StoredCampaign:
    """Make a campaign without trials.

    Raises:
        StoreError: the database refuses.
    """
    campaign_id, now, config = new_id(), clock(), campaign.to_dict()
    row = [campaign_id, campaign.name, json_text(config), digest_of(campaign), json_text({}), now, now, "running"]
    with store.transaction() as connection:
        connection.execute(_INSERT_CAMPAIGN, row)
        writing.insert_session(connection, session_of(campaign_id), now, f"campaign {campaign.name}")
    return find_campaign(store, campaign_id)


def find_unfinished(store: Store, campaign: Campaign) -> StoredCampaign | None:
    """Return the newest campaign that asked for the same and was cut off or cancelled, or None when the newest is done."""
    with store.reading() as connection:
        row = connection.execute(f"{_QUERY} WHERE c.digest = ? ORDER BY c.num DESC LIMIT 1", [digest_of(campaign)]).fetchone()
    return None if row is None or row["status"] == "done" else _campaign(row)


def set_status(store: Store, campaign_id: str, status: Status, document: Mapping[str, Any] | None = None) -> StoredCampaign:
    """Tell how a campaign goes, and what it came to; raises NotStored when there is none of that id."""
    with store.transaction() as connection:
        changed = connection.execute(
            "UPDATE campaigns SET status = ?, ended = ?, report = coalesce(?, report) WHERE id = ?",
            [status, time.time(), None if document is None else json_text(document), campaign_id],
        ).rowcount
    if changed != 1:
        raise NotStored(f"Campaign {campaign_id}", reason="there is none of that id")
    return find_campaign(store, campaign_id)


def session_of(campaign_id: str) -> str:
    """Return the id of the session that holds a campaign's episodes."""
    return campaign_id


class StoredJournal:
    """Keeps each trial of a campaign, with its episode when that was taped, in one transaction."""

    def __init__(self, store: Store, campaign_id: str) -> None:
        self._store, self._id = store, campaign_id

    def finished(self) -> Mapping[Trial, TrialResult]:
        """Return the trials that are there."""
        return load_trials(self._store, self._id)

    def keep(self, outcome: TrialOutcome) -> None:
        """Keep one more; errors as :meth:`Store.transaction`."""
        with self._store.transaction() as connection:
            episode_id = None if outcome.tape is None else insert_tape(connection, outcome.tape)
            _insert_trial(connection, self._id, outcome.trial, outcome.result, episode_id)
            connection.execute("UPDATE campaigns SET ended = ? WHERE id = ?", [time.time(), self._id])


def save_report(store: Store, document: Mapping[str, Any], *, config: Mapping[str, Any], started: float, ended: float) -> StoredCampaign:
    """Keep the document of a campaign that does not give its trials."""
    campaign_id = new_id()
    with store.transaction() as connection:
        row = [campaign_id, str(document["name"]), json_text(config), "", json_text(document), started, ended, "done"]
        connection.execute(_INSERT_CAMPAIGN, row)
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


def delete_campaign(store: Store, campaign_id: str) -> None:
    """Remove a campaign and its trials; their episodes stay. Raises NotStored when there is none of that id."""
    with store.transaction() as connection:
        if connection.execute("DELETE FROM campaigns WHERE id = ?", [campaign_id]).rowcount != 1:
            raise NotStored(f"Campaign {campaign_id}", reason="there is none of that id")


def plan_of(campaign: StoredCampaign) -> Campaign:
    """Return what a stored campaign asked for, to go on with it.

    Raises:
        InvalidInput: it was stored as a whole, and cannot be run again from what is stored.
    """
    try:
        return Campaign.from_dict(campaign.config)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"campaign {campaign.name}", expected="one that was run trial by trial", found="a report only", fix="Run it anew by its name."
        ) from error


def load_trials(store: Store, campaign_id: str) -> dict[Trial, TrialResult]:
    """Return the trials of a campaign in the order in which they were kept; raises NotStored when there is none of that id."""
    return {trial: result for trial, result, _ in _load(store, campaign_id)}


def load_cells(store: Store, campaign_id: str) -> tuple[CellResult, ...]:
    """Return the cells of a campaign with their trials by seed; raises NotStored when there is none of that id."""
    cells: dict[Trial, list[TrialResult]] = {}
    for trial, result in load_trials(store, campaign_id).items():
        cells.setdefault(replace(trial, seed=0), []).append(result)
    ordered = {key: tuple(sorted(trials, key=lambda t: t.seed)) for key, trials in cells.items()}
    return tuple(
        CellResult(Cell(key.policy, key.task, key.prompt, tuple(t.seed for t in trials), key.edits, key.perturbation, key.setting), trials)
        for key, trials in ordered.items()
    )


def trial_episodes(store: Store, campaign_id: str) -> dict[Trial, str]:
    """Return the stored episode of each trial that has one; raises NotStored when there is none of that id."""
    return {trial: episode_id for trial, _, episode_id in _load(store, campaign_id) if episode_id}


def digest_of(campaign: Campaign) -> str:
    """Return a hash that is equal for campaigns that ask for the same."""
    return sha256(json.dumps(campaign.to_dict(), sort_keys=True).encode()).hexdigest()[:32]


def _load(store: Store, campaign_id: str) -> list[tuple[Trial, TrialResult, str]]:
    find_campaign(store, campaign_id)
    query = "SELECT * FROM trials WHERE campaign = (SELECT num FROM campaigns WHERE id = ?) ORDER BY num"
    with store.reading() as connection:
        rows = connection.execute(query, [campaign_id]).fetchall()
    with decoding(f"Campaign {campaign_id}"):
        return [(_trial(row), _result(row), str(row["episode_id"] or "")) for row in rows]


def _trial(row: sqlite3.Row) -> Trial:
    return Trial(seed=int(row["seed"]), **{name: str(row[name]) for name in _CELL})


def _result(row: sqlite3.Row) -> TrialResult:
    measures = {str(name): float(value) for name, value in json.loads(row["measures"]).items()}
    return TrialResult(
        int(row["seed"]),
        bool(row["is_success"]),
        int(row["num_steps"]),
        str(row["note"]),
        measures,
        path=unpack_path(row["path"]),
        policy_ms=float(row["policy_ms"]),
    )


def _insert_trial(connection: sqlite3.Connection, campaign_id: str, trial: Trial, result: TrialResult, episode_id: str | None) -> None:
    cell = [writing.clean_text(getattr(trial, name)) for name in _CELL]
    outcome = [int(result.is_success), result.num_steps, writing.clean_text(result.note), json_text(result.measures), result.policy_ms]
    connection.execute(_INSERT_TRIAL, [*cell, trial.seed, *outcome, pack_path(result.path), episode_id, campaign_id])


def insert_tape(connection: sqlite3.Connection, tape: EpisodeTape) -> str | None:
    """Write an episode that was taped whole; return its id."""
    starts = [e for e in tape.entries if isinstance(e, EpisodeStart)]
    if not starts:
        return None
    (start,) = starts
    progress = writing.insert_start(connection, start)
    steps = [e for e in tape.entries if isinstance(e, Step)]
    if steps:
        progress = writing.insert_steps(connection, progress, steps)
    for entry in tape.entries:
        if isinstance(entry, EpisodeEnd):
            writing.insert_end(connection, progress, entry)
        elif not isinstance(entry, EpisodeStart | Step):
            writing.insert_event(connection, progress.num, entry, is_live=False)
    return start.episode_id


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
            status=str(row["status"]),
        )
