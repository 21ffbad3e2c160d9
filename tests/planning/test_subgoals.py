import pytest

from workbench.core.errors import InvalidInput
from workbench.planning.subgoals import OPEN, GoalState, plan_of

WORDS = (("a", "do a"), ("b", "do b"), ("c", "do c"))


@pytest.fixture
def plan():
    return plan_of(WORDS)


def texts(plan):
    return [goal.text for goal in plan.goals]


def test_the_current_one_is_the_first_that_is_open_whatever_the_states(plan):
    for state in GoalState:
        assert plan.marked(0, state).current == (0 if state in OPEN else 1)


def test_a_plan_is_fulfilled_when_each_is_done_or_skipped_and_runs_no_more_then(plan):
    from dataclasses import replace

    found = replace(plan, is_running=True).marked(0, GoalState.DONE).marked(1, GoalState.SKIPPED)
    assert found.is_running and not found.is_fulfilled
    found = found.marked(2, GoalState.DONE)
    assert found.is_fulfilled and not found.is_running and found.current is None
    assert not plan.marked(0, GoalState.FAILED).marked(1, GoalState.DONE).marked(2, GoalState.DONE).is_fulfilled


def test_moving_there_and_back_changes_nothing_and_nothing_is_lost(plan):
    for index in range(3):
        for to in range(3):
            moved = plan.moved(index, to)
            assert sorted(texts(moved)) == sorted(texts(plan)) and moved.goals[to].text == plan.goals[index].text
            assert moved.moved(to, index) == plan


def test_what_is_over_is_neither_moved_nor_edited(plan):
    over = plan.marked(1, GoalState.DONE)
    for change in (lambda: over.moved(0, 2), lambda: over.moved(1, 2), lambda: over.edited(1, "x", "x")):
        with pytest.raises(InvalidInput):
            change()


def test_an_edited_sub_goal_begins_anew_with_its_new_words(plan):
    begun = plan.begun(0, at_step=3).begun(0, at_step=9)
    assert (begun.goals[0].state, begun.goals[0].attempts, begun.goals[0].at_step) == (GoalState.NOW, 2, 9)
    edited = begun.edited(0, " other ", "do other")
    assert (edited.goals[0].text, edited.goals[0].instruction, edited.goals[0].state, edited.goals[0].attempts) == (
        "other",
        "do other",
        GoalState.WAITING,
        0,
    )


@pytest.mark.parametrize("index", [-1, 3])
def test_a_place_that_is_not_there_is_refused(plan, index):
    for change in (plan.retried, lambda i: plan.marked(i, GoalState.DONE), lambda i: plan.edited(i, "x", "x"), lambda i: plan.moved(i, 0)):
        with pytest.raises(InvalidInput):
            change(index)


@pytest.mark.parametrize("words", [(), WORDS * 5])
def test_a_plan_has_at_least_one_sub_goal_and_not_too_many(words):
    with pytest.raises(InvalidInput):
        plan_of(words)
