import numpy as np

from workbench.planning.progress import GAIN_M, IDLE_S, STILL_S, ProgressWatch

DT = 0.05


def first_trouble(hand, remaining, seconds=20.0):
    watch = ProgressWatch()
    for step in range(round(seconds / DT)):
        t = step * DT
        if why := watch.look(t, hand(t), remaining(t)):
            return t, why
    return None


def test_a_hand_that_stands_still_is_stuck_after_its_time():
    found = first_trouble(lambda t: np.zeros(3), lambda t: None)
    assert found is not None and abs(found[0] - STILL_S) <= DT and "not moved" in found[1]


def test_a_hand_that_only_trembles_is_stuck_too():
    assert first_trouble(lambda t: 0.003 * np.array([np.sin(9 * t), np.cos(9 * t), 0]), lambda t: None) is not None


def test_a_hand_that_moves_and_comes_nearer_is_never_stuck():
    assert first_trouble(lambda t: np.array([0.1 * t, 0, 0]), lambda t: 2.0 - 0.05 * t) is None


def test_going_in_circles_without_coming_nearer_is_stuck():
    found = first_trouble(lambda t: 0.1 * np.array([np.sin(t), np.cos(t), 0]), lambda t: 0.5)
    assert found is not None and abs(found[0] - IDLE_S) <= DT and "50 cm" in found[1]


def test_coming_nearer_by_less_than_the_least_gain_is_no_progress():
    found = first_trouble(lambda t: 0.1 * np.array([np.sin(t), np.cos(t), 0]), lambda t: 0.5 - 0.4 * GAIN_M * t / IDLE_S)
    assert found is not None


def test_where_nothing_is_measured_a_moving_hand_is_not_stuck():
    assert first_trouble(lambda t: 0.1 * np.array([np.sin(t), np.cos(t), 0]), lambda t: None) is None
