"""The live rollout on the real simulator: many at once, and everything released."""

import ctypes
import gc
import math
import os
import threading
import time

import numpy as np
import pytest

from tests.rollout.rigs import wait_for
from workbench.core.catalog import Catalog
from workbench.core.types import ActionChunk, CameraRequest, EpisodeConfig
from workbench.rollout.controller import RolloutController
from workbench.rollout.running import run_episode
from workbench.rollout.view import FrameFlag, LiveView
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.simulator import BenchSimulator

FRONT = CameraRequest("front", 96, 96)


class Noise:
    """Small random motions: a function of the generator alone."""

    def __init__(self, simulator=None):
        from workbench.core.protocols import PolicySpec

        self.spec = PolicySpec("noise")

    def reset(self, rng):
        pass

    def act(self, observation, prompt, rng):
        actions = rng.normal(scale=0.01, size=(1, 7)).astype(np.float32)
        actions[:, 2] -= 0.003
        actions[:, 6] = rng.random()
        return ActionChunk(actions, 20.0)


class Keep:
    def __init__(self):
        self.steps, self.ends = [], []

    def on_start(self, start):
        pass

    def on_step(self, step):
        self.steps.append(step)

    def on_event(self, episode_id, event):
        pass

    def on_end(self, end):
        self.ends.append(end)


def make_controller(observers=()):
    simulators = Catalog("simulator")
    simulators.add("bench", BenchSimulator)
    policies = Catalog("policy")
    policies.add("expert", lambda: ScriptedExpert)
    policies.add("noise", lambda: Noise)
    return RolloutController(simulators=simulators, policies=policies, observers=observers, session_id="s")


def encode(image, quality):
    return image.tobytes()


def run_steps(controller, num_steps, **options):
    controller.set_speed(math.inf)
    config = EpisodeConfig("pick", 7, **options)
    controller.start(config, policy="noise").result(60)
    controller.step_once(num_steps)
    wait_for(lambda: controller.history().num_steps == num_steps)
    return config


def serial_states(config, num_steps):
    keep = Keep()
    simulator = BenchSimulator()
    result = run_episode(simulator, Noise(), config, max_steps=num_steps, observers=[keep], stop_on_success=False)
    simulator.close()
    return [step.state for step in keep.steps] + [result.final_state]


@pytest.fixture
def controller():
    made = make_controller()
    yield made
    made.close()


def test_a_live_episode_equals_a_serial_one_bit_for_bit(controller):
    config = run_steps(controller, 30)
    controller.call(lambda simulator: None).result(10)
    for i, state in enumerate(serial_states(config, 30)):
        assert controller.history().state(i).equals(state), f"step {i}"


@pytest.mark.parametrize("step", [0, 11, 24])
def test_a_branch_on_the_real_simulator_continues_bit_equal(controller, step):
    config = run_steps(controller, 25)
    controller.call(lambda simulator: None).result(10)
    parent = controller.history()
    controller.branch(config, parent.state(step), parent_id=parent.episode_id, step=step, policy="noise").result(60)
    controller.step_once(25 - step)
    wait_for(lambda: controller.history().num_steps == 25 - step)
    controller.call(lambda simulator: None).result(10)
    for i in range(26 - step):
        assert controller.history().state(i).equals(parent.state(step + i)), f"step {i}"


def test_the_scripted_expert_solves_its_task_live(controller):
    controller.set_speed(math.inf)
    controller.start(EpisodeConfig("pick", 3), policy="expert", is_running=True).result(60)
    wait_for(lambda: controller.status().is_success)


def test_a_halt_leaves_the_arm_where_it_was_within_a_control_period(controller):
    config = EpisodeConfig("place_on_plate", 3)
    controller.start(config, policy="expert", is_running=True).result(60)
    wait_for(lambda: controller.history().num_steps >= 10)
    at_halt = controller.latest()
    controller.halt()
    time.sleep(2.5 / config.control_hz)
    stopped = controller.latest()
    assert stopped.time_s - at_halt.time_s <= 1.0 / config.control_hz + 0.011
    time.sleep(0.2)
    assert controller.latest().seq == stopped.seq


def test_frames_of_the_past_equal_those_of_then(controller):
    view, frames = LiveView(controller, encode), []
    channel = view.open_channel("main", FRONT, frames.append)
    try:
        controller.set_speed(math.inf)
        controller.start(EpisodeConfig("stack", 5), policy="expert").result(60)
        live = []
        for i in range(4):
            wait_for(lambda i=i: controller.latest().step == i)
            channel.credit()
            wait_for(lambda i=i: len(frames) > 0 and frames[-1].step == i)
            live.append(next(f for f in frames if f.step == i and FrameFlag.STILL not in f.flags))
            controller.step_once()
        wait_for(lambda: controller.history().num_steps == 4)
        for i in range(4):
            count = len(frames)
            view.show_step(i)
            channel.credit()
            wait_for(lambda count=count: len(frames) > count)
            assert frames[-1].flags == FrameFlag.PAST
            assert frames[-1].jpeg == live[i].jpeg, f"step {i}"
        assert live[0].jpeg != live[3].jpeg
    finally:
        view.close()


def test_eight_rollouts_at_once_share_nothing():
    tasks = ("touch", "pick", "place_on_plate", "stack", "open_drawer", "press_button", "turn_knob", "push_to_zone")
    configs = [EpisodeConfig(task, 20 + i) for i, task in enumerate(tasks)]
    num_steps = 25
    controllers = [make_controller() for _ in configs]
    views = [LiveView(controller, encode) for controller in controllers]
    try:
        frames = [[] for _ in configs]
        futures = []
        for config, controller, view, kept in zip(configs, controllers, views, frames, strict=True):
            view.open_channel("main", FRONT, kept.append).credit(4)
            controller.set_speed(math.inf)
            futures.append(controller.start(config, policy="noise"))
            controller.step_once(num_steps)
        for future in futures:
            future.result(60)
        wait_for(lambda: all(c.history().num_steps == num_steps for c in controllers))
        wait_for(lambda: all(frames))
        live = []
        for controller in controllers:
            controller.call(lambda simulator: None).result(60)
            live.append([controller.history().state(i) for i in range(num_steps + 1)])
    finally:
        for closing in (*views, *controllers):
            closing.close()
    for config, states in zip(configs, live, strict=True):
        for i, state in enumerate(serial_states(config, num_steps)):
            assert states[i].equals(state), f"{config.task}, step {i}"


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


def resident_mb():
    """Memory in use: without garbage that waits for its collector, and without pages that malloc keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_and_close(seed):
    """What a browser tab does: start, look, run, close."""
    controller = make_controller()
    view = LiveView(controller, encode)
    frames = []
    channel = view.open_channel("main", FRONT, frames.append)
    channel.credit()
    controller.set_speed(math.inf)
    controller.start(EpisodeConfig("place_on_plate", seed), policy="expert", is_running=True).result(60)
    wait_for(lambda: frames and controller.history().num_steps > 2)
    picture = controller.call(lambda simulator: simulator.observe([FRONT]).images["front"]).result(60)
    assert picture.shape == (96, 96, 3)
    view.close()
    controller.close()


@pytest.mark.slow
def test_fifty_tabs_that_open_and_close_leave_no_thread_no_context_and_no_memory_behind():
    for seed in range(5):  # what libraries keep for good
        open_and_close(seed)
    threads, descriptors, memory = threading.active_count(), open_descriptors(), resident_mb()
    for seed in range(50):
        open_and_close(seed)
    assert threading.active_count() == threads
    assert open_descriptors() <= descriptors
    assert resident_mb() - memory < 50  # a leaked GL context of this size holds tens of megabytes, each
