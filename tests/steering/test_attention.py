"""Regions by hand, attention against the network's own, occlusion against a policy that looks at one place."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from tests.steering.tiny import LAYERS, SIDE, make_observation
from workbench.core.anatomy import Anatomy, Span, Stack
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import ActionChunk, Prompt
from workbench.steering.attention import attention_map, attention_of, find_regions
from workbench.steering.occlusion import occlusion_map


def test_two_blobs_give_two_regions_in_order_with_weighted_centroids():
    scores = np.zeros((8, 8))
    scores[1, 1:3] = 0.4, 0.8
    scores[5:7, 6] = 1.0, 0.5
    scores[2, 3] = 0.9  # touches the first blob by a corner only
    scores[0, 7] = 0.3  # not above the threshold
    found = find_regions(scores)
    assert [len(r.patches) for r in found] == [1, 2, 2]
    assert [r.score for r in found] == pytest.approx([0.9, 0.75, 0.6])
    assert found[1].centroid == pytest.approx((6.5 / 8, (1.0 * 5.5 + 0.5 * 6.5) / 1.5 / 8))
    assert found[2].centroid == pytest.approx(((0.4 * 1.5 + 0.8 * 2.5) / 1.2 / 8, 1.5 / 8))


def test_a_uniform_map_is_one_region_in_the_middle_and_an_empty_one_is_none():
    (region,) = find_regions(np.full((8, 8), 0.2))
    assert len(region.patches) == 64 and region.centroid == pytest.approx((0.5, 0.5))
    assert find_regions(np.zeros((8, 8))) == ()
    with pytest.raises(InvalidInput):
        find_regions(np.array([[np.nan]]))


def causal_llama(kv_heads=2):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=kv_heads, attn_implementation="eager", initializer_range=0.5,
    )  # fmt: skip
    return LlamaModel(config).eval(), Anatomy("llama", (Stack("s", ("layers.0", "layers.1"), 16, 24, groups={"some": (Span(2, 5),)}),))


def test_weights_equal_those_of_the_network_with_causal_mask_and_grouped_heads():
    model, anatomy = causal_llama()
    ids = torch.randint(0, 50, (2, 7))
    with attention_of(model, anatomy, "s", (0, 1), "some") as found, torch.no_grad():
        output = model(ids, output_attentions=True, use_cache=False)
    for mine, theirs in zip(found, output.attentions, strict=True):
        assert torch.allclose(mine, theirs[:, :, 2:5], atol=1e-6)


def test_weights_over_cached_keys_equal_those_of_one_pass():
    model, anatomy = causal_llama()
    ids = torch.randint(0, 50, (1, 7))
    with torch.no_grad():
        whole = model(ids, output_attentions=True).attentions[1]
        past = model(ids[:, :6], use_cache=True).past_key_values
        with attention_of(model, anatomy, "s", (1,), "last") as found:
            model(ids[:, 6:], past_key_values=past, use_cache=True)
    assert torch.allclose(found[0], whole[:, :, 6:], atol=1e-6)


def test_padding_gets_no_attention():
    model, anatomy = causal_llama()
    keep = torch.tensor([[0, 0, 1, 1, 1, 1]])
    with attention_of(model, anatomy, "s", (1,), "last") as found, torch.no_grad():
        model(torch.randint(0, 50, (1, 6)), attention_mask=keep)
    assert (found[0][..., :2] < 1e-6).all() and found[0].sum(-1).allclose(torch.tensor(1.0))


def test_map_of_a_camera_is_its_share_of_full_attention(policy):
    observation, prompt = make_observation(), Prompt(text="red")

    def call():
        policy.logits(observation, prompt)

    shown = attention_map(policy.module, policy.sites, call, "decoder", camera="front")
    assert shown.shape == (SIDE, SIDE) and 0 < shown.sum() < 1
    with attention_of(policy.module, policy.sites, "decoder", range(LAYERS), "action") as weights:
        call()
    assert torch.stack(weights).sum(-1).allclose(torch.tensor(1.0))
    first = policy.sites.stacks[0].images[0].start
    assert shown[1, 2] == pytest.approx(float(torch.stack(weights)[..., first + SIDE + 2].mean()), rel=1e-5)
    assert not any(m._forward_hooks for m in policy.module.modules())
    with pytest.raises(UnknownName, match="front"):
        attention_map(policy.module, policy.sites, call, "decoder", camera="wrist")


def test_occlusion_finds_the_only_place_that_a_policy_looks_at():
    def act(observation):
        actions = np.zeros((1, 7), dtype=np.float32)
        actions[0, 2] = 0.03 * observation.images["front"][9, 14].mean() / 255
        return ActionChunk(actions, 20.0)

    observation = make_observation()
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[9, 14] = 255
    observation = type(observation)({"front": image}, {}, {}, observation.proprio, 0, 0.0)
    shares = []
    found = occlusion_map(act, observation, "front", cells=(4, 4), progress=shares.append)
    assert np.argwhere(found > 0).tolist() == [[2, 3]]
    assert found[2, 3] == pytest.approx(1.0 - 1 / 255, abs=0.01)
    assert shares == [0.25, 0.5, 0.75, 1.0]
    assert (image[9, 14] == 255).all(), "the picture itself stays as it was"
    with pytest.raises(InvalidInput, match="wrist"):
        occlusion_map(act, observation, "wrist")
