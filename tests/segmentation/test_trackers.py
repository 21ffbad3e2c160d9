"""Following things through a stream: what holds for every tracker, and for the one made of a segmenter."""

import numpy as np
import pytest

from tests.segmentation.pictures import BLUE, RED, scene
from workbench.core.catalog import Catalog
from workbench.core.masks import INCLUDE, MaskPrompt
from workbench.core.protocols import SegmenterSpec
from workbench.segmentation.association import AssociationTracker
from workbench.segmentation.classical import ClassicalSegmenter
from workbench.segmentation.masks import iou
from workbench.segmentation.oracle import OracleSegmenter
from workbench.segmentation.pool import SegmenterPool, SharedSegmenter

MAKERS = [
    lambda: OracleSegmenter().make_tracker(),
    lambda: ClassicalSegmenter().make_tracker(),
    lambda: AssociationTracker(ClassicalSegmenter(), pointed_by=OracleSegmenter()),
]


def frame(t, *, is_hidden=False):
    """Return a frame on which a red disc goes right and a blue one stands; a dark one may lie over the red one."""
    cover = ((24 + 1.5 * t, 30, 15, (40, 40, 44)),) if is_hidden else ()
    return scene((70, 66, 10, BLUE), (24 + 1.5 * t, 30, 11, RED), *cover)


def started(make):
    tracker, first = make(), frame(0)
    tracker.start(first)
    seen = tracker.prompt("red", MaskPrompt(((24, 30),), (INCLUDE,)))
    assert iou(seen.pixels, first.truth.mask(1)) > 0.85
    return tracker


@pytest.mark.parametrize("make", MAKERS)
def test_a_moving_thing_is_followed_and_another_is_added_on_the_way(make):
    tracker = started(make)
    for t in range(1, 16):
        if t == 6:
            tracker.prompt("blue", MaskPrompt(mask=frame(5).truth.mask(0)))
        picture = frame(t)
        found = tracker.track(picture)
        assert set(found) == ({"red", "blue"} if t >= 6 else {"red"})
        assert iou(found["red"].pixels, picture.truth.mask(1)) > 0.8 and found["red"].confidence > 0.5, t
    tracker.remove("red")
    tracker.remove("nobody")
    assert set(tracker.track(frame(16))) == {"blue"}


@pytest.mark.parametrize("make", MAKERS)
def test_a_hidden_thing_is_told_to_be_unseen_and_found_again(make):
    tracker = started(make)
    for t in range(1, 5):
        tracker.track(frame(t))
    hidden = [tracker.track(frame(t, is_hidden=True))["red"] for t in range(5, 9)]
    assert all(h.confidence == 0 and not h.pixels.any() for h in hidden)
    back = [tracker.track(frame(t))["red"] for t in range(9, 12)][-1]
    assert back.confidence > 0.4 and iou(back.pixels, frame(11).truth.mask(1)) > 0.8


class Watched(OracleSegmenter):
    """Notes at which pictures it looks, and is followed by colour."""

    def __init__(self):
        self.looked = []

    @property
    def spec(self):
        return SegmenterSpec("watched", tracks_by="colour")

    def embed(self, picture):
        self.looked.append(picture)
        return super().embed(picture)


def test_who_is_pointed_with_looks_at_a_picture_only_when_asked_and_once():
    watched, frames = Watched(), [frame(t) for t in range(4)]
    tracker = SharedSegmenter(watched).make_tracker()
    tracker.start(frames[0])
    for place in ((24, 30), (70, 66)):
        tracker.prompt(str(place), MaskPrompt((place,), (INCLUDE,)))
    assert watched.looked == frames[:1]
    tracker.track(frames[1])
    found = tracker.track(frames[2])
    assert watched.looked == frames[:1] and iou(found["(24, 30)"].pixels, frames[2].truth.mask(1)) > 0.8
    tracker.prompt("(24, 30)", MaskPrompt(((27, 30),), (INCLUDE,)))
    assert watched.looked == [frames[0], frames[2]]


def test_two_of_one_colour_are_never_both_on_the_same_place():
    tracker = ClassicalSegmenter().make_tracker()
    pair = lambda t: scene((30 + t, 40, 10, RED), (66, 40, 10, RED))  # noqa: E731
    tracker.start(pair(0))
    for name, index in (("left", 0), ("right", 1)):
        tracker.prompt(name, MaskPrompt(mask=pair(0).truth.mask(index)))
    for t in range(1, 10):
        found = tracker.track(pair(t))
        assert not (found["left"].pixels & found["right"].pixels).any()
    assert iou(found["left"].pixels, pair(9).truth.mask(0)) > 0.8


def test_the_oracle_follows_the_part_that_was_meant():
    tracker, picture = OracleSegmenter().make_tracker(), frame(0)
    tracker.start(picture)
    half = picture.truth.mask(1).copy()
    half[:, 24:] = False
    tracker.prompt("half", MaskPrompt(mask=half))
    found = tracker.track(frame(8))["half"].pixels
    assert iou(found, np.roll(half, 12, axis=1)) > 0.85


def test_a_pool_loads_a_segmenter_once_and_shares_it():
    made = []
    catalog = Catalog("segmenter")
    catalog.add("classical", lambda: made.append(1) or ClassicalSegmenter())
    pool = SegmenterPool(catalog)
    assert pool.get("classical") is pool.get("classical") and len(made) == 1 and pool.names == ("classical",)
    tracker = started(pool.get("classical").make_tracker)
    assert tracker.track(frame(1))["red"].confidence > 0.5
