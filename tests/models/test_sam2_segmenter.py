import numpy as np
import pytest
import torch

from models.sam2_segmenter import MAX_PROMPTED, Sam2Segmenter
from tests.models.tiny_sam2 import TINY, noise_picture, tiny_segmenter
from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.masks import Embedding, MaskPrompt
from workbench.segmentation.association import AssociationTracker

CLICK = MaskPrompt(((40.0, 30.0),), (1,))
BOX = MaskPrompt(box=(20.0, 10.0, 60.0, 50.0))


@pytest.fixture(scope="module")
def segmenter():
    return tiny_segmenter()


def test_masks_equal_those_of_the_library_called_directly(segmenter):
    picture = noise_picture()
    ours = segmenter.segment(segmenter.embed(picture), CLICK)
    with torch.inference_mode():
        segmenter.predictor.set_image(picture.pixels)
        masks, scores, logits = segmenter.predictor.predict(np.array(CLICK.points), np.array(CLICK.labels), multimask_output=True)
    order = np.argsort(-scores)
    assert [c.score for c in ours] == pytest.approx(scores[order].tolist())
    for candidate, index in zip(ours, order, strict=True):
        assert np.array_equal(candidate.pixels, masks[index].astype(bool))
        assert np.array_equal(candidate.logits[0], logits[index])


def test_a_lone_click_gives_three_masks_best_first_and_anything_else_one(segmenter):
    embedding = segmenter.embed(noise_picture())
    three = segmenter.segment(embedding, CLICK)
    assert len(three) == 3 and [c.score for c in three] == sorted((c.score for c in three), reverse=True)
    assert all(c.pixels.shape == (60, 80) and c.pixels.dtype == bool for c in three)
    refined = MaskPrompt((*CLICK.points, (5.0, 5.0)), (1, 0), logits=three[0].logits)
    for prompt in (BOX, refined, MaskPrompt(CLICK.points, CLICK.labels, BOX.box)):
        assert len(segmenter.segment(embedding, prompt)) == 1


def test_an_embedding_stays_good_after_others_were_made(segmenter):
    first, second = segmenter.embed(noise_picture(1)), segmenter.embed(noise_picture(2, width=50, height=90))
    before = segmenter.segment(first, BOX)[0]
    assert segmenter.segment(second, CLICK)[0].pixels.shape == (90, 50)
    again = segmenter.segment(first, BOX)[0]
    assert before.score == again.score and np.array_equal(before.logits, again.logits)


def test_a_mask_alone_is_taken_as_it_is(segmenter):
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:50] = True
    candidate = segmenter.segment(segmenter.embed(noise_picture()), MaskPrompt(mask=mask))[0]
    assert np.array_equal(candidate.pixels, mask) and candidate.score == 1.0


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (MaskPrompt(), "Click on the object"),
        (MaskPrompt(((4.0, 4.0),), (0,)), "Click on the object"),
        (MaskPrompt(((81.0, 4.0),), (1,)), "80 x 60"),
        (MaskPrompt(((4.0, -1.0),), (1,)), "80 x 60"),
        (MaskPrompt(mask=np.ones((10, 10), bool)), "shape"),
        (MaskPrompt(CLICK.points, (1,), logits=np.zeros((1, 5, 5), np.float32)), "raw output"),
    ],
)
def test_a_prompt_that_cannot_be_meant_is_refused_with_what_to_do(segmenter, prompt, said):
    with pytest.raises(InvalidInput, match=said):
        segmenter.segment(segmenter.embed(noise_picture()), prompt)


def test_an_embedding_of_another_segmenter_is_refused(segmenter):
    with pytest.raises(InvalidInput, match="another segmenter"):
        segmenter.segment(Embedding(noise_picture(), "something"), CLICK)


def test_the_tracker_is_the_one_that_the_description_names(segmenter):
    assert type(segmenter.make_tracker()).__name__ == "Sam2Tracker"
    assert isinstance(tiny_segmenter(tracks_by="association").make_tracker(), AssociationTracker)


# --- Streaming ---------------------------------------------------------------------------------------------------------------------


def track(tracker, num, *, first=1):
    return [tracker.track(noise_picture(first + i)) for i in range(num)]


def test_streaming_gives_what_the_packages_video_predictor_gives(segmenter):
    """The same weights over the same frames: ours as they come, the package's with the whole video at hand."""
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    frames = [noise_picture(i, width=64, height=64) for i in range(6)]
    tracker = segmenter.make_memory_tracker()
    tracker.start(frames[0])
    prompted = tracker.prompt("it", BOX)
    ours = [prompted.pixels, *(tracker.track(f)["it"].pixels for f in frames[1:])]

    network = segmenter.network
    original = type(network)
    network.fill_hole_area, network.non_overlap_masks = 0, False
    network.clear_non_cond_mem_around_input, network.add_all_frames_to_correct_as_cond = False, False
    network.__class__ = SAM2VideoPredictor
    try:
        with torch.inference_mode():
            pictures = torch.stack([segmenter.predictor._transforms(f.pixels) for f in frames])
            theirs = _package_masks(network, pictures)
    finally:
        network.__class__ = original
    for a, b in zip(ours, theirs, strict=True):
        assert np.array_equal(a, b)


def _package_masks(predictor, pictures):
    import sam2.sam2_video_predictor as package

    before, package.load_video_frames = package.load_video_frames, lambda **_: (pictures, 64, 64)
    try:
        state = predictor.init_state("frames")
        predictor.add_new_points_or_box(state, 0, 1, box=np.array(BOX.box, np.float32))
        return [(logits[0, 0] > 0).cpu().numpy() for _, _, logits in predictor.propagate_in_video(state)]
    finally:
        package.load_video_frames = before


def test_what_is_remembered_stays_bounded_however_long_the_stream(segmenter):
    tracker = segmenter.make_memory_tracker()
    tracker.start(noise_picture())
    tracker.prompt("a", BOX)
    sizes = []
    for number in range(60):
        track(tracker, 1, first=number)
        if number % 7 == 0:
            tracker.prompt("a", CLICK)
        sizes.append(tracker.num_remembered)
    limit = max(TINY.num_memories, TINY.num_pointers) + MAX_PROMPTED
    assert max(sizes) <= limit and max(sizes[30:]) == max(sizes[45:])


def test_a_new_object_in_the_middle_changes_nothing_of_the_others(segmenter):
    def run(with_second):
        tracker = segmenter.make_memory_tracker()
        tracker.start(noise_picture())
        tracker.prompt("a", BOX)
        track(tracker, 3)
        if with_second:
            tracker.prompt("b", CLICK)
        return track(tracker, 3, first=4)

    alone, both = run(False), run(True)
    assert [set(f) for f in both] == [{"a", "b"}] * 3
    for one, two in zip(alone, both, strict=True):
        assert np.array_equal(one["a"].pixels, two["a"].pixels) and one["a"].confidence == two["a"].confidence


def test_a_correction_on_a_later_frame_keeps_what_was_remembered(segmenter):
    tracker = segmenter.make_memory_tracker()
    tracker.start(noise_picture())
    tracker.prompt("a", BOX)
    track(tracker, 3)
    before = tracker.num_remembered
    tracker.prompt("a", CLICK)
    assert tracker.num_remembered == before  # the present frame is now a prompted one


def test_removed_objects_are_followed_no_longer_and_a_start_forgets_all(segmenter):
    tracker = segmenter.make_memory_tracker()
    tracker.start(noise_picture())
    tracker.prompt("a", BOX)
    tracker.prompt("b", CLICK)
    tracker.remove("a")
    tracker.remove("never there")
    assert set(track(tracker, 1)[0]) == {"b"}
    tracker.start(noise_picture())
    assert track(tracker, 1)[0] == {}


def test_a_mask_prompt_is_followed_from_the_mask_itself(segmenter):
    mask = np.zeros((60, 80), bool)
    mask[15:45, 20:60] = True
    tracker = segmenter.make_memory_tracker()
    tracker.start(noise_picture())
    tracked = tracker.prompt("a", MaskPrompt(mask=mask))
    both = (tracked.pixels & mask).sum() / (tracked.pixels | mask).sum()
    assert both > 0.9 and tracked.confidence > 0.9


def test_confidence_is_nought_exactly_when_nothing_is_seen(segmenter):
    tracker = segmenter.make_memory_tracker()
    tracker.start(noise_picture())
    tracker.prompt("a", CLICK)
    for found in track(tracker, 5):
        assert 0.0 <= found["a"].confidence <= 1.0
        assert bool(found["a"].pixels.any()) or found["a"].confidence == 0.0


def test_a_tracker_refuses_a_click_beside_the_picture(segmenter):
    tracker = segmenter.make_memory_tracker()
    tracker.start(noise_picture())
    with pytest.raises(InvalidInput, match="80 x 60"):
        tracker.prompt("a", MaskPrompt(((200.0, 4.0),), (1,)))
    with pytest.raises(InvalidShape):
        tracker.prompt("a", MaskPrompt(mask=np.ones((4, 4), bool)))
    assert isinstance(segmenter, Sam2Segmenter)
