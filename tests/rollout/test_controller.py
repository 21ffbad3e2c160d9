import contextlib
import math
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest

from tests.rollout.fakes import (
    Blocking,
    Diary,
    FakeSimulator,
    Script,
    Wander,
    fake_config,
    policies,
    simulators,
)
from workbench.core.errors import InvalidInput, InvalidShape, UnknownName, WrongMode
from workbench.core.events import EventKind, Outcome
from workbench.core.sketches import Sketch, SketchPlan
from workbench.core.types import Actor, Prompt
from workbench.rollout.controller import RolloutController
from workbench.rollout.loop import run_episode
from workbench.rollout.modes import RolloutMode
from workbench.rollout.stepping import JOG_TIMEOUT_S

SKETCH = Sketch("k1", "front", 480, 480, ())
PLAN = SketchPlan("p1", "k1", "front", 480, 480, ())
NUDGE = np.array([0.002, 0, 0, 0, 0, 0, 0.5], dtype=np.float32)


def wait_for(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.001)


class Rig:
    """A controller on the fake world, with a diary, and ways to wait for it."""

    def __init__(self, *, clock=time.monotonic, observers=(), **factories):
        self.diary = Diary()
        self.made = []

        def make():
            self.made.append(FakeSimulator())
            return self.made[-1]

        self.controller = RolloutController(
            simulators=simulators(make), policies=policies(**factories), observers=[self.diary, *observers], session_id="s", clock=clock
        )

    def start(self, policy="wander", *, config=None, speed=math.inf, **options):
        self.controller.set_speed(speed)
        return self.controller.start(config or fake_config(), policy=policy, **options).result(10)

    @property
    def mode(self):
        return self.controller.status().mode

    def flush(self):
        """Wait until everything that was asked so far is done."""
        self.controller.call(lambda simulator: None).result(10)

    def wait_steps(self, num_steps):
        wait_for(lambda: len(self.diary.steps) >= num_steps)

    def settled_steps(self):
        """Return the number of steps once no more arrive."""
        self.flush()
        count = len(self.diary.steps)
        time.sleep(0.05)
        assert len(self.diary.steps) == count
        return count


@pytest.fixture
def make_rig():
    rigs = []

    def make(**options):
        rigs.append(Rig(**options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.controller.close()


@pytest.fixture
def rig(make_rig):
    return make_rig()


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
    assert wall > 0.9 * 40 / 20 / 4


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


# HALT


def test_halt_freezes_the_targets_within_the_step(rig):
    rig.start(speed=1 / 8, is_running=True)
    rig.wait_steps(2)
    time.sleep(0.1)  # into the third step, which takes 0.4 s
    rig.controller.halt()
    assert rig.mode is RolloutMode.HALTED
    rig.wait_steps(3)
    assert rig.settled_steps() == 3
    halted = rig.diary.steps[-1]
    assert halted.halt_slice is not None
    assert rig.diary.kinds()[-1] is EventKind.HALT
    simulator = FakeSimulator()  # the halt is part of the record
    simulator.reset(fake_config())
    simulator.restore(halted.state)
    simulator.step(halted.action, halt_slice=halted.halt_slice)
    assert simulator.state().equals(rig.controller.history().state(3))


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
    for step in rig.diary.steps:
        assert step.proposal is not None
        is_human = np.array_equal(step.action, NUDGE) or not step.action[:6].any()
        assert is_human == (step.actor is Actor.HUMAN)
    kinds = rig.diary.kinds()
    assert kinds.index(EventKind.TAKEOVER) < kinds.index(EventKind.HANDBACK)


def test_the_arm_holds_when_the_hand_is_gone():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()
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


# Episodes


def test_reset_gives_the_same_start_bit_for_bit_and_keeps_the_prompt(rig):
    rig.start(is_running=True)
    rig.wait_steps(10)
    rig.controller.set_prompt(text="try again")
    rig.controller.reset().result(10)
    assert rig.mode is RolloutMode.PAUSED
    assert len(rig.diary.starts) == 2
    assert rig.diary.ends[0].outcome is Outcome.STOPPED
    assert rig.controller.status().instruction == "try again"
    assert rig.controller.history().state(0).equals(rig.diary.steps[0].state)
    assert rig.diary.starts[1].episode_id == rig.controller.history().episode_id
    kinds = rig.diary.kinds()
    assert kinds.index(EventKind.RESET) < kinds.index(EventKind.END)


def test_a_branch_continues_bit_equal_to_its_parent(rig):
    parent = rig.start()
    rig.controller.step_once(30)
    rig.wait_steps(30)
    rig.settled_steps()
    history = rig.controller.history()
    config = fake_config()
    child = rig.controller.branch(config, history.state(12), parent_id=parent, step=12, policy="wander").result(10)
    assert rig.mode is RolloutMode.PAUSED
    head = rig.diary.starts[-1]
    assert (head.episode_id, head.parent_id, head.branch_step) == (child, parent, 12)
    assert head.start_state == history.state(12).to_bytes()
    rig.controller.step_once(18)
    rig.wait_steps(48)
    rig.settled_steps()
    for i in range(19):
        assert rig.controller.history().state(i).equals(history.state(12 + i))


def test_a_branch_within_the_scene_keeps_the_scene(rig):
    parent = rig.start()
    scene = rig.controller.latest().scene
    state = rig.controller.history().state(0)
    rig.controller.branch(fake_config(), state, parent_id=parent, step=0).result(10)
    assert rig.controller.latest().scene is scene
    rig.controller.branch(fake_config(seed=4), state, parent_id=parent, step=0).result(10)
    assert rig.controller.latest().scene is not scene


def test_an_episode_that_was_solved_ends_as_a_success(rig):
    rig.start(config=fake_config(goal=0.1), is_running=True)
    wait_for(lambda: rig.diary.count(EventKind.SUCCESS) == 1)
    assert rig.mode is RolloutMode.AUTONOMOUS
    rig.controller.end()
    rig.flush()
    assert rig.diary.ends[-1].outcome is Outcome.SUCCESS
    assert rig.mode is RolloutMode.IDLE
    assert rig.controller.status().is_success


def test_a_person_may_say_how_it_ended(rig):
    rig.start()
    rig.controller.end(Outcome.FAILURE)
    rig.flush()
    assert rig.diary.ends[-1].outcome is Outcome.FAILURE
    rig.controller.reset().result(10)
    assert rig.mode is RolloutMode.PAUSED
    assert rig.controller.status().policy == "wander"


def test_a_policy_that_is_done_pauses(make_rig):
    rig = make_rig(script=lambda simulator: Script([(0.01, {}), (0.0, {"done": 1.0})]))
    rig.start("script", is_running=True)
    wait_for(lambda: rig.mode is RolloutMode.PAUSED)
    assert rig.settled_steps() == 2
    assert (rig.diary.events[-1].kind, rig.diary.events[-1].actor) == (EventKind.PAUSE, "policy")


def test_a_person_who_resumes_is_not_stopped_by_an_older_done(make_rig):
    policy = Blocking()
    rig = make_rig(blocking=lambda simulator: policy, sketch=Wander)
    done = policy.act
    policy.act = lambda *args: type(chunk := done(*args))(chunk.actions, chunk.control_hz, {"done": 1.0})
    rig.start("blocking", is_running=True)
    assert policy.is_asked.wait(5)
    rig.controller.run_plan(SKETCH, PLAN)
    policy.release.set()
    rig.wait_steps(5)
    assert rig.mode is RolloutMode.AUTONOMOUS
    assert rig.controller.status().policy == "sketch"


def test_a_plan_is_driven_from_its_first_step_by_the_sketch_policy(make_rig):
    made = []
    rig = make_rig(sketch=lambda simulator: made.append(Wander(scores={"plan_step": 0.0})) or made[-1])
    rig.start()
    for _ in range(2):
        rig.controller.run_plan(SKETCH, PLAN)
        rig.wait_steps(len(rig.diary.steps) + 3)
    assert len(made) == 2
    assert made[1].prompts[-1].plan is PLAN
    assert rig.controller.status().plan_step == 0
    kinds = rig.diary.kinds()
    assert [k for k in kinds if k is not EventKind.SPEED][:5] == [
        EventKind.START,
        EventKind.POLICY,
        EventKind.SKETCH,
        EventKind.PLAN,
        EventKind.RESUME,
    ]


def test_a_policy_is_changed_between_steps(rig):
    rig.start("hold", is_running=True)
    rig.wait_steps(3)
    rig.controller.set_policy("wander")
    rig.flush()
    event = rig.diary.events[-1]
    assert (event.kind, event.payload) == (EventKind.POLICY, {"policy": "wander"})
    rig.wait_steps(event.step + 3)
    assert {s.actor for s in rig.diary.steps[: event.step]} == {Actor.HOLD}
    assert {s.actor for s in rig.diary.steps[event.step :]} == {Actor.POLICY}


def test_a_prompt_given_at_the_start_is_used(rig):
    rig.start(prompt=Prompt(text="mine", plan=PLAN))
    assert rig.controller.status().instruction == "mine"
    assert rig.diary.starts[0].instruction == "mine"
    assert rig.diary.kinds()[-1] is EventKind.PLAN


def test_notes_and_ratings_go_on_the_timeline(rig):
    rig.start()
    rig.controller.record(EventKind.NOTE, {"text": "hm"})
    rig.flush()
    assert (rig.diary.events[-1].kind, rig.diary.events[-1].payload) == (EventKind.NOTE, {"text": "hm"})
    assert rig.controller.history().events()[-1] is rig.diary.events[-1]


# Trouble


def test_a_policy_that_fails_pauses_with_its_message_and_the_controller_goes_on(make_rig):
    rig = make_rig(script=lambda simulator: Script([(0.0, {}), ValueError("no weights")]))
    rig.start("script", is_running=True)
    wait_for(lambda: rig.mode is RolloutMode.PAUSED)
    rig.flush()
    assert rig.controller.status().error == "ValueError: no weights"
    assert rig.diary.count(EventKind.ERROR) == 1
    assert len(rig.diary.steps) == 1
    rig.controller.resume()
    rig.wait_steps(5)
    assert rig.controller.status().error == ""


def test_a_human_can_go_on_when_the_policy_is_out_of_order(make_rig):
    class Broken(Wander):
        def act(self, observation, prompt, rng):
            raise ValueError("no weights")

    rig = make_rig(broken=Broken)
    rig.start("broken")
    rig.controller.take_over()
    rig.wait_steps(5)
    assert rig.mode is RolloutMode.CORRECTING
    assert all(s.proposal is None for s in rig.diary.steps)
    assert rig.diary.count(EventKind.ERROR) == 1


def test_a_simulator_that_fails_pauses_and_a_reset_mends_it(rig):
    rig.start()
    rig.made[0].fail_on_step = 3
    rig.controller.resume()
    wait_for(lambda: rig.mode is RolloutMode.PAUSED)
    rig.flush()
    assert "diverged" in rig.controller.status().error
    rig.controller.reset().result(10)
    assert rig.controller.status().error == ""
    rig.made[0].fail_on_step = None
    rig.controller.resume()
    rig.wait_steps(10)


def test_a_start_that_fails_is_told_and_leaves_the_controller_idle(rig):
    rig.start()
    future = rig.controller.start(fake_config("no such task"), policy="wander", is_running=True)
    with pytest.raises(InvalidInput):
        future.result(10)
    wait_for(lambda: rig.mode is RolloutMode.IDLE)
    assert "no such task" in rig.controller.status().error
    assert len(rig.diary.ends) == 1
    rig.start(is_running=True)
    rig.wait_steps(3)


def test_a_policy_that_cannot_be_made_is_told(make_rig):
    def make(simulator):
        raise InvalidInput("weights", expected="a file", found="nothing")

    rig = make_rig(costly=make)
    rig.start(is_running=True)
    rig.controller.set_policy("costly")
    wait_for(lambda: rig.mode is RolloutMode.PAUSED)
    assert "weights" in rig.controller.status().error


def test_an_observer_that_fails_pauses_and_says_so():
    class Full(Diary):
        def on_step(self, step):
            if step.index == 2:
                raise OSError("disk full")

    rig = Rig(observers=[Full()])
    try:
        rig.start(is_running=True)
        wait_for(lambda: rig.mode is RolloutMode.PAUSED)
        assert "disk full" in rig.controller.status().error
        assert len(rig.diary.steps) >= 3
    finally:
        rig.controller.close()


def test_what_a_call_raises_goes_to_its_caller_alone(rig):
    rig.start(is_running=True)
    future = rig.controller.call(lambda simulator: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        future.result(10)
    rig.wait_steps(len(rig.diary.steps) + 3)
    assert rig.controller.status().error == ""


def test_a_call_runs_between_steps_in_the_stepping_thread(rig):
    with pytest.raises(WrongMode):
        rig.controller.call(lambda simulator: 1).result(10)
    rig.start(is_running=True)
    thread = rig.controller.call(lambda simulator: threading.current_thread().name).result(10)
    assert thread == "rollout"
    state = rig.controller.call(lambda simulator: simulator.state()).result(10)
    wait_for(lambda: any(s.state.equals(state) for s in rig.diary.steps))


def test_what_a_call_moves_is_published(rig):
    rig.start()
    before = rig.controller.latest().seq

    def move(simulator):
        state = simulator.state()
        state.physics[1] = 0.77
        simulator.restore(state)

    rig.controller.call(move).result(10)
    assert rig.controller.latest().physics[1] == 0.77
    rig.controller.call(lambda simulator: simulator.observe(())).result(10)
    assert rig.controller.latest().seq == before + 1  # only looking publishes nothing


# Threads


def test_commands_from_many_threads_are_safe(rig):
    rig.start(is_running=True)
    controller = rig.controller
    commands = [
        controller.pause,
        controller.resume,
        controller.toggle,
        controller.take_over,
        controller.hand_back,
        controller.halt,
        controller.release_halt,
        lambda: controller.jog(NUDGE),
        lambda: controller.step_once(2),
        lambda: controller.set_prompt(text="x"),
        lambda: controller.set_policy("wander"),
        lambda: controller.record(EventKind.NOTE, {}),
        lambda: controller.reset(),
        controller.status,
        lambda: controller.call(lambda simulator: simulator.state()),
        controller.end,
    ]
    errors = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(150):
            try:
                commands[int(rng.integers(len(commands)))]()
            except WrongMode:
                pass
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    rig.start(is_running=True)
    rig.wait_steps(len(rig.diary.steps) + 5)
    rig.controller.end()
    rig.flush()
    # What observers heard is whole: every episode has its head, its steps in order, and its tail.
    assert len(rig.diary.starts) == len(rig.diary.ends)
    assert sum(end.num_steps for end in rig.diary.ends) == len(rig.diary.steps)


def test_closing_ends_the_episode_closes_the_simulator_and_joins():
    rig = Rig()
    rig.start(is_running=True)
    rig.wait_steps(3)
    num_threads = threading.active_count()
    rig.controller.close()
    assert threading.active_count() == num_threads - 1
    assert rig.made[0].is_closed
    assert len(rig.diary.ends) == 1
    rig.controller.close()
    with pytest.raises(WrongMode, match="closed"):
        rig.controller.start(fake_config())


def test_closing_interrupts_pacing_and_cancels_what_waits():
    rig = Rig()
    rig.start(speed=1 / 8, is_running=True)
    rig.wait_steps(1)
    begun = time.monotonic()
    rig.controller.close()
    assert time.monotonic() - begun < 0.3

    rig = Rig()
    rig.start()
    rig.controller.call(lambda simulator: time.sleep(0.2))
    waiting = rig.controller.call(lambda simulator: 1)
    rig.controller.close()
    with contextlib.suppress(CancelledError):
        assert waiting.result(10) == 1


def test_an_observer_that_joins_late_hears_the_head_first(rig):
    rig.start(is_running=True)
    rig.wait_steps(3)
    late = Diary()
    rig.controller.add_observer(late)
    wait_for(lambda: len(late.steps) > 3)
    assert late.log[0] == "start"
    assert late.starts[0] is rig.diary.starts[0]
    rig.controller.remove_observer(late)
    rig.flush()
    count = len(late.steps)
    rig.wait_steps(len(rig.diary.steps) + 5)
    assert len(late.steps) == count


def test_a_policy_is_made_for_the_live_simulator_and_starts_afresh(make_rig):
    made = []

    def make(simulator):
        made.append((simulator, Wander()))
        return made[-1][1]

    rig = make_rig(mine=make)
    rig.start("mine")
    rig.controller.reset().result(10)
    assert [simulator for simulator, _ in made] == [rig.made[0]] * 2
    assert [policy.num_resets for _, policy in made] == [1, 1]
