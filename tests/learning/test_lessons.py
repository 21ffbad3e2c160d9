"""What of a recorded episode is learnt from, and what is not."""

import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.core.types import Actor, EpisodeConfig, SimState
from workbench.learning.lessons import FINGERS_STEPS, Lesson, Mode, idle_steps

STATE = SimState(np.zeros(1), np.zeros(1), b"")


def lesson(actors, actions=None, solved=None):
    n = len(actors)
    moving = np.tile(np.array([0.01, 0, 0, 0, 0, 0, 1], np.float32), (n, 1))
    return Lesson(
        "e",
        EpisodeConfig("touch", 0),
        "bench-vla",
        True,
        (STATE,) * n,
        moving if actions is None else actions,
        tuple(actors),
        tuple("correction" if a is Actor.HUMAN else "none" for a in actors),
        ("touch the red cube",) * n,
        np.zeros(n, bool) if solved is None else np.array(solved),
    )


def test_rows_of_different_length_are_refused():
    with pytest.raises(InvalidInput, match="lesson"):
        lesson([Actor.HUMAN] * 3, actions=np.zeros((2, 7), np.float32))


def test_a_person_who_waits_shows_nothing_but_one_who_waits_for_the_fingers_does():
    actions = np.zeros((30, 7), np.float32)
    actions[:5, 0], actions[12:, 6] = 0.01, 1.0
    assert np.flatnonzero(~idle_steps(actions)).tolist() == [*range(5), *range(12, 12 + FINGERS_STEPS)]
    modes = lesson([Actor.HUMAN] * 30, actions).modes()
    assert (modes == Mode.HUMAN).tolist() == (~idle_steps(actions)).tolist()
    assert not (lesson([Actor.POLICY] * 30, actions).modes() == Mode.LEFT_OUT).any()


def test_steps_after_the_task_was_solved_for_good_are_left_out():
    solved = [False, True, False, False, True, True, True]
    modes = lesson([Actor.HUMAN] * 7, solved=solved).modes()
    assert modes.tolist() == [1, 1, 1, 1, 1, -100, -100]  # the step that solved it counts
