"""A live rollout is watched: scores of every call, alarms, and what follows them."""

import numpy as np
import pytest

from tests.rollout.rigs import wait_for
from tests.rollout.test_steering import SteeredRig
from workbench.core.errors import InvalidInput, NotStored, UnknownName
from workbench.core.events import EventKind
from workbench.core.types import Actor
from workbench.failure.alarms import AlarmAction, WatchKit
from workbench.rollout.modes import RolloutMode
from workbench.rollout.watch import ALARM_RULE, BOUND, MAX_TRIES, SCORE, WatchSettings
from workbench.steering.edits import ClampNeurons
from workbench.steering.mix import Slot
from workbench.steering.scopes import Gate, Scope

RING_AT = 6
CLEAN = tuple(np.full(4, 0.1 * (i % 3)) for i in range(20))


class StepDetector:
    """Calls everything a failure from a certain step on."""

    def __init__(self, until=10**6):
        self._until = until

    def reset(self):
        pass

    def score(self, call):
        assert call.tokens.ndim == 2 and len(call.tokens), "hidden states come with the call"
        return float(RING_AT <= call.step < self._until) * 5


class WatchedRig(SteeredRig):
    def __init__(self, detector=StepDetector, **settings):
        super().__init__()
        self.watch = self.controller.steering.watch
        self.start(policy="tiny")
        self.flush()
        made = {"clock": detector, "other": lambda: StepDetector(until=0)}
        self.kit = WatchKit(
            self.controller.steering.fingerprint, {n: n for n in made}, "clock", lambda name: made[name](), dict.fromkeys(made, CLEAN)
        )
        self.watch.open_kit = lambda: self.kit
        self.set(**settings)

    def set(self, **settings):
        self.controller.call(lambda _: self.watch.set(WatchSettings(**settings))).result(60)

    def alarms(self):
        return [e for e in self.diary.events if e.kind is EventKind.ALARM]


@pytest.fixture
def make_rig():
    made = []

    def make(**options):
        made.append(WatchedRig(**options))
        return made[-1]

    yield make
    for rig in made:
        rig.controller.close()


def test_every_call_is_scored_and_an_alarm_stands_on_the_timeline_before_its_step(make_rig):
    rig = make_rig()
    rig.run(10)
    assert [r.step for r in rig.watch.readings] == [0, 2, 4, 6, 8]
    (alarm,) = rig.alarms()
    assert alarm.step == RING_AT and alarm.actor == "system"
    assert alarm.payload["score"] == 5 and alarm.payload["detector"] == "clock" and alarm.payload["action"] == "note"
    told = [(s.scores[SCORE], s.scores[BOUND]) for s in rig.diary.steps]
    assert [score for score, _ in told] == [0.0] * 6 + [5.0] * 4, "the scores are stored with the steps"


def test_an_alarm_pauses_before_its_step_and_asks(make_rig):
    rig = make_rig(action=AlarmAction.ASK)
    rig.controller.resume()
    wait_for(lambda: rig.controller.status().question is not None)
    assert rig.mode is RolloutMode.PAUSED and rig.settled_steps() == RING_AT
    assert "fails" in rig.controller.status().question.text
    rig.controller.answer(True)
    wait_for(lambda: len(rig.diary.steps) > RING_AT + 6)
    rig.controller.pause()
    rig.flush()
    assert len(rig.alarms()) == 1, "who lets it go on is asked no more while the score stays outside"


def test_a_no_leaves_it_paused(make_rig):
    rig = make_rig(action=AlarmAction.ASK)
    rig.controller.resume()
    wait_for(lambda: rig.controller.status().question is not None)
    rig.controller.answer(False)
    rig.flush()
    assert rig.mode is RolloutMode.PAUSED and rig.settled_steps() == RING_AT


def test_a_retreat_lifts_the_hand_and_lets_the_policy_look_again(make_rig):
    rig = make_rig(detector=lambda: StepDetector(until=RING_AT + 1), action=AlarmAction.RETREAT)
    rig.controller.resume()
    wait_for(lambda: any(s.actor is Actor.HOLD for s in rig.diary.steps) and rig.diary.steps[-1].actor is Actor.POLICY)
    rig.controller.pause()
    rig.flush()
    lifted = [s for s in rig.diary.steps if s.actor is Actor.HOLD]
    assert lifted[0].index == RING_AT and all(s.action[2] > 0 for s in lifted)
    assert len(rig.alarms()) == 1
    assert rig.watch.readings[0].step > RING_AT, "it is watched as another attempt"


def test_what_is_tried_in_vain_is_followed_by_a_question(make_rig):
    rig = make_rig(action=AlarmAction.RESAMPLE)
    rig.controller.resume()

    def is_asked_for_the_alarm():
        question = rig.controller.status().question
        if question is not None and question.rule != ALARM_RULE:  # nothing passes the checks in this world
            rig.controller.answer(True)
            rig.flush()
        return question is not None and question.rule == ALARM_RULE

    wait_for(is_asked_for_the_alarm, 120)
    assert len(rig.alarms()) == MAX_TRIES + 1
    assert f"after {MAX_TRIES} tries" in rig.controller.status().question.text
    assert rig.diary.count(EventKind.CANDIDATE) == MAX_TRIES, "each time other answers were drawn"


def test_a_person_who_drove_leaves_another_attempt_behind(make_rig):
    rig = make_rig(action=AlarmAction.ASK)
    rig.controller.take_over()
    wait_for(lambda: len(rig.diary.steps) > RING_AT + 4)
    assert not rig.alarms(), "nobody is asked while a person drives"
    rig.controller.hand_back()
    rig.controller.resume()
    wait_for(lambda: rig.controller.status().question is not None)
    assert len(rig.watch.readings) == 1


def test_another_detector_sees_what_was_already_there(make_rig):
    rig = make_rig()
    rig.run(10)
    rig.set(detector="other")
    assert [r.step for r in rig.watch.readings] == [0, 2, 4, 6, 8] and not any(r.is_above for r in rig.watch.readings)
    with pytest.raises(UnknownName, match="clock"):
        rig.set(detector="nonsense")
    assert rig.watch.detector == "other" and rig.watch.is_watching
    with pytest.raises(InvalidInput, match="successful episodes"):
        rig.set(alpha=0.03)
    rig.set(is_on=False)
    rig.run(4)
    assert rig.watch.readings == () and SCORE not in rig.diary.steps[-1].scores


def test_a_detector_of_other_weights_is_not_used_and_says_so(make_rig):
    rig = make_rig()
    rig.kit = WatchKit("0123456789abcdef", {"clock": ""}, "clock", lambda name: StepDetector(), {"clock": CLEAN})
    rig.watch.kit = None
    rig.start(policy="tiny")
    rig.run(2)
    assert not rig.watch.is_watching and "0123456789abcdef" in rig.watch.trouble and "train detector" in rig.watch.trouble


def test_without_a_detector_the_robot_runs_and_the_reason_is_told(make_rig):
    rig = make_rig()

    def nothing():
        raise NotStored("Failure detector", reason="there is none")

    rig.watch.open_kit, rig.watch.kit = nothing, None
    rig.start(policy="tiny")
    rig.run(3)
    assert "there is none" in rig.watch.trouble


def test_watching_changes_nothing_of_what_the_policy_does(make_rig):
    watched, bare = make_rig(), make_rig(is_on=False)
    for rig in (watched, bare):
        rig.run(10)
    assert np.array_equal([s.action for s in watched.diary.steps], [s.action for s in bare.diary.steps])


def test_a_branch_goes_on_with_what_its_parent_had_shown(make_rig):
    rig = make_rig()
    rig.run(10)
    parent = [(r.step, r.score) for r in rig.watch.readings]
    rig.branch(8)
    rig.run(2)
    assert [(r.step + 8, r.score) for r in rig.watch.readings] == parent


def test_an_edit_that_waits_for_the_alarm_acts_from_the_call_after_it_on(make_rig):
    rig = make_rig()
    edit = ClampNeurons("decoder", (0, 1, 2), 30.0, Scope(gate=Gate("alarm", ">", 0.5)))
    plain = make_rig()
    rig.steer(Slot("push", edit))
    for made in (rig, plain):
        made.run(12)
    same = [np.array_equal(a.action, b.action) for a, b in zip(rig.diary.steps, plain.diary.steps, strict=True)]
    assert all(same[: RING_AT + 2]) and not all(same[RING_AT + 2 :])
