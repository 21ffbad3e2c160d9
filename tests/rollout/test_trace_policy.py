"""Following a trace, alone and blended with a policy, in the control loop."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.core.events import EpisodeStart
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, CameraRequest, EpisodeConfig, Prompt, Trace
from workbench.rollout.loop import begin_episode, change_prompt, follow_policy, tick
from workbench.rollout.observers import Fanout
from workbench.rollout.trace_blend import BlendPolicy, blended
from workbench.rollout.trace_policy import TracePolicy
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.paths import SpacePath, project_path

CONFIG = EpisodeConfig("place_on_plate", 3)


class Drift:
    """A policy that always goes to the left."""

    spec = PolicySpec("drift", prompts=frozenset({"text"}), action_horizon=4)

    def reset(self, rng):
        self.told = []

    def act(self, observation, prompt, rng):
        self.told.append(prompt)
        actions = np.zeros((4, 7), dtype=np.float32)
        actions[:, 1], actions[:, 6] = 0.01, 1.0
        return ActionChunk(actions, 20.0)


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def episode_of(simulator, policy, offset=(0.1, 0.0, 0.0)):
    """Begin an episode in which the policy is told a straight way from the gripper."""
    simulator.reset(CONFIG)
    prompt = Prompt(trace=trace_to(simulator, offset))
    start = EpisodeStart("e", "s", CONFIG.to_dict(), "", policy.spec.name)
    return begin_episode(simulator, policy, start, prompt=prompt, observer=Fanout(()))


def trace_to(simulator, offset) -> Trace:
    observation = simulator.observe((CameraRequest("front", 256, 256),))
    here = np.asarray(observation.part("ee_position"), dtype=float)
    return project_path(SpacePath(np.array([here, here + offset])), observation.cameras["front"])


def run(episode, num_steps):
    return [tick(episode, follow_policy(episode)).action for _ in range(num_steps)]


def test_the_follower_goes_to_the_end_of_its_trace_and_says_so(simulator):
    episode = episode_of(simulator, TracePolicy(simulator))
    begun = simulator.world.ee_position
    for _ in range(80):
        run(episode, 1)
        if episode.is_done:
            break
    assert episode.is_done and np.linalg.norm(simulator.world.ee_position - begun - [0.1, 0, 0]) < 0.01


def test_an_edit_changes_the_next_executed_action(simulator):
    episode = episode_of(simulator, TracePolicy(simulator))
    run(episode, 8)
    before = run(episode, 1)[0]
    change_prompt(episode, {"trace": trace_to(simulator, (0.0, 0.12, 0.0))})
    after = run(episode, 4)[-1]
    assert before[0] > 0.003 and abs(before[1]) < 0.002
    assert after[1] > 0.003 and abs(after[0]) < 0.002, "it goes along the new trace"
    assert run(episode, 1)[0][1] > 0.003


@pytest.mark.parametrize("make", [TracePolicy, lambda simulator: BlendPolicy(Drift(), simulator)], ids=["follower", "blend of chunks"])
@pytest.mark.parametrize("at", [3, 6])
def test_an_edited_path_changes_what_is_executed_within_one_control_step(simulator, make, at):
    """Two runs, alike up to the edit: the first step after it already goes another way, also in the midst of a chunk of actions."""
    ways = []
    for is_edited in (False, True):
        episode = episode_of(simulator, make(simulator))
        actions = run(episode, at)
        if is_edited:
            change_prompt(episode, {"trace": trace_to(simulator, (0.0, -0.12, 0.05))})
        actions += run(episode, 1)
        ways.append((np.array(actions), simulator.world.ee_position.copy()))
    (left, end), (edited, other_end) = ways
    assert np.array_equal(left[:at], edited[:at]), "nothing differs before the edit"
    assert np.abs(left[at] - edited[at])[:3].max() > 1e-3, "the next step's action is another one"
    assert np.linalg.norm(end - other_end) > 1e-4, "and so is where the arm is after it"


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_blend_lies_between_both_and_shows_both(simulator, weight):
    base = Drift()
    episode = episode_of(simulator, BlendPolicy(base, simulator))
    change_prompt(episode, {"trace": replace(episode.prompt.trace, weight=weight)})
    action = run(episode, 1)[0]
    assert action[1] == pytest.approx(0.01 * (1 - weight), abs=1e-3) and (action[0] > 1e-4) == (weight > 0)
    assert all(prompt.trace is None for prompt in base.told), "its own wish is what it would do by itself"
    shown = episode.chunk.intention.proposals
    assert set(shown) == {"policy", "trace"} and shown["policy"][-1, 1] > shown["policy"][0, 1]


class Stay(Drift):
    """A policy that stays where it is."""

    def act(self, observation, prompt, rng):
        actions = np.zeros((4, 7), dtype=np.float32)
        actions[:, 6] = 1.0
        return ActionChunk(actions, 20.0)


def test_a_policy_that_never_goes_along_stops_nothing_and_the_path_may_take_over_later(simulator):
    episode = episode_of(simulator, BlendPolicy(Stay(), simulator))
    begun = simulator.world.ee_position
    change_prompt(episode, {"trace": replace(episode.prompt.trace, weight=0.0)})
    run(episode, 160)
    assert np.linalg.norm(simulator.world.ee_position - begun) < 0.01
    change_prompt(episode, {"trace": trace_to(simulator, (0.1, 0.0, 0.0))})
    for _ in range(80):
        run(episode, 1)
        if episode.is_done:
            break
    assert episode.is_done and np.linalg.norm(simulator.world.ee_position - begun - [0.1, 0, 0]) < 0.01


def test_the_ends_of_the_scale_are_the_one_and_the_other_alone():
    own, drawn = np.arange(7, dtype=np.float32), np.arange(7, 14, dtype=np.float32)
    assert (blended(own, drawn, 0.0) == own).all() and (blended(own, drawn, 1.0) == drawn).all()


def test_without_a_trace_it_holds_still(simulator):
    simulator.reset(CONFIG)
    chunk = TracePolicy(simulator).act(simulator.observe(()), Prompt(), np.random.default_rng(0))
    assert not chunk.actions[:, :6].any()
