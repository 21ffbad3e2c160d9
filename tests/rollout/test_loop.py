import numpy as np
import pytest

from tests.rollout.fakes import Diary, FakeSimulator, Script, Wander, fake_config
from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.events import EpisodeStart, EventKind, Outcome
from workbench.core.sketches import Sketch, SketchPlan
from workbench.core.types import Actor, Prompt, Trace
from workbench.intervention.driving import checked_action
from workbench.rollout.hold import HoldPolicy, hold_action
from workbench.rollout.loop import Choice, begin_episode, change_prompt, finish_episode, follow_policy, policy_rng, tick
from workbench.rollout.observers import Fanout
from workbench.rollout.running import run_episode

CONFIG = fake_config()


def begin(policy, simulator=None, *, prompt=None, config=CONFIG):
    simulator = simulator or FakeSimulator()
    instruction = simulator.reset(config)
    diary = Diary()
    start = EpisodeStart("e1", "s1", config.to_dict(), instruction, policy.spec.name)
    return begin_episode(simulator, policy, start, prompt=prompt or Prompt(text=instruction), observer=diary), diary


def advance(episode, num_steps):
    return [tick(episode, follow_policy(episode)) for _ in range(num_steps)]


def run(policy=None, *, config=CONFIG, max_steps=30, **options):
    diary = Diary()
    result = run_episode(FakeSimulator(), policy or Wander(), config, max_steps=max_steps, observers=[diary], **options)
    return result, diary


def test_the_same_seed_gives_the_same_steps_bit_for_bit():
    (first, a), (second, b) = run(), run()
    assert first.final_state.equals(second.final_state)
    for x, y in zip(a.steps, b.steps, strict=True):
        assert x.state.equals(y.state)
        np.testing.assert_array_equal(x.action, y.action)


def test_the_seed_of_the_policy_is_independent_of_the_scene():
    assert not run(seed=1)[0].final_state.equals(run(seed=2)[0].final_state)
    assert run(seed=CONFIG.seed)[0].final_state.equals(run()[0].final_state)


def test_replaying_the_recorded_actions_gives_the_recorded_states():
    result, diary = run()
    simulator = FakeSimulator()
    simulator.reset(CONFIG)
    for step in diary.steps:
        assert simulator.state().equals(step.state)
        simulator.step(step.action, halt_slice=step.halt_slice)
    assert simulator.state().equals(result.final_state)


@pytest.mark.parametrize("branch_step", [0, 1, 13, 29])
def test_a_branch_continues_bit_equal_to_its_parent(branch_step):
    result, parent = run()
    simulator = FakeSimulator()
    simulator.reset(CONFIG)
    simulator.restore(parent.steps[branch_step].state)
    diary = Diary()
    start = EpisodeStart("e2", "s1", CONFIG.to_dict(), "", "wander", parent_id="e1", branch_step=branch_step)
    episode = begin_episode(simulator, Wander(), start, prompt=Prompt(text="reach the goal"), observer=diary)
    advance(episode, 30 - branch_step)
    assert [s.index for s in diary.steps] == list(range(30 - branch_step))
    for step, original in zip(diary.steps, parent.steps[branch_step:], strict=True):
        assert step.state.equals(original.state)
        np.testing.assert_array_equal(step.action, original.action)
        assert step.time_s == original.time_s
    assert simulator.state().equals(result.final_state)
    assert diary.kinds()[:2] == [EventKind.START, EventKind.BRANCH]


def test_a_branch_of_a_branch_continues_bit_equal_too():
    result, parent = run()
    state = parent.steps[10].state
    for num_steps in (7, 13):
        simulator = FakeSimulator()
        simulator.reset(CONFIG)
        simulator.restore(state)
        start = EpisodeStart("e2", "s1", CONFIG.to_dict(), "", "wander", parent_id="e1", branch_step=10)
        episode = begin_episode(simulator, Wander(), start, prompt=Prompt(), observer=Diary())
        advance(episode, num_steps)
        state = simulator.state()
    assert state.equals(result.final_state)


def test_the_generator_of_a_step_depends_on_seed_and_step_alone():
    draws = {(seed, step): policy_rng(seed, step).random() for seed in (0, 1, -1, 10**9) for step in (0, 1, 500)}
    assert len(set(draws.values())) == 9  # a seed and its negative are the same
    assert policy_rng(1, 500).random() == draws[1, 500]


@pytest.mark.parametrize(("chunk", "horizon", "calls"), [(1, 1, 24), (8, 8, 3), (8, 4, 6), (3, 8, 8)])
def test_a_chunk_is_executed_open_loop_up_to_the_horizon(chunk, horizon, calls):
    policy = Wander(horizon=horizon, chunk=chunk)
    result, diary = run(policy, max_steps=24)
    assert policy.num_calls == calls
    assert result.num_steps == len(diary.steps) == 24
    assert sum(s.policy_ms > 0 for s in diary.steps) == calls


def test_a_changed_prompt_acts_on_the_very_next_step():
    policy = Wander(horizon=8, chunk=8)
    episode, diary = begin(policy)
    advance(episode, 3)
    change_prompt(episode, {"text": "go elsewhere"})
    advance(episode, 1)
    assert policy.num_calls == 2
    assert policy.prompts[-1].text == "go elsewhere"
    event = diary.events[-1]
    assert (event.kind, event.step, event.payload) == (EventKind.INSTRUCTION, 3, {"text": "go elsewhere"})
    assert diary.steps[-1].prompt_id == event.id
    assert diary.steps[0].prompt_id == ""


def test_every_part_of_a_prompt_has_its_event():
    episode, diary = begin(Wander())
    sketch = Sketch("k1", "front", 480, 480, ())
    plan = SketchPlan("p1", "k1", "front", 480, 480, ())
    change_prompt(episode, {"text": "x", "sketch": sketch, "plan": plan, "trace": Trace("front", 8, 8, ((1.0, 2.0),))})
    kinds = [EventKind.INSTRUCTION, EventKind.SKETCH, EventKind.PLAN, EventKind.TRACE]
    assert diary.kinds()[-4:] == kinds
    assert diary.events[-2].payload["plan"]["id"] == "p1"
    num_events = len(diary.events)
    change_prompt(episode, {"text": "x"})
    assert len(diary.events) == num_events


def test_a_prompt_given_at_the_start_is_on_the_timeline():
    prompt = Prompt(text="hello", plan=SketchPlan("p1", "k1", "front", 480, 480, ()))
    _, diary = begin(Wander(), prompt=prompt)
    assert diary.kinds() == [EventKind.START, EventKind.PLAN]


def test_success_is_told_once_and_stops_a_campaign():
    result, diary = run(config=fake_config(goal=0.1), max_steps=200)
    assert result.is_success
    assert result.outcome is Outcome.SUCCESS
    assert diary.steps[-1].is_success
    assert not any(s.is_success for s in diary.steps[:-1])
    assert diary.log[-3:] == ["success", "end", "end!"]


def test_an_episode_that_runs_on_may_lose_its_success():
    result, diary = run(config=fake_config(goal=0.1), max_steps=200, stop_on_success=False)
    assert diary.count(EventKind.SUCCESS) == 1
    assert result.num_steps == 200
    assert not result.is_success
    assert result.outcome is Outcome.FAILURE


def test_a_policy_that_says_done_is_the_end():
    result, _ = run(Script([(0.01, {}), (0.01, {}), (0.0, {"done": 1.0}), (0.01, {})]))
    assert result.num_steps == 3
    assert result.outcome is Outcome.FAILURE
    assert result.scores["done"] == 1.0


def test_done_counts_when_the_chunk_is_used_up():
    result, _ = run(Wander(horizon=4, chunk=4, scores={"done": 1.0}))
    assert result.num_steps == 4


def test_a_plan_step_is_told_when_it_begins():
    scores = [{"plan_step": 0.0}, {"plan_step": 0.0}, {"plan_step": 1.0}, {}, {"plan_step": 2.0}]
    _, diary = run(Script([(0.01, s) for s in scores]), max_steps=5)
    told = [(e.step, e.payload["plan_step"], e.actor) for e in diary.events if e.kind is EventKind.PLAN_STEP]
    assert told == [(0, 0, "policy"), (2, 1, "policy"), (4, 2, "policy")]


def test_steps_hold_the_state_before_and_both_kinds_of_scores():
    _, diary = run(Wander(scores={"entropy": 0.5}), max_steps=3)
    assert [s.index for s in diary.steps] == [0, 1, 2]
    assert diary.steps[0].time_s == 0
    assert diary.steps[1].time_s == pytest.approx(0.05)
    assert diary.steps[1].state.physics[0] == diary.steps[1].time_s
    assert set(diary.steps[0].scores) == {"entropy", "distance_to_goal"}
    assert diary.steps[0].actor is Actor.POLICY
    assert diary.steps[0].step_ms > 0


def test_an_overseer_decides_whose_action_is_executed_and_the_proposal_is_kept():
    episode, _ = begin(Wander())
    human = np.full(7, 0.003, dtype=np.float32)
    step = tick(episode, lambda observation, proposal: Choice(human, Actor.HUMAN))
    np.testing.assert_array_equal(step.action, human)
    assert step.actor is Actor.HUMAN
    assert step.proposal is not None
    assert not np.array_equal(step.proposal, human)


def test_an_overseer_that_chooses_nothing_leaves_the_world_untouched():
    episode, diary = begin(Wander())
    before = episode.simulator.state()
    assert tick(episode, lambda observation, proposal: None) is None
    assert episode.simulator.state().equals(before)
    assert episode.index == 0
    assert not diary.steps


def test_a_proposal_that_was_not_executed_is_executed_later():
    policy = Wander()
    episode, _ = begin(policy)
    tick(episode, lambda observation, proposal: None)
    advance(episode, 1)
    assert policy.num_calls == 1


def test_holding_moves_nothing_and_keeps_the_gripper():
    simulator = FakeSimulator()
    result, diary = None, Diary()
    result = run_episode(simulator, HoldPolicy(), CONFIG, max_steps=20, observers=[diary])
    moved = result.final_state.physics[1:4] - diary.steps[0].state.physics[1:4]
    assert np.abs(moved).max() < 1e-3
    assert {s.actor for s in diary.steps} == {Actor.HOLD}
    assert hold_action(simulator.observe(()))[-1] == 1.0


def test_a_policy_that_fails_ends_the_episode_with_an_error():
    diary = Diary()
    with pytest.raises(ValueError, match="broken"):
        run_episode(FakeSimulator(), Script([(0.0, {}), ValueError("broken")]), CONFIG, max_steps=9, observers=[diary])
    assert diary.ends[0].outcome is Outcome.ERROR
    assert diary.ends[0].num_steps == 1


def test_an_action_that_is_not_finite_never_reaches_the_simulator():
    diary = Diary()
    with pytest.raises(InvalidInput, match="finite"):
        run_episode(FakeSimulator(), Script([(np.nan, {})]), CONFIG, max_steps=9, observers=[diary])
    assert not diary.steps


def test_the_end_carries_the_final_state():
    episode, diary = begin(Wander())
    advance(episode, 2)
    final = finish_episode(episode, Outcome.STOPPED)
    assert diary.ends[0].final_state == final.to_bytes()
    assert diary.ends[0].time_s == pytest.approx(0.1)
    assert diary.events[-1].payload == {"outcome": "stopped", "num_steps": 2}


def test_on_tick_may_disturb_the_world():
    def disturb(episode, step):
        if step.index == 4:
            state = episode.simulator.state()
            state.physics[1:4] += 0.2
            episode.simulator.restore(state)

    _, plain = run()
    _, disturbed = run(on_tick=disturb)
    assert plain.steps[4].state.equals(disturbed.steps[4].state)
    assert disturbed.steps[5].state.physics[2] - plain.steps[5].state.physics[2] == pytest.approx(0.2)


def test_one_observer_that_fails_does_not_keep_the_others_from_hearing():
    class Broken(Diary):
        def on_step(self, step):
            raise OSError("disk full")

    failures, diary = [], Diary()
    fanout = Fanout((Broken(), diary), on_failure=lambda observer, error: failures.append(error))
    run_episode(FakeSimulator(), Wander(), CONFIG, max_steps=3, observers=[fanout])
    assert len(diary.steps) == len(failures) == 3
    with pytest.raises(OSError, match="disk full"):
        run_episode(FakeSimulator(), Wander(), CONFIG, max_steps=3, observers=[Broken()])


@pytest.mark.parametrize("action", [[0.0] * 6, [[0.0] * 7], [0.0] * 6 + [np.nan], [np.inf] * 7])
def test_a_humans_action_is_checked(action):
    with pytest.raises(InvalidShape):
        checked_action(action)
