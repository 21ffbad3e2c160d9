"""The remote policy against plain servers of openpi's protocol."""

import gc
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from models.remote import LATENCY, LEFT, WAITING, RemotePolicy, make_remote
from models.remote_settings import SETTINGS_ENV, read_settings, settings_from
from tests.models.wire_servers import PlainServer, dumps, wait_until
from tests.rollout.fakes import FakeSimulator, fake_config
from tests.rollout.rigs import Rig, wait_for
from workbench.core.errors import InvalidInput, ServiceFailed, WorkbenchError
from workbench.core.types import PROPRIO, Observation, Prompt, Trace
from workbench.rollout.modes import RolloutMode

GO = Prompt(text="pick up the red cube")
DROID_ROW = [0.5, 0, 0, 0, 0, 0, 0, 1.0]


def observation_at(step, *, size=32):
    proprio = np.zeros(16, np.float32)
    proprio[PROPRIO["joints"]] = np.arange(7)
    proprio[PROPRIO["ee_position"]] = (0.4, 0.1, 0.2)
    proprio[PROPRIO["ee_quaternion"]] = (0, 1, 0, 0)
    proprio[PROPRIO["gripper"]], proprio[PROPRIO["gripper_command"]] = 0.25, 1.0
    images = {name: np.full((size, size, 3), shade, np.uint8) for name, shade in (("front", 100), ("wrist", 200))}
    return Observation(images, {}, {}, proprio, step, step / 20)


class Chunks:
    """Answers with chunks whose first number tells request and index: 100 x request + index."""

    def __init__(self, length=6, delay_s=0.0):
        self.length, self.delay_s = length, delay_s
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, request, count):
        time.sleep(self.delay_s)
        assert self.gate.wait(10)
        rows = np.zeros((self.length, 7), np.float32)
        rows[:, 0] = 100 * count + np.arange(self.length)
        rows[:, 6] = -1.0
        return {"actions": rows}


def libero(url, **changes):
    """Settings whose first number comes through unscaled."""
    document = {"url": url, "preset": "libero", "timeout_s": 5, "warm_up_s": 5, "connect_timeout_s": 5}
    return settings_from({**document, "action": {"position_scale": 1.0}, **changes})


def opened(server, **changes):
    policy = RemotePolicy(libero(server.url, **changes), FakeSimulator())
    policy.reset(np.random.default_rng(0))
    return policy


def act(policy, step, prompt=GO):
    return policy.act(observation_at(step), prompt, np.random.default_rng(step))


def wait_for_answer(policy):
    wait_until(lambda: policy._asked is not None and policy._asked.future.done())


# What is sent and what comes back


def test_libero_requests_have_exactly_the_fields_and_types_of_its_clients():
    with PlainServer(Chunks()) as server:
        act(opened(server, mode="synchronous"), 0)
        (request,) = server.requests
    assert set(request) == {"observation/image", "observation/wrist_image", "observation/state", "prompt"}
    assert request["observation/image"].shape == (224, 224, 3) and request["observation/image"].dtype == np.uint8
    assert request["observation/image"][0, 0, 0] == 100 and request["observation/wrist_image"][0, 0, 0] == 200
    np.testing.assert_allclose(request["observation/state"], [0.4, 0.1, 0.2, np.pi, 0, 0, 0.01, -0.01], atol=1e-6)
    assert request["prompt"] == GO.text


def test_libero_actions_become_metres_radians_and_an_opening():
    row = [1.0, -0.5, 0, 0, 0, 0.2, 1.0]
    with PlainServer(lambda request, count: {"actions": np.array([row, row])}) as server:
        policy = RemotePolicy(read_settings(server.url + ",libero,sync"), FakeSimulator())
        chunk = act(policy, 0)
    np.testing.assert_allclose(chunk.actions[0], [0.05, -0.025, 0, 0, 0, 0.1, 0.0], atol=1e-6)  # +1 closes
    assert policy.spec.action_horizon == 5 and policy.spec.prompts == {"text"}
    assert {(c.name, c.width) for c in policy.spec.cameras} == {("front", 224), ("wrist", 224)}


def test_droid_joint_steps_become_steps_of_the_hand():
    simulator = FakeSimulator()
    simulator.kinematics = type("K", (), {"pose": staticmethod(lambda q: (np.array([0.4 + q[0], 0.1, 0.2]), np.array([0.0, 1, 0, 0])))})
    with PlainServer(lambda request, count: {"actions": np.array([DROID_ROW, DROID_ROW])}) as server:
        chunk = act(RemotePolicy(read_settings(server.url + ",droid,sync"), simulator), 0)
        (request,) = server.requests
        with pytest.raises(InvalidInput, match="kinematics"):
            act(RemotePolicy(read_settings(server.url + ",droid,sync"), FakeSimulator()), 0)
    np.testing.assert_allclose(chunk.actions, [[0.1, 0, 0, 0, 0, 0, 0]] * 2, atol=1e-6)  # 0.5 x 0.2 rad; 1 closes
    np.testing.assert_allclose(request["observation/joint_position"], np.arange(7))
    np.testing.assert_allclose(request["observation/gripper_position"], [0.75])


def test_the_key_is_sent_from_the_environment(monkeypatch):
    with PlainServer(Chunks(), key="s3cret") as server:
        with pytest.raises(ServiceFailed, match=r"401.*VLAW_REMOTE_API_KEY"):
            opened(server)
        monkeypatch.setenv("VLAW_REMOTE_API_KEY", "s3cret")
        assert act(opened(server, mode="synchronous"), 0).actions.shape == (6, 7)


def test_a_server_without_our_metadata_is_refused_with_the_presets_named():
    with PlainServer(Chunks()) as server, pytest.raises(ServiceFailed, match="preset"):
        RemotePolicy(read_settings(server.url), FakeSimulator())


def test_without_an_address_the_message_says_how_to_give_one(monkeypatch):
    monkeypatch.delenv(SETTINGS_ENV, raising=False)
    with pytest.raises(InvalidInput, match="--remote"):
        make_remote()(FakeSimulator())


# Chunks in real time


def test_the_robot_holds_still_until_the_first_answer_and_nothing_of_it_is_lost():
    chunks = Chunks()
    chunks.gate.clear()
    with PlainServer(chunks) as server:
        policy = opened(server)
        for step in range(5):
            chunk = act(policy, step)
            assert chunk.scores[WAITING] == 1.0
            np.testing.assert_array_equal(chunk.actions, [[0, 0, 0, 0, 0, 0, 1.0]])  # the gripper keeps its command
        chunks.gate.set()
        wait_for_answer(policy)
        chunk = act(policy, 5)
        assert chunk.scores[WAITING] == 0.0 and chunk.scores[LEFT] == 6.0 and chunk.scores[LATENCY] > 0
        assert chunk.actions[0, 0] == 100  # the world stood still meanwhile: the first action is not too late


def test_the_next_chunk_takes_over_at_the_action_that_belongs_to_it():
    chunks = Chunks(length=6)
    with PlainServer(chunks) as server:
        policy = opened(server, execute_steps=3)
        act(policy, 0)
        wait_for_answer(policy)
        assert [act(policy, step).actions[0, 0] for step in (1, 2, 3)] == [100, 101, 102]
        chunks.gate.clear()
        assert act(policy, 4).actions[0, 0] == 103  # asked for the next here, before this action
        assert act(policy, 5).actions[0, 0] == 104
        chunks.gate.set()
        wait_for_answer(policy)
        chunk = act(policy, 6)
        assert len(server.requests) == 2
        assert chunk.actions[0, 0] == 202  # 200 and 201 belong to the two steps that were executed meanwhile
        assert chunk.scores[LEFT] == 4.0


def test_a_chunk_that_comes_too_late_altogether_is_asked_for_again():
    chunks = Chunks(length=2)
    with PlainServer(chunks) as server:
        policy = opened(server, execute_steps=1)
        act(policy, 0)
        wait_for_answer(policy)
        assert act(policy, 1).actions[0, 0] == 100
        chunks.gate.clear()
        assert act(policy, 2).actions[0, 0] == 101
        assert [act(policy, step).scores[WAITING] for step in (3, 4, 5)] == [1.0, 1.0, 1.0]
        chunks.gate.set()
        wait_for_answer(policy)
        # Asked for before action 101, which was executed since: only the second half of the chunk is left.
        assert act(policy, 6).actions[0, 0] == 201


def test_overlapping_chunks_are_blended_when_asked():
    chunks = Chunks(length=4)
    with PlainServer(chunks) as server:
        policy = opened(server, execute_steps=1, blend=0.75)
        act(policy, 0)
        wait_for_answer(policy)
        act(policy, 1)
        act(policy, 2)
        wait_for_answer(policy)
        assert act(policy, 3).actions[0, 0] == pytest.approx(0.75 * 201 + 0.25 * 102)


def test_a_call_that_was_not_executed_gives_the_same_action_again():
    with PlainServer(Chunks()) as server:
        policy = opened(server)
        act(policy, 0)
        wait_for_answer(policy)
        assert [act(policy, step).actions[0, 0] for step in (1, 1, 1, 2)] == [100, 100, 100, 101]


@pytest.mark.parametrize("change", ["words", "jump back", "reset", "a hand"])
def test_what_was_planned_is_dropped_when_the_words_or_the_world_change(change):
    with PlainServer(Chunks()) as server:
        policy = opened(server)
        act(policy, 10)
        wait_for_answer(policy)
        assert act(policy, 11).actions[0, 0] == 100
        if change == "reset":
            policy.reset(np.random.default_rng(0))
        if change == "a hand":
            policy.interrupt()
        step, prompt = {"words": (12, Prompt(text="stop")), "jump back": (3, GO), "reset": (0, GO), "a hand": (12, GO)}[change]
        assert act(policy, step, prompt).scores[WAITING] == 1.0
        wait_for_answer(policy)
        assert act(policy, step + 1, prompt).actions[0, 0] == 200
        assert server.requests[-1]["prompt"] == prompt.text


def test_an_answer_to_old_words_is_never_executed():
    chunks = Chunks()
    chunks.gate.clear()
    with PlainServer(chunks) as server:
        policy = opened(server)
        act(policy, 0)
        wait_until(lambda: len(server.requests) == 1)
        act(policy, 1, Prompt(text="stop"))
        chunks.gate.set()
        wait_for_answer(policy)
        assert act(policy, 2, Prompt(text="stop")).actions[0, 0] == 200


def test_a_trace_that_is_trimmed_goes_on_meaning_the_same():
    with PlainServer(Chunks()) as server:
        policy = opened(server)
        path = Trace("front", 64, 64, ((1.0, 1.0), (2.0, 2.0), (3.0, 3.0)))
        act(policy, 0, Prompt(trace=path))
        wait_for_answer(policy)
        assert act(policy, 1, Prompt(trace=replace(path, points=path.points[1:]))).scores[WAITING] == 0.0


def test_a_slow_server_never_stops_the_clock():
    with PlainServer(Chunks(length=4, delay_s=0.6)) as server:
        policy = opened(server, execute_steps=2)
        longest = 0.0
        for step in range(50):
            began = time.perf_counter()
            act(policy, step)
            longest = max(longest, time.perf_counter() - began)
            time.sleep(0.03)
        assert len(server.requests) >= 2
    assert longest < 0.5


# Trouble


BAD_ANSWERS = {
    "no actions": ({"state": np.zeros(3)}, "actions"),
    "too narrow": ({"actions": np.zeros((4, 5))}, r"7 or more"),
    "no steps": ({"actions": np.zeros((0, 7))}, "T >= 1"),
    "one number": ({"actions": 3.0}, "shape"),
    "not a number": ({"actions": np.full((4, 7), np.nan)}, "finite"),
    "text for actions": ({"actions": "left"}, "numbers"),
    "a list": ([1, 2], "map"),
    "garbage": (b"\xc1\xc1", "cannot be read"),
    "a foreign array": ({"actions": {b"__ndarray__": True, b"data": b"x", b"dtype": "|O", b"shape": [1]}}, "cannot be read"),
}


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_does_not_fit_is_named_with_the_server(name, mode):
    answer, said = BAD_ANSWERS[name]
    with PlainServer(lambda request, count: answer) as server:
        policy = opened(server, mode=mode)
        with pytest.raises(ServiceFailed, match=said) as failed:
            act(policy, 0)
            wait_for_answer(policy)
            act(policy, 1)
        assert server.url in str(failed.value)


def test_a_text_is_an_error_of_the_server_and_is_not_asked_again():
    def fail(request, count):
        raise KeyError("observation/state")

    with PlainServer(fail) as server:
        with pytest.raises(ServiceFailed, match="KeyError: 'observation/state'") as failed:
            act(opened(server, mode="synchronous"), 0)
        assert "Traceback" not in str(failed.value)
        assert len(server.requests) == 1


def test_a_server_that_hangs_is_given_up_in_time_and_asked_afresh_later():
    chunks = Chunks()
    with PlainServer(chunks) as server:
        policy = opened(server, mode="synchronous", timeout_s=0.4)
        act(policy, 0)
        chunks.gate.clear()
        began = time.perf_counter()
        with pytest.raises(ServiceFailed, match=r"no answer within 0\.4 s"):
            act(policy, 1)
        assert time.perf_counter() - began < 2.0
        chunks.gate.set()
        assert act(policy, 1).actions[0, 0] == 300  # not the late answer to the second request


def test_a_connection_that_breaks_in_the_middle_is_made_anew():
    def answer(request, count):
        if count == 2:
            raise ConnectionError
        return {"actions": np.full((3, 7), count, np.float32)}

    with PlainServer(answer) as server:
        policy = opened(server, mode="synchronous")
        act(policy, 0)
        assert act(policy, 1).actions[0, 0] == 3
        assert server.num_connections == 2


def test_a_server_that_is_started_again_is_found_again():
    with PlainServer(Chunks()) as server:
        policy = opened(server, mode="synchronous")
        act(policy, 0)
    with PlainServer(Chunks(), port=server.port):
        assert act(policy, 1).actions[0, 0] == 100


@pytest.mark.parametrize(("first_frame", "said"), [("hello", "hello"), (b"\xc1", "cannot be read"), (dumps([1]), "map")])
def test_something_else_at_the_address_is_told(first_frame, said):
    with PlainServer(Chunks(), first_frame=first_frame) as server, pytest.raises(ServiceFailed, match=said):
        opened(server)


def test_nobody_at_the_address_is_told():
    with PlainServer(Chunks()) as server:
        pass
    with pytest.raises(ServiceFailed, match="could not be reached"):
        opened(server)


def test_the_connection_ends_when_nobody_holds_the_policy():
    with PlainServer(Chunks()) as server:
        policy = opened(server)
        act(policy, 0)
        wait_for_answer(policy)
        assert len(server._open) == 1
        del policy
        gc.collect()
        wait_until(lambda: not server._open)


# In a live rollout


@pytest.fixture
def live():
    """A controller whose policy ``remote`` talks to a server that a test makes."""
    rigs = []

    def start(server, **changes):
        settings = libero(server.url, images={}, **changes)
        rigs.append(Rig(remote=make_remote(settings)))
        rigs[-1].start("remote", config=fake_config(), speed=1.0)
        rigs[-1].controller.resume()
        return rigs[-1]

    yield start
    for rig in rigs:
        rig.controller.close()


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_a_server_that_dies_in_mid_chunk_pauses_the_rollout_and_nothing_is_lost(live, mode):
    server = PlainServer(Chunks(length=10))
    rig = live(server, mode=mode, timeout_s=0.5, execute_steps=4)
    rig.wait_steps(6)
    server.kill()
    wait_for(lambda: rig.mode is RolloutMode.PAUSED)
    rig.flush()
    status = rig.controller.status()
    assert "could not be reached" in status.error and server.url in status.error
    steps = rig.diary.steps
    assert [s.index for s in steps] == list(range(len(steps)))
    with PlainServer(Chunks(length=10), port=server.port):
        rig.controller.resume()
        rig.wait_steps(len(steps) + 6)
        assert not rig.controller.status().error


def test_a_server_that_hangs_lets_the_robot_stand_still_and_then_pauses(live):
    chunks = Chunks(length=4)
    with PlainServer(chunks) as server:
        rig = live(server, timeout_s=0.6, execute_steps=2)
        rig.wait_steps(3)
        chunks.gate.clear()
        wait_for(lambda: rig.mode is RolloutMode.PAUSED)
        chunks.gate.set()
        rig.flush()
        assert "no answer within" in rig.controller.status().error
        still = [s for s in rig.diary.steps if s.scores[WAITING] == 1.0]
        assert len(still) >= 3 and all(not s.action[:6].any() for s in still)
        assert "waiting for the policy server" in rig.controller.status().note
        rig.controller.resume()
        wait_for(lambda: "ms an answer" in rig.controller.status().note)


def test_halt_does_not_wait_for_a_server_that_hangs(live):
    chunks = Chunks()
    chunks.gate.clear()
    with PlainServer(chunks) as server:
        rig = live(server, mode="synchronous")
        wait_until(lambda: len(server.requests) == 1)
        rig.controller.halt()
        assert rig.mode is RolloutMode.HALTED
        chunks.gate.set()
        assert rig.settled_steps() == 0


def test_choosing_a_server_that_is_not_there_is_an_error_of_the_page():
    rig = Rig(remote=make_remote(libero("ws://127.0.0.1:9")))
    try:
        with pytest.raises(WorkbenchError, match="could not be reached"):
            rig.start("remote")
    finally:
        rig.controller.close()
