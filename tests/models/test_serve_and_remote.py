"""Our server and our client together, in an episode of the bench."""

import json

import numpy as np
import pytest

import app
from models.catalog import POLICIES
from models.check_server import main
from models.remote import LATENCY, RemotePolicy
from models.remote_settings import read_settings
from models.serve import Listening, PolicyServer
from models.serve_policy import PolicySession, make_service
from workbench.core.errors import InvalidInput
from workbench.core.types import EpisodeConfig, Prompt
from workbench.rollout.running import run_episode
from workbench.simulation.simulators import SIMULATORS

CONFIG = EpisodeConfig(task="touch", seed=3)


def serve_policy(name):
    return PolicyServer(make_service(name, POLICIES.load(name), SIMULATORS.load), Listening(port=0))


@pytest.fixture
def simulator():
    simulator = SIMULATORS.load("bench")
    simulator.reset(CONFIG)
    yield simulator
    simulator.close()


def test_hold_served_holds(simulator):
    with serve_policy("hold") as server:
        policy = RemotePolicy(read_settings(server.url + ",ours,sync"), simulator)
        policy.reset(np.random.default_rng(0))
        observation = simulator.observe(policy.spec.cameras)
        chunk = policy.act(observation, Prompt(text="x"), np.random.default_rng(0))
        policy.close()
    assert chunk.actions.shape == (1, 7) and not chunk.actions[0, :6].any()
    assert chunk.scores[LATENCY] > 0


def test_the_expert_solves_a_task_over_the_wire_step_for_step_as_at_home(simulator):
    expert = POLICIES.load("expert")(simulator)
    at_home = run_episode(simulator, expert, CONFIG, max_steps=200)
    assert at_home.is_success
    with serve_policy("expert") as server:
        remote = RemotePolicy(read_settings(server.url + ",sync"), simulator)
        assert remote.spec.is_privileged
        away = run_episode(simulator, remote, CONFIG, max_steps=200)
        remote.close()
    assert away.num_steps == at_home.num_steps
    assert away.final_state.equals(at_home.final_state)


def test_a_policy_that_looks_at_the_simulator_says_what_it_needs(simulator):
    session = PolicySession(POLICIES.load("expert"), SIMULATORS.load)
    with pytest.raises(InvalidInput, match="'config' and 'state'"):
        session.infer({})
    with pytest.raises(InvalidInput, match="simulator state"):
        session.infer({"config": CONFIG.to_dict(), "state": b"xx"})
    reply = session.infer({"config": CONFIG.to_dict(), "state": simulator.state().to_bytes()})
    assert reply["actions"].shape == (1, 7) and np.abs(reply["actions"][0, :3]).sum() > 0
    session.close()


def test_the_server_takes_the_physics_of_each_request(simulator):
    """The client's simulator moves on by another hand; the served expert answers for where it stands now."""
    session = PolicySession(POLICIES.load("expert"), SIMULATORS.load)
    at_home = POLICIES.load("expert")(simulator)
    for _ in range(3):
        simulator.step(np.array([0, 0.01, 0, 0, 0, 0, 1], np.float32))
        reply = session.infer({"config": CONFIG.to_dict(), "state": simulator.state().to_bytes()})
        expected = at_home.act(simulator.observe(()), Prompt(), np.random.default_rng(0)).actions
        assert np.array_equal(reply["actions"], expected)
    session.close()


def test_a_server_is_checked_by_an_episode(capsys):
    with serve_policy("hold") as server:
        assert main([server.url + ",sync", "--task", "touch", "--steps", "3"]) == 0
        figures = json.loads(capsys.readouterr().out)
    assert figures["steps"] == 3 and figures["latency_ms"] > 0 and figures["policy"].startswith("hold at ")
    assert (figures["moving_share"], figures["waiting_share"], figures["is_success"]) == (0.0, 0.0, False)
    assert main([server.url]) == 1
    assert "could not be reached" in capsys.readouterr().err


def test_an_address_that_cannot_be_read_is_refused_before_anything_is_opened(capsys, tmp_path):
    assert app.main(["--root-dir", str(tmp_path / "data"), "serve", "--remote", "http://somewhere"]) == 2
    assert "ws://HOST:PORT" in capsys.readouterr().err
    assert app.main(["policy-server", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
