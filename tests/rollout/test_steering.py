"""Steering in a live rollout: what acts, what is remembered, and that a branch goes on exactly."""

import numpy as np
import pytest
import torch

from tests.rollout.fakes import Diary, FakeSimulator, fake_config, policies, simulators
from tests.rollout.rigs import Rig, wait_for
from tests.steering.tiny import SIDE, TinyPolicy
from workbench.core.errors import InvalidInput, WrongMode
from workbench.core.events import EventKind
from workbench.core.protocols import PolicySpec
from workbench.core.types import Observation
from workbench.rollout.branching import standing_at
from workbench.rollout.controller import RolloutController
from workbench.rollout.steering_marks import assets_in
from workbench.steering.controller import ControlLoop
from workbench.steering.edits import AddDirection, ClampNeurons
from workbench.steering.instruments import Instruments
from workbench.steering.mix import Mix, Slot, parse_mix
from workbench.steering.policy import SteeredPolicy


class SeeingSimulator(FakeSimulator):
    """Has a picture that follows the point."""

    def observe(self, cameras):
        seen = super().observe(cameras)
        value = int(abs(self.physics[1]) * 255) % 256
        picture = np.full((SIDE, SIDE, 3), value, dtype=np.uint8)
        return Observation({"front": picture}, {}, {}, seen.proprio, seen.step, seen.time_s)


class Worded(TinyPolicy):
    """Knows only its own words, and runs two steps of a chunk."""

    def __init__(self, simulator=None):
        super().__init__()
        self.spec = PolicySpec("tiny", prompts=frozenset({"text"}), action_horizon=2)

    def act(self, observation, prompt, rng):
        return super().act(observation, type(prompt)(text="lift red cube"), rng)


def open_policy(policy):
    return SteeredPolicy(policy) if hasattr(policy, "sites") else None


class SteeredRig(Rig):
    def __init__(self):
        self.diary = Diary()
        self.controller = RolloutController(
            simulators=simulators(SeeingSimulator),
            policies=policies(tiny=Worded),
            observers=[self.diary],
            session_id="s",
            open_policy=open_policy,
        )

    def steer(self, *slots, **options):
        self.controller.set_steering(Mix(slots), **options).result(60)

    def show(self, instruments):
        self.controller.inspect(lambda steering, episode: steering.show(episode, instruments, None)).result(60)

    def run(self, count):
        before = len(self.diary.steps)
        self.controller.step_once(count)
        wait_for(lambda: len(self.diary.steps) == before + count)
        self.flush()

    def branch(self, step):
        history, head = self.controller.history(), self.controller.history().start
        standing = standing_at(history.events(), step, instruction=head.instruction, policy=head.policy)
        lead = history.lead(standing, step)
        steering = history.steering(standing, lead)
        state = history.state(step)
        self.controller.branch(
            fake_config(),
            state,
            parent_id=head.episode_id,
            step=step,
            policy=standing.policy,
            prompt=standing.prompt,
            lead=lead,
            steering=steering,
        ).result(60)

    def actions(self):
        return np.array([step.action for step in self.controller.history().steps()])


@pytest.fixture
def steered_rig():
    torch.set_num_threads(1)
    rig = SteeredRig()
    rig.start("tiny")
    yield rig
    rig.controller.close()


def clamp(alpha=4.0, name="up", **fields):
    return Slot(name, ClampNeurons("decoder", (3, 60, 101), alpha), **fields)


def test_a_change_is_an_event_and_acts_at_the_next_step_even_within_a_chunk(steered_rig):
    rig = steered_rig
    rig.run(1)
    rig.steer(clamp())
    rig.run(1)
    (event,) = [e for e in rig.diary.events if e.kind is EventKind.STEERING]
    assert event.step == 1 and parse_mix(event.payload) == Mix((clamp(),))
    status = rig.controller.status()
    assert status.is_steerable and status.steered_by == ("up",)
    steered = rig.actions()
    rig.steer()
    rig.branch(0)
    rig.run(2)
    plain = rig.actions()
    assert np.array_equal(steered[0], plain[0]) and not np.array_equal(steered[1], plain[1])
    assert not rig.controller.status().steered_by


def test_muted_edits_leave_the_path_equal_bit_for_bit(steered_rig):
    rig = steered_rig
    rig.run(4)
    plain = rig.actions()
    rig.branch(0)
    rig.steer(clamp(is_muted=True))
    rig.run(4)
    assert np.array_equal(rig.actions(), plain) and rig.controller.status().steered_by == ()


def run_with_changes(rig):
    """Steer on the way, in mid-chunk and while a controller runs; return the actions."""
    height = clamp(2.0, loop=ControlLoop("height", 0.3))
    rig.start("tiny")
    rig.steer()
    rig.run(3)
    rig.steer(height)
    rig.run(4)
    rig.steer(height, clamp(5.0, "more"))
    rig.run(5)
    return rig.actions()


@pytest.mark.parametrize(("step", "stop"), [(1, 3), (3, 7), (5, 7), (7, 12), (9, 12)])
def test_a_branch_of_a_steered_episode_goes_on_bit_equal_and_so_does_its_branch(steered_rig, step, stop):
    rig = steered_rig
    whole = run_with_changes(rig)
    assert rig.controller.steering.policy.readings, "the controller was running"
    rig.branch(step)
    rig.run(stop - step)
    assert np.array_equal(rig.actions(), whole[step:stop])
    rig.branch(1)
    rig.run(stop - step - 1)
    assert np.array_equal(rig.actions(), whole[step + 1 : stop])


def test_edits_stay_through_a_reset_and_come_back_with_their_policy(steered_rig):
    rig = steered_rig
    rig.steer(clamp())
    rig.controller.reset().result(60)
    assert rig.controller.status().steered_by == ("up",)
    rig.controller.set_policy("wander")
    rig.flush()
    status = rig.controller.status()
    assert not status.is_steerable and not status.steered_by
    rig.controller.set_policy("tiny")
    rig.flush()
    assert rig.controller.status().steered_by == ("up",)
    told = [parse_mix(e.payload).is_steering for e in rig.controller.history().events() if e.kind is EventKind.STEERING]
    assert told == [True, False, True]


@pytest.mark.parametrize(
    "slot",
    [Slot("far", ClampNeurons("decoder", (10_000,), 1.0)), Slot("none", AddDirection("decoder", "direction-0", (1,), (1.0,)))],
)
def test_a_bad_edit_is_refused_where_it_was_made_and_the_episode_goes_on(steered_rig, slot):
    rig = steered_rig
    rig.steer(clamp())
    with pytest.raises(Exception, match=r"neuron|direction"):
        rig.steer(slot)
    rig.run(2)
    assert rig.controller.status().steered_by == ("up",) and not rig.controller.status().error


def test_a_policy_without_an_inside_says_so(steered_rig):
    steered_rig.start("wander")
    with pytest.raises(InvalidInput, match="shows its inside"):
        steered_rig.steer(clamp())


def test_nothing_is_steered_without_an_episode(make_rig):
    with pytest.raises(WrongMode):
        make_rig().controller.set_steering(Mix())


def test_a_branch_onto_other_weights_goes_on_unsteered_and_says_so(steered_rig):
    rig = steered_rig
    rig.steer(clamp())
    rig.run(2)
    history, head = rig.controller.history(), rig.controller.history().start
    standing = standing_at(history.events(), 2, instruction="", policy="tiny")
    foreign = tuple(mark._replace(policy="0" * 16) for mark in history.steering(standing, history.lead(standing, 2)))
    rig.controller.branch(
        fake_config(), history.state(2), parent_id=head.episode_id, step=2, policy="tiny", lead=history.lead(standing, 2), steering=foreign
    ).result(60)
    status = rig.controller.status()
    assert "without the steering" in status.error and not status.steered_by
    rig.run(1)


def test_instruments_show_each_call_and_survive_a_change_of_episode(steered_rig):
    rig = steered_rig
    rig.show(Instruments(has_strip=True))
    rig.run(1)
    first = rig.controller.steering.policy.seen
    assert first.strip is not None and first.lens is None
    rig.controller.reset().result(60)
    rig.run(1)
    assert rig.controller.steering.policy.seen.strip is not None
    with pytest.raises(Exception, match=r"camera|picture"):
        rig.show(Instruments(attention_to="nowhere"))
    rig.show(Instruments())
    rig.run(2)
    assert rig.controller.steering.policy.seen is None


def test_the_assets_of_a_stored_event_are_named():
    mix = Mix((clamp(), Slot("d", AddDirection("decoder", "direction-7", (1,), (1.0,)))))
    assert assets_in(mix.to_dict()) == ("direction-7",)
