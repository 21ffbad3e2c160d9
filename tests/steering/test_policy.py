"""The policy under edits, as a rollout drives it."""

import json
import math

import numpy as np
import pytest

from tests.steering.test_steered import ASSETS, EDITS
from tests.steering.tiny import INNER, LAYERS, TinyPolicy, make_observation
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.protocols import Policy, SteerablePolicy
from workbench.core.types import Observation, Prompt
from workbench.steering.attention import attention_map
from workbench.steering.controller import ControlLoop, Gains
from workbench.steering.edits import ClampNeurons
from workbench.steering.instruments import Instruments
from workbench.steering.lens import top_contributions
from workbench.steering.mix import Mix, Slot, parse_mix
from workbench.steering.policy import Setting, SteeredPolicy, measured_quantities, setting_of
from workbench.steering.projection import build_table
from workbench.steering.scopes import Gate, Scope
from workbench.steering.steered import steered

RNG, PROMPT = np.random.default_rng(0), Prompt(text="lift")
STRONG = ClampNeurons("decoder", (INNER + 2, 2 * INNER + 3), 15.0)


def seen(height=0.2, gripper=0.0, step=0):
    base = make_observation(step)
    proprio = base.proprio.copy()
    proprio[7:10], proprio[14] = (0.4, 0.0, height), gripper
    return Observation(base.images, {}, {}, proprio, step, step / 20)


def test_the_protocols_hold(policy):
    assert isinstance(policy, SteerablePolicy)
    assert isinstance(SteeredPolicy(policy), Policy)
    assert SteeredPolicy(policy).spec is policy.spec and SteeredPolicy(policy).policy is policy


def test_without_edits_it_acts_bit_for_bit_as_the_policy_does(policy):
    wrapped = SteeredPolicy(policy, Setting((), ASSETS))
    for step in range(3):
        assert np.array_equal(wrapped.act(seen(step=step), PROMPT, RNG).actions, policy.act(seen(step=step), PROMPT, RNG).actions)


def test_a_new_setting_acts_in_the_next_call_and_its_removal_too(policy):
    wrapped, plain = SteeredPolicy(policy), policy.act(seen(), PROMPT, RNG).actions
    wrapped.set(Setting((STRONG,)))
    assert not np.array_equal(wrapped.act(seen(), PROMPT, RNG).actions, plain)
    wrapped.set(Setting())
    assert np.array_equal(wrapped.act(seen(), PROMPT, RNG).actions, plain)


def test_a_setting_that_does_not_fit_is_refused_and_the_old_one_stays(policy):
    wrapped = SteeredPolicy(policy, Setting((STRONG,)))
    before = wrapped.act(seen(), PROMPT, RNG).actions
    for bad in (Setting((ClampNeurons("decoder", (10**6,), 1.0),)), Setting((STRONG,), loops=(None, ControlLoop("height", 0.3))),
                Setting((EDITS[3],), ASSETS, (ControlLoop("height", 0.3),))):  # fmt: skip
        with pytest.raises(InvalidInput):
            wrapped.set(bad)
    assert wrapped.setting.edits == (STRONG,)
    assert np.array_equal(wrapped.act(seen(), PROMPT, RNG).actions, before)


def test_a_gate_on_the_gripper_and_on_a_noted_alarm_opens_and_shuts(policy):
    plain = policy.act(seen(gripper=1.0), PROMPT, RNG).actions
    for quantity, act, shut in (("gripper", seen(gripper=1.0), seen(gripper=0.0)), ("alarm", seen(), seen())):
        wrapped = SteeredPolicy(policy, Setting((ClampNeurons("decoder", (3,), 15.0, Scope(gate=Gate(quantity, ">", 0.5))),)))
        if quantity == "alarm":
            assert np.array_equal(wrapped.act(shut, PROMPT, RNG).actions, policy.act(shut, PROMPT, RNG).actions)
            wrapped.note({"alarm": 1.0})
        else:
            assert np.array_equal(wrapped.act(shut, PROMPT, RNG).actions, policy.act(shut, PROMPT, RNG).actions)
        assert not np.array_equal(wrapped.act(act, PROMPT, RNG).actions, policy.act(act, PROMPT, RNG).actions)
    assert np.array_equal(plain, policy.act(seen(gripper=1.0), PROMPT, RNG).actions)


def test_a_control_loop_sets_the_strength_from_what_it_measures(policy):
    wrapped = SteeredPolicy(policy, Setting((STRONG,), loops=(ControlLoop("height", 0.23, Gains(1.0, 0.0, 0.0)),)))
    chunk = wrapped.act(seen(height=0.20), PROMPT, RNG)
    (reading,) = wrapped.readings
    assert reading.measured == pytest.approx(0.20) and reading.strength == pytest.approx(3.0, abs=1e-3)
    fixed = SteeredPolicy(policy, Setting((ClampNeurons("decoder", STRONG.neurons, reading.strength),)))
    assert np.array_equal(chunk.actions, fixed.act(seen(height=0.20), PROMPT, RNG).actions)
    wrapped.reset(RNG)
    assert wrapped.readings == ()


def test_a_desk_becomes_the_edits_and_controllers_of_what_is_heard(policy):
    loop = ControlLoop("height", 0.23, Gains(1.0, 0.0, 0.0))
    mix = Mix((Slot("a", EDITS[0]), Slot("b", STRONG, loop=loop), Slot("c", EDITS[1], is_muted=True)))
    setting = setting_of(mix, ASSETS)
    assert setting.edits == (EDITS[0], STRONG) and setting.loops == (None, loop)
    wrapped = SteeredPolicy(policy, setting)
    wrapped.act(seen(height=0.20), PROMPT, RNG)
    assert [r.edit for r in wrapped.readings] == [1]
    assert parse_mix(json.loads(json.dumps(mix.to_dict()))) == mix


def test_instruments_show_the_call_itself_and_change_nothing(policy):
    wrapped, plain = SteeredPolicy(policy, Setting((STRONG,))), seen()
    bare = wrapped.act(plain, PROMPT, RNG).actions
    assert wrapped.seen is None
    table = build_table(policy.module, policy.sites, "decoder")
    wrapped.watch(Instruments(has_strip=True, has_lens=True, attention_to="front", contributions_to="dz"), table)
    shown = wrapped.act(plain, PROMPT, RNG).actions
    assert np.array_equal(bare, shown)
    reading = wrapped.seen
    assert np.allclose(reading.lens.values[-1], shown, atol=1e-6), "the lens sees the steered call"
    assert reading.strip.shape[0] == LAYERS and reading.attention.shape == (4, 4) and len(reading.contributions) == 10

    def call():
        policy.act(plain, PROMPT, RNG)

    with steered(policy, (STRONG,)):
        alone = attention_map(policy.module, policy.sites, call, "decoder", camera="front")
        ranked = top_contributions(policy.module, policy.sites, call, table, "dz")
    assert np.allclose(reading.attention, alone) and reading.contributions == ranked
    wrapped.watch(Instruments())
    wrapped.act(plain, PROMPT, RNG)
    assert wrapped.seen is None


def test_instruments_that_do_not_fit_are_refused_before_any_call(policy):
    wrapped = SteeredPolicy(policy)
    for bad in (Instruments("expert", has_strip=True), Instruments(attention_to="ceiling"), Instruments(contributions_to="dz")):
        with pytest.raises(WorkbenchError):
            wrapped.watch(bad)
    wrapped.act(seen(), PROMPT, RNG)
    assert wrapped.seen is None


def test_speed_is_measured_between_calls_and_forgotten_at_reset(policy):
    first = measured_quantities(seen(height=0.2))
    assert first["height"] == first["z"] == pytest.approx(0.2) and "speed" not in first
    second = measured_quantities(seen(height=0.21, step=4), (seen(height=0.2).part("ee_position"), 0.0))
    assert second["speed"] == pytest.approx(0.01 / 0.2, rel=1e-3)
    wrapped = SteeredPolicy(policy, Setting((STRONG,), loops=(ControlLoop("speed", 0.3),)))
    wrapped.act(seen(), PROMPT, RNG)
    assert wrapped.readings == ()
    wrapped.act(seen(step=4, height=0.21), PROMPT, RNG)
    assert len(wrapped.readings) == 1


def test_actions_that_are_no_numbers_are_an_error_with_advice():
    policy = TinyPolicy(seed=2)
    wrapped = SteeredPolicy(policy, Setting((STRONG,)))
    policy.module.queries.data[:] = math.nan
    with pytest.raises(InvalidInput, match="Lower the strength"):
        wrapped.act(seen(), PROMPT, RNG)
