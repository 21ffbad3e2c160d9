import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput
from workbench.intervention.procedures import MAX_STEPS, parse_procedure
from workbench.intervention.rules import Gate, Rule, RuleKind, Situation, parse_rule


def situation(position=(0.5, 0.0, 0.2), speed=0.1, confidence=None, **places):
    return Situation(np.array(position), speed, confidence, {k: np.array(v) for k, v in places.items()})


REGION = parse_rule({"kind": "region", "low": [None, None, None], "high": [None, None, 0.1]})


@pytest.mark.parametrize(
    ("rule", "asks", "passes"),
    [
        (REGION, situation((0.5, 0, 0.05)), situation((0.5, 0, 0.2))),
        (Rule(RuleKind.OBJECT, 0.06, thing="cup"), situation(cup=(0.5, 0.03, 0.2)), situation(cup=(0.5, 0.3, 0.2))),
        (Rule(RuleKind.OBJECT, 0.06, thing="cup"), situation(cup=(0.5, 0.0, 0.2)), situation()),
        (Rule(RuleKind.SPEED, 0.25), situation(speed=0.3), situation(speed=0.2)),
        (Rule(RuleKind.CONFIDENCE, 0.5), situation(confidence=0.4), situation(confidence=0.6)),
        (Rule(RuleKind.CONFIDENCE, 0.5), situation(confidence=0.1), situation(confidence=None)),
    ],
)
def test_a_rule_asks_where_it_applies_and_nowhere_else(rule, asks, passes):
    assert rule.reason(asks) and not rule.reason(passes)
    assert parse_rule(rule.to_dict()) == rule and rule.in_words()


def test_a_yes_holds_until_the_rule_applies_no_more():
    gate = Gate()
    gate.set_rules([Rule(RuleKind.SPEED, 0.25)])
    fast, slow = situation(speed=0.3), situation(speed=0.1)
    assert gate.check(fast, 0.0) is not None
    gate.answer(True)
    assert gate.check(fast, 0.0) is None and gate.check(slow, 0.0) is None
    assert gate.check(fast, 0.0) is not None, "it applies anew"
    gate.answer(False)
    assert gate.check(fast, 0.0) is not None, "a no is no yes"


@given(
    st.dictionaries(
        st.sampled_from(["kind", "limit", "low", "high", "thing"]),
        st.none() | st.floats() | st.text(max_size=5) | st.lists(st.floats(), max_size=4),
    )
)
def test_whatever_comes_is_a_rule_or_refused(data):
    try:
        rule = parse_rule(data)
    except InvalidInput:
        return
    assert rule.in_words()


def test_a_procedure_is_read_without_its_bullets_and_ticked_step_by_step():
    procedure = parse_procedure("1. pick up the red cube\n\n - put it on the plate\n[ ] press the button\n")
    assert [s.text for s in procedure.steps] == ["pick up the red cube", "put it on the plate", "press the button"]
    assert procedure.current == 0
    done = procedure.ticked(0, by="goal", at_step=40)
    assert done.current == 1 and done.steps[0].by == "goal" and procedure.current == 0
    assert done.unticked(0) == procedure


@pytest.mark.parametrize("text", ["", "  \n - \n", "\n".join(["step"] * (MAX_STEPS + 1)), "x" * 500])
def test_what_is_no_procedure_is_refused_with_what_to_do(text):
    with pytest.raises(InvalidInput):
        parse_procedure(text)
