"""The robot asks before it acts, where a rule of a person says so."""

import time

import pytest

from tests.rollout.rigs import Rig, wait_for
from workbench.core.events import EventKind
from workbench.core.types import Actor
from workbench.intervention.rules import Rule, RuleKind
from workbench.rollout.modes import RolloutMode

FAST = Rule(RuleKind.SPEED, limit=0.05)


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.controller.close()


def asked(rig):
    wait_for(lambda: rig.controller.status().question is not None)
    assert rig.mode is RolloutMode.PAUSED
    return rig.controller.status().question


def test_it_stands_still_before_the_step_that_a_rule_asks_about(rig):
    rig.controller.gate.set_rules([FAST])
    rig.start(is_running=True)
    question = asked(rig)
    assert "m/s" in question.text
    assert rig.settled_steps() == 0, "the step was executed without a yes"
    confirm = next(e for e in rig.diary.events if e.kind is EventKind.CONFIRM)
    assert confirm.payload["text"] == question.text and confirm.actor == "policy"


def test_a_yes_lets_the_very_step_pass_and_holds_while_the_rule_applies(rig):
    rig.controller.gate.set_rules([FAST])
    rig.start(is_running=True)
    asked(rig)
    rig.controller.answer(True)
    rig.wait_steps(20)
    rig.controller.pause()
    assert all(s.actor is Actor.POLICY for s in rig.diary.steps)
    assert rig.diary.count(EventKind.CONFIRM) == 2  # the question and its answer


def test_a_no_and_a_question_without_answer_leave_it_paused(rig):
    rig.controller.gate.set_rules([FAST])
    rig.start(is_running=True)
    asked(rig)
    rig.controller.answer(False, "nobody answered in time")
    rig.flush()
    assert rig.mode is RolloutMode.PAUSED and rig.controller.status().question is None
    assert rig.settled_steps() == 0
    assert rig.diary.events[-1].actor == "system"


def test_resuming_without_an_answer_asks_again(rig):
    rig.controller.gate.set_rules([FAST])
    rig.start(is_running=True)
    first = asked(rig)
    rig.controller.resume()
    wait_for(lambda: (q := rig.controller.status().question) is not None and q.id != first.id)
    assert rig.settled_steps() == 0


def test_a_person_who_drives_is_not_asked(rig):
    rig.controller.gate.set_rules([Rule(RuleKind.REGION)])
    rig.start()
    rig.controller.take_over(via="key", reason="too close")
    rig.wait_steps(5)
    takeover = next(e for e in rig.diary.events if e.kind is EventKind.TAKEOVER)
    assert takeover.payload == {"via": "key", "reason": "too close"}
    time.sleep(0.02)
    assert rig.mode is RolloutMode.CORRECTING and rig.controller.status().question is None
