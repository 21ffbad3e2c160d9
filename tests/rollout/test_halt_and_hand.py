import time
from itertools import pairwise

import numpy as np
import pytest

from tests.rollout.fakes import NUM_SLICES, Blocking, FakeSimulator, Wander, fake_config
from tests.rollout.rigs import Rig, wait_for
from workbench.core.errors import WrongMode
from workbench.core.events import EventKind
from workbench.core.types import Actor
from workbench.intervention.driving import JOG_TIMEOUT_S
from workbench.rollout.modes import RolloutMode

NUDGE = np.array([0.002, 0, 0, 0, 0, 0, 0.5], dtype=np.float32)
AGAINST = np.array([-0.02, 0.01, 0, 0, 0, 0, 1], dtype=np.float32)
LIMIT = 0.6 / 20
SLICE_S = 0.05 / NUM_SLICES


def test_halt_freezes_the_targets_within_the_step(rig):
    rig.start(speed=1 / 8, is_running=True)
    rig.wait_steps(2)
    time.sleep(0.1)  # into the third step, which takes 0.4 s
    count = len(rig.diary.steps)
    rig.controller.halt()
    assert rig.mode is RolloutMode.HALTED
    assert rig.settled_steps() == count + 1
    halted = rig.diary.steps[-1]
    assert halted.halt_slice is not None
    assert rig.diary.kinds()[-1] is EventKind.HALT
    simulator = FakeSimulator()  # the halt is part of the record
    simulator.reset(fake_config())
    simulator.restore(halted.state)
    simulator.step(halted.action, halt_slice=halted.halt_slice)
    assert simulator.state().equals(rig.controller.history().state(count + 1))


def test_halt_does_not_wait_for_a_policy_that_thinks_and_its_action_is_not_executed(make_rig):
    policy = Blocking()
    rig = make_rig(blocking=lambda simulator: policy)
    rig.start("blocking", is_running=True)
    assert policy.is_asked.wait(5)
    begun = time.monotonic()
    rig.controller.halt()
    assert time.monotonic() - begun < 0.05
    assert rig.mode is RolloutMode.HALTED
    policy.release.set()
    assert rig.settled_steps() == 0
    rig.controller.release_halt()
    assert rig.mode is RolloutMode.PAUSED
    assert rig.settled_steps() == 0


def test_a_halt_that_is_released_at_once_still_stops_the_action(make_rig):
    policy = Blocking()
    rig = make_rig(blocking=lambda simulator: policy)
    rig.start("blocking", is_running=True)
    assert policy.is_asked.wait(5)
    rig.controller.halt()
    rig.controller.release_halt()
    policy.is_asked.clear()
    rig.controller.resume()
    policy.release.set()
    assert policy.is_asked.wait(5)  # it was asked anew
    rig.wait_steps(1)


def test_a_pause_while_the_policy_thinks_keeps_its_action_for_later(make_rig):
    policy = Blocking()
    rig = make_rig(blocking=lambda simulator: policy)
    rig.start("blocking", is_running=True)
    assert policy.is_asked.wait(5)
    rig.controller.pause()
    policy.release.set()
    assert rig.settled_steps() == 0
    policy.is_asked.clear()
    rig.controller.step_once()
    rig.wait_steps(1)
    assert not policy.is_asked.is_set()
    assert rig.diary.steps[0].action[0] == np.float32(0.05)


def test_a_halt_comes_before_a_start_that_waits(rig):
    rig.start()
    rig.controller.call(lambda simulator: time.sleep(0.1))
    future = rig.controller.start(fake_config(seed=9), policy="wander", is_running=True)
    rig.controller.halt()
    future.result(10)
    assert rig.mode is RolloutMode.HALTED
    assert rig.settled_steps() == 0


def test_only_a_release_or_a_new_episode_leaves_halted(rig):
    rig.start(is_running=True)
    rig.controller.halt()
    for command in (rig.controller.resume, rig.controller.toggle, rig.controller.take_over, rig.controller.pause):
        with pytest.raises(WrongMode):
            command()
    rig.controller.reset().result(10)
    assert rig.mode is RolloutMode.PAUSED


# The hand


def test_the_humans_action_is_executed_exactly_while_correcting_and_proposals_are_kept(rig):
    rig.start(is_running=True)
    rig.wait_steps(5)
    rig.controller.take_over()
    for _ in range(20):
        rig.controller.jog(NUDGE)
        time.sleep(0.002)
    assert rig.controller.status().actor is Actor.HUMAN
    rig.controller.hand_back()
    rig.settled_steps()
    rig.controller.resume()
    rig.wait_steps(len(rig.diary.steps) + 5)
    rig.controller.pause()
    rig.settled_steps()
    by_human = [s for s in rig.diary.steps if s.actor is Actor.HUMAN]
    assert sum(np.array_equal(s.action, NUDGE) for s in by_human) > 5
    assert all(s.proposal is not None for s in rig.diary.steps)
    assert not any(np.array_equal(s.action, NUDGE) for s in rig.diary.steps if s.actor is not Actor.HUMAN)
    kinds = rig.diary.kinds()
    assert kinds.index(EventKind.TAKEOVER) < kinds.index(EventKind.HANDBACK)


def test_control_changes_hands_without_a_jump_in_velocity(rig):
    """Both ways: at most 5 % of the limit from one control step to the next, from the last step of one to the wish of the other."""
    rig.start(is_running=True)
    rig.wait_steps(5)
    rig.controller.take_over()
    wait_for(lambda: rig.controller.jog(AGAINST) or any(np.array_equal(s.action, AGAINST) for s in list(rig.diary.steps)))
    rig.controller.resume()
    rig.wait_steps(len(rig.diary.steps) + 60)
    rig.controller.pause()
    rig.settled_steps()
    steps = rig.diary.steps
    first = next(i for i, s in enumerate(steps) if s.actor is Actor.HUMAN)
    last = max(i for i, s in enumerate(steps) if s.actor is Actor.HUMAN)
    reached = next(i for i in range(first, last + 1) if np.array_equal(steps[i].action, AGAINST))
    for begin, end in ((first, reached), (last + 1, last + 15)):
        jumps = [np.linalg.norm(steps[i].action[:3] - steps[i - 1].action[:3]) for i in range(begin, end + 1)]
        assert max(jumps) <= 0.05 * LIMIT * 1.001
    assert np.array_equal(steps[-1].action, steps[-1].proposal), "the policy gets its own way again"


def at_slices(rig, wishes):
    """Run to the third step at four times the speed, there call ``wishes[slice]`` when that slice is shown, and pause soon after."""

    def watch():
        shown = rig.controller.latest()
        wish = wishes.pop(round((shown.time_s - 0.1) / SLICE_S), None) if shown.step == 2 else None
        if wish is not None:
            wish()

    rig.start(speed=4.0)
    rig.controller.subscribe(watch)
    rig.controller.resume()
    wait_for(lambda: not wishes)


def assert_replays(rig):
    """Check that every step, run again from the state before it, leads to the state before the next one."""
    count, simulator = len(rig.diary.steps), FakeSimulator()
    simulator.reset(fake_config())
    for step in rig.diary.steps:
        simulator.restore(step.state)
        simulator.step(step.action, halt_slice=step.halt_slice, takeover=step.takeover)
        assert simulator.state().equals(rig.controller.history().state(step.index + 1)), f"step {step.index} of {count}"


def take_over_with_a_jog(rig):
    rig.controller.take_over()
    rig.controller.jog(AGAINST)


@pytest.mark.parametrize("moment", range(NUM_SLICES))
def test_a_take_over_in_any_slice_of_a_step_is_carried_out_in_that_step_smoothly_and_replays(rig, moment):
    at_slices(rig, {moment: lambda: take_over_with_a_jog(rig)})
    rig.wait_steps(5)
    rig.controller.pause()
    rig.settled_steps()
    begun, *others = rig.diary.steps[2:5]
    assert begun.takeover.slice == max(1, moment)
    assert (begun.actor, [s.actor for s in others]) == (Actor.POLICY, [Actor.HUMAN] * 2)
    np.testing.assert_array_equal(begun.action, begun.proposal)
    toward = np.dot(begun.takeover.action - begun.action, AGAINST - begun.action)
    assert toward > 0, "it is already the hand that moves"
    assert not any(s.takeover for s in rig.diary.steps if s is not begun)
    done = begun.takeover.slice / NUM_SLICES
    moves = [begun.action, begun.takeover.action, *(s.action for s in others)]
    jumps = [np.linalg.norm(after[:3] - before[:3]) / (0.05 * LIMIT) for before, after in pairwise(moves)]
    np.testing.assert_allclose(jumps, [done, 1 - done, 1], rtol=1e-3)
    (taken,) = [event for event in rig.diary.events if event.kind is EventKind.TAKEOVER]
    assert taken.step == 3
    assert_replays(rig)


def test_a_halt_after_a_take_over_in_the_same_step_still_freezes_it(rig):
    at_slices(rig, {1: lambda: take_over_with_a_jog(rig), 3: rig.controller.halt})
    assert rig.settled_steps() == 3
    assert (rig.diary.steps[2].takeover.slice, rig.diary.steps[2].halt_slice) == (1, 3)
    assert rig.diary.kinds()[-3:] == [EventKind.TAKEOVER, EventKind.HANDBACK, EventKind.HALT]
    assert_replays(rig)


def test_who_hands_back_within_the_step_of_the_take_over_has_taken_over(rig):
    at_slices(rig, {1: rig.controller.take_over, 2: rig.controller.hand_back})
    assert rig.settled_steps() == 3
    assert rig.diary.steps[2].takeover.slice == 1
    assert rig.diary.kinds()[-3:-1] == [EventKind.TAKEOVER, EventKind.HANDBACK]
    assert_replays(rig)


def test_at_any_time_the_hand_counts_within_a_control_period_of_the_robots_clock(rig):
    """It needs two slices at most: one that has begun, and the first of a step that was decided before."""
    rng, moved = np.random.default_rng(4), []
    rig.start(speed=1.0)
    while len(moved) < 12:
        rig.controller.resume()
        time.sleep(rng.uniform(0.05, 0.15))
        before = rig.controller.latest()
        rig.controller.take_over()
        is_known = rig.controller.latest() is before
        begun = before.step
        wait_for(lambda begun=begun: any(s.actor is Actor.HUMAN for s in rig.diary.steps[begun:]))
        rig.controller.hand_back()
        rig.settled_steps()
        first = next(s for s in rig.diary.steps[begun:] if s.takeover is not None or s.actor is Actor.HUMAN)
        start_s = first.time_s + (0 if first.takeover is None else first.takeover.slice * SLICE_S)
        moved += [start_s - before.time_s] if is_known else []
    assert max(moved) <= 2 * SLICE_S + 1e-9
    assert_replays(rig)


def test_the_hand_goes_along_a_way_and_holds_at_its_end(rig):
    rig.start()
    here = rig.controller.call(lambda simulator: simulator.physics[1:4].copy()).result(10)
    corner, goal = here + np.array([0.02, 0, 0]), here + np.array([0.02, 0.05, 0])
    rig.controller.take_over()
    rig.controller.drive(lambda hand: hand.go([corner, goal], gripper=0.0))
    rig.wait_steps(400)
    rig.controller.pause()
    rig.settled_steps()
    there = rig.controller.status().ee_position
    assert np.linalg.norm(np.array(there) - goal) < 0.01
    assert all(s.actor is Actor.HUMAN for s in rig.diary.steps) and rig.diary.steps[10].action[6] == 0.0


class StillClock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_arm_holds_when_the_hand_is_gone():
    clock = StillClock()
    rig = Rig(clock=clock)
    try:
        rig.start()
        rig.controller.take_over()
        rig.controller.jog(NUDGE)
        rig.wait_steps(3)
        clock.now += JOG_TIMEOUT_S + 0.01
        count = len(rig.diary.steps) + 2
        rig.wait_steps(count + 3)
        for step in rig.diary.steps[count:]:
            assert not step.action[:6].any()
            assert step.actor is Actor.HUMAN
    finally:
        rig.controller.close()


def test_a_step_that_waits_for_its_turn_goes_to_who_takes_over_meanwhile():
    clock, policy = StillClock(), Wander()
    rig = Rig(clock=clock, wander=lambda simulator: policy)
    try:
        rig.start(speed=0.125, is_running=True)
        wait_for(lambda: policy.num_calls == 1)
        time.sleep(0.05)  # the step, which then begins, must see the clock before it is moved
        clock.now += 0.39  # of the 0.4 s that a step takes: its last slice is due, the next step is not
        rig.wait_steps(1)
        wait_for(lambda: policy.num_calls == 2)
        rig.controller.take_over()
        wait_for(lambda: EventKind.TAKEOVER in rig.diary.kinds())
        clock.now += 0.4
        rig.wait_steps(2)
        (taken,) = [event for event in rig.diary.events if event.kind is EventKind.TAKEOVER]
        assert taken.step == 1 and rig.diary.steps[1].actor is Actor.HUMAN
    finally:
        rig.controller.close()


def test_an_old_jog_does_not_move_a_new_correction(rig):
    rig.start()
    rig.controller.take_over()
    rig.controller.jog(NUDGE)
    rig.controller.hand_back()
    rig.settled_steps()
    count = len(rig.diary.steps)
    rig.controller.take_over()
    rig.wait_steps(count + 3)
    assert not rig.diary.steps[count].action[:6].any()


def test_resume_hands_over_to_the_policy(rig):
    rig.start()
    rig.controller.take_over()
    rig.controller.resume()
    rig.flush()
    assert rig.mode is RolloutMode.AUTONOMOUS
    assert rig.diary.kinds()[-3:] == [EventKind.TAKEOVER, EventKind.HANDBACK, EventKind.RESUME]
