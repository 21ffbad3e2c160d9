"""Comparing from the moment on the stage: run behind the page, kept as branches and as a table, shown again, cancelled."""

import time
from dataclasses import replace

import pytest

from panels import compare_desk, steering_compare
from panels.compare_results import HEADERS, difference_of
from panels.render.effects import effects_figure, sweep_figure
from panels.steering_compare import NO_WORDS, moment_of
from sessions.steering_comparisons import find_comparison, list_comparisons
from tests.evaluation.test_steering_compare import CATALOGUE, opened
from workbench.core.errors import InvalidInput, WrongMode
from workbench.evaluation.steering_compare import STEERED, Cancelled
from workbench.evaluation.steering_runs import CompareWorker
from workbench.evaluation.worker import WorkerSetup
from workbench.steering.concepts import fingerprint
from workbench.steering.edits import ClampNeurons
from workbench.steering.mix import Mix, Slot

assert CATALOGUE is not None and opened is not None
SETUP = WorkerSetup("tests.evaluation.test_steering_compare:CATALOGUE", opener="tests.evaluation.test_steering_compare:opened")


class Here:
    """The process of a comparison, in this one."""

    def __init__(self, setup, is_cancelled):
        self.is_cancelled = is_cancelled

    def __enter__(self):
        self.worker = CompareWorker(SETUP)
        return self

    def __exit__(self, *error):
        self.worker.close()

    def run(self, job):
        if self.is_cancelled():
            raise Cancelled("The comparison was cancelled.")
        return self.worker.run(replace(job, limit_s=1.0))


@pytest.fixture(autouse=True)
def tiny(monkeypatch, live):
    monkeypatch.setattr(compare_desk, "open_process", Here)
    monkeypatch.setattr(steering_compare, "POLICY", "tiny")
    monkeypatch.setattr(live.steering.live, "mix", Mix((Slot("my neurons", ClampNeurons("decoder", (3, 4), 2.0)),)))


def wait_idle(desk):
    deadline = time.monotonic() + 120
    while desk.status().is_running:
        assert time.monotonic() < deadline, desk.status()
        time.sleep(0.02)
    return desk.status()


def test_a_comparison_runs_behind_the_page_and_its_runs_are_branches_that_open(app, live, ui):
    first = moment_of(app, ui)
    updates = steering_compare.on_run(app, "", "height", NO_WORDS, 2, 1, False, ui)
    with pytest.raises(WrongMode, match="one runs"):
        steering_compare.on_run(app, "", "height", NO_WORDS, 1, 0, False, ui)
    assert wait_idle(app.comparisons).error == ""
    stored = find_comparison(app.store, updates[0].value)
    assert stored.status == "done" and "my neurons" in stored.title and list(stored.found["arms"]) == ["no edits", STEERED, "random 1"]
    runs = stored.found["arms"][STEERED]
    branch, own = (app.store.episode(run["episode_id"]) for run in runs)
    assert (branch.parent_id, branch.branch_step) == (first.parent_id, first.step) and own.parent_id is None and branch.name == STEERED
    steering = [e for e in app.store.events(branch.id) if e.kind == "steering"]
    assert steering[0].payload["slots"][0]["name"] == "my neurons" and len(steering[0].payload["policy"]) == 16
    assert app.store.state_at(branch.id, 0).equals(first.state)
    lines, effects, paths, doses, table, choice, _ = steering_compare.on_choose(app, stored.id)
    assert any(line.startswith("Solved:") for line in lines["lines"]) and any("random controls" in line for line in lines["lines"])
    assert any(line.startswith("First action") and "dz" in line for line in lines["lines"])
    assert effects.visible and paths.visible and not doses.visible and len(choice.choices) == 6
    assert all(len(row) == len(HEADERS) for row in table.value["data"]) and {row[7] for row in table.value["data"]} == {2}
    steering_compare.on_open(app, choice.value, ui)
    assert live.stored is not None and live.stored.episode_id == choice.value
    live.show_step(None)
    seen, *again = steering_compare.on_news(app, stored.id, "")
    assert "done" in seen and steering_compare.on_news(app, stored.id, seen)[0] != seen and len(again) == 7


def test_a_cancelled_comparison_says_so_and_another_can_begin(app, ui):
    app.comparisons.cancel()
    begun = steering_compare.on_run(app, "", "speed", "slow", 200, 2, False, ui)[0].value
    steering_compare.on_cancel(app)
    assert "cancelled" in wait_idle(app.comparisons).error
    assert "cancelled" in find_comparison(app.store, begun).status
    lines, *hidden = steering_compare.on_choose(app, begun)
    assert "cancelled" in lines["lines"][0] and not any(part.visible for part in hidden)
    assert list_comparisons(app.store)[0].id == begun


def test_a_comparison_that_cannot_be_run_tells_why(app, ui):
    steering_compare.on_run(app, "neurons:up=4,concept:nowhere=1", "height", NO_WORDS, 1, 0, False, ui)
    assert "nowhere" in wait_idle(app.comparisons).error


def test_without_edits_there_is_nothing_to_compare(app, live, ui, monkeypatch):
    monkeypatch.setattr(live.steering.live, "mix", Mix())
    with pytest.raises(InvalidInput, match="Put an edit on the desk"):
        steering_compare.on_run(app, "", "height", NO_WORDS, 1, 0, False, ui)


@pytest.mark.parametrize("name", steering_compare.CARDS)
def test_the_page_of_each_card_is_shown_or_says_how_to_measure_it(name):
    assert f"card:{name}" in steering_compare.on_card(name) and "![" not in steering_compare.on_card(name)
    assert steering_compare.on_card("../secrets") == ""


def test_figures_mark_what_is_not_clear_and_bear_intervals_without_end():
    data = {"mean": 1.0, "baseline": 0.5, "change": 0.5, "low": None, "high": None, "p_value": 1.0, "n": 1}
    found = difference_of(data)
    assert found.low == -float("inf") and not found.is_clear
    rows = [{"arm": "<b>", "change": 0.5, "low": None, "high": 0.7, "n": 1, "is_clear": False}]
    figure = effects_figure(rows, "Mean height [m]").to_json()
    assert "<b>" not in figure and "&lt;b&gt;" in figure
    point = {"dose": 1.0, "kind": "steered", "change": data, "success": data}
    assert "solved" in sweep_figure([point], "Mean height [m]").to_json()


def test_the_fingerprint_in_a_run_is_that_of_the_network(app):
    from tests.steering.tiny import TinyPolicy

    stored = next(c for c in list_comparisons(app.store) if c.status == "done")
    run = stored.found["arms"][STEERED][0]
    event = next(e for e in app.store.events(run["episode_id"]) if e.kind == "steering")
    assert event.payload["policy"] == fingerprint(TinyPolicy().module)
