"""What the commands of the Human tab do, on a session without physics."""

import time

import pytest

from panels.commands import dispatch
from tests.panels.fake_live import make_session
from workbench.core.errors import InvalidInput
from workbench.core.events import Event, EventKind
from workbench.intervention.rules import Question, Rule, RuleKind
from workbench.rollout.modes import RolloutMode


@pytest.fixture
def session():
    return make_session()


def heard(session, kind):
    messages = []
    session.attach(messages.append)
    return lambda: [m for m in messages if m["type"] == kind]


def test_taking_over_leads_straight_from_a_running_policy_to_driving(session):
    session.controller.mode = RolloutMode.AUTONOMOUS
    dispatch(session, "drive", {"via": "handle", "reason": "too close"})
    assert session.controller.mode is RolloutMode.CORRECTING
    assert session.controller.calls[-1] == ("take_over", {"via": "handle", "reason": "too close"})
    dispatch(session, "drive", {"via": "key"})
    assert [name for name, _ in session.controller.calls].count("take_over") == 1, "again is harmless"
    dispatch(session, "drag_hand", {"position": [0.4, 0.0, 0.2]})
    with pytest.raises(InvalidInput):
        dispatch(session, "drag_hand", {"position": [0.4, float("nan"), 0.2]})


def test_who_hands_back_while_a_click_is_looked_up_does_not_drive_again(session, monkeypatch):
    def look(function):
        dispatch(session, "hand_back", {})
        return [0.4, 0.0, 0.3], [0.5, 0.1, 0.02]

    monkeypatch.setattr(session, "in_simulator", look)
    dispatch(session, "drive", {"via": "waypoint"})
    assert dispatch(session, "drive_over", {"camera": "front", "point": [0.5, 0.5]}) == {"goal": None}
    assert session.controller.mode is RolloutMode.PAUSED


def test_a_stop_halts_before_anything_is_answered(session):
    said = heard(session, "said")
    dispatch(session, "say", {"text": "no, stop!"})
    assert session.controller.mode is RolloutMode.HALTED
    assert [e["token"] for e in said()[0]["events"]] == ["HALT", "RES", "END"]


def test_a_question_is_answered_while_the_robot_acts(session):
    said = heard(session, "said")
    session.controller.mode = RolloutMode.AUTONOMOUS
    dispatch(session, "say", {"text": "what were you told?"})
    deadline = time.monotonic() + 20
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert session.controller.mode is RolloutMode.AUTONOMOUS
    assert [e["token"] for e in said()[0]["events"]] == ["RES", "END"]


def test_an_outcome_ends_the_attempt_and_begins_the_next_one_as_chosen(session):
    for after, wanted in (("stay", ["record", "end"]), ("again", ["record", "end", "reset"]), ("next", ["record", "end", "start"])):
        dispatch(session, "set_after", {"after": after})
        session.controller.mode = RolloutMode.PAUSED
        session.controller.calls.clear()
        dispatch(session, "mark", {"is_success": True})
        assert [name for name, _ in session.controller.calls] == wanted
    session.controller.mode = RolloutMode.IDLE
    with pytest.raises(InvalidInput):
        dispatch(session, "mark", {"is_success": True})


def test_what_is_kept_lies_within_the_episode(session):
    assert dispatch(session, "keep", {}) == {"start": 0, "stop": session.controller.num_steps}


def test_rules_come_back_in_words_and_wrong_ones_change_nothing(session):
    dispatch(session, "set_rules", {"rules": [{"kind": "speed", "limit": 0.25}]})
    (rule,) = dispatch(session, "human_state", {})["rules"]
    assert "0.25 m/s" in rule["text"]
    with pytest.raises(InvalidInput):
        dispatch(session, "set_rules", {"rules": [{"kind": "speed", "limit": -1}]})
    assert session.controller.gate.rules == (Rule(RuleKind.SPEED, 0.25),)


def test_a_question_that_nobody_answers_is_withdrawn_with_a_no(session, monkeypatch):
    monkeypatch.setattr("panels.human_desk.TIMEOUT_S", 0.05)
    question = Question("q1", "Shall it?", 0, 0.0)
    status = session.controller.status
    monkeypatch.setattr(session.controller, "status", lambda: type("S", (), {**vars(status()), "question": question})(), raising=False)
    session.human.on_event(Event(EventKind.CONFIRM, 0, 0.0, {"id": "q1", "text": "Shall it?"}))
    deadline = time.monotonic() + 10
    while ("answer", (False, "nobody answered in time")) not in session.controller.calls:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_there_is_nothing_to_discard_and_no_reason_without_a_correction(session):
    for name, args in (("discard", {}), ("set_reason", {"reason": "too slow"}), ("segment", {"kind": "recovery"})):
        with pytest.raises(InvalidInput):
            dispatch(session, name, args)
