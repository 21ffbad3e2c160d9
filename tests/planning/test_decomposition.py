import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput
from workbench.planning.decomposition import decompose, hard_clauses
from workbench.planning.subgoals import MAX_GOALS

VERBS = {"put", "place", "move", "press", "push", "pick", "open", "close", "stack", "grasp", "sort"}
CUBES, DISHES = ("red cube", "blue cube", "green cube"), ("white plate", "black plate", "pink bowl")
KNOWN = {
    *(f"put the {c} {'in' if 'bowl' in d else 'on'} the {d}" for c in CUBES for d in DISHES),
    *(f"pick up the {c}" for c in CUBES),
    "grasp the red cube and raise it",
    "press the yellow button",
    "open the drawer",
}


def understand(clause):
    return clause.lower() if clause.lower() in KNOWN else ""


def steps(text):
    return [step.instruction for step in decompose(text, understand, VERBS)]


A, B, C = "put the red cube on the white plate", "press the yellow button", "put the blue cube in the pink bowl"


@pytest.mark.parametrize(
    "text",
    [
        f"{A}, then {B}",
        f"{A} and then {B}",
        f"{A}. {B}.",
        f"{A}, {B}",
        f"{A} and {B}",
        f"First {A}, then {B}",
        f"first {A}; next, {B}",
        f"1. {A} 2. {B}",
        f"1) {A}\n2) {B}",
        f"{A}\n{B}",
        f"{A}; afterwards {B}",
        f"{A}, and finally {B}",
        f"{A} before you {B}",
        f"{B} after {A}",
        f"after {A}, {B}",
        f"before you {B}, {A}",
        f"Please {A.upper()}, then {B}",
    ],
)
def test_every_way_of_saying_one_after_the_other_gives_the_same_two_steps(text):
    assert steps(text) == [A, B]


def test_three_steps_of_mixed_punctuation():
    assert steps(f"{A}, {B} and then {C}") == [A, B, C]
    assert steps(f"{A}, {B}, and {C}") == [A, B, C]


def test_what_is_understood_as_one_thing_to_do_is_not_parted():
    assert steps("grasp the red cube and raise it") == ["grasp the red cube and raise it"]


def test_a_clause_without_a_verb_takes_the_one_before_it():
    assert steps("put the red cube on the white plate, then the blue cube on the black plate") == [
        A,
        "put the blue cube on the black plate",
    ]


def test_a_heading_before_a_colon_and_missing_articles_are_made_up_for():
    assert steps("sort the cubes: red cube on the white plate, blue cube on the black plate") == [A, "put the blue cube on the black plate"]


def test_it_is_what_the_clause_before_acted_on():
    assert steps("pick up the red cube, then put it on the white plate") == ["pick up the red cube", A]


def test_a_step_that_is_not_understood_stays_with_its_words():
    found = decompose(f"{A}, then dance, then {B}", understand, VERBS)
    assert [s.instruction for s in found] == [A, "", B]
    assert "dance" in found[1].text


def test_words_that_mean_nothing_are_one_step_and_not_cut_to_pieces():
    found = decompose("salt and pepper, please", understand, VERBS)
    assert [s.instruction for s in found] == [""]


@pytest.mark.parametrize("text", ["", "  \n ", "then", f"{A}\n" * (MAX_GOALS + 1)])
def test_nothing_and_too_much_are_refused(text):
    with pytest.raises(InvalidInput):
        decompose(text, understand, VERBS)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(sorted(k for k in KNOWN if " and " not in k)), min_size=1, max_size=5), st.data())
def test_joining_steps_and_taking_them_apart_gives_the_steps(goals, data):
    joints = [data.draw(st.sampled_from([", then ", " and then ", ". ", "; ", ", ", " and ", ", next "])) for _ in goals[1:]]
    text = goals[0] + "".join(joint + goal for joint, goal in zip(joints, goals[1:], strict=True))
    assert steps(text) == goals


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_taken_apart_or_refused_and_nothing_is_made_up(text):
    try:
        found = decompose(text, understand, VERBS)
    except InvalidInput:
        return
    assert 1 <= len(found) <= MAX_GOALS
    assert all(step.instruction in ("", step.text.lower()) for step in found)
    assert all(clause and clause == clause.strip() for clause in hard_clauses(text))
