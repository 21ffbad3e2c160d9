from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.types import Actor
from workbench.intervention.handover import SHARE, Handover, StepLimits

LIMITS = StepLimits(0.03, 0.125)
numbers = st.floats(-0.25, 0.25, width=32)
actions = st.lists(numbers, min_size=7, max_size=7).map(lambda values: np.array(values, dtype=np.float32))


def clipped(action):
    parts = []
    for values, limit in ((action[:3], LIMITS.linear), (action[3:6], LIMITS.angular)):
        length = float(np.linalg.norm(values.astype(float)))
        parts.append(values.astype(float) * min(1.0, limit / length) if length else values.astype(float))
    return parts


@given(st.lists(actions, min_size=1, max_size=8))
def test_while_one_drives_every_action_passes_bit_for_bit(wanted):
    handover = Handover()
    for action in wanted:
        assert handover.pass_on(action, Actor.POLICY, LIMITS).tobytes() == action.tobytes()


@settings(deadline=None)
@given(st.lists(st.tuples(actions, st.sampled_from(Actor)), min_size=2, max_size=30))
def test_the_velocity_never_jumps_at_a_hand_over_nor_while_it_glides(wanted):
    handover = Handover()
    before = None
    previous_actor = None
    for action, actor in wanted:
        done = clipped(handover.pass_on(action, actor, LIMITS))
        is_handed_over = previous_actor is not None and (actor is Actor.HUMAN) != (previous_actor is Actor.HUMAN)
        if before is not None and (is_handed_over or handover.is_gliding):
            for now, then, limit in zip(done, before, (LIMITS.linear, LIMITS.angular), strict=True):
                assert np.linalg.norm(now - then) <= SHARE * limit * (1 + 1e-5) + 1e-8
        before, previous_actor = done, actor


def test_after_the_glide_the_one_who_drives_gets_exactly_what_he_wants():
    handover = Handover()
    forward, back = np.zeros(7, np.float32), np.zeros(7, np.float32)
    forward[0], back[0], back[6] = 0.02, -0.02, 1.0
    handover.pass_on(forward, Actor.POLICY, LIMITS)
    done = [handover.pass_on(back, Actor.HUMAN, LIMITS) for _ in range(40)]
    assert done[0][6] == 1.0, "the gripper does not wait"
    assert np.array_equal(done[-1], back) and not handover.is_gliding
    assert all(a[0] >= b[0] for a, b in pairwise(done))


def test_after_a_halt_the_glide_begins_from_rest():
    handover = Handover()
    fast = np.zeros(7, np.float32)
    fast[0] = 0.03
    handover.pass_on(fast, Actor.POLICY, LIMITS)
    handover.restart()
    first = handover.pass_on(fast, Actor.HUMAN, LIMITS)
    assert np.isclose(first[0], SHARE * LIMITS.linear)
