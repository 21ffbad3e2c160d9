"""Streamed statistics, samples, lens and contributions, against what the network itself gives."""

import numpy as np
import pytest
import torch

from tests.steering.tiny import CENTRES, INNER, LAYERS, NUM_STEPS, WIDTH, make_observation
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import ACTION_NAMES, Prompt
from workbench.steering.activity import ActivityMeter, Pool, collect, layer_norms, metered
from workbench.steering.edits import ClampNeurons
from workbench.steering.lens import logit_lens, strip, top_contributions
from workbench.steering.projection import build_table
from workbench.steering.scopes import Scope
from workbench.steering.sites import Part, Site
from workbench.steering.steered import steered


def calls(policy, count=4):
    return [lambda seed=seed: policy.logits(make_observation(seed), Prompt(text="lift")) for seed in range(count)]


def test_streamed_statistics_equal_those_of_all_samples_at_once():
    rng = np.random.default_rng(0)
    parts = [rng.normal(3, 2, (n, 5)) for n in (1, 7, 30, 2)]
    meter = ActivityMeter(2, 5)
    for part in parts:
        meter.add(1, part)
    whole, found = np.concatenate(parts), meter.result()
    assert np.allclose(found.mean[5:], whole.mean(0)) and np.allclose(found.spread[5:], whole.std(0))
    assert np.allclose(found.largest[5:], np.abs(whole).max(0)) and np.allclose(found.active_share[5:], (whole > 0).mean(0))
    assert (found.mean[:5] == 0).all() and found.num_tokens == 40


def test_meter_sees_the_tokens_of_its_group(policy):
    site = Site("decoder", 2, Part.NEURONS)
    rows = collect(policy.module, policy.sites, calls(policy), [site], tokens="action dz", pool=Pool.TOKENS)[site]
    with metered(policy.module, policy.sites, "decoder", "action dz") as meter:
        for call in calls(policy):
            call()
    assert meter.result().num_tokens == len(rows) == 4 * NUM_STEPS
    assert np.allclose(meter.result().mean[2 * INNER :], rows.mean(0), atol=1e-6)


def test_layer_norm_is_the_median_over_tokens_and_calls(policy):
    norms = layer_norms(policy.module, policy.sites, calls(policy), "decoder", "image")
    rows = collect(policy.module, policy.sites, calls(policy), [Site("decoder", 1)], tokens="image", pool=Pool.TOKENS)
    assert norms.shape == (LAYERS,)
    assert norms[1] == pytest.approx(np.median(np.linalg.norm(rows[Site("decoder", 1)], axis=1)), rel=1e-6)
    with pytest.raises(InvalidInput, match="at least one"):
        layer_norms(policy.module, policy.sites, [], "decoder")


def test_pooled_samples_are_mean_and_last_of_the_tokens(policy):
    site = Site("decoder", 0)
    tokens = collect(policy.module, policy.sites, calls(policy, 1), [site], tokens="text", pool=Pool.TOKENS)[site]
    for pool, expected in ((Pool.MEAN, tokens.mean(0)), (Pool.LAST, tokens[-1])):
        found = collect(policy.module, policy.sites, calls(policy, 1), [site], tokens="text", pool=pool)[site]
        assert found.shape == (1, WIDTH) and np.allclose(found[0], expected, atol=1e-6)


def test_lens_of_the_last_layer_is_the_action_itself(policy):
    observation, prompt = make_observation(), Prompt(text="red")
    reading = logit_lens(policy.module, policy.sites, lambda: policy.logits(observation, prompt), "decoder")
    chances = policy.logits(observation, prompt)[0].softmax(-1)
    assert reading.dimensions == ACTION_NAMES and reading.values.shape == (LAYERS, NUM_STEPS, 7)
    assert np.allclose(reading.values[-1], policy.act(observation, prompt, None).actions, atol=1e-6)
    assert np.allclose(reading.entropies[-1], torch.special.entr(chances).sum(-1), atol=1e-5)
    assert np.allclose(reading.confidences[-1], chances.max(-1).values, atol=1e-6)
    assert np.array_equal(reading.best[-1], chances.argmax(-1))
    assert not np.allclose(reading.values[0], reading.values[-1], atol=1e-4)


def test_contributions_of_all_neurons_add_up_to_what_the_feed_forward_layers_add(policy):
    table = build_table(policy.module, policy.sites, "decoder")
    call = calls(policy, 1)[0]
    every = top_contributions(policy.module, policy.sites, call, table, "dz", count=LAYERS * INNER, num_steps=NUM_STEPS)
    assert [abs(c.push) for c in every] == sorted((abs(c.push) for c in every), reverse=True)
    sites = [Site("decoder", layer, Part.FFN) for layer in range(LAYERS)]
    added = sum(collect(policy.module, policy.sites, [call], sites, tokens="action dz").values())[0]
    rows = policy.module.decoder.embed_tokens.weight.detach().numpy()[-5 * len(CENTRES) :][: len(CENTRES)]
    half = (CENTRES[-1] - CENTRES[0]) / 2
    assert sum(c.push for c in every) == pytest.approx(half * np.polyfit(CENTRES, rows @ added, 1)[0], rel=1e-4)


def test_lens_and_strip_see_the_edits_that_are_on(policy):
    call = calls(policy, 1)[0]
    plain = strip(policy.module, policy.sites, call, "decoder")
    with steered(policy, [ClampNeurons("decoder", (INNER + 1,), 20.0, Scope("image"))]):
        turned = strip(policy.module, policy.sites, call, "decoder")
    image = policy.sites.stacks[0].group("image")[0]
    assert plain.shape == turned.shape
    assert (turned[1, image.start : image.stop] > plain[1, image.start : image.stop]).all()
    assert np.array_equal(turned[1, image.stop :], plain[1, image.stop :]) and np.array_equal(turned[0], plain[0])


def test_a_stack_that_is_not_there_is_named(policy):
    with pytest.raises(UnknownName, match="decoder"):
        logit_lens(policy.module, policy.sites, lambda: None, "expert")
    with pytest.raises(InvalidInput, match="forward pass"):
        logit_lens(policy.module, policy.sites, lambda: None, "decoder")
