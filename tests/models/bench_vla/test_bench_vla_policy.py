"""The bench VLA as a policy on the bench, with random weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.network import BenchVla
from models.bench_vla.policy import BenchVlaPolicy, _between, _values
from models.bench_vla.prompts import HEIGHT, MASK, TIME, draw_trace, find_low_part, five_points, look_along, shrink_mask
from models.bench_vla.training import known_words
from models.bench_vla.vocabulary import Vocabulary
from workbench.core.errors import InvalidInput
from workbench.core.types import PROPRIO, EpisodeConfig, Interaction, Mask, Prompt, Trace
from workbench.simulation.simulator import BenchSimulator


@pytest.fixture(scope="module")
def policy():
    torch.manual_seed(0)
    return BenchVlaPolicy(BenchVla(BenchVlaConfig(words=known_words(), width=32, num_layers=1, num_heads=2, ffn_width=32, stem_width=16)))


@pytest.fixture(scope="module")
def observation(policy):
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("pick", 3))
    observation = simulator.observe(policy.spec.cameras)
    images = {name: observation.images[name] for name in ("front", "wrist")}
    yield replace(observation, images=images)
    simulator.close()


def act(policy, observation, prompt):
    policy.reset(np.random.default_rng(0))
    return policy.act(observation, prompt, np.random.default_rng(0))


TRACE = Trace("front", 480, 480, ((200, 300), (240, 250), (300, 260)), depths_m=(1.0, 1.0, 1.0), gripper=(1, 1, 0))
MASK_PROMPT = Mask("front", np.pad(np.ones((40, 40), bool), ((200, 240), (100, 340))))


def test_decoding_by_token_begins_as_one_pass_does_and_tells_how_far_it_stays_with_it(policy, observation):
    prompt, rng = Prompt("pick up the red cube"), np.random.default_rng(0)
    parallel = act(policy, observation, prompt)
    policy.reset(rng)
    chunk = policy.act_by_token(observation, prompt, rng)
    assert chunk.actions[0, 0] == parallel.actions[0, 0], "nothing comes before the first token"
    assert not np.array_equal(chunk.actions, parallel.actions), "later tokens are given the earlier ones"
    assert 0 < chunk.scores["agreement"] <= 1
    policy.reset(rng)
    assert np.array_equal(policy.act_by_token(observation, prompt, rng).actions, chunk.actions)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(),
        Prompt("pick up the red cube"),
        Prompt(trace=TRACE),
        Prompt(mask=MASK_PROMPT, interaction=Interaction.GRASP),
        Prompt("pick up the red cube", trace=TRACE, mask=MASK_PROMPT),
    ],
)
def test_any_combination_of_prompts_gives_a_chunk_within_what_a_step_can_do(policy, observation, prompt):
    chunk = act(policy, observation, prompt)
    centres = Vocabulary(policy.module.config).bin_centres
    assert chunk.actions.shape == (8, 7)
    assert (chunk.actions >= centres[:, 0] - 1e-6).all() and (chunk.actions <= centres[:, -1] + 1e-6).all()
    assert chunk.intention.confidences.shape == (8, 7)
    assert 2 <= len(chunk.intention.trace.points) <= 5


def test_at_the_end_of_a_trace_it_stays_and_says_that_it_is_done(policy, observation):
    end = replace(TRACE, points=TRACE.points[-1:], depths_m=(1.0,), gripper=(0.0,))
    chunk = act(policy, observation, Prompt(trace=end))
    assert chunk.scores["done"] == 1.0 and not chunk.actions[:, :6].any()
    assert (chunk.actions[:, 6] == observation.part("gripper_command")).all()
    assert act(policy, observation, Prompt("pick up the red cube", trace=end)).actions[:, :6].any(), "words go on"


def test_the_same_observation_gives_the_same_chunk(policy, observation):
    first, second = (act(policy, observation, Prompt("touch the red cube")) for _ in range(2))
    assert np.array_equal(first.actions, second.actions)


def test_a_given_trace_is_the_intention(policy, observation):
    assert act(policy, observation, Prompt(trace=TRACE)).intention.trace is TRACE


def test_prompts_on_cameras_that_it_does_not_see_are_refused(policy, observation):
    for prompt in (Prompt(trace=replace(TRACE, camera="top")), Prompt(mask=Mask("wrist", MASK_PROMPT.pixels))):
        with pytest.raises(InvalidInput, match="front"):
            act(policy, observation, prompt)


def test_an_action_is_the_mean_of_the_bins_around_the_likeliest():
    centres = torch.linspace(-1, 1, 21).expand(7, -1)
    probabilities = torch.zeros(8, 7, 21)
    probabilities[..., 4], probabilities[..., 5], probabilities[..., 20] = 0.4, 0.35, 0.25
    expected = (0.4 * -0.6 + 0.35 * -0.5) / 0.75
    torch.testing.assert_close(_values(probabilities, centres), torch.full((8, 7), expected))


def test_a_change_of_the_gripper_within_a_chunk_is_placed_where_it_was(observation):
    actions = np.zeros((8, 7), dtype=np.float32)
    actions[:, 2], actions[:2, 6] = 0.01, 1.0  # rises all the time, shuts after two actions
    proprio = observation.proprio.copy()
    proprio[PROPRIO["gripper_command"]] = 0.0
    proprio[PROPRIO["ee_position"]] += [0, 0, 0.04]
    later = replace(observation, proprio=proprio, step=observation.step + 4, time_s=observation.time_s + 0.2)
    ((seen, time_s),) = _between(observation, actions, later)
    assert seen[PROPRIO["ee_position"]][2] == pytest.approx(observation.part("ee_position")[2] + 0.03, abs=1e-6)
    assert time_s == pytest.approx(observation.time_s + 0.15)


def test_a_trace_is_drawn_from_early_to_late_and_by_height():
    channels = np.zeros((4, 128, 128), dtype=np.float32)
    draw_trace(channels, [[0.1, 0.5, 0.1, 1], [0.5, 0.5, 0.2, 1], [0.9, 0.5, 0.4, 0]])
    assert 0 < channels[TIME, 64, 20] < channels[TIME, 64, 110]
    assert channels[HEIGHT, 64, 30] < channels[HEIGHT, 64, 100]
    assert not channels[MASK].any()


def test_a_few_corners_look_like_many_points():
    corners = np.array([[0.1, 0.2, 0.3, 1.0], [0.5, 0.6, 0.1, 0.0], [0.9, 0.6, 0.1, 0.0]])
    along = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    dense = np.concatenate(
        [corners[0] + along[:-1, None] * (corners[1] - corners[0]), corners[1] + along[:, None] * (corners[2] - corners[1])]
    )
    dense[:4, 3] = 1.0
    few, many = np.zeros((2, 4, 128, 128), dtype=np.float32)
    draw_trace(few, corners)
    draw_trace(many, dense)
    np.testing.assert_allclose(few, many, atol=0.06)
    np.testing.assert_allclose(look_along(corners), look_along(dense), atol=1e-6)


def test_a_trace_without_heights_leaves_their_channel_empty():
    channels = np.zeros((4, 128, 128), dtype=np.float32)
    draw_trace(channels, [[0.1, 0.5, np.nan, np.nan], [0.9, 0.5, np.nan, np.nan]])
    assert channels[TIME].any() and not channels[HEIGHT].any()


def test_a_path_is_read_at_growing_distances_to_its_end():
    ahead = look_along([[0.1, 0.5, 0.2, 1.0], [0.2, 0.5, 0.1, 0.0], [0.2, 0.6, 0.1, 0.0]])
    np.testing.assert_allclose(ahead[0], [0.1, 0.5, 0.2, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(ahead[2, :4], [0.15, 0.5, 0.15, 1], atol=1e-6)
    np.testing.assert_allclose(ahead[-1], [0.2, 0.6, 0.1, 1, 0, 1], atol=1e-6)


def test_what_a_path_does_not_tell_is_marked():
    ahead = look_along([[0.1, 0.5, np.nan, np.nan], [0.9, 0.5, np.nan, np.nan]])
    assert not ahead[:, 2:].any() and np.isfinite(ahead).all()


def test_five_points_are_evenly_along_the_path():
    points = five_points([[0.0, 0.5], [0.25, 0.5], [1.0, 0.5]], 5, 256).reshape(5, 2)
    assert points[:, 0].tolist() == [0, 64, 128, 192, 255]
    assert set(points[:, 1].tolist()) == {128}


def test_a_mask_of_one_pixel_is_still_seen():
    mask = np.zeros((480, 480), dtype=bool)
    mask[100, 200] = True
    assert shrink_mask(mask, 128).sum() == 1


def test_the_low_part_of_a_path_is_its_longest_way_along_the_table():
    push = [[0.2, 0.5, 0.3, 0.5], [0.4, 0.6, 0.2, 0.5], [0.4, 0.7, 0.02, 0.5], [0.7, 0.7, 0.02, 0.5], [0.7, 0.6, 0.2, 1.0]]
    start, end = find_low_part(push)
    np.testing.assert_allclose(start, [0.4, 0.7, 1.0], atol=0.02)
    np.testing.assert_allclose(end, [0.7, 0.7, 1.0], atol=0.02)


@pytest.mark.parametrize("height", [0.2, np.nan])
def test_a_path_that_stays_high_or_tells_no_height_has_no_low_part(height):
    assert not find_low_part([[0.2, 0.5, height, 1.0], [0.7, 0.5, height, 1.0]]).any()


def test_coming_down_and_going_up_again_is_no_low_part():
    assert not find_low_part([[0.5, 0.4, 0.3, 1.0], [0.5, 0.5, 0.02, 0.0], [0.5, 0.4, 0.3, 0.0]]).any()
