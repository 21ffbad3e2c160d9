"""What every segmenter does with a prompt, and what each of ours adds."""

import numpy as np
import pytest

from tests.segmentation.pictures import BLUE, RED, scene
from workbench.core.errors import InvalidInput
from workbench.core.masks import EXCLUDE, INCLUDE, MaskPrompt, Picture
from workbench.segmentation.classical import ClassicalSegmenter
from workbench.segmentation.masks import box_of, iou, resized
from workbench.segmentation.oracle import OracleSegmenter

SEGMENTERS = [OracleSegmenter, ClassicalSegmenter]
PICTURE = scene((30, 30, 14, RED), (70, 64, 12, BLUE))
RED_DISC = PICTURE.truth.mask(0)


def click(*points, **more):
    return MaskPrompt(tuple(p[:2] for p in points), tuple(p[2] for p in points), **more)


@pytest.mark.parametrize("make", SEGMENTERS)
def test_a_click_on_a_thing_masks_it(make):
    segmenter = make()
    found = segmenter.segment(segmenter.embed(PICTURE), click((30, 30, INCLUDE)))
    assert 1 <= len(found) <= 3 and iou(found[0].pixels, RED_DISC) > 0.9
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)


@pytest.mark.parametrize("make", SEGMENTERS)
def test_a_box_around_a_thing_masks_it(make):
    segmenter = make()
    found = segmenter.segment(segmenter.embed(PICTURE), MaskPrompt(box=(14, 14, 46, 46)))
    assert len(found) == 1 and iou(found[0].pixels, RED_DISC) > 0.9


@pytest.mark.parametrize("make", SEGMENTERS)
def test_excluding_a_point_takes_area_away_and_never_adds_any(make):
    segmenter = make()
    embedding = segmenter.embed(PICTURE)
    whole = segmenter.segment(embedding, click((28, 28, INCLUDE)))[0].pixels
    part = segmenter.segment(embedding, click((28, 28, INCLUDE), (38, 36, EXCLUDE)))[0].pixels
    assert 0 < part.sum() < whole.sum() and not part[36, 38] and part[28, 28]


@pytest.mark.parametrize("make", SEGMENTERS)
def test_two_clicks_mask_two_things_together(make):
    segmenter = make()
    found = segmenter.segment(segmenter.embed(PICTURE), click((30, 30, INCLUDE), (70, 64, INCLUDE)))
    assert iou(found[0].pixels, PICTURE.truth.ids > 0) > 0.9


@pytest.mark.parametrize("make", SEGMENTERS)
def test_the_same_click_gives_the_same_mask(make):
    first, second = (make().segment(make().embed(PICTURE), click((66, 60, INCLUDE)))[0].pixels for _ in range(2))
    assert np.array_equal(first, second)


def test_the_oracle_refuses_a_picture_without_truth():
    with pytest.raises(InvalidInput, match="Choose another segmenter"):
        OracleSegmenter().embed(Picture(PICTURE.pixels))


def test_the_oracle_offers_a_thing_and_that_thing_with_what_touches_it():
    picture = scene((40, 40, 14, RED), (60, 40, 9, BLUE))
    found = OracleSegmenter().segment(OracleSegmenter().embed(picture), click((36, 40, INCLUDE)))
    assert [int(c.pixels.sum()) for c in found] == [int(picture.truth.mask(0).sum()), int((picture.truth.ids > 0).sum())]


def test_a_large_picture_is_worked_at_in_a_smaller_size_and_answered_in_its_own():
    large = Picture(np.ascontiguousarray(PICTURE.pixels.repeat(16, axis=0).repeat(16, axis=1)))
    segmenter = ClassicalSegmenter()
    found = segmenter.segment(segmenter.embed(large), click((480, 480, INCLUDE)))[0].pixels
    assert found.shape == (1536, 1536) and iou(resized(found, 96, 96), RED_DISC) > 0.85


def test_a_box_without_anything_around_it_is_taken_as_it_is():
    segmenter = ClassicalSegmenter()
    tiny = Picture(np.zeros((2, 2, 3), np.uint8))
    assert segmenter.segment(segmenter.embed(tiny), MaskPrompt(box=(0, 0, 2, 2)))[0].pixels.shape == (2, 2)


@pytest.mark.parametrize("box", [(4, 4, 4, 9), (9, 4, 4, 9)])
def test_a_box_turned_inside_out_is_refused(box):
    with pytest.raises(InvalidInput, match="left < right"):
        MaskPrompt(box=box)


def test_the_box_of_a_mask_holds_it_and_nothing_less():
    assert box_of(RED_DISC) == (16.0, 16.0, 44.0, 44.0) and box_of(np.zeros((4, 4), bool)) is None
