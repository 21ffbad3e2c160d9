"""Sub-goals at the page: planned, edited, run and stopped, as commands of a live tab do it."""

import pytest

from tests.panels.test_telling import listening, things  # noqa: F401 - a fixture
from tests.rollout.obedient import Obedient
from workbench.core.catalog import Entry
from workbench.core.errors import InvalidInput
from workbench.core.events import EventKind
from workbench.core.types import EpisodeConfig


def words_of(state):
    return [goal["instruction"] for goal in state["goals"]]


def states_of(state):
    return [goal["state"] for goal in state["goals"]]


@pytest.fixture
def table(app, live, monkeypatch):
    """A live table with several things, and a policy that obeys."""
    obedient = Entry("bench-vla", lambda: Obedient)
    monkeypatch.setattr(app.policies, "_entries", {**app.policies._entries, "bench-vla": obedient})
    live.controller.start(EpisodeConfig("place_in_bowl", 4, options={"several": {"steps": 3, "seed": 4}}), policy="bench-vla").result(20)
    live.controller.set_speed(float("inf"))
    yield live
    live.controller.set_speed(1.0)
    live.controller.start(EpisodeConfig("place_on_plate", 3), policy="hold").result(20)


def test_free_words_become_steps_in_the_policys_words(listening):  # noqa: F811
    cube, plate = things(listening)
    state = listening.command("goals_plan", {"text": f"grab the {cube} block, and then set it onto the {plate} dish"})
    assert words_of(state) == [f"pick up the {cube} cube", f"put the {cube} cube on the {plate} plate"]
    assert states_of(state) == ["waiting", "waiting"] and not state["is_running"]


def test_a_step_that_is_not_understood_says_why_and_is_not_run_until_it_is_edited(listening):  # noqa: F811
    cube, _ = things(listening)
    state = listening.command("goals_plan", {"text": f"pick up the {cube} cube, then put the {cube} cube on the moon"})
    assert words_of(state)[1] == "" and state["goals"][1]["reason"] and state["goals"][1]["suggestions"]
    with pytest.raises(InvalidInput, match="step 2"):
        listening.command("goals_run")
    state = listening.command("goals_edit", {"index": 1, "text": f"lift the {cube} cube"})
    assert words_of(state)[1] == f"lift the {cube} cube"


def test_steps_are_moved_skipped_and_taken_back(listening):  # noqa: F811
    cube, plate = things(listening)
    listening.command("goals_plan", {"text": f"1. pick up the {cube} cube\n2. put the {cube} cube on the {plate} plate"})
    moved = listening.command("goals_move", {"index": 1, "to": 0})
    assert words_of(moved)[0].startswith("put")
    assert states_of(listening.command("goals_skip", {"index": 0})) == ["skipped", "waiting"]
    assert states_of(listening.command("goals_retry", {"index": 0})) == ["waiting", "waiting"]


def test_nothing_to_run_and_a_driver_that_reads_no_words_are_refused(table):
    with pytest.raises(InvalidInput, match="Plan"):
        table.command("goals_run")
    table.command("goals_plan", {"text": "press the " + next(n for n in names(table) if n.endswith("button"))})
    table.controller.set_policy("hold")
    table.in_simulator(lambda simulator: None)
    with pytest.raises(InvalidInput, match="reads words"):
        table.command("goals_run")


def names(session):
    return session.in_simulator(lambda simulator: [p.label for p in simulator.instance.scene.props])


def wait_until(session, condition, timeout_s=60):
    import time

    deadline = time.monotonic() + timeout_s
    while not condition(state := session.command("goals_state")):
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return state


def test_the_tables_own_instruction_is_planned_run_and_done(table):
    state = table.command("goals_plan", {"text": table.controller.status().instruction})
    assert len(state["goals"]) == 3 and all(words_of(state))
    table.command("goals_run")
    state = wait_until(table, lambda s: s["is_fulfilled"])
    assert states_of(state) == ["done"] * 3
    events = [e for e in table.controller.history().events() if e.kind is EventKind.SUBGOAL]
    assert events[0].payload["goals"] == words_of(state) and "all sub-goals are done" in events[-1].payload["text"]
    table.in_simulator(lambda simulator: None)
    assert table.controller.status().mode == "paused"


def test_stop_stands_still_and_the_plan_waits(table):
    table.controller.set_speed(1.0)
    table.command("goals_plan", {"text": table.controller.status().instruction})
    table.command("goals_run")
    wait_until(table, lambda s: s["goals"][0]["state"] == "now")
    state = table.command("goals_stop")
    assert not state["is_running"] and states_of(state)[0] == "waiting"
    assert table.controller.status().mode == "paused"


def test_a_procedure_that_begins_takes_the_plans_place(table):
    table.controller.set_speed(1.0)
    table.command("goals_plan", {"text": table.controller.status().instruction})
    table.command("goals_run")
    table.command("procedure_start", {"text": "press the " + next(n for n in names(table) if n.endswith("button"))})
    wait_until(table, lambda s: not s["is_running"])
    table.command("procedure_stop")


def test_settings_stay_for_the_next_episode_and_wrong_ones_are_refused(table):
    state = table.command("goals_set", {"is_switching": False, "max_attempts": 5})
    assert state["settings"]["is_switching"] is False and state["settings"]["max_attempts"] == 5
    with pytest.raises(InvalidInput):
        table.command("goals_set", {"verify_every": 0})
    table.command("goals_scene", {"steps": 2})
    assert table.command("goals_set", {"is_switching": True, "max_attempts": 3})["settings"]["verify_every"] == 5
    assert table.controller.status().instruction.count(", then ") == 1


def test_an_endpoint_that_is_none_is_refused_before_anything_changes(table):
    with pytest.raises(InvalidInput, match="base URL"):
        table.command("goals_plan", {"text": "tidy up", "address": "nowhere", "model": "m"})


def test_the_status_says_who_leads_the_hand(table):
    assert table.status()["led"] is None
