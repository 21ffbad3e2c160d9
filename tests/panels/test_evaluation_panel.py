"""Campaigns behind the page: started, cancelled, gone on with, compared, made into files; without waiting and without losing anything."""

import time

import gradio as gr
import pandas as pd
import pytest

from panels import campaign_desk, evaluation, evaluation_compare
from panels.campaign_desk import CampaignDesk
from panels.campaign_files import trial_table, write_campaign
from panels.evaluation import OWN
from panels.render.campaigns import comparison_figure, funnel_figure, success_figure
from sessions.campaigns import begin_campaign, find_campaign, list_campaigns, load_cells
from sessions.store import Store
from workbench.core.errors import InvalidInput, MissingDependency, UnknownName, WrongMode
from workbench.evaluation.campaign import Cell, TrialResult
from workbench.evaluation.conditions import compare_conditions
from workbench.evaluation.driver import Campaign
from workbench.evaluation.requests import Request
from workbench.evaluation.worker import TrialOutcome

HOSTILE = "${1+1} <img src=x onerror=alert(1)>"


class Slow:
    """A runner that solves even seeds, one trial each time it is let go on."""

    def __init__(self, pause_s=0.0):
        self.pause_s = pause_s

    def run(self, trials, is_cancelled):
        for trial in trials:
            time.sleep(self.pause_s)
            if is_cancelled():
                return
            went = {"near": 1.0, "went": float(trial.seed % 4 < 2)}
            yield TrialOutcome(trial, TrialResult(trial.seed, trial.seed % 2 == 0, 7, "" if trial.seed % 2 == 0 else HOSTILE, went))


@pytest.fixture
def runner(monkeypatch):
    slow = Slow()
    monkeypatch.setattr(campaign_desk, "runner_maker", lambda setup, *, workers, is_here: lambda session_id: slow)
    return slow


def wait_idle(desk):
    deadline = time.monotonic() + 60
    while desk.status().is_running:
        assert time.monotonic() < deadline, desk.status()
        time.sleep(0.01)
    return desk.status()


def run(app, episodes=4, prompts=("words", "none"), seed=10):
    updates = evaluation.on_run(app, OWN, ["expert"], ["touch", "pick"], list(prompts), [], [], episodes, seed)
    wait_idle(app.campaigns)
    return updates[0].value


@pytest.fixture
def done(app, runner):
    return run(app)


def test_a_campaign_is_run_stored_and_shown(app, done):
    stored = find_campaign(app.store, done)
    assert stored.status == "done" and stored.num_trials == 16
    results, findings, rows, success, funnel, trials, first, second, resume = evaluation.on_choose(app, done)
    assert results.visible and findings == {"lines": []} and len(rows) == 4 and success.visible and funnel.visible
    assert rows[0][:5] == ["touch", "expert · words", 2, 4, "50"] and rows[0][5] == "15 to 85"
    assert [c[0] for c in first.choices] == [c[0] for c in second.choices] == ["expert · words", "expert · none"]
    assert trials.choices == [] and not resume.interactive


def test_results_are_drawn_again_only_when_there_are_more(app, done):
    seen, *shown = evaluation.on_news(app, done, "")
    assert len(shown) == 9 and shown[2] and evaluation.on_news(app, done, seen)[0] != seen
    assert evaluation.on_news(app, None, "") == evaluation.on_news(app, done, seen)


def test_one_campaign_runs_at_a_time_and_is_cancelled_and_gone_on_with(app, runner):
    runner.pause_s = 0.05
    updates = evaluation.on_run(app, OWN, ["expert"], ["touch"], ["words"], [], [], 200, 500)
    campaign_id, clock, start, cancel = updates[0].value, updates[3], updates[4], updates[5]
    assert clock.active and not start.interactive and cancel.interactive
    with pytest.raises(WrongMode, match="runs"):
        evaluation.on_run(app, OWN, ["expert"], ["touch"], ["words"], [], [], 3, 0)
    while not (app.campaigns.status().progress and app.campaigns.status().progress.num_done):
        time.sleep(0.01)
    lines, _, _, cancel = evaluation.on_cancel(app)
    assert "stopping" in lines["lines"][0] and not cancel.interactive
    status = wait_idle(app.campaigns)
    num_done = find_campaign(app.store, campaign_id).num_trials
    assert 0 < num_done < 200 and find_campaign(app.store, campaign_id).status == "cancelled" and not status.error
    assert evaluation.on_choose(app, campaign_id)[-1].interactive
    runner.pause_s = 0.0
    evaluation.on_resume(app, campaign_id)
    assert wait_idle(app.campaigns).progress.num_before == num_done
    assert find_campaign(app.store, campaign_id).status == "done" and find_campaign(app.store, campaign_id).num_trials == 200


def test_a_failing_runner_is_told_and_the_campaign_can_go_on(app, runner, monkeypatch):
    def fail(trials, is_cancelled):
        raise RuntimeError("a bug")

    monkeypatch.setattr(runner, "run", fail)
    campaign_id = run(app, episodes=3, seed=77)
    assert "Report id" in app.campaigns.status().error and find_campaign(app.store, campaign_id).status == "interrupted"


def test_two_conditions_are_compared_on_common_seeds(app, done):
    lines, figure = evaluation_compare.on_compare(app, done, None, "expert · words", "expert · none")
    assert lines["lines"][0] == "expert · none against expert · words" and figure.visible
    assert "8 common seeds" in lines["lines"][-1] and "McNemar p = 1" in lines["lines"][-1]
    assert evaluation_compare.on_compare(app, done, None, None, None)[1].visible is False
    with pytest.raises(UnknownName, match="condition"):
        evaluation_compare.on_compare(app, done, None, "nobody", "expert · none")


def test_the_second_campaign_offers_its_own_conditions(app, done):
    other = run(app, prompts=("mask",))
    assert [c[0] for c in evaluation_compare.on_other(app, done, other).choices] == ["expert · mask"]
    assert "all tasks" in evaluation_compare.on_compare(app, done, other, "expert · words", "expert · mask")[0]["lines"][-1]


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"tasks": []}, InvalidInput, "tasks"),
        ({"policies": []}, InvalidInput, "policies"),
        ({"episodes": 0}, InvalidInput, "from 1"),
        ({"episodes": None}, InvalidInput, "from 1"),
        ({"prompts": ["shout"]}, UnknownName, "way of telling"),
        ({"changes": ["fog=1"]}, UnknownName, "perturbation"),
        ({"edits": ["neurons:sideways=1"]}, UnknownName, "Known"),
        ({"edits": ["concept:nobody has=1"]}, UnknownName, "saved concept"),
        ({"what": "fas", "policies": ["expert", "sketch"]}, InvalidInput, "at most one"),
        ({"what": "fas", "episodes": 0}, InvalidInput, "at least 1"),
    ],
)
def test_what_cannot_be_run_is_told(app, changes, error, said):
    asked = {
        "what": OWN,
        "policies": ["expert"],
        "tasks": ["touch"],
        "prompts": ["words"],
        "changes": [],
        "edits": [],
        "episodes": 3,
        "seed": 0,
    } | changes
    with pytest.raises(error, match=said):
        evaluation.asked_for(app, **asked)


def test_a_study_is_run_with_its_own_cells(app):
    request = evaluation.asked_for(app, "fas", ["expert"], [], [], [], [], 2, 5)
    assert request.study.name == "fas" and {c.policy for c in request.campaign.cells} == {"expert"}


def test_nothing_chosen_asks_for_a_choice(app):
    for handler in (
        lambda: evaluation.on_make(app, None, "csv"),
        lambda: evaluation.on_resume(app, ""),
        lambda: evaluation.on_open(app, None, None),
    ):
        with pytest.raises(InvalidInput, match=r"[Cc]hoose"):
            handler()


def test_a_report_works_offline_and_shows_text_as_text(app, done, tmp_path):
    text = write_campaign(app.store, done, tmp_path / "report.html").read_text()
    assert "Plotly.newPlot" in text and 'src="http' not in text and "<link" not in text
    assert HOSTILE not in text and "&lt;img src=x" in text and "15 to 85 %" in text and "not solved" in text


def test_tables_have_one_row_a_trial_with_every_measure(app, done, tmp_path):
    table = pd.read_csv(write_campaign(app.store, done, tmp_path / "trials.csv"))
    assert len(table) == 16 and table["is_success"].sum() == 8 and set(table["prompt"]) == {"words", "none"}
    assert table["went"].notna().all() and table["trace_px"].isna().all() and list(table) == list(trial_table(app.store, done))
    if pytest.importorskip("pyarrow"):
        assert len(pd.read_parquet(write_campaign(app.store, done, tmp_path / "trials.parquet"))) == 16


def test_parquet_without_pyarrow_names_the_command(app, done, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDependency, match="pip install pyarrow"):
        write_campaign(app.store, done, tmp_path / "trials.parquet")
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(app, done, tmp_path):
    with pytest.raises(UnknownName, match="csv"):
        write_campaign(app.store, done, tmp_path / "report.docx")


def test_a_file_is_made_in_the_folder_of_exports(app, done):
    file = evaluation.on_make(app, done, "json")
    assert isinstance(file, gr.File) and file.visible


def test_figures_draw_every_condition(app, done):
    results = load_cells(app.store, done)
    assert len(success_figure(results).data) == len(funnel_figure(results).data) == 2
    pair = compare_conditions(results[:1], results[1:2])
    assert len(comparison_figure(pair).data[0].y) == len(pair)


def test_closing_the_desk_stops_its_campaign_and_leaves_it_to_go_on(tmp_path, runner):
    runner.pause_s = 0.05
    with Store.open(tmp_path / "workbench.db") as store:
        desk = CampaignDesk(store, "models.catalog:POLICIES")
        campaign = Campaign("long", (Cell("expert", "touch", "words", tuple(range(500))),))
        desk.start(Request(campaign, None))
        desk.close()
        (stored,) = list_campaigns(store)
        assert stored.status == "cancelled" and campaign_desk.is_resumable(stored) and not desk.status().is_running
        begin_campaign(store, campaign)
