import json

import numpy as np
import pytest

from workbench.core.sketches import Sketch, Stroke, StrokeKind
from workbench.evaluation.sketch_parsing import MISSED_PX, measure, score_reading
from workbench.evaluation.sketch_pictures import CLASSES, make_pictures
from workbench.sketch.strokes import ordered_steps


def sketch_of(*strokes):
    return Sketch("s", "front", 480, 480, strokes)


ARROW = Stroke("a", StrokeKind.ARROW, ((0.1, 0.1), (0.5, 0.1), (0.5, 0.6)))


def test_a_perfect_reading_scores_zero_and_a_reversed_one_does_not():
    perfect = score_reading(sketch_of(ARROW), sketch_of(ARROW))
    assert perfect.distances.max() < 1e-9 and perfect.is_order_right and perfect.num_extra == 0
    reversed_ = Stroke("a", StrokeKind.ARROW, ARROW.points[::-1])
    assert score_reading(sketch_of(ARROW), sketch_of(reversed_)).distances[:2].min() > 200


def test_missing_and_extra_strokes_count():
    missing = score_reading(sketch_of(ARROW), sketch_of())
    assert (missing.distances == MISSED_PX).all() and len(missing.distances) == 3 and not missing.is_order_right
    extra = score_reading(sketch_of(), sketch_of(ARROW))
    assert extra.num_extra == 1 and not extra.is_order_right


def test_pictures_are_the_same_for_the_same_seed_and_show_the_sketch():
    first, second = (list(make_pictures(3, 3)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.truth == b.truth and np.array_equal(a.drawn, b.drawn)
        assert (a.drawn != a.clean).any() and ordered_steps(a.truth)
    assert [p.kind for p in first] == list(CLASSES[:3])
    assert {p.background for p in first} == {"scene", "procedural"}


@pytest.mark.slow
def test_thirty_random_sketches_are_read_nearly_without_error():
    result = measure(30, 77)
    json.dumps(result)
    with_clean, without = result["with_clean"]["all"], result["without_clean"]["all"]
    assert with_clean["mean_px"] <= 10 and with_clean["within_50_px"] >= 0.97 and with_clean["order_right"] >= 0.9
    assert without["mean_px"] <= 12 and without["within_50_px"] >= 0.85
