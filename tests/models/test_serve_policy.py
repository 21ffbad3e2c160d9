"""Policies of the workbench behind the server, for clients that are not ours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.serve import Listening, PolicyServer
from models.serve_policy import make_service
from models.wire import pack, unpack
from models.wire_types import (
    chunk_to_wire,
    intention_from_wire,
    observation_from_wire,
    observation_to_wire,
    prompt_from_wire,
    prompt_to_wire,
    scores_from_wire,
)
from tests.models.test_remote import observation_at
from tests.models.wire_servers import PlainClient
from tests.rollout.fakes import FakeSimulator
from workbench.core.errors import InvalidInput
from workbench.core.geometry import Pinhole
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, CameraRequest, Intention, Interaction, Mask, Observation, Prompt, Target, Trace

CAMERAS = (CameraRequest("front", 32, 32), CameraRequest("wrist", 32, 32))
TRACE = Trace("front", 64, 48, ((1.5, 2.0), (30.0, 40.0)), depths_m=(0.5, 0.75), gripper=(1.0, 0.0))


class Spy:
    """Notes what reaches it; answers with noise of its generator."""

    def __init__(self, simulator=None):
        self.seen, self.num_resets = [], 0
        self.spec = PolicySpec("spy", CAMERAS, frozenset({"text", "trace", "mask"}), action_horizon=2, description="notes")

    def reset(self, rng):
        self.num_resets += 1

    def act(self, observation, prompt, rng):
        self.seen.append((observation, prompt))
        intention = Intention(
            TRACE, (Target("front", (0.25, 0.5), heatmap=np.full((2, 2), 0.25, np.float32)),), np.ones((2, 7), np.float32)
        )
        return ActionChunk(rng.normal(size=(2, 7)).astype(np.float32), 10.0, {"done": 0.25}, intention)


@pytest.fixture
def spy():
    return Spy()


@pytest.fixture
def client(spy):
    with (
        PolicyServer(make_service("spy", lambda _: spy, lambda name: FakeSimulator()), Listening(port=0)) as server,
        PlainClient(server.url) as client,
    ):
        yield client


def plain_request(**fields):
    images = {f"observation/images/{c.name}": np.full((32, 32, 3), 7, np.uint8) for c in CAMERAS}
    return {**images, "observation/proprio": np.arange(16, dtype=np.float32), "prompt": "go", **fields}


def test_the_metadata_tell_what_to_send(client):
    assert client.metadata["cameras"] == [{"name": "front", "width": 32, "height": 32}, {"name": "wrist", "width": 32, "height": 32}]
    assert client.metadata["prompts"] == ["mask", "text", "trace"]
    assert (client.metadata["action_horizon"], client.metadata["needs_state"]) == (2, False)


def test_a_plain_request_reaches_the_policy_and_its_chunk_comes_back(client, spy):
    reply = client.infer(plain_request(seed=[1, 2], step=4, time_s=0.2))
    observation, prompt = spy.seen[0]
    assert observation.step == 4 and observation.time_s == 0.2 and prompt.text == "go"
    assert observation.proprio.tolist() == list(range(16)) and (observation.images["wrist"] == 7).all()
    assert reply["actions"].shape == (2, 7) and reply["actions"].dtype == np.float32
    assert reply["control_hz"] == 10.0 and reply["scores"] == {"done": 0.25}


def test_the_policy_may_write_into_what_it_gets(client, spy):
    client.infer(plain_request())
    observation, _ = spy.seen[0]
    observation.proprio[0] = 1.0
    observation.images["front"][0] = 1


def test_equal_seeds_give_equal_actions_and_each_episode_starts_afresh(client, spy):
    first, second, other = (client.infer(plain_request(seed=s))["actions"] for s in ([3], [3], [4]))
    assert np.array_equal(first, second) and not np.array_equal(first, other)
    assert spy.num_resets == 1
    client.infer(plain_request(reset=True))
    assert spy.num_resets == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"observation/proprio": np.zeros(8)}, "observation/proprio"),
        ({"observation/proprio": np.full(16, np.nan)}, "finite"),
        ({"observation/proprio": "none"}, "numbers"),
        ({"observation/images/front": np.zeros((4, 4), np.uint8)}, "observation/images/front"),
        ({"prompt": 3}, "prompt"),
        ({"seed": "x"}, "seed"),
        ({"seed": [-1]}, "seed"),
        ({"step": "x"}, "step"),
        ({"trace": 3}, "trace"),
        ({"trace": {"camera": "front", "width": 1, "height": 1, "points": [1, 2, 3]}}, "points"),
        ({"mask": {"camera": "front", "pixels": np.zeros(3)}}, "mask"),
        ({"interaction": "dance"}, "interaction"),
        ({"plan": {"version": 1}}, "plan"),
        ({"config": {}}, "state"),
        ({"config": {"task": "reach", "seed": 1}, "state": b"xx"}, "simulator state"),
        ({"config": {"task": "reach", "seed": 1, "robot": "/x.xml"}, "state": b"xx"}, "robot"),
        ({"config": {"task": "nothing", "seed": 1}, "state": b"xx"}, "nothing"),
    ],
)
def test_a_part_that_does_not_fit_is_named(client, change, said):
    with pytest.raises(RuntimeError, match=said):
        client.infer(plain_request(**change))


def test_a_picture_that_is_missing_is_named(client):
    request = plain_request()
    del request["observation/images/wrist"]
    with pytest.raises(RuntimeError, match="observation/images/wrist"):
        client.infer(request)


# Messages come back as they were


def test_observations_come_back():
    pinhole = Pinhole("front", 32, 32, 30.0, 31.0, 16.0, 15.0, np.diag([1.0, 2, 3, 1]))
    sent = observation_at(3)
    sent = Observation(sent.images, {}, {"front": pinhole}, sent.proprio, 3, 0.15)
    back = observation_from_wire(unpack(pack(observation_to_wire(sent, CAMERAS))), CAMERAS, step=0, time_s=0.0)
    assert (back.step, back.time_s) == (3, 0.15) and np.array_equal(back.proprio, sent.proprio)
    assert all(np.array_equal(back.images[c.name], sent.images[c.name]) for c in CAMERAS)
    assert list(back.cameras) == ["front"] and np.array_equal(back.cameras["front"].T_world_camera, pinhole.T_world_camera)
    assert (back.cameras["front"].fx, back.cameras["front"].cy, back.cameras["front"].width) == (30.0, 15.0, 32)


def test_prompts_come_back_as_far_as_they_are_understood():
    mask = Mask("front", np.eye(5, dtype=bool), "tracker")
    prompt = Prompt("go", trace=TRACE, mask=mask, interaction=Interaction.PUSH)
    back = prompt_from_wire(unpack(pack(prompt_to_wire(prompt, frozenset({"text", "trace", "mask"})))))
    assert back.text == "go" and back.trace == TRACE and back.interaction is Interaction.PUSH
    assert np.array_equal(back.mask.pixels, mask.pixels) and back.mask.source == "tracker"
    assert prompt_to_wire(prompt, frozenset({"text"})) == {"prompt": "go"}


def test_chunks_come_back_with_what_the_policy_means():
    chunk = Spy().act(None, None, np.random.default_rng(0))
    wire = unpack(pack(chunk_to_wire(chunk)))
    back = intention_from_wire(wire)
    assert np.array_equal(wire["actions"], chunk.actions) and scores_from_wire(wire) == {"done": 0.25}
    assert back.trace == TRACE and back.entropies is None and np.array_equal(back.confidences, chunk.intention.confidences)
    assert back.targets[0].point == (0.25, 0.5) and np.array_equal(back.targets[0].heatmap, chunk.intention.targets[0].heatmap)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=3) | st.just(np.zeros((2, 2))),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["points", "camera", "width", "trace", "targets", "point"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from(["prompt", "trace", "mask", "interaction", "intention", "scores", "step"]), ANYTHING))
def test_any_message_is_read_or_refused_in_plain_words(wire):
    for read in (prompt_from_wire, intention_from_wire, scores_from_wire):
        try:
            read(wire)
        except InvalidInput as error:
            assert str(error)
