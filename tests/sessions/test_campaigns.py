"""Campaigns in the store: kept trial by trial, gone on with after an end at any moment, with episodes that can be replayed."""

import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from sessions.campaign_runs import open_campaign, run_and_keep
from sessions.campaigns import (
    StoredJournal,
    begin_campaign,
    delete_campaign,
    find_campaign,
    find_unfinished,
    list_campaigns,
    load_cells,
    load_trials,
    plan_of,
    save_report,
    trial_episodes,
)
from sessions.store import Store
from workbench.core.errors import InvalidInput, NotStored
from workbench.evaluation.campaign import Cell, TrialResult
from workbench.evaluation.driver import Campaign
from workbench.evaluation.runners import SerialRunner
from workbench.evaluation.worker import TrialOutcome, WorkerSetup

PATH = tuple(map(tuple, np.round([(0.1 * i - 0.31, 0.0123, 0.3549 + 0.0001 * i) for i in range(11)], 4).tolist()))
CAMPAIGN = Campaign("small", (Cell("hold", "touch", "words", (1, 2)), Cell("hold", "touch", "none", (1, 2), setting="horizon=1")))


class Scripted:
    """A runner that solves even seeds, and dies at a trial."""

    def __init__(self, dies_at=None):
        self.asked, self.dies_at = [], dies_at

    def run(self, trials, is_cancelled):
        for trial in trials:
            if is_cancelled():
                return
            if trial == self.dies_at:
                raise KeyboardInterrupt
            self.asked.append(trial)
            yield TrialOutcome(trial, TrialResult(trial.seed, trial.seed % 2 == 0, 10, "", {"went": 1.0}, PATH, policy_ms=2.5))


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "workbench.db") as opened:
        yield opened


def test_a_campaign_comes_back_with_every_trial_and_its_report(store):
    kept = run_and_keep(store, begin_campaign(store, CAMPAIGN), CAMPAIGN, lambda session_id: Scripted())
    assert kept.stored.status == "done" and kept.stored.num_trials == 4 and kept.stored.report == kept.document
    assert load_cells(store, kept.stored.id) == kept.run.results and plan_of(kept.stored) == CAMPAIGN
    assert {t.policy_ms for t in load_trials(store, kept.stored.id).values()} == {2.5}
    assert [c.id for c in list_campaigns(store)] == [kept.stored.id]


def test_a_campaign_that_was_cut_off_goes_on_where_it_stopped(store):
    trials, first = CAMPAIGN.trials(), Scripted(CAMPAIGN.trials()[2])
    with pytest.raises(KeyboardInterrupt):
        run_and_keep(store, open_campaign(store, CAMPAIGN), CAMPAIGN, lambda session_id: first)
    assert find_unfinished(store, CAMPAIGN).status == "interrupted" and tuple(first.asked) == trials[:2]
    second, progress = Scripted(), []
    stored = open_campaign(store, CAMPAIGN)
    kept = run_and_keep(store, stored, CAMPAIGN, lambda session_id: second, progress=lambda p: progress.append(p.num_done))
    assert tuple(second.asked) == trials[2:] and progress == [2, 3, 4] and kept.run.is_complete
    assert find_unfinished(store, CAMPAIGN) is None and len(list_campaigns(store)) == 1


def test_a_cancelled_campaign_keeps_what_it_has_and_can_go_on(store):
    calls = []
    kept = run_and_keep(
        store,
        open_campaign(store, CAMPAIGN),
        CAMPAIGN,
        lambda session_id: Scripted(),
        is_cancelled=lambda: calls.append(1) or len(calls) > 3,
    )
    assert kept.stored.status == "cancelled" and kept.stored.num_trials == 3 and not kept.document["is_complete"]
    assert open_campaign(store, CAMPAIGN).id == kept.stored.id
    assert open_campaign(store, CAMPAIGN, is_fresh=True).id != kept.stored.id


def test_a_killed_process_leaves_its_campaign_interrupted(tmp_path):
    with Store.open(tmp_path / "workbench.db") as store:
        begun = begin_campaign(store, CAMPAIGN)
        StoredJournal(store, begun.id).keep(TrialOutcome(CAMPAIGN.trials()[0], TrialResult(1, True, 5)))
    with Store.open(tmp_path / "workbench.db") as store:
        assert find_campaign(store, begun.id).status == "interrupted" and find_unfinished(store, CAMPAIGN).num_trials == 1


def test_another_campaign_is_not_mistaken_for_the_unfinished_one(store):
    begin_campaign(store, CAMPAIGN)
    assert find_unfinished(store, Campaign("small", (replace(CAMPAIGN.cells[0], seeds=(1, 2, 3)),))) is None


def test_each_trial_is_an_episode_that_can_be_looked_at(store):
    campaign = Campaign("taped", (Cell("expert", "touch", "words", (5,)),))
    stored = open_campaign(store, campaign)
    setup = WorkerSetup("models.catalog:POLICIES", has_tape=True)
    kept = run_and_keep(store, stored, campaign, lambda session_id: SerialRunner(replace(setup, session_id=session_id)))
    (episode_id,) = trial_episodes(store, kept.stored.id).values()
    info, result = store.episode(episode_id), kept.run.results[0].trials[0]
    assert (info.task, info.policy, info.outcome.value, info.num_steps) == ("touch", "expert", "success", result.num_steps)
    assert store.session(info.session_id).name == "campaign taped"
    assert store.state_at(episode_id, 3).physics.size > 0 and store.final_state(episode_id) is not None
    assert info.instruction and {"start", "success", "end"} <= {e.kind.value for e in store.events(episode_id)}


def test_a_report_alone_is_kept_and_cannot_be_run_again(store):
    saved = save_report(store, {"name": "rovi", "cells": []}, config={"episodes": 3}, started=1.7e9, ended=1.7e9 + 60)
    assert find_campaign(store, saved.id) == saved and saved.report["cells"] == []
    with pytest.raises(InvalidInput, match="Run it anew"):
        plan_of(saved)


def test_the_view_counts_each_cell(store):
    run_and_keep(store, begin_campaign(store, CAMPAIGN), CAMPAIGN, lambda session_id: Scripted())
    with store.reading() as connection:
        rows = connection.execute("SELECT prompt, setting, n, successes FROM campaign_cells").fetchall()
    assert {tuple(row) for row in rows} == {("words", "", 2, 1), ("none", "horizon=1", 2, 1)}


def test_trials_of_before_perturbations_are_brought_along(tmp_path):
    from tests.sessions.test_migrations import make

    connection = make(tmp_path / "old.db", stop_before="m006_campaign_runs")
    connection.execute("INSERT INTO campaigns VALUES (1, 'old', 'rovi', '{}', '{\"name\": \"rovi\"}', 1.7e9, 1.7e9)")
    connection.execute("INSERT INTO trials (campaign, policy, task, seed, is_success) VALUES (1, 'sketch', 'pick', 7, 1)")
    connection.commit()
    connection.close()
    with Store.open(tmp_path / "old.db") as store:
        assert find_campaign(store, "old").status == "done"
        assert [(t.policy, t.perturbation, r.is_success) for t, r in load_trials(store, "old").items()] == [("sketch", "", True)]


def test_a_deleted_campaign_is_gone_with_its_trials(store):
    kept = run_and_keep(store, begin_campaign(store, CAMPAIGN), CAMPAIGN, lambda session_id: Scripted())
    delete_campaign(store, kept.stored.id)
    with pytest.raises(NotStored):
        load_cells(store, kept.stored.id)
    with store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone()[0] == 0
    with pytest.raises(NotStored):
        delete_campaign(store, kept.stored.id)


def test_a_broken_row_names_the_campaign(store):
    kept = run_and_keep(store, begin_campaign(store, CAMPAIGN), CAMPAIGN, lambda session_id: Scripted())
    with store.transaction() as connection:
        assert isinstance(connection, sqlite3.Connection)
        connection.execute("UPDATE trials SET measures = 'not json' WHERE num = 1")
    from workbench.core.errors import StoreError

    with pytest.raises(StoreError, match=kept.stored.id):
        load_trials(store, kept.stored.id)
