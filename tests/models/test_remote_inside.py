"""Edits and activations over the wire: as at home, and nothing of it where a server does not expose its inside."""

from dataclasses import replace

import numpy as np
import pytest

from models.remote import RemotePolicy
from models.remote_inside import CLOSED
from models.remote_settings import read_settings
from models.serve import Listening, PolicyServer
from models.serve_policy import make_service
from models.steering import as_steerable
from tests.steering.tiny import TinyPolicy
from workbench.core.errors import InvalidInput, ServiceFailed
from workbench.core.types import CameraRequest, EpisodeConfig, Prompt
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.simulators import SIMULATORS
from workbench.steering.assets import Direction, Place, library_of
from workbench.steering.edits import AddDirection, ClampNeurons
from workbench.steering.hooks import recorded
from workbench.steering.scopes import Scope
from workbench.steering.sites import Part, Site
from workbench.steering.steered import steered

VECTOR = np.linspace(-1, 1, 32).astype(np.float32)
DIRECTION = Direction("forward", Place("decoder", 1), VECTOR, 2.0)
ASSETS = library_of([DIRECTION])
EDITS = (
    ClampNeurons("decoder", (5, 60), 3.0),
    AddDirection("decoder", next(iter(ASSETS)), (1,), (2.0,), 0.5, Scope("action")),
)


class BenchTiny(TinyPolicy):
    """The tiny network, which looks at a picture of its own size and knows its own words."""

    def __init__(self, simulator=None):
        super().__init__()
        self.spec = replace(self.spec, cameras=(CameraRequest("front", 4, 4),))


@pytest.fixture(scope="module")
def simulator():
    made = SIMULATORS.load("bench")
    made.reset(EpisodeConfig("touch", 3))
    yield made
    made.close()


def serve(make):
    return PolicyServer(make_service("tiny", make, SIMULATORS.load), Listening(port=0))


def ask(policy, simulator):
    observation = simulator.observe(policy.spec.cameras)
    # Without the opening, which a client keeps between 0 and 1 and this network does not.
    return policy.act(observation, Prompt(text="lift red cube"), np.random.default_rng(0)).actions[:, :6]


def test_edits_and_activations_over_the_wire_are_those_at_home(simulator):
    home, site = BenchTiny(), Site("decoder", 2, Part.RESIDUAL)
    plain = ask(home, simulator)
    with steered(home, EDITS, ASSETS), recorded(home.module, home.sites, [site]) as found:
        turned = ask(home, simulator)
    with serve(BenchTiny) as server:
        remote = RemotePolicy(read_settings(server.url + ",sync"), simulator)
        remote.reset(np.random.default_rng(0))
        before = ask(remote, simulator)
        remote.inside.steer(EDITS, ASSETS)
        remote.inside.watch([str(site)])
        away, again = ask(remote, simulator), ask(remote, simulator)  # the second time without sending the direction again
        activations = remote.inside.activations[str(site)]
        remote.inside.steer((), {})
        after = ask(remote, simulator)
        stacks = remote.inside.facts["stacks"]
        with pytest.raises(InvalidInput, match="lies on its server"):
            as_steerable(remote)
        remote.close()
    assert before.tobytes() == after.tobytes() == plain.tobytes() != turned.tobytes()
    assert away.tobytes() == again.tobytes() == turned.tobytes()
    assert np.array_equal(activations, found[site][0][0].numpy())
    assert stacks[0]["name"] == "decoder" and stacks[0]["width"] == 32


def test_edits_that_do_not_fit_are_told_and_the_next_request_works(simulator):
    with serve(BenchTiny) as server:
        remote = RemotePolicy(read_settings(server.url + ",sync"), simulator)
        remote.inside.steer((ClampNeurons("decoder", (10**6,), 1.0),), {})
        with pytest.raises(ServiceFailed, match="neuron"):
            ask(remote, simulator)
        remote.inside.steer((), {})
        remote.inside.watch(["decoder 99 residual"])
        with pytest.raises(ServiceFailed, match="layer"):
            ask(remote, simulator)
        remote.inside.watch([])
        assert np.isfinite(ask(remote, simulator)).all()
        remote.close()


def test_a_server_without_an_inside_says_so_and_serves_on(simulator):
    with serve(lambda simulator: HoldPolicy()) as server:
        remote = RemotePolicy(read_settings(server.url + ",sync"), simulator)
        with pytest.raises(InvalidInput, match=CLOSED):
            remote.inside.steer(EDITS, ASSETS)
        with pytest.raises(InvalidInput, match=CLOSED):
            remote.inside.watch(["decoder 0 residual"])
        with pytest.raises(InvalidInput, match=CLOSED):
            as_steerable(remote)
        assert np.isfinite(ask(remote, simulator)).all()
        remote.close()


def test_an_edit_that_names_what_is_not_there_is_refused_before_anything_is_sent(simulator):
    with serve(BenchTiny) as server:
        remote = RemotePolicy(read_settings(server.url + ",sync"), simulator)
        with pytest.raises(InvalidInput, match="which an edit names"):
            remote.inside.steer(EDITS, {})
        remote.close()
