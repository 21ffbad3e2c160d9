"""Choice of neurons, controls, controllers, doses and motion, on planted effects and hand-worked numbers."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from tests.steering.test_steered import ASSETS, CONCEPTOR, DIRECTION, EDITS, PROBE, SAE
from tests.steering.tiny import INNER, LAYERS, WORDS, TinyPolicy, make_observation
from workbench.core.errors import InvalidInput, TooLarge, UnknownName
from workbench.core.types import Prompt
from workbench.steering.concepts import (
    Concept,
    ConceptKind,
    check_concept,
    default_strength,
    fingerprint,
    neuron_concept,
    parse_concept,
)
from workbench.steering.controller import ControlLoop, Gains, PidState, pid_step
from workbench.steering.controls import Control, random_direction, random_neurons
from workbench.steering.dose import Arm, ArmKind, compare_paired, dose_response, find_largest_dose
from workbench.steering.edits import AddDirection, ClampNeurons, ClampReading, with_strength
from workbench.steering.mix import Mix, Slot, parse_mix
from workbench.steering.motion import jerk, mean_height, step_displacement, truncated
from workbench.steering.projection import TopTokens, build_table
from workbench.steering.selection import candidates_for, nearest_neurons, rank_by_effect, semantic_embeddings
from workbench.steering.steered import steered

# -- choosing --------------------------------------------------------------------------------------------------------


def test_meaning_of_a_neuron_is_the_probability_weighted_mean_of_its_top_tokens():
    top = TopTokens(np.array([[2, 0]], dtype=np.int32), np.log(np.array([[3.0, 1.0]], dtype=np.float32)))
    embeddings = np.eye(3, dtype=np.float32)
    assert np.allclose(semantic_embeddings(top, embeddings), [[0.25, 0, 0.75]])


@pytest.fixture
def planted():
    """A policy of its own in which neuron 20 of layer 2 says "up", and neurons 5 and 6 push +z and -z."""
    policy = TinyPolicy(seed=4)
    table = policy.module.decoder.embed_tokens.weight.data
    column = policy.module.decoder.layers[2].mlp.down_proj.weight.data
    column[:, 20] = 3 * table[WORDS.index("up")]
    from workbench.steering.projection import action_directions

    up = torch.tensor(action_directions(policy.sites.stacks[0].readout, table)[2])
    column[:, 5], column[:, 6] = 2 * up / up.norm(), -2 * up / up.norm()
    return policy


def test_the_neuron_that_says_a_word_is_nearest_to_it(planted):
    found = nearest_neurons(planted.module, planted.sites, "decoder", ["up", "fast"])
    assert found["up"][0] == 2 * INNER + 20 and len(found["fast"]) == 5
    with pytest.raises(UnknownName, match="lift"):
        nearest_neurons(planted.module, planted.sites, "decoder", ["lifted"])


def measure_with(policy, count=4):
    def measure(edits):
        with steered(policy, edits):
            return np.array([policy.act(make_observation(s), Prompt(text="lift"), None).actions[0] for s in range(count)])

    return measure


@pytest.mark.parametrize("sign", [1, -1])
def test_causal_ranking_puts_the_planted_neuron_first_and_beyond_random_ones(planted, sign):
    table = build_table(planted.module, planted.sites, "decoder")
    wanted = 2 * INNER + (5 if sign > 0 else 6)
    candidates = candidates_for(table, "dz", sign=sign, count=8)
    assert wanted in candidates
    shares = []
    ranking = rank_by_effect(
        measure_with(planted), table.stack, candidates, dimension=2, sign=sign, alpha=8.0,
        rng=np.random.default_rng(0), num_random=6, progress=shares.append,
    )  # fmt: skip
    assert ranking.effects[0].flat == wanted and ranking.best(1) == (wanted,)
    assert sign * ranking.effects[0].mean > max(abs(b) for b in ranking.band)
    assert [sign * e.mean for e in ranking.effects] == sorted((sign * e.mean for e in ranking.effects), reverse=True)
    assert shares[-1] == 1.0 and len(shares) == 14 and not {e.flat for e in ranking.random} & set(candidates)


def test_ranking_needs_candidates():
    stack = TinyPolicy().sites.stacks[0]
    with pytest.raises(InvalidInput, match="candidates"):
        rank_by_effect(lambda e: np.zeros((1, 7)), stack, [], dimension=2, alpha=4.0, rng=np.random.default_rng(0))


def test_planted_neurons_move_faster_and_slower_while_random_sets_straddle_the_baseline(planted):
    def climb(edits, seed):
        path, height = [], 0.0
        with steered(planted, edits):
            for step in range(12):
                height += float(planted.act(make_observation(seed * 100 + step), Prompt(text="lift"), None).actions[0, 2])
                path.append((0.0, 0.0, height))
        return step_displacement(np.array(path), axis=2)

    up, down = ((ClampNeurons("decoder", (2 * INNER + n,), 8.0),) for n in (5, 6))
    rng, stack = np.random.default_rng(0), planted.sites.stacks[0]
    randoms = [(ClampNeurons("decoder", random_neurons(stack, (2 * INNER + 5,), rng), 8.0),) for _ in range(6)]
    for seed in (1, 2):
        base = climb((), seed)
        changes = [climb(r, seed) - base for r in randoms]
        assert climb(up, seed) - base > max(changes) and climb(down, seed) - base < min(changes)
        assert min(changes) < 0 < max(changes)


# -- controls --------------------------------------------------------------------------------------------------------


def test_random_neurons_match_count_and_layers_and_leave_out_the_chosen(policy):
    stack, chosen = policy.sites.stacks[0], (3, 4, 2 * INNER + 1)
    drawn = random_neurons(stack, chosen, np.random.default_rng(0))
    assert sorted(n // INNER for n in drawn) == [0, 0, 2] and not set(drawn) & set(chosen) and len(set(drawn)) == 3
    with pytest.raises(InvalidInput, match="others"):
        random_neurons(stack, tuple(range(INNER - 1)), np.random.default_rng(0))


def test_a_random_direction_has_the_same_length_and_another_orientation():
    drawn = random_direction(DIRECTION, np.random.default_rng(0))
    length = np.linalg.norm(DIRECTION.vector)
    assert np.linalg.norm(drawn.vector) == pytest.approx(length, rel=1e-5)
    assert abs(drawn.vector @ DIRECTION.vector) < 0.7 * length**2


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: type(e).__name__)
def test_the_control_of_an_edit_differs_only_in_its_content_and_can_act(policy, logits, edit):
    control = Control(policy.sites, ASSETS, np.random.default_rng(0))
    other = control.of(edit)
    assert type(other) is type(edit) and other != edit and other.scope == edit.scope
    if not isinstance(edit, ClampReading):
        assert control.of(with_strength(edit, 0.25)) == with_strength(other, 0.25), "one draw for all doses"
    before = logits()
    with steered(policy, [other], control.assets):
        assert not torch.equal(before, logits())


# -- concepts --------------------------------------------------------------------------------------------------------


def concept(**changes):
    base = Concept("up", "cafe", "decoder", ConceptKind.NEURONS, (1, INNER + 2), strength=4.0, measures={"n": 12.0})
    return dataclasses.replace(base, **changes)


def test_a_concept_survives_its_file_and_counts_its_versions():
    first = concept()
    assert parse_concept(json.loads(json.dumps(first.to_dict()))) == first
    assert first.changed(note="better").version == 2


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (ConceptKind.NEURONS, {}, ClampNeurons("decoder", (1, INNER + 2), 4.0)),
        (ConceptKind.DIRECTION, {"asset": "d", "layers": (1,), "norms": (2.0,)}, AddDirection("decoder", "d", (1,), (2.0,), 4.0)),
    ],
)
def test_a_concept_is_turned_by_its_edit(kind, fields, expected):
    made = concept(kind=kind, **fields)
    assert made.edit() == expected
    assert made.edit(2.0) == with_strength(expected, 2.0)


def test_every_kind_of_concept_acts(policy, logits):
    from workbench.steering.assets import asset_id

    fields = {
        ConceptKind.NEURONS: {},
        ConceptKind.DIRECTION: {"asset": asset_id(DIRECTION), "layers": (1,), "norms": (2.0,)},
        ConceptKind.FEATURE: {"asset": asset_id(SAE), "feature": 2},
        ConceptKind.CONCEPTOR: {"asset": asset_id(CONCEPTOR)},
    }
    before = logits()
    for kind, more in fields.items():
        strength = default_strength(kind, policy.sites.stacks[0])
        with steered(policy, [concept(kind=kind, strength=strength, **more).edit()], ASSETS):
            assert not torch.equal(before, logits()), kind
    assert asset_id(PROBE) in ASSETS


def test_a_concept_of_another_policy_or_of_neurons_that_are_not_there_is_refused(policy):
    here = fingerprint(policy.module)
    check_concept(concept(policy=here), policy.sites, here)
    with pytest.raises(InvalidInput, match=rf"{here}.*cafe"):
        check_concept(concept(), policy.sites, here)
    with pytest.raises(InvalidInput, match="neuron"):
        check_concept(concept(policy=here, neurons=(LAYERS * INNER,)), policy.sites, here)
    with pytest.raises(InvalidInput, match="neuron"):
        neuron_concept("x", here, policy.sites.stacks[0], (-1,))
    assert neuron_concept("x", here, policy.sites.stacks[0], (1,)).strength == 4.0


@pytest.mark.parametrize("change", [{"name": " "}, {"neurons": []}, {"neurons": ["a"]}, {"kind": "mood"}, {"format_version": 2}, {"x": 1}])
def test_files_that_are_no_concept_are_refused(change):
    with pytest.raises(InvalidInput):
        parse_concept({**concept().to_dict(), **change})


def test_fingerprints_tell_weights_apart_by_a_single_value():
    first, second = TinyPolicy().module, TinyPolicy().module
    assert fingerprint(first) == fingerprint(second)
    second.proprio.bias.data[0] += 1e-6
    assert fingerprint(first) != fingerprint(second)


# -- desk ------------------------------------------------------------------------------------------------------------


def test_mute_and_solo_choose_what_is_heard_and_a_preset_survives():
    a, b, c = (Slot(name, edit) for name, edit in zip("abc", EDITS[:3], strict=True))
    mix = Mix().put(a).put(b).put(c)
    assert mix.active == tuple(EDITS[:3]) and mix.is_steering
    assert mix.muted("b").active == (EDITS[0], EDITS[2])
    assert mix.soloed("b").active == (EDITS[1],)
    assert mix.soloed("b").muted("b").active == () and not mix.soloed("b").muted("b").is_steering
    assert mix.soloed("b").soloed("b", False) == mix
    assert mix.turned("a", 9.0).active[0] == with_strength(EDITS[0], 9.0)
    assert mix.without("a").active == (EDITS[1], EDITS[2])
    assert parse_mix(json.loads(json.dumps(mix.muted("c").soloed("a").to_dict()))) == mix.muted("c").soloed("a")


def test_a_desk_refuses_what_it_cannot_hold():
    with pytest.raises(InvalidInput, match="'z'"):
        Mix().turned("z", 1.0)
    with pytest.raises(TooLarge):
        Mix(tuple(Slot(str(i), EDITS[0]) for i in range(40)))
    for bad in (None, {"version": 1, "slots": [{"name": 3}]}, {"version": 1, "slots": [{"name": "a", "edit": {}}]}):
        with pytest.raises(InvalidInput):
            parse_mix(bad)


# -- controller ------------------------------------------------------------------------------------------------------


def follow(gains, *, gain, delay, target, calls=300):
    """A plant: the quantity follows the strength with a gain, a lag and a delay; the error is in its own unit."""
    state, value, queue, outputs = PidState(), 0.0, [0.0] * delay, []
    for _ in range(calls):
        state = pid_step(gains, state, target - value)
        queue.append(state.output)
        value += 0.2 * (gain * queue.pop(0) - value)
        outputs.append(state.output)
    return value, outputs


def test_pid_settles_on_the_target_without_leaving_its_range():
    value, outputs = follow(Gains(0.4, 0.05, 0.1), gain=0.5, delay=2, target=4.0)
    assert value == pytest.approx(4.0, abs=0.01)
    assert min(outputs) >= 0 and max(outputs) <= 20


def test_zero_error_leaves_the_integral_term_only():
    state = pid_step(Gains(), PidState(total=6.0, last=0.0), 0.0)
    assert state.output == pytest.approx(0.5 * 6.0)


def test_clipped_output_does_not_wind_up():
    state = PidState()
    for _ in range(100):
        state = pid_step(Gains(), state, 50.0)
    assert state.output == 20.0 and state.total <= 50.0
    recovered = pid_step(Gains(), state, -1.0)
    assert recovered.output == 0.0, "it lets go at once when the target is passed"
    negative = PidState()
    for _ in range(100):
        negative = pid_step(Gains(), negative, -50.0)
    assert negative.total >= -50.0


def test_a_loop_measures_centimetres_and_can_be_inverted():
    loop = ControlLoop("height", 0.30)
    assert loop.error(0.25) == pytest.approx(5.0)
    assert dataclasses.replace(loop, is_inverted=True).error(0.25) == pytest.approx(-5.0)
    with pytest.raises(InvalidInput):
        Gains(low=5.0, high=1.0)


# -- doses -----------------------------------------------------------------------------------------------------------


def toy(slope, noise=0.1):
    def run(dose, seed):
        start = np.random.default_rng(seed).normal(0, 3)
        wobble = noise * np.random.default_rng((seed, int(100 * dose), int(10 * slope) + 100)).normal()
        return {"height": start + slope * dose + wobble, "success": float(dose < 6)}

    return run


def test_paired_comparison_finds_an_effect_that_the_spread_of_starts_would_hide():
    curve = dose_response(
        lambda seed: toy(0.0)(0.0, seed),
        [Arm("up", ArmKind.STEERED, toy(0.3))] + [Arm(f"r{i}", ArmKind.RANDOM, toy(0.02 * (i - 1))) for i in range(3)],
        [0.0, 4.0],
        range(20),
        rng=np.random.default_rng(0),
    )
    at = {(p.arm, p.dose): p.effects["height"] for p in curve.points}
    assert at["up", 4.0].change == pytest.approx(1.2, abs=0.1)
    assert at["up", 4.0].low < 1.2 < at["up", 4.0].high and at["up", 4.0].is_clear and at["up", 4.0].p_value < 0.01
    assert not at["up", 0.0].is_clear and at["up", 4.0].n == 20
    assert [(p.arm, p.dose) for p in curve.beyond_controls("height")] == [("up", 4.0)]
    low, high = curve.control_band("height", 4.0)
    assert low < 0 < high < 0.2


def test_interval_of_paired_differences_covers_the_truth_as_often_as_it_says():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        base = rng.normal(0, 5, 30)
        found = compare_paired(base + rng.normal(1, 1, 30), base, rng)
        hits += found.low <= 1 <= found.high
    assert 0.89 <= hits / 200 <= 0.99


def test_sign_flips_are_exact_for_few_pairs():
    found = compare_paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], np.random.default_rng(0))
    assert found.p_value == pytest.approx(2 / 8)
    assert compare_paired([math.nan, 1.0], [1.0, 0.5], np.random.default_rng(0)).n == 1
    assert compare_paired([math.nan], [1.0], np.random.default_rng(0)).n == 0


def test_doses_double_until_success_is_lost():
    assert find_largest_dose(toy(0.3), range(3), start=0.5, limit=100) == (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
    assert find_largest_dose(toy(0.3), range(3), start=1, limit=3) == (0.0, 1, 2)
    with pytest.raises(InvalidInput):
        find_largest_dose(toy(0.3), range(3), start=0.0, limit=3)


def test_progress_counts_every_episode_and_other_quantities_are_refused():
    shares = []
    dose_response(lambda s: {"a": 0.0}, [Arm("x", ArmKind.PROMPT, lambda d, s: {"a": 1.0})], [1.0], [1, 2], rng=np.random.default_rng(0),
                  progress=shares.append)  # fmt: skip
    assert shares == [0.25, 0.5, 0.75, 1.0]
    with pytest.raises(InvalidInput, match="quantities"):
        dose_response(lambda s: {"a": 0.0}, [Arm("x", ArmKind.PROMPT, lambda d, s: {"b": 1.0})], [1.0], [1], rng=np.random.default_rng(0))


# -- motion ----------------------------------------------------------------------------------------------------------


def test_displacement_height_and_jerk_of_hand_worked_paths():
    line = np.stack([np.arange(5) * 0.01, np.zeros(5), np.full(5, 0.2)], axis=1)
    assert step_displacement(line) == pytest.approx(0.01) and step_displacement(line, axis=2) == 0
    assert mean_height(line) == pytest.approx(0.2) and jerk(line, 20.0) == pytest.approx(0, abs=1e-9)
    cubic = np.stack([np.arange(6.0) ** 3 / 20**3, np.zeros(6), np.zeros(6)], axis=1)
    assert jerk(cubic, 20.0) == pytest.approx(6.0)


def test_length_matching_removes_the_advantage_of_a_path_that_waits_at_its_end():
    moving = np.stack([np.arange(10) * 0.01, np.zeros(10), np.zeros(10)], axis=1)
    waiting = np.concatenate([moving, np.repeat(moving[-1:], 10, axis=0)])
    assert step_displacement(waiting) < 0.6 * step_displacement(moving)
    cut = truncated([moving, waiting])
    assert step_displacement(cut[0]) == step_displacement(cut[1])
    with pytest.raises(InvalidInput):
        truncated([])
