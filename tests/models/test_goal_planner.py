import json

import pytest

from models.goal_planner import SCHEMA, plan_by_model
from models.vision_language import VisionLanguageInterpreter
from tests.models.test_vision_language import KEY, Stub, completion
from workbench.core.errors import ServiceFailed

OFFERS = ("press the red button", "pick up the blue cube")


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setenv("VLAW_VLM_API_KEY", KEY)
    made = Stub()
    yield made
    made.close()


def plan(stub, text="tidy up", **options):
    return plan_by_model(VisionLanguageInterpreter(stub.url, "m", **options), text, OFFERS)


def test_the_sub_goals_come_in_their_order_and_the_model_was_told_what_can_be_done(stub):
    stub.answer(completion(json.dumps({"sub_goals": [" press the red button ", "pick up the blue cube"]})))
    assert plan(stub) == ("press the red button", "pick up the blue cube")
    body = stub.requests[0]["body"]
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA and body["response_format"]["json_schema"]["strict"]
    told = body["messages"][1]["content"]
    assert all(offer in told for offer in OFFERS) and "tidy up" in told


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        '{"sub_goals": []}',
        '{"sub_goals": [1]}',
        '{"sub_goals": "x"}',
        json.dumps({"sub_goals": ["x"] * 40}),
        json.dumps({"sub_goals": ["x" * 900]}),
    ],
)
def test_an_answer_that_does_not_follow_the_form_says_so_and_what_to_do(stub, content):
    stub.answer(completion(content))
    with pytest.raises(ServiceFailed) as failure:
        plan(stub)
    assert KEY not in str(failure.value)


def test_a_model_that_does_not_answer_in_time_is_given_up(stub):
    stub.delay_s = 1.0
    stub.answer(completion("{}"))
    with pytest.raises(ServiceFailed, match="within"):
        plan(stub, timeout_s=0.2)
