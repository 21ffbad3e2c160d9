"""Every known architecture on a tiny random configuration: what the anatomy says is what the network does."""

import numpy as np
import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PI0Config, PI0ForConditionalGeneration

from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.network import Batch, BenchVla
from models.bench_vla.policy import BenchVlaPolicy
from models.layers import find_anatomy, openvla_centres
from models.steering import as_steerable
from workbench.core.errors import InvalidInput
from workbench.core.protocols import SteerablePolicy
from workbench.core.types import ACTION_NAMES
from workbench.rollout.hold import HoldPolicy
from workbench.steering.attention import attention_map, attention_of
from workbench.steering.edits import ClampNeurons
from workbench.steering.hooks import recorded
from workbench.steering.lens import logit_lens
from workbench.steering.projection import build_table
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


@pytest.fixture(scope="module")
def bench_vla():
    torch.manual_seed(0)
    words = ("cube", "lift", "red")
    network = BenchVla(BenchVlaConfig(words=words, width=32, num_layers=2, num_heads=2, ffn_width=24, stem_width=8)).eval()
    generator = torch.Generator().manual_seed(1)
    batch = Batch(
        front=torch.rand(1, 3, 128, 128, generator=generator),
        wrist=torch.rand(1, 3, 64, 64, generator=generator),
        words=torch.from_numpy(network.vocabulary.encode("lift red cube"))[None],
        state=torch.randn(1, 26, generator=generator),
        interaction=torch.tensor([0]),
        prompt=torch.zeros(0, 4, 128, 128),
        prompted=torch.arange(0),
        mask_role=torch.zeros(0, dtype=torch.int64),
        trace=torch.full((1, 10), -1),
        ahead=torch.zeros(1, 7, 6),
        low_part=torch.zeros(1, 2, 3),
    )
    return network, lambda: network(batch)


def test_last_layer_of_the_bench_vla_through_the_lens_is_its_answer(bench_vla):
    network, call = bench_vla
    reading = logit_lens(network, find_anatomy(network), call, "decoder")
    with torch.inference_mode():
        chances = call().actions[0].softmax(-1)
    centres = torch.from_numpy(network.vocabulary.bin_centres)
    assert reading.dimensions == ACTION_NAMES
    assert np.allclose(reading.values[-1], (chances * centres).sum(-1), atol=1e-6)
    assert np.array_equal(reading.best[-1], chances.argmax(-1))


def test_groups_and_rows_of_the_bench_vla_are_those_of_its_network(bench_vla):
    network, call = bench_vla
    anatomy = find_anatomy(network)
    stack = anatomy.stack("decoder")
    with recorded(network, anatomy, [Site("decoder", 0)]) as found:
        call()
    num_tokens = found[Site("decoder", 0)][0].shape[1]
    assert stack.group("action")[0].stop == num_tokens
    assert [stack.group(f"action {n}")[1].start for n in ACTION_NAMES] == list(range(num_tokens - 49, num_tokens - 42))
    assert [(i.camera, i.rows, i.columns) for i in stack.images] == [("front", 8, 8), ("wrist", 4, 4)]
    labels = [stack.readout.label(i) for i in range(network.vocabulary.size)]
    assert labels[:5] == ["<pad>", "<unsaid>", "cube", "lift", "red"] and labels[-1] == "gripper=+1.000"
    first = network.vocabulary.first_action
    assert [stack.readout.is_action(i) for i in (first - 1, first, network.vocabulary.size - 1)] == [False, True, True]


def test_a_clamp_at_the_height_tokens_of_the_bench_vla_moves_height_most(bench_vla):
    network, call = bench_vla
    anatomy = find_anatomy(network)
    table = build_table(network, anatomy, "decoder")
    neurons = table.search(layers=(1,), dimension="dz", limit=5)
    with torch.inference_mode():
        before = call().actions
        with Steering(network, anatomy, [ClampNeurons("decoder", neurons, 4.0, Scope("action dz"))]).applied():
            during = call().actions
        assert torch.equal(before, call().actions)
    centres = torch.from_numpy(network.vocabulary.bin_centres)
    change = ((during.softmax(-1) - before.softmax(-1))[0] * centres).sum(-1)
    assert (change[:, 2] > 0).all()
    others = [i for i in range(7) if i != 2]
    assert change[:, others].abs().max() < 1e-6, "in the last layer no other token sees the clamped ones"


def test_a_policy_without_a_network_of_its_own_says_that_it_shows_nothing():
    with pytest.raises(InvalidInput, match="exposes its inside"):
        as_steerable(HoldPolicy())


def test_a_policy_with_a_known_network_is_opened(bench_vla):
    policy = BenchVlaPolicy(bench_vla[0])
    opened = as_steerable(policy)
    assert isinstance(opened, SteerablePolicy)
    assert opened.module is policy.module and opened.spec is policy.spec and opened.sites.architecture == "bench-vla"
    assert as_steerable(opened) is opened


def test_lens_of_the_expert_reads_the_velocity_of_the_last_denoising_step_turned_to_actions(pi0):
    anatomy, velocities = find_anatomy(pi0), []
    handle = pi0.action_out_proj.register_forward_hook(lambda _, __, output: velocities.append(output))
    reading = logit_lens(pi0, anatomy, lambda: pi0_call(pi0), "expert")
    handle.remove()
    expected = -(velocities[-1][0] - pi0.action_out_proj.bias)
    assert reading.values.shape == (2, 3, 8) and reading.entropies is None
    assert np.allclose(reading.values[-1], expected.detach(), atol=1e-5)


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
