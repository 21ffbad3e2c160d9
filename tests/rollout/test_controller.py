import math
import time

import numpy as np
import pytest

from tests.rollout.fakes import Diary, FakeSimulator, Wander, fake_config
from workbench.core.errors import InvalidInput, InvalidShape, UnknownName, WrongMode
from workbench.core.events import EventKind
from workbench.core.types import Actor
from workbench.rollout.modes import RolloutMode
from workbench.rollout.running import run_episode

NUDGE = np.array([0.002, 0, 0, 0, 0, 0, 0.5], dtype=np.float32)


def test_a_new_controller_is_idle_and_has_an_empty_history(rig):
    status = rig.controller.status()
    assert (status.mode, status.episode_id, status.step) == (RolloutMode.IDLE, "", 0)
    assert rig.controller.history().num_steps == 0
    assert rig.controller.latest() is None


def test_an_episode_starts_paused_with_the_tasks_instruction(rig):
    episode_id = rig.start()
    status = rig.controller.status()
    assert (status.mode, status.episode_id, status.instruction) == (RolloutMode.PAUSED, episode_id, "reach the goal")
    assert (status.task, status.policy, status.actor) == ("reach", "wander", Actor.HOLD)
    assert rig.settled_steps() == 0
    assert rig.controller.latest().step == 0
    assert rig.diary.starts[0].config == fake_config().to_dict()


def test_a_running_start_runs(rig):
    rig.start(is_running=True)
    rig.wait_steps(5)
    status = rig.controller.status()
    assert (status.mode, status.actor) == (RolloutMode.AUTONOMOUS, Actor.POLICY)


def test_live_steps_equal_those_of_a_campaign_bit_for_bit(rig):
    rig.start(is_running=True)
    rig.wait_steps(40)
    rig.controller.pause()
    live = rig.diary.steps[: rig.settled_steps()]
    other = Diary()
    run_episode(FakeSimulator(), Wander(), fake_config(), max_steps=len(live), observers=[other], stop_on_success=False)
    for a, b in zip(live, other.steps, strict=True):
        assert a.state.equals(b.state)
        np.testing.assert_array_equal(a.action, b.action)


def test_no_step_is_recorded_while_paused(rig):
    rig.start(is_running=True)
    rig.wait_steps(3)
    rig.controller.pause()
    assert rig.mode is RolloutMode.PAUSED
    count = rig.settled_steps()
    rig.controller.resume()
    rig.wait_steps(count + 3)
    assert [s.index for s in rig.diary.steps] == list(range(len(rig.diary.steps)))


def test_toggle_pauses_and_resumes(rig):
    rig.start()
    rig.controller.toggle()
    assert rig.mode is RolloutMode.AUTONOMOUS
    rig.controller.toggle()
    assert rig.mode is RolloutMode.PAUSED
    rig.flush()
    assert rig.diary.kinds()[-2:] == [EventKind.RESUME, EventKind.PAUSE]


def test_pausing_twice_is_one_pause(rig):
    rig.start()
    rig.controller.pause()
    rig.flush()
    assert rig.diary.count(EventKind.PAUSE) == 0


@pytest.mark.parametrize("n", [1, 7])
def test_single_steps_are_counted_exactly(rig, n):
    rig.start()
    rig.controller.step_once(n)
    rig.wait_steps(n)
    assert rig.settled_steps() == n
    assert rig.mode is RolloutMode.PAUSED
    assert rig.controller.history().num_steps == n
    assert rig.controller.latest().step == n


def test_a_pause_drops_single_steps_that_wait(rig):
    rig.start(speed=1 / 8)
    rig.controller.step_once(50)
    rig.wait_steps(1)
    rig.controller.halt()
    rig.controller.release_halt()
    assert rig.settled_steps() < 50


def test_commands_may_follow_each_other_without_waiting(rig):
    rig.controller.set_speed(math.inf)
    rig.controller.start(fake_config(), policy="wander")
    rig.controller.resume()
    rig.controller.pause()
    rig.controller.step_once(4)
    rig.controller.set_prompt(text="further")
    rig.wait_steps(4)
    assert rig.settled_steps() >= 4
    assert rig.controller.status().instruction == "further"


def test_a_wrong_command_is_refused_at_once_and_changes_nothing(rig):
    for command in (rig.controller.pause, rig.controller.resume, rig.controller.take_over, rig.controller.release_halt):
        with pytest.raises(WrongMode):
            command()
    with pytest.raises(WrongMode, match="without an episode"):
        rig.controller.reset()
    rig.start()
    with pytest.raises(WrongMode, match="correcting"):
        rig.controller.jog(NUDGE)
    assert rig.mode is RolloutMode.PAUSED
    assert rig.controller.status().error == ""


def test_wrong_values_are_refused_at_once(rig):
    rig.start()
    with pytest.raises(InvalidInput):
        rig.controller.set_speed(5.0)
    with pytest.raises(InvalidInput):
        rig.controller.set_speed(math.nan)
    with pytest.raises(InvalidInput):
        rig.controller.step_once(0)
    with pytest.raises(InvalidShape):
        rig.controller.jog([1, 2, 3])
    with pytest.raises(InvalidInput, match="colour"):
        rig.controller.set_prompt(colour="red")
    with pytest.raises(UnknownName, match="wander"):
        rig.controller.set_policy("wnder")
    with pytest.raises(UnknownName):
        rig.controller.start(fake_config(), policy="nobody")


def test_unpaced_is_faster_than_real_time_and_paced_is_not(make_rig):
    fast = make_rig()
    fast.start(is_running=True)
    fast.wait_steps(200)
    wall = fast.diary.steps[199].wall_time - fast.diary.steps[0].wall_time
    assert wall < 0.5 * 199 / 20
    slow = make_rig()
    slow.start(speed=4.0, is_running=True)
    slow.wait_steps(41)
    wall = slow.diary.steps[40].wall_time - slow.diary.steps[0].wall_time
    assert wall > 0.75 * 40 / 20 / 4  # a late first step may be caught up


def test_speed_does_not_change_what_happens(make_rig):
    states = []
    for speed in (4.0, math.inf):
        rig = make_rig()
        rig.start(speed=speed)
        rig.controller.step_once(12)
        rig.wait_steps(12)
        rig.settled_steps()
        states.append(rig.controller.history().state(12))
    assert states[0].equals(states[1])


def test_a_change_of_speed_acts_within_the_step(rig):
    rig.start(speed=1 / 8, is_running=True)
    rig.wait_steps(1)
    rig.controller.set_speed(math.inf)
    begun = time.monotonic()
    rig.wait_steps(20)
    assert time.monotonic() - begun < 2.0  # one step takes 0.4 s at the old speed
