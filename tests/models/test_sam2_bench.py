import colorsys
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.sam2_bench.clicks import Points, bounding_box, correct, deepest, draw_boxes, draw_clicks, draw_corrections
from models.sam2_bench.config import Sam2BenchConfig
from models.sam2_bench.data import draw_clip, draw_images
from models.sam2_bench.heads import embed, guess_mask, run_heads
from models.sam2_bench.losses import affinity_loss, find_losses
from models.sam2_bench.network import build_network
from models.sam2_bench.scenes import HELD_OUT_HUES, HELD_OUT_KINDS, draw_set
from models.sam2_bench.shards import ShardSet, generate
from models.sam2_bench.studio import CLIP_LENGTH
from models.sam2_bench.training import run_training
from models.sam2_bench.weights import load_network, note_about, read_about, save_weights
from models.sam2_segmenter import Sam2Segmenter
from models.training_order import TrainingOrder
from tests.models.tiny_sam2 import TINY, noise_picture
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.masks import MaskPrompt
from workbench.core.protocols import SegmenterSpec

SIDE = 64


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    generate(folder, scenes=2, side=SIDE, seed=1, progress=lambda _: None)
    return ShardSet(folder)


def some_masks(seed=0, count=6):
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, SIDE, SIDE), bool)
    for mask in masks:
        top, left = rng.integers(0, SIDE - 20, 2)
        mask[top : top + int(rng.integers(3, 20)), left : left + int(rng.integers(3, 20))] = True
    return masks


# --- Scenes and pictures -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_training_never_shows_a_held_out_shape_or_hue(seed):
    low, high = HELD_OUT_HUES
    for prop in draw_set(np.random.default_rng(seed)).scene.props:
        hue, saturation, _ = colorsys.rgb_to_hsv(*prop.paint)
        assert prop.kind not in HELD_OUT_KINDS
        assert not low < hue < high or saturation < 1e-3


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_every_thing_of_a_held_out_scene_is_new_in_shape_or_hue(seed):
    low, high = HELD_OUT_HUES
    for prop in draw_set(np.random.default_rng(seed), is_held_out=True).scene.props:
        assert prop.kind in HELD_OUT_KINDS or low - 1e-6 <= colorsys.rgb_to_hsv(*prop.paint)[0] <= high + 1e-6


def test_pictures_follow_from_the_seed_and_are_not_made_twice(shards, tmp_path):
    told = []
    generate(tmp_path, scenes=2, side=SIDE, seed=1, progress=told.append)
    again = ShardSet(tmp_path)
    for place in again.stills[::5]:
        a, b = again.read(place), shards.read(place)
        assert np.array_equal(a.rgb, b.rgb) and np.array_equal(a.ids, b.ids) and a.names == b.names
    generate(tmp_path, scenes=2, side=SIDE, seed=1, progress=told.append)
    assert len(told) == 1


def test_clips_are_pictures_of_one_scene_in_a_row(shards):
    assert len(shards.clips) == 2
    for clip in shards.clips:
        shots = [shards.read(place) for place in clip]
        assert len(shots) == CLIP_LENGTH and len({s.names for s in shots}) == 1
        assert any((a.ids != b.ids).any() for a, b in pairwise(shots))


def test_a_damaged_shard_is_refused_with_its_name(tmp_path):
    (tmp_path / "000000.json").write_text("{")
    (tmp_path / "000000.bin").write_bytes(b"x")
    with pytest.raises(InvalidInput, match=r"000000\.json"):
        ShardSet(tmp_path)


@pytest.mark.parametrize("window", [32, SIDE])
def test_batches_hold_masks_that_are_not_empty_beside_their_pictures(shards, window):
    batch = draw_images(shards, np.random.default_rng(0), num_pictures=3, num_masks=4, side=SIDE, window=window)
    assert batch.pictures.shape == (3, 3, window, window) and batch.masks.shape == (12, window, window)
    assert batch.masks.flatten(1).any(1).all() and batch.owners.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert all(0 <= at <= SIDE - window and at % 16 == 0 for at in batch.origin)
    for mask, owner in zip(batch.masks, batch.owners, strict=True):
        assert len(batch.ids[owner][mask].unique()) == 1  # a thing or a part of it


def test_a_thing_of_a_clip_is_seen_on_its_first_frame(shards):
    clip = draw_clip(shards, np.random.default_rng(0), num_frames=4, num_masks=3)
    assert clip.pictures.shape == (4, 3, SIDE, SIDE) and clip.masks.shape[0] == 4
    assert clip.masks[0].flatten(1).any(1).all()


# --- A person simulated ------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_clicks_lie_on_their_masks_and_boxes_hold_them(seed):
    masks, rng = some_masks(seed), np.random.default_rng(seed)
    clicks, boxes = draw_clicks(masks, rng), draw_boxes(masks, rng, wobble=0.0)
    for mask, (click,), corners in zip(masks, clicks.coordinates.int().tolist(), boxes.coordinates, strict=True):
        assert mask[click[1], click[0]]
        assert corners.flatten().tolist() == bounding_box(mask).tolist()
        u, v = deepest(mask)
        assert mask[v, u]


def test_corrections_lie_on_errors_and_say_which():
    masks = some_masks()
    found = np.roll(masks, 2, axis=2)
    points = draw_corrections(masks, found, np.random.default_rng(0))
    for mask, guess, (place,), (label,) in zip(masks, found, points.coordinates.int().tolist(), points.labels.tolist(), strict=True):
        assert mask[place[1], place[0]] != guess[place[1], place[0]] and bool(label) == mask[place[1], place[0]]


def test_a_careful_person_corrects_the_largest_error_in_its_middle():
    mask, found = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    mask[2:9, 2:9] = True
    found[2:9, 2:9] = found[12:14, 12:14] = True
    found[4:7, 2:9] = False
    (_, row), label = correct(mask, found)
    assert (row, label) == (5, 1)
    found[:] = mask
    found[12:19, 12:19] = True
    assert correct(mask, found) == ((15, 15), 0)
    assert correct(mask, mask)[1] == 1


# --- Losses ------------------------------------------------------------------------------------------------------------------------


def test_the_right_mask_loses_least_and_only_the_best_of_three_learns():
    targets = torch.zeros(2, SIDE, SIDE, dtype=torch.bool)
    targets[0, 10:30, 20:44] = targets[1, 40:60, 8:20] = True
    small = torch.nn.functional.interpolate(targets[:, None].float(), size=(32, 32), mode="area")
    right, wrong = 20 * small - 10, -(20 * small - 10)
    ious, scores = torch.full((2, 3), 0.5), torch.full((2, 1), 5.0)
    logits = torch.cat([wrong, right, wrong], 1).requires_grad_(True)
    losses = find_losses(logits, ious, scores, targets)
    assert losses.dice < 0.1 and losses.best_iou > 0.9
    (losses.focal + losses.dice).backward()
    per_mask = logits.grad.abs().sum((0, 2, 3))
    assert per_mask[1] > 0 and per_mask[0] == 0 and per_mask[2] == 0


def test_a_thing_that_is_not_seen_teaches_only_that_it_is_not_seen():
    logits, scores = torch.randn(2, 3, 32, 32, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
    losses = find_losses(logits, torch.zeros(2, 3), scores, torch.zeros(2, SIDE, SIDE, dtype=torch.bool))
    losses.total.backward()
    assert logits.grad.abs().sum() == 0 and (scores.grad > 0).all()


def test_features_that_tell_things_apart_lose_less():
    ids = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    ids[:, :20, :20], ids[:, 30:50, 30:50] = 1, 2
    names = ids[:, 2::4, 2::4].float()[:, None]
    apart, alike = 4 * names.repeat(1, 4, 1, 1), torch.zeros(1, 4, 16, 16)
    assert affinity_loss(apart, ids, np.random.default_rng(0)) < 0.5 * affinity_loss(alike, ids, np.random.default_rng(0))


# --- Network and weights -----------------------------------------------------------------------------------------------------------


def test_a_window_has_the_codes_of_places_of_the_whole_picture(monkeypatch):
    torch.manual_seed(0)
    network, seen = build_network(TINY).eval(), {}

    def spy(**inputs):
        seen.update(inputs)
        return torch.zeros(1, 4, 8, 8), torch.zeros(1, 4), None, torch.zeros(1, 1)

    monkeypatch.setattr(network.sam_mask_decoder, "predict_masks", spy)
    label = torch.ones(1, 1, dtype=torch.int32)
    with torch.no_grad():
        features = embed(network, torch.randn(1, 3, SIDE // 2, SIDE // 2))
        run_heads(network, features, Points(torch.tensor([[[20.0, 10.0]]]), label), is_ambiguous=True, origin=(16, 32))
        prompts = network.sam_prompt_encoder
        expected = prompts(points=(torch.tensor([[[36.0, 42.0]]]), label), boxes=None, masks=None)[0]
    assert torch.equal(seen["sparse_prompt_embeddings"], expected)
    assert torch.equal(seen["image_pe"], prompts.get_dense_pe()[..., 2:4, 1:3])
    assert seen["dense_prompt_embeddings"].shape[-1] == features.deep.shape[-1] == 2


def test_the_heads_are_those_of_sam2():
    torch.manual_seed(0)
    network = build_network(TINY).eval()
    points = Points(torch.tensor([[[20.0, 10.0]]]), torch.ones(1, 1, dtype=torch.int32))
    with torch.no_grad():
        features = embed(network, torch.randn(1, 3, SIDE, SIDE))
        ours = run_heads(network, features, points, is_ambiguous=True)
        for is_ambiguous, kept in ((True, slice(1, None)), (False, slice(0, 1))):
            guess = guess_mask(features.fine[0], points)
            theirs = network._forward_sam_heads(features.deep, points.as_inputs(), guess, list(features.fine), is_ambiguous)
            assert torch.allclose(ours.logits[:, kept], theirs[0], atol=1e-5)
            assert torch.allclose(ours.ious[:, kept], theirs[2], atol=1e-6)


def two_things():
    """Features of a picture of two things, one on the left and one on the right, on a ground."""
    fine = torch.zeros(1, 3, 16, 16)
    fine[:, 0, 4:12, 2:6] = 3.0
    fine[:, 1, 4:12, 10:14] = 3.0
    return fine


def said(*places, labels):
    return Points(torch.tensor([places], dtype=torch.float32), torch.tensor([labels], dtype=torch.int32))


def test_the_first_guess_at_a_click_is_what_looks_like_it():
    guess = guess_mask(two_things(), said((16.0, 32.0), labels=[1]))[0, 0] > 0
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[4:12, 2:6] = True
    assert torch.equal(guess, expected)


def test_the_first_guess_at_a_box_is_what_looks_like_its_middle_and_lies_in_it():
    guess = guess_mask(two_things(), said((40.0, 24.0), (52.0, 40.0), labels=[2, 3]))[0, 0] > 0
    rows, columns = torch.nonzero(guess, as_tuple=True)
    assert (rows.min(), rows.max()) == (6, 10) and (columns.min(), columns.max()) == (10, 13)


def test_what_looks_more_like_an_excluding_click_is_not_guessed():
    fine = two_things()
    fine[:, 0, 4:12, 4:6] = 3.6  # the right half of the left thing looks a little different
    with_all = guess_mask(fine, said((9.0, 32.0), labels=[1])) > 0
    without = guess_mask(fine, said((9.0, 32.0), (20.0, 32.0), labels=[1, 0])) > 0
    assert with_all[0, 0, 8, 4] and not without[0, 0, 8, 4] and without[0, 0, 8, 2]


def test_what_was_found_before_and_what_looks_like_a_click_are_added():
    before = torch.full((1, 1, 16, 16), -3.0)
    before[..., 4:8, 2:6] = 3.0
    points = said((16.0, 32.0), labels=[1])
    first, both = guess_mask(two_things(), points), guess_mask(two_things(), points, before)
    assert torch.equal(both, (first + before).clamp(-8, 8))


def test_a_segmenter_guesses_as_training_does():
    torch.manual_seed(0)
    given = []

    def guess(fine, places, labels, before):
        given.append((guess_mask(fine, Points(places, labels), before), before))
        return given[-1][0]

    segmenter = Sam2Segmenter(build_network(TINY), SegmenterSpec("tiny"), guess)
    embedding = segmenter.embed(noise_picture(width=SIDE, height=SIDE))
    fine, click, box = embedding.data.features["high_res_feats"][0], ((20.0, 10.0),), (8.0, 4.0, 40.0, 30.0)
    found = segmenter.segment(embedding, MaskPrompt(click, (1,), box=box))[0]
    assert torch.equal(given[0][0], guess_mask(fine, said((8.0, 4.0), (40.0, 30.0), (20.0, 10.0), labels=[2, 3, 1])))
    segmenter.segment(embedding, MaskPrompt(click, (1,), logits=found.logits))
    assert given[0][1] is None and np.array_equal(given[1][1].numpy()[0], found.logits)
    segmenter.segment(embedding, MaskPrompt(box=box))
    assert torch.equal(given[2][0], guess_mask(fine, said((8.0, 4.0), (40.0, 30.0), labels=[2, 3])))


def test_weights_come_back_as_they_were_and_tell_how_they_were_made(tmp_path):
    torch.manual_seed(0)
    path, network = tmp_path / "w.safetensors", build_network(TINY)
    save_weights(path, TINY, network.state_dict(), about={"steps": 3})
    note_about(path, tracks_by="association")
    again = load_network(path)
    assert read_about(path) == {"steps": 3, "tracks_by": "association"}
    assert all(torch.allclose(a, b, atol=2e-3, rtol=2e-3) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_weights_that_are_missing_broken_or_of_another_model_are_refused(tmp_path):
    with pytest.raises(NotStored, match="train sam2-bench"):
        load_network(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    with pytest.raises(InvalidInput, match=r"broken\.safetensors"):
        load_network(broken)
    path = tmp_path / "w.safetensors"
    save_weights(path, replace(TINY, memory_dim=32), build_network(TINY).state_dict(), about={})
    with pytest.raises(InvalidInput, match="a difference in"):
        load_network(path)


def test_a_configuration_comes_back_as_it_was_and_nonsense_is_refused():
    assert Sam2BenchConfig.from_dict(json.loads(json.dumps(TINY.to_dict()))) == TINY
    for change in ({"hidden_dim": 0}, {"blocks": [1, 2]}, {"hidden_dim": "wide"}, {"more": 1}):
        with pytest.raises(InvalidInput):
            Sam2BenchConfig.from_dict({**TINY.to_dict(), **change})


@pytest.mark.slow
def test_the_whole_way_from_pictures_to_card_goes_on_where_it_stopped(tmp_path):
    told = []
    order = TrainingOrder(tmp_path / "out", tmp_path / "data", told.append, smoke=True, workers=1, minutes=0.1)
    first = run_training(replace(order, minutes=0.05, episodes=0))
    second = run_training(order)
    assert second["steps"] > first["steps"] > 0 and any("going on after step" in line for line in told)
    assert set(second["report"]["tracking"]) == {"memory", "association", "colour"}
    assert read_about(tmp_path / "out" / "sam2-bench.safetensors")["tracks_by"] in ("memory", "association", "colour")
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "Held out" in card and "| association |" in card and "one click, first mask" in card
