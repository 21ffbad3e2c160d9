"""Which objects an action is about, and the figures of ActionVOS, rule by rule."""

import math

import numpy as np
import pytest

from workbench.segmentation.action_scores import ActionScores
from workbench.segmentation.active import Activity, active_objects, is_named, kept_masks, over_sequence

NAMES = ("red cube", "blue cube", "white plate", "grey drawer")


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ("put the red cube on the white plate", {"red cube", "white plate"}),
        ("Open the drawer!", {"grey drawer"}),
        ("lift a cube", {"red cube", "blue cube"}),
        ("push the green cube", {"red cube", "blue cube"}),
        ("set the blue brick on the dish", {"blue cube", "white plate"}),
        ("wave", set()),
    ],
)
def test_an_object_is_named_by_all_its_words_or_by_its_kind_alone(action, named):
    assert {n for n in NAMES if is_named(action, n, NAMES)} == named


def test_each_sign_alone_makes_an_object_active_and_is_told():
    mask = {i: np.zeros((8, 8), bool) for i in "abcd"}
    mask["c"][2, 2] = mask["d"][7, 7] = True
    names = {"a": "red cube", "b": "blue cube", "c": "plate", "d": "bowl"}
    found = active_objects("take the red cube", mask, names, gripper_box=(1, 1, 4, 4), touched=frozenset("b"))
    assert {i: a.reasons for i, a in found.items()} == {
        "a": ("named in the action",),
        "b": ("in contact with the gripper",),
        "c": ("inside the gripper's box",),
        "d": (),
    }
    kept = kept_masks(mask, found)
    assert kept["c"].any() and not kept["d"].any() and mask["d"].any()


def test_over_an_episode_any_frame_counts():
    frames = [{"a": Activity()}, {"a": Activity(is_touched=True), "b": Activity()}, {"a": Activity(is_in_box=True)}]
    found = over_sequence(frames)
    assert found["a"] == Activity(False, True, True) and not found["b"].is_active


def grid(*cells):
    mask = np.zeros((4, 4), bool)
    for row, column in cells:
        mask[row, column] = True
    return mask


NOTHING, ONE, TWO = grid(), grid((0, 0)), grid((0, 0), (0, 1))


@pytest.mark.parametrize(
    ("predicted", "truth", "is_positive", "p", "n", "g", "right"),
    [
        (NOTHING, NOTHING, True, None, None, 1.0, False),
        (NOTHING, NOTHING, False, None, None, 1.0, True),
        (ONE, NOTHING, True, 0.0, None, 0.0, True),
        (ONE, NOTHING, False, None, 0.0, 0.0, False),
        (ONE, TWO, True, 0.5, None, 0.5, True),
        (NOTHING, TWO, True, 0.0, None, 0.0, False),
        (TWO, TWO, False, None, 1.0, 0.0, False),
        (NOTHING, TWO, False, None, 0.0, 1.0, True),
    ],
)
def test_the_rules_for_one_object_on_one_frame(predicted, truth, is_positive, p, n, g, right):
    scores = ActionScores()
    scores.add(predicted, truth, is_positive=is_positive)
    for found, wanted in ((scores.p_miou, p), (scores.n_miou, n)):
        assert math.isnan(found) if wanted is None else found == wanted
    assert scores.g_iou == g and scores.accuracy == float(right)


def test_means_are_of_ious_and_cumulative_figures_are_of_pixels():
    scores = ActionScores()
    scores.add(ONE, TWO, is_positive=True)
    big = np.ones((4, 4), bool)
    scores.add(big, big, is_positive=True)
    scores.add(ONE, TWO, is_positive=False)
    assert scores.p_miou == 0.75 and scores.p_ciou == 17 / 18 and scores.n_ciou == 0.5
    assert set(scores.to_dict()) == {"p-mIoU", "n-mIoU", "p-cIoU", "n-cIoU", "gIoU", "Acc"}
