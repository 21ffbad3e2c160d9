from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.errors import WorkbenchError
from workbench.core.types import PROPRIO, Observation
from workbench.intervention.driving import JOG_TIMEOUT_S, MAX_WAY_POINTS, REACHED, WAY_SPEED, Hand
from workbench.intervention.handover import StepLimits

LIMITS, PERIOD = StepLimits(0.03, 0.125), 0.05


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def seen(position, gripper=1.0):
    proprio = np.zeros(16, dtype=np.float32)
    proprio[PROPRIO["ee_position"]], proprio[PROPRIO["gripper_command"]] = position, gripper
    empty = MappingProxyType({})
    return Observation(empty, empty, empty, proprio, 0, 0.0)


def drive(hand, position, num_steps):
    """Move a perfect arm by what the hand wants; return its positions."""
    path = [np.array(position, dtype=float)]
    for _ in range(num_steps):
        action = hand.action(seen(path[-1]), PERIOD, LIMITS)
        path.append(path[-1] + (0 if action is None else action[:3]))
    return np.array(path)


def test_a_jog_lasts_a_quarter_of_a_second_unless_renewed():
    clock = Clock()
    hand = Hand(clock)
    nudge = [0.002, 0, 0, 0, 0, 0, 0.5]
    hand.jog(nudge)
    assert np.allclose(hand.action(seen([0, 0, 0]), PERIOD, LIMITS), nudge)
    clock.now = JOG_TIMEOUT_S + 0.01
    assert hand.action(seen([0, 0, 0]), PERIOD, LIMITS) is None
    hand.drag([0.1, 0, 0])
    assert hand.action(seen([0, 0, 0]), PERIOD, LIMITS) is not None
    clock.now += JOG_TIMEOUT_S + 0.01
    assert hand.action(seen([0, 0, 0]), PERIOD, LIMITS) is None


coordinates = st.floats(-0.2, 0.2)
points = st.lists(st.tuples(coordinates, coordinates, coordinates), min_size=1, max_size=5)


@settings(deadline=None, max_examples=20)
@given(points)
def test_a_way_passes_near_every_point_and_ends_at_the_last(way):
    hand = Hand(Clock())
    hand.go(way)
    path = drive(hand, [0, 0, 0], 400)
    assert np.linalg.norm(path[-1] - way[-1]) <= REACHED + 1e-6
    for point in way:
        assert np.linalg.norm(path - point, axis=1).min() <= 2 * REACHED + 1e-6


@settings(deadline=None, max_examples=20)
@given(points)
def test_a_way_never_goes_faster_than_its_speed(way):
    hand = Hand(Clock())
    hand.go(way)
    steps = np.linalg.norm(np.diff(drive(hand, [0.3, 0, 0], 200), axis=0), axis=1)
    assert steps.max() <= WAY_SPEED * PERIOD + 1e-6


def test_the_gripper_stays_as_it_is_told_unless_the_way_says_otherwise():
    hand = Hand(Clock())
    hand.go([[0.1, 0, 0]])
    assert hand.action(seen([0, 0, 0], gripper=0.25), PERIOD, LIMITS)[6] == np.float32(0.25)
    hand.go([[0.1, 0, 0]], gripper=0.0)
    assert hand.action(seen([0, 0, 0], gripper=1.0), PERIOD, LIMITS)[6] == 0.0


@pytest.mark.parametrize("way", [[], [[0, 0]], [[np.nan, 0, 0]], np.zeros((MAX_WAY_POINTS + 1, 3)), [[[0, 0, 0]]]])
def test_what_is_no_way_is_refused_and_the_hand_keeps_its_wish(way):
    hand = Hand(Clock())
    hand.go([[0.1, 0, 0]])
    with pytest.raises(WorkbenchError):
        hand.go(way)
    assert hand.action(seen([0, 0, 0]), PERIOD, LIMITS) is not None
