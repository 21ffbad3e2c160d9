"""What the alarms tell the page, on a session without physics."""

import pytest

from panels.commands import dispatch
from panels.watch_alarms_desk import risk_points
from tests.panels.fake_live import make_session
from workbench.core.errors import InvalidInput
from workbench.failure.alarms import AlarmAction
from workbench.failure.watching import Reading
from workbench.rollout.watch import BOUND, SCORE


@pytest.fixture
def session():
    return make_session()


def test_scores_of_steps_become_one_point_a_call_and_none_is_lost():
    scores = [(0, {SCORE: 0.1, BOUND: 1.0}), (1, {SCORE: 0.1, BOUND: 1.0}), (2, {"done": 0.0}), (4, {SCORE: 0.3, BOUND: 1.1})]
    assert risk_points(scores) == [[0, 0.1, 1.0], [4, 0.3, 1.1]]
    assert risk_points([]) == []


def test_without_a_policy_that_shows_its_inside_nothing_is_watched_and_the_page_can_say_why(session):
    state = dispatch(session, "watch_state", {})
    assert state["is_on"] and not state["is_watching"] and not state["has_inside"]
    assert state["readings"] == [] and state["trouble"] == ""


def test_a_person_chooses_what_follows_an_alarm_and_how_strict_it_is(session):
    told = []
    session.attach(told.append)
    assert dispatch(session, "set_watch", {"action": "ask", "alpha": 0.2})["action"] == "ask"
    assert session.alarms.watch.settings.action is AlarmAction.ASK and session.alarms.watch.settings.alpha == 0.2
    assert {"type": "changed", "what": "watch"} in told
    dispatch(session, "set_watch", {"is_on": False})
    assert session.alarms.watch.settings.action is AlarmAction.ASK, "what is left out stays"
    for wrong in ({"alpha": 0.9}, {"alpha": 0.0}, {"action": "explode"}):
        with pytest.raises(InvalidInput):
            dispatch(session, "set_watch", wrong)
    assert session.alarms.watch.settings.alpha == 0.2


def test_each_new_score_goes_to_the_page_once(session):
    told = []
    session.attach(told.append)
    for readings in ((), (Reading(0, 0.5, 1.0, False, False),), (Reading(0, 0.5, 1.0, False, False), Reading(4, 0.7, 1.0, False, False))):
        session.alarms.watch.readings = readings or session.alarms.watch.readings
        session.alarms.on_step(None)
        session.alarms.on_step(None)
    points = [m for m in told if m["type"] == "risk"]
    assert [(m["point"], m["count"]) for m in points] == [([0, 0.5, 1.0], 1), ([4, 0.7, 1.0], 2)]
