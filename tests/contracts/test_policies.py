"""What every entry of the catalogue of policies promises."""

import contextlib

import numpy as np
import pytest
import torch

from models.bench_vla.checkpoint import WEIGHTS, WEIGHTS_ENV, save_network
from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.network import BenchVla
from models.bench_vla.vocabulary import collect_words
from models.catalog import POLICIES
from models.pi0 import SETTINGS_ENV as PI0_ENV
from models.remote_settings import SETTINGS_ENV as REMOTE_ENV
from models.serve import Listening, PolicyServer
from models.serve_policy import make_service
from tests.models.tiny_pi0 import write_tiny_pi0
from workbench.core.errors import WorkbenchError
from workbench.core.protocols import Policy, PolicySpec
from workbench.core.sketches import PlanStep, SketchPlan, Verb
from workbench.core.types import ActionChunk, CameraRequest, EpisodeConfig, Interaction, Mask, Observation, Prompt, Trace
from workbench.simulation.simulators import SIMULATORS

NAMES = [entry.name for entry in POLICIES]
CONFIG = EpisodeConfig(task="touch", seed=5)


class Wanderer:
    """What the policy ``remote`` finds at the other end: looks at everything, and draws from its generator."""

    def __init__(self, simulator=None):
        self.spec = PolicySpec("wanderer", (CameraRequest("front", 48, 32),), frozenset({"text"}), action_horizon=3)

    def reset(self, rng):
        pass

    def act(self, observation, prompt, rng):
        actions = rng.normal(0, 0.01, (5, 7)) + 1e-5 * observation.images["front"].mean() + 1e-3 * len(prompt.text)
        actions[:, 6] = np.clip(observation.part("gripper")[0] + actions[:, 6], 0, 1)
        return ActionChunk(actions.astype(np.float32), 20.0, {"confidence": 0.5})


@pytest.fixture(scope="module")
def simulator():
    simulator = SIMULATORS.load("bench")
    simulator.reset(CONFIG)
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory, simulator):
    """Everything that an entry needs from outside: a server for ``remote``, a checkpoint for ``pi0``, random weights where none are."""
    with (
        pytest.MonkeyPatch.context() as patch,
        PolicyServer(make_service("wanderer", Wanderer, SIMULATORS.load), Listening(port=0)) as server,
    ):
        patch.setenv(REMOTE_ENV, server.url + ",sync")
        patch.setenv(PI0_ENV, str(write_tiny_pi0(tmp_path_factory.mktemp("pi0"))))
        if not WEIGHTS.exists():
            path = tmp_path_factory.mktemp("bench-vla") / "random.safetensors"
            config = BenchVlaConfig(words=collect_words([simulator.instance.instruction]))
            save_network(path, config, BenchVla(config).state_dict(), about={}, dtype=torch.float32)
            patch.setenv(WEIGHTS_ENV, str(path))
        yield


@pytest.fixture(scope="module")
def loaded(surroundings, simulator):
    """Each policy once; loading weights takes its time."""
    made = {}

    def load(name):
        if name not in made:
            made[name] = POLICIES.load(name)(simulator)
        return made[name]

    yield load
    for policy in made.values():
        with contextlib.suppress(AttributeError):
            policy.close()


@pytest.fixture
def policy(request, loaded):
    return loaded(request.param)


each_policy = pytest.mark.parametrize("policy", NAMES, indirect=True)


def words_for(policy, simulator):
    return simulator.instance.instruction


def act(policy, simulator, *, prompt=None, seed=1, observation=None):
    policy.reset(np.random.default_rng(seed))
    seen = observation or simulator.observe(policy.spec.cameras)
    return policy.act(seen, prompt or Prompt(text=words_for(policy, simulator)), np.random.default_rng(seed))


def copied(observation, cameras):
    """Return the same observation in arrays of its own."""
    images = {c.name: np.array(observation.images[c.name]) for c in cameras}
    proprio = np.array(observation.proprio)
    return Observation(images, {}, observation.cameras, proprio, observation.step, observation.time_s)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_in_plain_words_what_it_is(name):
    assert len(POLICIES.entry(name).description) >= 8


@each_policy
def test_it_is_a_policy_that_asks_for_cameras_that_there_are(policy, simulator):
    assert isinstance(policy, Policy)
    spec = policy.spec
    assert spec.name in NAMES and spec.description
    assert {c.name for c in spec.cameras} <= set(simulator.spec.cameras)
    assert spec.prompts <= {"text", "sketch", "trace", "mask"}
    assert spec.action_horizon >= 1


@each_policy
def test_it_returns_a_chunk_of_finite_actions_at_least_as_long_as_it_is_executed(policy, simulator):
    chunk = act(policy, simulator)
    assert isinstance(chunk, ActionChunk)
    assert chunk.actions.dtype == np.float32 and chunk.actions.ndim == 2 and chunk.actions.shape[1] == 7
    assert len(chunk.actions) >= policy.spec.action_horizon
    assert np.isfinite(chunk.actions).all()
    assert chunk.actions[:, 6].min() >= 0.0 and chunk.actions[:, 6].max() <= 1.0
    assert chunk.control_hz > 0
    assert all(isinstance(k, str) and np.isfinite(v) for k, v in chunk.scores.items())


@each_policy
def test_equal_generators_give_equal_chunks_after_a_reset(policy, simulator):
    first, second = (act(policy, simulator, seed=7).actions for _ in range(2))
    assert np.array_equal(first, second)


@each_policy
def test_resetting_never_moves_the_world(policy, simulator):
    before = simulator.state()
    act(policy, simulator)
    assert simulator.state().equals(before)


@each_policy
def test_it_does_not_write_into_the_observation(policy, simulator):
    shown = copied(simulator.observe(policy.spec.cameras), policy.spec.cameras)
    kept = copied(shown, policy.spec.cameras)
    act(policy, simulator, observation=shown)
    assert np.array_equal(shown.proprio, kept.proprio)
    assert all(np.array_equal(shown.images[name], kept.images[name]) for name in kept.images)


PARTS = {
    "trace": {"trace": Trace("front", 64, 64, ((10.0, 10.0), (30.0, 40.0)))},
    "mask": {"mask": Mask("front", np.eye(64, dtype=bool)), "interaction": Interaction.GRASP},
    "sketch": {"plan": SketchPlan("p", "s", "front", 64, 64, (PlanStep(Verb.TOUCH, ((32.0, 32.0),)),))},
}


@each_policy
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_prompt_that_it_does_not_understand_changes_nothing_or_is_refused(policy, simulator, part):
    if part in policy.spec.prompts:
        pytest.skip(f"it understands a {part}")
    prompt = Prompt(text=words_for(policy, simulator), **PARTS[part])
    try:
        actions = act(policy, simulator, prompt=prompt).actions
    except WorkbenchError as error:
        assert str(error)
    else:
        assert np.array_equal(actions, act(policy, simulator).actions)


@each_policy
def test_nothing_said_is_answered_or_refused(policy, simulator):
    with contextlib.suppress(WorkbenchError):
        assert np.isfinite(act(policy, simulator, prompt=Prompt()).actions).all()
