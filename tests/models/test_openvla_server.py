"""The OpenVLA server with a stand-in for its model: what it is told, and what comes back."""

from types import MappingProxyType

import numpy as np
import pytest
import torch

from models.remote import RemotePolicy
from models.remote_settings import read_settings
from models.serve import Listening, PolicyServer
from models.servers.openvla_server import main, make_prompt, make_service
from tests.models.test_remote import observation_at
from tests.models.wire_servers import PlainClient
from tests.rollout.fakes import FakeSimulator
from workbench.core.errors import UnknownName
from workbench.core.types import Prompt

ROW = [0.01, 0.0, -0.02, 0.0, 0.1, 0.0, 1.0]


class Batch(dict):
    def to(self, device, dtype):
        return self | {"moved": (str(device), dtype)}


class StandIn:
    """Model and processor in one; notes what it was given."""

    norm_stats = MappingProxyType({"bridge_orig": {}})
    device, dtype = torch.device("cpu"), torch.bfloat16

    def __init__(self, row=ROW):
        self.row, self.seen = row, []

    def __call__(self, prompt, image):
        self.seen.append((prompt, image.size))
        return Batch(prompt=prompt)

    def predict_action(self, *, prompt, moved, unnorm_key, do_sample):
        assert moved == ("cpu", torch.bfloat16) and unnorm_key == "bridge_orig" and not do_sample
        return np.array(self.row)


def served(stand_in):
    return PolicyServer(make_service("openvla", stand_in, stand_in, unnorm_key="bridge_orig"), Listening(port=0))


def test_the_prompt_is_the_one_of_its_training():
    assert make_prompt("Pick up the Red cube. ") == "In: What action should the robot take to pick up the red cube?\nOut:"


def test_it_drives_by_the_picture_of_the_front_camera_without_any_setting():
    stand_in = StandIn()
    with served(stand_in) as server:
        policy = RemotePolicy(read_settings(server.url + ",sync"), FakeSimulator())
        assert [(c.name, c.width, c.height) for c in policy.spec.cameras] == [("front", 224, 224)]
        chunk = policy.act(observation_at(0, size=224), Prompt(text="Lift it"), np.random.default_rng(0))
        policy.close()
    np.testing.assert_allclose(chunk.actions, [ROW], atol=1e-6)
    assert stand_in.seen == [("In: What action should the robot take to lift it?\nOut:", (224, 224))]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"prompt": "go"}, "observation/images/front"),
        ({"prompt": "", "observation/images/front": np.zeros((8, 8, 3), np.uint8)}, "instruction"),
        ({"prompt": "go", "observation/images/front": np.zeros((8, 8))}, "uint8"),
    ],
)
def test_what_is_missing_is_named(request_, said):
    with served(StandIn()) as server, PlainClient(server.url) as client, pytest.raises(RuntimeError, match=said):
        client.infer(request_)


def test_numbers_that_are_none_are_an_error_of_the_model():
    with (
        served(StandIn([np.nan] * 7)) as server,
        PlainClient(server.url) as client,
        pytest.raises(RuntimeError, match="action of the model"),
    ):
        client.infer({"prompt": "go", "observation/images/front": np.zeros((8, 8, 3), np.uint8)})


def test_unknown_statistics_are_told_with_the_known_ones():
    with pytest.raises(UnknownName, match="bridge_orig"):
        make_service("openvla", StandIn(), StandIn(), unnorm_key="bridge")


def test_nothing_of_a_checkpoint_runs_without_leave(capsys):
    assert main(["openvla/openvla-7b"]) == 2
    assert "--trust-remote-code" in capsys.readouterr().err
