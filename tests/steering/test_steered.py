"""The laws of edits: nothing asked changes nothing, everything is undone, and what is changed is exactly what the formula says."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.steering.tiny import INNER, LAYERS, WIDTH, make_observation
from workbench.core.errors import InvalidInput, InvalidShape, UnknownName
from workbench.core.types import Prompt
from workbench.steering.assets import Conceptor, Direction, Place, Probe, Sae, asset_id, library_of
from workbench.steering.edits import (
    AddDirection,
    ApplyConceptor,
    ClampNeurons,
    ClampReading,
    FeatureMode,
    RemoveDirection,
    SteerFeature,
    strength_of,
    with_strength,
)
from workbench.steering.hooks import changed, looked_at, recorded
from workbench.steering.scopes import Gate, Moment, Scope, spans_in
from workbench.steering.sites import Part, Site, value_vectors
from workbench.steering.steered import Steering, steered

RNG = np.random.default_rng(3)
PLACE = Place("decoder", 1, "action")


def vector(*shape):
    return RNG.normal(size=shape).astype(np.float32)


DIRECTION = Direction("up", PLACE, vector(WIDTH), norm=2.0)
PROBE = Probe("height", PLACE, vector(WIDTH), 0.3)
TOKEN_PROBE = Probe("height by token", PLACE, vector(WIDTH), 0.3, is_pooled=False)
_ROWS = vector(WIDTH, WIDTH)
SAE = Sae("features", PLACE, vector(WIDTH, WIDTH), _ROWS / np.linalg.norm(_ROWS, axis=1, keepdims=True), vector(WIDTH), 6)
CONCEPTOR = Conceptor("good", PLACE, 0.5 * np.eye(WIDTH, dtype=np.float32))
ASSETS = library_of([DIRECTION, PROBE, TOKEN_PROBE, SAE, CONCEPTOR])
NEURONS = (5, INNER + 7, INNER + 9, 2 * INNER + 1)

EDITS = [
    ClampNeurons("decoder", NEURONS, 4.0),
    AddDirection("decoder", asset_id(DIRECTION), (0, 1), (2.0, 3.0), 0.5),
    RemoveDirection("decoder", asset_id(DIRECTION), (1, 2)),
    ClampReading("decoder", asset_id(PROBE), 50.0, 60.0),
    SteerFeature("decoder", asset_id(SAE), 3, FeatureMode.SET, 5.0),
    ApplyConceptor("decoder", asset_id(CONCEPTOR), 0.3),
]


def hidden(policy, edits, site, seed=0):
    with steered(policy, edits, ASSETS), recorded(policy.module, policy.sites, [site]) as found:
        policy.logits(make_observation(seed), Prompt(text="lift"))
    return found[site][0]


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: type(e).__name__)
def test_an_edit_acts_and_its_removal_restores_outputs_bit_for_bit(policy, logits, edit):
    before = logits()
    with steered(policy, [edit], ASSETS):
        during = logits()
    assert not torch.equal(before, during)
    assert torch.equal(before, logits())


@pytest.mark.parametrize(
    "edit",
    [
        ClampNeurons("decoder", (), 4.0),
        with_strength(EDITS[1], 0.0),
        with_strength(EDITS[2], 0.0),
        ClampReading("decoder", asset_id(PROBE)),
        SteerFeature("decoder", asset_id(SAE), 3, FeatureMode.ADD, 0.0),
        SteerFeature("decoder", asset_id(SAE), 3, FeatureMode.SCALE, 0.0),
        with_strength(EDITS[5], 0.0),
    ],
    ids=str,
)
def test_an_edit_that_asks_for_nothing_leaves_outputs_bit_equal(policy, logits, edit):
    before = logits()
    with steered(policy, [edit], ASSETS):
        assert torch.equal(before, logits())


def test_no_edits_leave_outputs_bit_equal(policy, logits):
    before = logits()
    with steered(policy, []):
        assert torch.equal(before, logits())


def test_clamping_a_neuron_to_what_it_is_leaves_outputs_bit_equal(policy, logits):
    site = Site("decoder", 1, Part.NEURONS)
    before = logits()
    with recorded(policy.module, policy.sites, [site]) as found:
        logits()
    token = found[site][0][0, -1]
    edit = ClampNeurons("decoder", (INNER + 4,), float(token[4]), Scope("last"))
    with steered(policy, [edit]):
        assert torch.equal(before, logits())


def test_clamp_changes_the_feed_forward_output_by_the_sum_of_value_vectors(policy):
    neurons, ffn = Site("decoder", 1, Part.NEURONS), Site("decoder", 1, Part.FFN)
    activations, plain = hidden(policy, [], neurons), hidden(policy, [], ffn)
    edit = ClampNeurons("decoder", (INNER + 7, INNER + 9), 4.0)
    values = value_vectors(policy.module, policy.sites, "decoder", 1)
    expected = sum((4.0 - activations[..., i])[..., None] * values[i] for i in (7, 9))
    assert torch.allclose(hidden(policy, [edit], ffn) - plain, expected, atol=1e-5)


def test_value_vector_is_the_output_for_a_one_hot_activation(policy):
    down = policy.module.get_submodule("decoder.layers.2.mlp.down_proj")
    with torch.no_grad():
        assert torch.allclose(down(torch.eye(INNER)), value_vectors(policy.module, policy.sites, "decoder", 2), atol=1e-6)


def test_added_direction_has_the_dose_times_the_norm_of_its_layer(policy):
    site = Site("decoder", 0)
    delta = hidden(policy, [EDITS[1]], site) - hidden(policy, [], site)
    unit = torch.tensor(DIRECTION.vector / np.linalg.norm(DIRECTION.vector))
    assert torch.allclose(delta, (0.5 * 2.0 * unit).expand_as(delta), atol=1e-5)


def test_removed_direction_has_no_component_left(policy):
    left = hidden(policy, [EDITS[2]], Site("decoder", 2))
    unit = torch.tensor(DIRECTION.vector / np.linalg.norm(DIRECTION.vector))
    assert (left @ unit).abs().max() < 1e-5


def test_pooled_probe_reads_exactly_the_bound_and_other_tokens_stay(policy):
    plain, turned = hidden(policy, [], PLACE.site), hidden(policy, [EDITS[3]], PLACE.site)
    action = slice(policy.sites.stack("decoder").group("action")[0].start, None)
    assert PROBE.read(turned[0, action].mean(0).numpy()) == pytest.approx(50.0, rel=1e-6)
    assert torch.equal(plain[:, : action.start], turned[:, : action.start])


def test_token_probe_reads_the_bound_where_it_was_outside_and_the_rest_is_untouched(policy):
    plain = hidden(policy, [], PLACE.site)
    readings = TOKEN_PROBE.read(plain[0].numpy())
    bound = float(np.median(readings[-14:]))
    edit = ClampReading("decoder", asset_id(TOKEN_PROBE), high=bound)
    turned = hidden(policy, [edit], PLACE.site)
    after = TOKEN_PROBE.read(turned[0].numpy())
    over = np.flatnonzero(readings > bound)
    over = over[over >= plain.shape[1] - 14]
    assert len(over) >= 5
    assert np.allclose(after[over], bound, atol=1e-5)
    within = np.setdiff1d(np.arange(plain.shape[1]), over)
    assert torch.equal(plain[:, within], turned[:, within])


def test_the_push_of_a_reading_is_the_smallest_that_reaches_the_bound(policy):
    push = (hidden(policy, [EDITS[3]], PLACE.site) - hidden(policy, [], PLACE.site))[0, -1].double().numpy()
    weight = PROBE.weight.astype(float)
    for seed in range(5):
        other = np.random.default_rng(seed).normal(size=WIDTH)
        other -= weight * (other @ weight) / (weight @ weight)
        assert np.linalg.norm(push + other) > np.linalg.norm(push)


def test_a_feature_edit_changes_one_feature_and_keeps_the_error_of_the_autoencoder(policy):
    plain, turned = hidden(policy, [], PLACE.site), hidden(policy, [EDITS[4]], PLACE.site)
    delta = (turned - plain).reshape(-1, WIDTH).numpy()
    cosines = delta @ SAE.decoder[3] / np.linalg.norm(delta, axis=1)
    assert np.allclose(np.abs(cosines), 1.0, atol=1e-4)


@pytest.mark.parametrize("part", [Part.NEURONS, Part.FFN, Part.ATTENTION])
def test_a_direction_can_act_at_every_part_of_a_block(policy, part):
    site, width = Site("decoder", 1, part), INNER if part is Part.NEURONS else WIDTH
    direction = Direction("up", Place("decoder", 1, part=part), vector(width), norm=2.0)
    assets = library_of([direction])
    with recorded(policy.module, policy.sites, [site]) as plain:
        policy.logits(make_observation(), Prompt())
    add = AddDirection("decoder", asset_id(direction), (1,), (2.0,), 0.5, part=part)
    with steered(policy, [add], assets), recorded(policy.module, policy.sites, [site]) as turned:
        policy.logits(make_observation(), Prompt())
    unit = torch.tensor(direction.vector / np.linalg.norm(direction.vector))
    assert torch.allclose(turned[site][0] - plain[site][0], unit.expand_as(plain[site][0]), atol=1e-5)
    other = Part.RESIDUAL if part is Part.NEURONS else Part.NEURONS
    with pytest.raises(InvalidShape, match="direction"), steered(policy, [replace(add, part=other)], assets):
        pass


def test_scope_limits_an_edit_to_its_tokens(policy):
    site = Site("decoder", 1, Part.NEURONS)
    edit = ClampNeurons("decoder", (INNER + 3,), 9.0, Scope("action dz"))
    plain, turned = hidden(policy, [], site), hidden(policy, [edit], site)
    spans = policy.sites.stack("decoder").group("action dz")
    at = [p for s in spans for p in range(s.start, s.stop)]
    assert (turned[0, at, 3] == 9.0).all()
    rest = [p for p in range(plain.shape[1]) if p not in at]
    assert torch.equal(plain[:, rest], turned[:, rest])


def test_several_edits_act_together_in_their_order(policy):
    site = Site("decoder", 1, Part.NEURONS)
    edits = [ClampNeurons("decoder", (INNER + 3,), 9.0), ClampNeurons("decoder", (INNER + 3, INNER + 4), 2.0, Scope("action"))]
    turned = hidden(policy, edits, site)
    assert (turned[0, 0, 3] == 9.0) and (turned[0, -1, 3] == 2.0) and (turned[0, -1, 4] == 2.0)


def test_time_window_and_gate_decide_whether_an_edit_acts(policy, logits):
    before = logits()
    scope = Scope(start_s=1.0, stop_s=2.0, gate=Gate("gripper", ">", 0.5))
    steering = Steering(policy.module, policy.sites, [ClampNeurons("decoder", NEURONS, 8.0, scope)])
    moments = [(0.5, 1.0, False), (1.0, 1.0, True), (1.0, 0.2, False), (2.0, 1.0, False)]
    for time_s, gripper, acts in moments:
        with steering.applied(Moment(0, time_s, {"gripper": gripper})):
            assert torch.equal(before, logits()) is not acts
    with steering.applied(Moment(0, 1.0)):
        assert torch.equal(before, logits())


def test_pass_range_limits_an_edit_to_some_forward_passes(policy, logits):
    before = logits()
    with steered(policy, [ClampNeurons("decoder", NEURONS, 8.0, Scope(first_pass=1, last_pass=1))]):
        outputs = [logits() for _ in range(3)]
    assert [torch.equal(before, o) for o in outputs] == [True, False, True]


def test_batch_and_single_agree_under_edits(policy):
    torch.manual_seed(0)
    proprio, words, image = torch.randn(3, 16), torch.randint(0, 10, (3, 10)), torch.rand(3, 4, 4, 3)
    with steered(policy, EDITS, ASSETS), torch.inference_mode():
        together = policy.module(proprio, words, image)
        alone = torch.cat([policy.module(proprio[i : i + 1], words[i : i + 1], image[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-4)


def num_hooks(module):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


def test_hooks_never_stay_when_the_model_raises(policy, logits):
    before = logits()

    def fail(_):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"), steered(policy, EDITS, ASSETS), looked_at(
        policy.module, policy.sites, {Site("decoder", 2): fail}
    ):  # fmt: skip
        logits()
    assert num_hooks(policy.module) == 0
    assert torch.equal(before, logits())


def test_hooks_never_stay_when_setting_up_fails_half_way(policy):
    sites = {Site("decoder", 0): lambda x: x, Site("decoder", LAYERS): lambda x: x}
    with pytest.raises(InvalidInput, match=f"0 to {LAYERS - 1}"), changed(policy.module, policy.sites, sites):
        pytest.fail("the block must not run")
    assert num_hooks(policy.module) == 0


def test_inputs_of_a_site_are_never_written_into(policy):
    site = Site("decoder", 1, Part.NEURONS)
    seen = []
    with recorded(policy.module, policy.sites, [site]) as found:
        with steered(policy, [ClampNeurons("decoder", (INNER + 1,), 9.0)]):
            policy.logits(make_observation(), Prompt())
        seen = found[site]
    assert not (seen[0][..., 1] == 9.0).any()


@pytest.mark.parametrize("alpha", [math.nan, math.inf, 1e9])
def test_absurd_strengths_are_refused(alpha):
    with pytest.raises(InvalidInput, match="alpha"):
        ClampNeurons("decoder", (1,), alpha)
    with pytest.raises(InvalidInput, match="dose"):
        AddDirection("decoder", "x", (0,), (1.0,), alpha)


def test_largest_strength_keeps_outputs_finite(policy, logits):
    with steered(policy, [ClampNeurons("decoder", tuple(range(INNER)), 1000.0), with_strength(EDITS[1], 1000.0)], ASSETS):
        assert torch.isfinite(logits()).all()


def test_edits_that_do_not_fit_are_refused_and_name_what_is_wrong(policy):
    short = Direction("short", PLACE, vector(8), 1.0)
    with pytest.raises(InvalidShape, match="32"), steered(
        policy, [AddDirection("decoder", asset_id(short), (0,), (1.0,))], library_of([short])
    ):  # fmt: skip
        pass
    with pytest.raises(InvalidInput, match="neuron"), steered(policy, [ClampNeurons("decoder", (LAYERS * INNER,), 1.0)]):
        pass
    with pytest.raises(UnknownName, match="text"), steered(policy, [ClampNeurons("decoder", (1,), 1.0, Scope("texts"))]):
        pass
    with pytest.raises(UnknownName, match="direction"), steered(policy, [EDITS[1]]):
        pass
    assert num_hooks(policy.module) == 0


def test_decode_passes_hold_the_newest_action_token(policy):
    stack = policy.sites.stack("decoder")
    assert spans_in(stack, "text", 1, 3) == ()
    assert spans_in(stack, "action", 1, 3) == spans_in(stack, "all", 1, 3) == ((0, 1),)
    assert spans_in(stack, "last", 40, 0) == ((39, 40),)


def test_strength_is_what_the_slider_moves():
    for edit, strength in zip(EDITS, (4.0, 0.5, 1.0, None, 5.0, 0.3), strict=True):
        if strength is None:
            with pytest.raises(InvalidInput):
                strength_of(edit)
        else:
            assert strength_of(edit) == strength and strength_of(with_strength(edit, 0.25)) == 0.25
