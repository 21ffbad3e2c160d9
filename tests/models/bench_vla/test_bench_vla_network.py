"""Laws of the bench VLA's network, on a small random one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.bench_vla.batches import Labels
from models.bench_vla.config import STATE_DIM, BenchVlaConfig
from models.bench_vla.losses import PlanHeads, find_losses
from models.bench_vla.network import Batch, BenchVla
from models.bench_vla.prompts import NUM_AHEAD
from models.bench_vla.stem import NUM_FINE, Pyramid, local_mean, look_closely
from models.bench_vla.vocabulary import Vocabulary
from workbench.core.types import ACTION_DIM

CONFIG = BenchVlaConfig(words=("cube", "pick", "red", "the", "up"), width=32, num_layers=2, num_heads=2, ffn_width=64, stem_width=16)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return BenchVla(CONFIG).eval()


def make_batch(num_frames=2, per_frame=2, prompted=()):
    rng = np.random.default_rng(0)
    num_asks = num_frames * per_frame
    words = np.stack([Vocabulary(CONFIG).encode("pick up the red cube")] * num_asks)
    return Batch(
        front=torch.from_numpy(rng.uniform(-1, 1, (num_frames, 3, 128, 128)).astype(np.float32)),
        wrist=torch.from_numpy(rng.uniform(-1, 1, (num_frames, 3, 64, 64)).astype(np.float32)),
        words=torch.from_numpy(words),
        state=torch.from_numpy(rng.normal(size=(num_asks, 26)).astype(np.float32)),
        interaction=torch.zeros(num_asks, dtype=torch.int64),
        prompt=torch.from_numpy(rng.random((len(prompted), 4, 128, 128)).astype(np.float32)),
        prompted=torch.tensor(prompted, dtype=torch.int64),
        mask_role=torch.full((len(prompted),), -1),
        trace=torch.full((num_asks, 10), -1),
        ahead=torch.from_numpy(rng.random((num_asks, NUM_AHEAD, 6)).astype(np.float32)),
        low_part=torch.from_numpy(rng.random((num_asks, 2, 3)).astype(np.float32)),
    )


def test_it_gives_bins_for_every_action_token_and_coordinate(network):
    output = network(make_batch())
    assert output.actions.shape == (4, 8, ACTION_DIM, CONFIG.num_bins)
    assert output.trace.shape == (4, 10, 256)
    assert output.front.logits.shape == (4, 2, 1 + 64 * 64)
    assert output.wrist.logits.shape == (4, 2, 1 + 32 * 32)


def test_the_sequence_is_as_long_as_its_groups(network):
    batch = make_batch()
    sight = network.look(batch)
    tokens = network.embed(batch, sight, network.make_plan(batch, sight), torch.arange(4))
    assert tokens.shape == (4, network.token_slices["action"].stop, CONFIG.width)


def test_untrained_prompt_channels_change_nothing(network):
    plain, prompted = network(make_batch()), network(make_batch(prompted=(0, 3)))
    for a, b in ((plain.actions, prompted.actions), (plain.trace, prompted.trace), (plain.front.logits, prompted.front.logits)):
        assert torch.equal(a, b)


def test_an_ask_does_not_depend_on_the_others(network):
    batch = make_batch()
    changed = replace(batch, words=batch.words.clone())
    changed.words[0] = 0
    before, after = network(batch).actions, network(changed).actions
    assert not torch.allclose(before[0], after[0])
    torch.testing.assert_close(before[1:], after[1:])


def test_chosen_asks_are_answered_as_among_all(network):
    batch = make_batch()
    some, all_asks = network(batch, torch.tensor([2])), network(batch)
    torch.testing.assert_close(some.actions[0], all_asks.actions[2])
    assert torch.equal(some.plan, all_asks.plan)


def test_attention_is_full_not_causal(network):
    tokens = torch.randn(1, network.token_slices["action"].stop, CONFIG.width)
    changed = tokens.clone()
    changed[:, -1] += 1
    assert not torch.allclose(network.decode(tokens)[:, 0], network.decode(changed)[:, 0])


def test_a_mask_takes_the_place_of_the_map_of_its_role(network):
    batch = make_batch(prompted=(1,))
    batch.prompt.zero_()
    batch.prompt[0, 0, 32:48, 96:112] = 1
    batch = replace(batch, mask_role=torch.tensor([0]))
    point = network(batch).front.window.point
    torch.testing.assert_close(point[1, 0], torch.tensor([104 / 128, 40 / 128]), atol=0.02, rtol=0)
    torch.testing.assert_close(point[1, 1], network(make_batch()).front.window.point[1, 1])


def test_an_empty_mask_is_no_mask(network):
    batch = make_batch(prompted=(1,))
    batch.prompt.zero_()
    batch = replace(batch, mask_role=torch.tensor([0]))
    assert torch.equal(network(batch).front.logits, network(make_batch()).front.logits)


def test_a_given_trace_enters_the_sequence(network):
    batch = make_batch()
    given = replace(batch, trace=torch.full_like(batch.trace, 100))
    assert not torch.allclose(network(batch).actions, network(given).actions)


def test_where_a_trace_leads_counts_only_where_one_is_given():
    torch.manual_seed(2)
    network, batch = BenchVla(CONFIG).eval(), make_batch()
    torch.nn.init.normal_(network.aim.last.weight)
    torch.nn.init.normal_(network.aim.led[-1].weight)
    given = replace(batch, trace=torch.full_like(batch.trace, 100))
    elsewhere = torch.rand_like(batch.ahead)
    assert torch.equal(network(batch).plan, network(replace(batch, ahead=elsewhere)).plan)
    assert not torch.allclose(network(given).plan, network(replace(given, ahead=elsewhere)).plan)


def test_how_a_thing_lies_is_read_without_knowing_how_the_arm_stands(network):
    batch = make_batch(num_frames=1, per_frame=1)
    with torch.no_grad():
        sight = network.look(batch)
        joints = [slice(0, 7), slice(14, 26)]  # all of the state but the pose, which only turns what was read into the gripper's frame
        front, wrist = sight.front_seen.clone(), sight.wrist_seen.clone()
        for seen, part in itertools.product((front, wrist), joints):
            arm = seen[..., -STATE_DIM - 1 : -1]
            arm[..., part] = torch.randn_like(arm[..., part])
        before = network.make_plan(batch, sight).heading
        after = network.make_plan(batch, sight._replace(front_seen=front, wrist_seen=wrist)).heading
    torch.testing.assert_close(before, after)
    assert float(before.norm()) > 0


def test_the_mean_place_of_a_map_lies_between_cells_and_ignores_a_far_second_peak():
    logits = torch.full((1, 16 * 16), -20.0).view(16, 16)
    logits[4, 6], logits[4, 7], logits[12, 12] = 5.0, 5.0, 4.9
    point = local_mean(logits.reshape(1, -1), 16, 16).point[0]
    torch.testing.assert_close(point, torch.tensor([7.0 / 16, 4.5 / 16]), atol=1e-3, rtol=0)


def make_labels(points):
    num = len(points)
    yes = torch.ones(num, 2, dtype=torch.bool)
    targets = torch.cat([torch.tensor(points)[:, None].expand(-1, 2, -1), torch.ones(num, 2, 1)], -1)
    return Labels(
        chosen=torch.arange(num),
        actions=torch.zeros(num, 8, ACTION_DIM),
        has_action=torch.ones(num, 8, dtype=torch.bool),
        turn=torch.linspace(-1.0, 1.0, num),
        said_turn=torch.zeros(num),
        has_heading=torch.ones(num, dtype=torch.bool),
        trace=torch.zeros(num, 10, dtype=torch.int64),
        has_trace=torch.zeros(num, dtype=torch.bool),
        done=torch.zeros(num),
        front=targets,
        wrist=targets,
        has_front=yes,
        has_wrist=yes,
    )


def test_the_network_learns_one_batch_by_heart():
    torch.manual_seed(1)
    network, batch = BenchVla(CONFIG), make_batch()
    labels = make_labels([[0.3, 0.7], [0.3, 0.7], [0.8, 0.2], [0.8, 0.2]])
    centres = torch.from_numpy(network.vocabulary.bin_centres)
    heads = PlanHeads(CONFIG)
    optimiser = torch.optim.AdamW([*network.parameters(), *heads.parameters()], lr=3e-3)
    first = None
    for _ in range(60):
        output = network(batch)
        losses = find_losses(output, heads(output.plan), labels, centres)
        total = losses["action"] + losses["front"] + losses["rough"] + losses["turn"]
        first = float(total.detach()) if first is None else first
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    with torch.no_grad():
        output = network(batch)
    assert float(total.detach()) < 0.6 * first
    torch.testing.assert_close(output.front.window.point[:, 0], labels.front[:, 0, :2], atol=0.03, rtol=0)


def test_unknown_labels_give_no_gradient(network):
    labels = make_labels([[0.5, 0.5]] * 4)
    nothing = labels._replace(
        has_action=torch.zeros(4, 8, dtype=torch.bool),
        has_front=torch.zeros(4, 2, dtype=torch.bool),
        has_wrist=torch.zeros(4, 2, dtype=torch.bool),
    )
    with torch.no_grad():
        output = network(make_batch())
    planned = PlanHeads(CONFIG)(output.plan)
    losses = find_losses(output, planned, nothing, torch.from_numpy(network.vocabulary.bin_centres))
    assert [float(losses[name].detach()) for name in ("action", "front", "wrist", "trace", "rough", "turn")] == [0.0] * 6


def test_a_close_look_reads_the_cells_around_a_point():
    fine = torch.arange(2 * NUM_FINE * 64 * 64, dtype=torch.float32).reshape(2, NUM_FINE, 64, 64)
    empty = torch.zeros(0)
    centre = (torch.tensor([[[20, 30]], [[40, 9]]]) + 0.5) / 64  # u, v of the middle of a cell
    seen = look_closely(Pyramid(empty, fine, empty, empty), centre).view(2, 9, 9, NUM_FINE)
    torch.testing.assert_close(seen[0], fine[0, :, 26:35, 16:25].permute(1, 2, 0), atol=0.5, rtol=1e-4)
    torch.testing.assert_close(seen[1], fine[1, :, 5:14, 36:45].permute(1, 2, 0), atol=0.5, rtol=1e-4)
