import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.intervention.dialogue import Facts, Intent, Said, Token, answer, from_stream, instruction_in, intent_of, to_stream

STOPS = (
    "stop",
    "STOP!",
    "Stop it now",
    "please stop",
    "no, stop!",
    "halt",
    "freeze",
    "robot, stop",
    "don't move",
    "hold it",
    "No!",
    "abort",
)
QUESTIONS = (
    "what are you doing?",
    "where is the red cube",
    "is it done?",
    "why did you wait",
    "who is driving?",
    "how long did it take",
    "the red one?",
)
INSTRUCTIONS = (
    "pick up the red cube",
    "could you put the cube on the plate?",
    "push the puck",
    "would you please open the drawer",
    "stack the cubes",
)


@pytest.mark.parametrize(
    ("texts", "intent"),
    [
        (STOPS, Intent.HALT),
        (QUESTIONS, Intent.QUESTION),
        (INSTRUCTIONS, Intent.INSTRUCTION),
        (("wait", "pause", "hold on"), Intent.PAUSE),
        (("go on", "continue please"[:8], "go ahead", "carry on"), Intent.RESUME),
    ],
)
def test_what_words_want(texts, intent):
    assert {text: intent_of(text) for text in texts} == dict.fromkeys(texts, intent)


def test_politeness_is_left_out_of_an_instruction():
    assert instruction_in("could you put the cube on the plate?") == "put the cube on the plate"
    assert instruction_in("pick up the cube") == "pick up the cube"


FACTS = Facts(
    "autonomous", "pick up the red cube", "bench-vla", 40, 2.0, False, places={"red cube": (0.5, 0.1, 0.02)}, suggestions=("push",)
)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("where is the red cube?", "50 cm ahead"),
        ("what were you told?", "pick up the red cube"),
        ("who is driving?", "bench-vla"),
        ("is it done?", "Not yet"),
        ("how long did it take?", "40 steps"),
        ("what can you do here?", "push"),
        ("is the moon made of cheese?", "I can say"),
    ],
)
def test_questions_are_answered_from_facts_or_told_what_can_be_answered(question, words):
    assert words in answer(question, FACTS)


@given(st.text(max_size=80))
def test_any_words_have_an_intent_and_any_question_an_answer(text):
    assert intent_of(text) in Intent
    assert answer(text, FACTS) and answer(text, Facts("idle", "", "", 0, 0.0, False))


@given(
    st.lists(
        st.tuples(st.sampled_from([t for t in Token if t is not Token.END]), st.from_regex(r"[a-z]+( [a-z]+){0,3}", fullmatch=True)),
        max_size=6,
    )
)
def test_typed_events_survive_being_written_as_a_stream(events):
    said = [*(Said(token, text) for token, text in events), Said(Token.END)]
    assert from_stream(to_stream(said)) == said
    assert from_stream(to_stream(said) + " [HALT] too late") == said
