"""Every known architecture on a tiny random configuration: what the anatomy says is what the network does."""

import numpy as np
import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PI0Config, PI0ForConditionalGeneration

from models.layers import find_anatomy, openvla_centres
from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_NAMES
from workbench.steering.attention import attention_map, attention_of
from workbench.steering.edits import ClampNeurons
from workbench.steering.hooks import recorded
from workbench.steering.scopes import Scope
from workbench.steering.sites import Part, Site, all_sites, readout_weight, site_module, value_vectors
from workbench.steering.steered import Steering

LLAMA = LlamaConfig(vocab_size=300, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2)
_GEMMA = {"model_type": "gemma", "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}


class OpenVLAForActionPrediction(nn.Module):
    """The shape of OpenVLA: a Llama language model beside a vision tower."""

    def __init__(self):
        super().__init__()
        self.language_model = LlamaForCausalLM(LLAMA)
        self.vocab_size = 290  # the rest of the table is padding


def tiny_pi0():
    torch.manual_seed(0)
    text = _GEMMA | {"hidden_size": 16, "intermediate_size": 32, "vocab_size": 64}
    vision = {"model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 16, "patch_size": 4, "image_size": 8}
    vision |= {"num_hidden_layers": 1, "num_attention_heads": 2, "vision_use_head": False}
    vlm = {"model_type": "paligemma", "text_config": text, "vision_config": vision, "projection_dim": 16, "image_token_id": 64}
    dit = _GEMMA | {"hidden_size": 8, "intermediate_size": 16}
    config = PI0Config(vlm_config=vlm, dit_config=dit, chunk_size=3, max_action_dim=8, max_state_dim=8, num_inference_steps=4)
    return PI0ForConditionalGeneration(config).eval()


def pi0_call(model):
    """One policy call with one camera: four patches and five words."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.tensor([[64] * 4 + [2, 5, 6, 7, 3]])
    pixels = torch.randn(1, 1, 3, 8, 8, generator=generator)
    return model.sample_actions(
        state=torch.randn(1, 8, generator=generator),
        input_ids=ids,
        pixel_values=pixels,
        noise=torch.randn(1, 3, 8, generator=generator),
        attention_mask=torch.ones_like(ids),
        pixel_attention_mask=torch.ones(1, 1, dtype=torch.bool),
    )


@pytest.fixture(scope="module")
def pi0():
    return tiny_pi0()


def test_every_site_of_pi0_has_the_shape_that_its_stack_says(pi0):
    anatomy = find_anatomy(pi0)
    sites = [s for part in Part for s in all_sites(anatomy, part)]
    with recorded(pi0, anatomy, sites) as found:
        pi0_call(pi0)
    for site, tensors in found.items():
        stack = anatomy.stack(site.stack)
        assert len(tensors) == (1 if site.stack == "vlm" else 4), "the expert runs once for each denoising step"
        tokens = 9 if site.stack == "vlm" else 4
        assert tensors[0].shape == (1, tokens, stack.inner if site.part is Part.NEURONS else stack.width)


@pytest.mark.parametrize("stack", ["vlm", "expert"])
def test_edits_reach_the_actions_from_both_stacks_of_pi0_and_are_undone(pi0, stack):
    anatomy = find_anatomy(pi0)
    before = pi0_call(pi0)
    with Steering(pi0, anatomy, [ClampNeurons(stack, (0, 1, 2), 10.0)]).applied():
        during = pi0_call(pi0)
    assert (during - before).abs().max() > 1e-4
    assert torch.equal(before, pi0_call(pi0))


def test_an_edit_acts_in_every_denoising_step_or_in_the_chosen_ones(pi0):
    anatomy = find_anatomy(pi0)
    site = Site("expert", 0, Part.NEURONS)
    for scope, clamped in ((Scope(), [True] * 4), (Scope(first_pass=1, last_pass=2), [False, True, True, False])):
        edits = [ClampNeurons("expert", (3,), 10.0, scope)]
        with Steering(pi0, anatomy, edits).applied(), recorded(pi0, anatomy, [site]) as found:
            pi0_call(pi0)
        assert [bool((t[..., 3] == 10.0).all()) for t in found[site]] == clamped


@pytest.mark.parametrize("stack", ["vlm", "expert"])
def test_attention_of_both_stacks_of_pi0_is_what_its_own_eager_attention_computes(pi0, stack):
    anatomy, theirs = find_anatomy(pi0), []
    pi0.set_attn_implementation("eager")
    target = site_module(pi0, anatomy, Site(stack, 1, Part.ATTENTION))
    handle = target.register_forward_hook(lambda _, __, output: theirs.append(output[1]))
    try:
        with attention_of(pi0, anatomy, stack, (1,), "all") as mine:
            pi0_call(pi0)
    finally:
        handle.remove()
        pi0.set_attn_implementation("sdpa")
    assert len(mine) == len(theirs) > 0
    for a, b in zip(mine, theirs, strict=True):
        assert torch.allclose(a, b.float(), atol=1e-6)


def test_attention_is_the_same_whatever_kernel_the_network_uses(pi0):
    anatomy, maps = find_anatomy(pi0), []
    for kernel in ("eager", "sdpa"):
        pi0.set_attn_implementation(kernel)
        maps.append(attention_map(pi0, anatomy, lambda: pi0_call(pi0), "expert", camera="image"))
    assert maps[0].shape == (2, 2) and np.allclose(maps[0], maps[1], atol=1e-6) and 0 < maps[0].sum() < 1


def test_groups_of_pi0_cover_patches_words_state_and_actions(pi0):
    anatomy = find_anatomy(pi0)
    assert anatomy.stack("vlm").groups == {"image": ((0, 4),), "text": ((4, None),)}
    assert anatomy.stack("expert").groups == {"proprio": ((0, 1),), "action": ((1, 4),)}
    assert anatomy.stack("expert").default_alpha == 10.0
    assert anatomy.stack("expert").readout.dimensions[:7] == ACTION_NAMES


def test_value_vectors_and_readout_of_openvla_have_its_shapes():
    model = OpenVLAForActionPrediction()
    anatomy = find_anatomy(model)
    stack = anatomy.stack("decoder")
    assert value_vectors(model, anatomy, "decoder", 1).shape == (24, 16)
    assert readout_weight(model, stack.readout).shape == (300, 16)
    assert [stack.readout.is_action(i) for i in (33, 34, 289, 290)] == [False, True, True, False]


def test_openvla_bins_fall_with_the_id_and_share_the_lowest_row():
    centres = np.array(openvla_centres())
    assert len(centres) == 256
    assert centres[255] == pytest.approx(-1 + 1 / 255) and centres[0] == centres[1] == pytest.approx(1 - 1 / 255)
    assert (np.diff(centres[1:]) < 0).all()


def test_decode_passes_of_a_llama_are_counted_after_the_prefill():
    torch.manual_seed(0)
    model = LlamaForCausalLM(LLAMA).eval()
    anatomy, site = find_anatomy(model), Site("decoder", 1, Part.NEURONS)
    edits = [ClampNeurons("decoder", (24 + 2,), 7.0, Scope(first_pass=1))]
    with Steering(model, anatomy, edits).applied(), recorded(model, anatomy, [site]) as found:
        model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=3, do_sample=False, pad_token_id=0)
    assert [t.shape[1] for t in found[site]] == [3, 1, 1]
    assert [bool((t[..., 2] == 7.0).all()) for t in found[site]] == [False, True, True]


def test_unknown_architecture_says_what_was_found_and_how_to_add_it():
    model = nn.ModuleDict({"trunk": nn.ModuleList([nn.Sequential(nn.Linear(4, 8))]), "words": nn.Embedding(10, 4)})
    with pytest.raises(InvalidInput, match=r"trunk: 1 x Sequential.*words: table 10 x 4.*ARCHITECTURES in models/layers.py"):
        find_anatomy(model)
