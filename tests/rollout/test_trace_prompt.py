"""A trace that is told to a policy through the loop: trimmed, recorded, and exact in branches."""

import numpy as np
import pytest

from tests.rollout.fakes import Diary, FakeSimulator, Wander, fake_config
from workbench.core.events import EpisodeStart, EventKind
from workbench.core.geometry import Pinhole
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, Intention, Observation, Prompt, Trace
from workbench.rollout.branching import standing_at
from workbench.rollout.loop import announce_episode, begin_episode, catch_up, change_prompt, follow_policy, look_ahead, make_episode, tick

CONFIG = fake_config()
BEHIND = np.eye(4)
BEHIND[2, 3] = -1.0


class SeeingSimulator(FakeSimulator):
    """The fake world with a camera one metre below it: x and y go right and down in its picture."""

    def observe(self, cameras):
        seen = super().observe(cameras)
        pinholes = {c.name: Pinhole(c.name, c.width, c.height, 50.0, 50.0, c.width / 2, c.height / 2, BEHIND) for c in cameras}
        return Observation(seen.images, seen.depth, pinholes, seen.proprio, seen.step, seen.time_s)


class TraceDriver:
    """Goes to the next point of the trace that it is told, in chunks; remembers nothing."""

    def __init__(self, simulator=None, *, horizon=3):
        self.spec = PolicySpec("tracer", prompts=frozenset({"text", "trace"}), action_horizon=horizon)
        self.told = []

    def reset(self, rng):
        self.told.clear()

    def act(self, observation, prompt, rng):
        self.told.append((observation.step, prompt))
        actions = np.zeros((5, 7), dtype=np.float32)
        actions[:, 6] = 1.0
        trace = prompt.trace
        if trace is not None and len(trace.points) > 1:
            way = (np.array(trace.points[1]) - trace.points[0]) / 50.0
            actions[:, :2] = 0.012 * way / max(1e-6, np.hypot(*way))
        actions[:, :3] += rng.normal(scale=1e-4, size=(5, 3))
        return ActionChunk(actions, 20.0, intention=Intention(trace=trace))


def pixels(*places):
    return tuple((50.0 * x + 50.0, 50.0 * y + 50.0) for x, y in places)


TRACE = Trace("below", 100, 100, pixels((0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.4, 0.2)), gripper=(1.0, 1.0, 1.0, 1.0))


def begin(policy, prompt=None, simulator=None):
    simulator = simulator or SeeingSimulator()
    simulator.reset(CONFIG)
    diary = Diary()
    start = EpisodeStart("e1", "s1", CONFIG.to_dict(), "go", policy.spec.name)
    return begin_episode(simulator, policy, start, prompt=prompt or Prompt(text="go"), observer=diary), diary


def run(episode, num_steps):
    for _ in range(num_steps):
        tick(episode, follow_policy(episode))


def test_a_policy_that_understands_traces_is_told_what_lies_ahead():
    policy = TraceDriver()
    episode, diary = begin(policy, Prompt(text="go", trace=TRACE))
    run(episode, 80)
    lengths = [len(prompt.trace.points) for _, prompt in policy.told]
    assert lengths[0] >= 4 and lengths[-1] <= 2 and episode.prompt.trace == TRACE
    assert diary.steps[-1].scores["trace_progress"] > 0.9 > diary.steps[0].scores["trace_progress"]
    assert all(prompt.id == episode.prompt.id for _, prompt in policy.told)


def test_a_policy_that_knows_no_traces_is_told_the_prompt_as_it_is():
    policy = Wander()
    episode, diary = begin(policy, Prompt(text="go", trace=TRACE))
    run(episode, 5)
    assert all(prompt is episode.prompt for prompt in policy.prompts) and "trace_progress" not in diary.steps[-1].scores


def test_something_else_told_on_the_way_leaves_what_is_left_of_the_trace():
    episode, diary = begin(TraceDriver(), Prompt(text="go", trace=TRACE))
    run(episode, 30)
    change_prompt(episode, {"text": "go slowly"})
    assert [e.kind for e in diary.events[-2:]] == [EventKind.INSTRUCTION, EventKind.TRACE]
    assert episode.prompt.trace.points[-1] == TRACE.points[-1] and episode.prompt.trace.points[0] != TRACE.points[0]
    assert episode.given_trace == TRACE and episode.chunk.is_empty


def standing_of(diary, step):
    return standing_at(diary.events, step, instruction="go", policy="tracer")


@pytest.mark.parametrize("step", [8, 9, 10, 17, 20, 21, 31, 40])
def test_a_branch_on_a_trace_continues_bit_equal_to_its_parent(step):
    parent, diary = begin(TraceDriver())
    run(parent, 9)
    change_prompt(parent, {"trace": TRACE})
    run(parent, 12)
    change_prompt(parent, {"text": "go slowly"})
    run(parent, 30)
    standing = standing_of(diary, step)
    simulator = SeeingSimulator()
    simulator.reset(CONFIG)
    head = EpisodeStart("e2", "s1", CONFIG.to_dict(), "go", "tracer", parent_id="e1", branch_step=step)
    seen = Diary()
    episode = make_episode(simulator, TraceDriver(), head, prompt=standing.prompt, observer=seen)
    catch_up(episode, [s.state for s in diary.steps[standing.lead_start : step]])
    simulator.restore(diary.steps[step].state)
    announce_episode(episode)
    last = next((e.step for e in diary.events if e.kind in (EventKind.TRACE, EventKind.INSTRUCTION) and e.step > step), 51)
    run(episode, last - step)
    for branched, original in zip(seen.steps, diary.steps[step:last], strict=True):
        assert branched.state.equals(original.state)
        np.testing.assert_array_equal(branched.action, original.action)
        assert branched.scores == original.scores


def test_asking_what_it_would_do_moves_nothing_and_changes_nothing_of_what_follows():
    (plain, a), (asked, b) = begin(TraceDriver(), Prompt(trace=TRACE)), begin(TraceDriver(), Prompt(trace=TRACE))
    state = asked.simulator.state()
    look_ahead(asked)
    assert asked.chunk.intention.trace.points[-1] == TRACE.points[-1] and asked.simulator.state().equals(state) and asked.index == 0
    for _ in range(20):
        run(plain, 1)
        look_ahead(asked)
        run(asked, 1)
    assert all(x.state.equals(y.state) for x, y in zip(a.steps, b.steps, strict=True))
    assert [s for s, _ in plain.policy.told] == [s for s, _ in asked.policy.told][: len(plain.policy.told)]


def test_what_was_intended_is_forgotten_when_something_else_is_told():
    episode, _ = begin(TraceDriver(), Prompt(trace=TRACE))
    look_ahead(episode)
    change_prompt(episode, {"text": "stop"})
    assert episode.chunk.intention is None
