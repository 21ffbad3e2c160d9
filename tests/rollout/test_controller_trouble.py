import contextlib
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest

from tests.rollout.fakes import Diary, Script, Wander, fake_config
from tests.rollout.rigs import Rig, wait_for
from workbench.core.errors import InvalidInput, WrongMode
from workbench.core.events import EventKind
from workbench.rollout.modes import RolloutMode

NUDGE = np.array([0.002, 0, 0, 0, 0, 0, 0.5], dtype=np.float32)


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


def test_a_simulator_that_cannot_tell_its_state_does_not_end_the_thread(rig):
    def fail():
        raise RuntimeError("no state")

    rig.start(is_running=True)
    rig.made[0].state = fail
    wait_for(lambda: rig.mode is RolloutMode.PAUSED)
    assert "no state" in rig.controller.status().error
    del rig.made[0].state
    rig.controller.reset().result(10)
    rig.controller.step_once(3)
    wait_for(lambda: rig.controller.history().num_steps == 3)


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
