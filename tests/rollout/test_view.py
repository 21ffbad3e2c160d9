import math
import threading
import time

import numpy as np
import pytest

from tests.rollout.fakes import Blocking, FakeSimulator, FakeView, fake_config, policies, simulators
from tests.rollout.rigs import wait_for
from workbench.core.types import CameraRequest
from workbench.rollout.controller import RolloutController
from workbench.rollout.view import MAX_CREDIT, STILL_AFTER_S, STILL_BUDGET_S, FrameFlag, LiveView

FRONT = CameraRequest("front", 8, 6)


def encode(image, quality):
    assert image.dtype == np.uint8
    return bytes([image.shape[0], image.shape[1], quality, image[0, 0, 0]])


class Rig:
    def __init__(self, *, max_fps=1000.0, make_simulator=FakeSimulator, **factories):
        self.controller = RolloutController(simulators=simulators(make_simulator), policies=policies(**factories), session_id="s")
        self.view = LiveView(self.controller, encode, max_fps=max_fps)
        self.frames = []
        self.channel = self.open("main")

    def open(self, name, request=FRONT, frames=None):
        return self.view.open_channel(name, request, (self.frames if frames is None else frames).append)

    def start(self, seed=3, *, steps=0):
        self.controller.set_speed(math.inf)
        self.controller.start(fake_config(seed=seed), policy="wander").result(10)
        if steps:
            self.controller.step_once(steps)
            wait_for(lambda: self.controller.history().num_steps == steps)
            self.flush()

    def flush(self):
        """Wait until the stepping thread has published where it stands."""
        self.controller.call(lambda simulator: None).result(10)

    def next_frame(self, channel=None):
        count = len(self.frames)
        (channel or self.channel).credit()
        wait_for(lambda: len(self.frames) > count)
        return self.frames[-1]

    def no_frame(self, seconds=0.05):
        count = len(self.frames)
        time.sleep(seconds)
        return len(self.frames) == count

    def close(self):
        self.view.close()
        self.controller.close()


@pytest.fixture
def make_rig():
    before, rigs = FakeView.open_views, []

    def make(**options):
        rigs.append(Rig(**options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()
    assert FakeView.open_views == before, "a view was not closed"


@pytest.fixture
def rig(make_rig):
    return make_rig()


def test_without_credit_nothing_is_drawn(rig):
    rig.start(steps=3)
    assert rig.no_frame()
    assert FakeView.open_views == 0


def test_credit_that_comes_before_the_first_episode_is_used_when_it_starts(rig):
    rig.channel.credit()
    assert rig.no_frame()
    rig.start()
    wait_for(lambda: rig.frames)
    assert rig.frames[0].flags == FrameFlag.LIVE


def test_a_frame_shows_the_newest_state(rig):
    rig.start(steps=7)
    frame = rig.next_frame()
    assert (frame.step, frame.camera, frame.pinhole.width) == (7, "front", 8)
    assert frame.time_s == pytest.approx(7 / 20)
    assert frame.jpeg[:2] == bytes([6, 8])
    value = int(abs(rig.controller.latest().physics[1]) * 255) % 256
    assert frame.jpeg[3] == value


def test_latest_wins_over_everything_in_between(rig):
    rig.start()
    rig.next_frame()
    rig.controller.step_once(500)
    wait_for(lambda: rig.controller.history().num_steps == 500)
    rig.flush()
    assert len(rig.frames) == 1
    assert rig.next_frame().step == 500


def test_an_unchanged_state_is_not_drawn_again_before_the_still(rig):
    rig.start(steps=1)
    rig.next_frame()
    rig.channel.credit(2)
    assert rig.no_frame(STILL_AFTER_S / 3)
    wait_for(lambda: len(rig.frames) == 2)
    assert rig.frames[1].flags == FrameFlag.LIVE | FrameFlag.STILL
    assert rig.frames[1].jpeg[2] > rig.frames[0].jpeg[2]
    assert rig.no_frame(2 * STILL_AFTER_S)  # one still is enough


def test_a_running_rollout_gets_no_still_while_its_policy_thinks(make_rig):
    policy = Blocking()
    rig = make_rig(blocking=lambda simulator: policy)
    rig.controller.start(fake_config(), policy="blocking", is_running=True).result(10)
    rig.channel.credit(MAX_CREDIT)
    assert policy.is_asked.wait(5)
    time.sleep(2 * STILL_AFTER_S)
    assert [f.flags for f in rig.frames] == [FrameFlag.LIVE]
    rig.controller.pause()
    policy.release.set()
    wait_for(lambda: rig.frames[-1].flags == FrameFlag.LIVE | FrameFlag.STILL)


def test_stills_that_take_too_long_are_not_made_again(make_rig):
    class SlowView(FakeView):
        def render(self, physics, camera, quality):
            if quality == "still":
                time.sleep(1.2 * STILL_BUDGET_S)
            return super().render(physics, camera, quality)

    class SlowSimulator(FakeSimulator):
        def open_view(self):
            return SlowView

    rig = make_rig(make_simulator=SlowSimulator)
    rig.start()
    for step in range(4):
        if step:
            rig.controller.step_once()
        wait_for(lambda step=step: rig.controller.latest().step == step)
        rig.channel.credit(MAX_CREDIT)
        time.sleep(STILL_AFTER_S + 1.5 * STILL_BUDGET_S)
    assert sum(FrameFlag.STILL in f.flags for f in rig.frames) == 2


def test_frames_arrive_no_faster_than_asked(make_rig):
    rig = make_rig(max_fps=50.0)
    rig.controller.set_speed(4.0)
    rig.controller.start(fake_config(), policy="wander", is_running=True).result(10)
    begun = time.monotonic()
    while time.monotonic() - begun < 0.6:
        rig.channel.credit()
        time.sleep(0.002)
    assert 10 <= len(rig.frames) <= 50 * 0.6 + 2


def test_credit_does_not_pile_up(rig):
    rig.start()
    for _ in range(50):
        rig.channel.credit()
    wait_for(lambda: rig.frames)
    rig.controller.set_speed(4.0)
    rig.controller.resume()
    time.sleep(0.5)
    assert len(rig.frames) <= 2 * MAX_CREDIT


def test_sequence_numbers_grow_and_times_never_go_back_while_live(rig):
    rig.controller.set_speed(4.0)
    rig.controller.start(fake_config(), policy="wander", is_running=True).result(10)
    for _ in range(30):
        rig.next_frame()
    assert all(a.seq < b.seq and a.time_s < b.time_s for a, b in zip(rig.frames, rig.frames[1:], strict=False))
    assert all(abs(f.wall_time - time.time()) < 10 for f in rig.frames)


def test_channels_with_the_same_request_share_one_drawing(rig):
    other, third = [], []
    channels = [rig.channel, rig.open("second", frames=other), rig.open("wrist", CameraRequest("wrist", 4, 4), third)]
    for channel in channels:
        channel.credit()  # all have credit when the first state comes
    rig.start()
    wait_for(lambda: rig.frames and other and third)
    assert rig.frames[0] is other[0]
    assert third[0].camera == "wrist"


def test_another_camera_is_drawn_at_once_also_while_paused(rig):
    rig.start(steps=2)
    rig.next_frame()
    rig.channel.credit()
    rig.channel.set_camera(CameraRequest("wrist", 16, 12))
    wait_for(lambda: len(rig.frames) >= 2, STILL_AFTER_S / 2)
    assert (rig.frames[1].camera, rig.frames[1].pinhole.width) == ("wrist", 16)


def test_a_closed_channel_gets_nothing_more(rig):
    rig.start(steps=1)
    rig.next_frame()
    rig.channel.credit(3)
    rig.channel.close()
    rig.channel.close()
    time.sleep(0.02)
    count = len(rig.frames)
    rig.controller.step_once(3)
    assert rig.no_frame()
    assert len(rig.frames) == count


def test_a_reader_that_fails_is_dropped_and_the_others_go_on(rig):
    def fail(frame):
        raise OSError("socket closed")

    broken = rig.view.open_channel("broken", FRONT, fail)
    rig.start(steps=1)
    broken.credit()
    rig.next_frame()
    rig.controller.step_once()
    rig.flush()
    assert rig.next_frame().step == 2


# Seeking


def test_any_step_of_the_running_episode_can_be_shown(rig):
    rig.start(steps=20)
    history = rig.controller.history()
    for step in (0, 13, 5):
        rig.view.show_step(step)
        frame = rig.next_frame()
        assert (frame.step, frame.flags) == (step, FrameFlag.PAST)
        assert frame.time_s == pytest.approx(step / 20)
        assert frame.jpeg[3] == int(abs(history.state(step).physics[1]) * 255) % 256
        assert abs(frame.wall_time - time.time()) < 5
    rig.view.show_step(None)
    frame = rig.next_frame()
    assert (frame.step, frame.flags) == (20, FrameFlag.LIVE)


@pytest.mark.parametrize("step", [4, 99])
def test_a_step_at_or_beyond_the_end_is_the_present(rig, step):
    rig.start(steps=4)
    rig.view.show_step(step)
    frame = rig.next_frame()
    assert (frame.step, frame.flags) == (4, FrameFlag.LIVE)


def test_a_shown_step_stays_while_the_episode_runs_on(rig):
    rig.start(steps=5)
    rig.view.show_step(2)
    rig.next_frame()
    rig.channel.credit(1)
    rig.controller.step_once(20)
    wait_for(lambda: rig.controller.history().num_steps == 25)
    time.sleep(1.5 * STILL_AFTER_S)
    assert {f.step for f in rig.frames} == {2}


def test_a_stored_episode_of_the_same_scene_is_shown_without_another_scene(rig):
    rig.start(steps=10)
    states = [rig.controller.history().state(i) for i in range(11)]
    rig.view.show_states(states, config=fake_config(), step=4)
    frame = rig.next_frame()
    assert (frame.step, frame.flags) == (4, FrameFlag.STORED)
    rig.view.show_step(9)
    assert rig.next_frame().step == 9
    rig.view.show_step(500)
    assert rig.next_frame().step == 10
    rig.view.show_step(None)
    assert rig.next_frame().flags == FrameFlag.LIVE


def test_a_stored_episode_of_another_scene_leaves_the_live_one_alone(rig):
    rig.start(seed=8, steps=5)
    states = [rig.controller.history().state(i) for i in range(6)]
    rig.start(seed=3, steps=2)
    scene = rig.controller.latest().scene
    rig.view.show_states(states, config=fake_config(seed=8), step=3)
    frame = rig.next_frame()
    assert (frame.step, frame.flags) == (3, FrameFlag.STORED)
    assert frame.jpeg[3] == int(abs(states[3].physics[1]) * 255) % 256
    assert rig.controller.latest().scene is scene
    rig.view.show_states(())
    assert rig.next_frame().step == 2


def test_a_stored_episode_can_be_shown_before_anything_runs(rig):
    rig.start(steps=3)
    states = [rig.controller.history().state(i) for i in range(4)]
    fresh = Rig()
    try:
        fresh.view.show_states(states, config=fake_config(), step=2)
        assert fresh.next_frame().step == 2
    finally:
        fresh.close()


# Scenes, trouble, end


def test_a_new_scene_gets_a_new_view_and_the_old_one_is_closed(rig):
    rig.start()
    rig.next_frame()
    rig.start(seed=4)
    rig.next_frame()
    assert FakeView.open_views == 1


def test_a_view_that_fails_says_why_and_tries_again(make_rig):
    class Broken(FakeSimulator):
        is_broken = True

        def open_view(self):
            def make():
                if Broken.is_broken:
                    raise RuntimeError("no EGL")
                return FakeView()

            return make

    rig = make_rig(make_simulator=Broken)
    rig.start()
    rig.channel.credit()
    wait_for(lambda: rig.view.error == "no EGL")
    Broken.is_broken = False
    rig.channel.credit()
    wait_for(lambda: rig.frames)
    assert rig.view.error == ""


def test_closing_joins_the_thread_and_may_be_repeated():
    rig = Rig()
    rig.start()
    rig.next_frame()
    before = threading.active_count()
    rig.view.close()
    rig.view.close()
    assert threading.active_count() == before - 1
    assert FakeView.open_views == 0
    rig.controller.step_once(3)
    wait_for(lambda: rig.controller.history().num_steps == 3)
    rig.close()


def test_an_idle_view_uses_no_time():
    rig = Rig()
    try:
        rig.start(steps=1)
        rig.channel.credit()
        wait_for(lambda: any(FrameFlag.STILL in f.flags for f in rig.frames) or not rig.channel._credit)
        rig.channel.credit()
        time.sleep(2 * STILL_AFTER_S)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.05
    finally:
        rig.close()


def test_a_view_does_not_hold_up_the_stepping_thread(make_rig):
    class StuckView(FakeView):
        gate = threading.Event()

        def render(self, physics, camera, quality):
            assert self.gate.wait(10)
            return super().render(physics, camera, quality)

    class StuckSimulator(FakeSimulator):
        def open_view(self):
            return StuckView

    rig = make_rig(make_simulator=StuckSimulator)
    rig.start()
    rig.channel.credit(3)
    rig.controller.step_once(200)
    wait_for(lambda: rig.controller.history().num_steps == 200)
    assert not rig.frames
    StuckView.gate.set()
    wait_for(lambda: rig.frames and rig.frames[-1].step == 200)
