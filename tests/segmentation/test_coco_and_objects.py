"""Masks as COCO text, the board of objects with undo, and masks on uploads."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.segmentation.pictures import BLUE, RED, scene
from workbench.core.errors import InvalidInput, TooLarge
from workbench.core.masks import EXCLUDE, INCLUDE, Candidate, MaskPrompt
from workbench.segmentation import coco
from workbench.segmentation.classical import ClassicalSegmenter
from workbench.segmentation.media import MediaMasks
from workbench.segmentation.objects import (
    MAX_OBJECTS,
    BoardState,
    MaskedObject,
    Moment,
    ObjectBoard,
    Sight,
    changed_object,
    chosen,
    sight_of,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_any_mask_comes_back_from_coco_text(height, width, seed, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    assert np.array_equal(coco.decode(json.loads(json.dumps(coco.encode(mask)))), mask)


def test_coco_counts_go_down_the_columns_and_begin_with_off():
    mask = np.array([[False, True], [True, True], [False, False]])
    assert coco.counts_of(mask) == [1, 1, 1, 2, 1] and coco.encode(mask) == {"size": [3, 2], "counts": "11110"}
    with pytest.raises(InvalidInput, match="add up to 6"):
        coco.decode({"size": [3, 2], "counts": [1, 2]})


def thing(name="a", mask=None, step=0, **more):
    return MaskedObject(
        name, name, 0, "front", "classical", np.eye(4, dtype=bool) if mask is None else mask, 1.0, asked_at=Moment("e", step), **more
    )


def test_undo_takes_back_what_was_said_and_keeps_where_things_are_by_now():
    board = ObjectBoard()
    board.remember(BoardState((thing(),), "a"))
    later = replace(thing(step=9), mask=np.ones((4, 4), bool))
    board.remember(board.state.replaced(later))
    assert board.can_undo and not board.can_redo
    board.move(-1)
    assert board.state.find("a").asked_at.step == 0 and board.state.find("a").mask.all()
    board.move(-1)
    assert board.state.objects == () and board.move(-1) is None
    board.move(1)
    assert board.state.find("a").name == "a" and board.can_redo


def test_something_new_ends_what_could_be_redone_and_too_many_objects_are_refused():
    board = ObjectBoard()
    board.remember(BoardState((thing(),)))
    board.move(-1)
    board.remember(BoardState((thing("b"),)))
    assert not board.can_redo
    with pytest.raises(TooLarge, match="Remove one first"):
        board.remember(BoardState(tuple(thing(str(i)) for i in range(MAX_OBJECTS + 1))))


def test_a_choice_changes_the_mask_and_a_name_may_not_be_empty():
    options = (Candidate(np.eye(4, dtype=bool), 0.9), Candidate(np.ones((4, 4), bool), 0.6))
    assert chosen(thing(candidates=options), 1).mask.all()
    with pytest.raises(InvalidInput, match="one of 2 masks"):
        chosen(thing(candidates=options), 2)
    with pytest.raises(InvalidInput, match="1 to 60 letters"):
        changed_object(thing(), {"name": "  "})


@pytest.mark.parametrize(("confidence", "unseen_s", "sight"), [(0.9, 9, "visible"), (0.3, 9, "low"), (0, 0.5, "low"), (0, 1.5, "lost")])
def test_an_object_is_lost_only_after_a_while_unseen(confidence, unseen_s, sight):
    assert sight_of(confidence, unseen_s, 1.0) is Sight(sight)


def video():
    return [scene((24 + 2 * t, 40, 11, RED), (70, 70, 10, BLUE), has_truth=False).pixels for t in range(12)]


def test_a_video_is_masked_followed_corrected_and_exported():
    media = MediaMasks(video(), ClassicalSegmenter(), name="clip")
    media.click(0, (24, 40), INCLUDE)
    steps = list(media.propagate())
    assert steps[-1] == (12, 12) and len(media.objects[0].masks) == 12
    media.new_object()
    media.click(4, (70, 70), INCLUDE)
    assert len(media.objects) == 2 and media.undo() and len(media.objects) == 1
    document = media.to_coco()
    assert len(document["annotations"]) == 12 and document["categories"] == [{"id": 1, "name": "object 1"}]
    last = coco.decode(document["annotations"][-1]["segmentation"])
    assert np.array_equal(last, media.objects[0].masks[11]) and np.array_equal(dict(media.index_masks())[11] == 1, last)
    assert not np.array_equal(media.overlay(0), media.frames[0])


def test_following_stops_when_it_is_cancelled_and_keeps_what_was_found():
    media = MediaMasks(video(), ClassicalSegmenter())
    media.click(0, (24, 40), INCLUDE)
    for done, _ in media.propagate():
        if done == 4:
            media.cancel()
    assert sorted(media.objects[0].masks) == [0, 1, 2, 3]


def test_following_in_the_background_tells_how_far_it_is_and_refuses_a_second_run():
    media = MediaMasks(video(), ClassicalSegmenter())
    with pytest.raises(InvalidInput, match="at least one object"):
        media.follow()
    media.click(0, (24, 40), INCLUDE)
    media.follow()
    deadline = time.monotonic() + 30
    while media.following.is_running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (media.following.done, media.following.total, media.following.trouble) == (12, 12, "")
    assert len(media.objects[0].masks) == 12


@pytest.mark.parametrize("frame, point, label", [(0, (24, 40), EXCLUDE), (99, (24, 40), INCLUDE), (0, (500, 2), INCLUDE)])
def test_a_click_that_means_nothing_is_refused_and_nothing_is_lost(frame, point, label):
    media = MediaMasks(video(), ClassicalSegmenter())
    media.click(0, (70, 70), INCLUDE)
    media.new_object()
    with pytest.raises(InvalidInput):
        media.click(frame, point, label)
    assert len(media.objects) == 1
    with pytest.raises(InvalidInput, match="at least one object"):
        list(MediaMasks(video(), ClassicalSegmenter()).propagate())


def test_a_prompt_says_whether_it_is_empty_or_ambiguous():
    assert MaskPrompt().is_empty and MaskPrompt(((1, 1),), (EXCLUDE,)).is_empty
    assert MaskPrompt(((1, 1),), (INCLUDE,)).is_ambiguous and not MaskPrompt(box=(0, 0, 2, 2)).is_ambiguous
