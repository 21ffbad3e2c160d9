import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sketch.drawings import random_arrow, random_circle, sketch_of
from workbench.core.errors import InvalidShape
from workbench.core.sketches import STEP_COLOURS, Stroke, StrokeKind
from workbench.sketch.hand import HandStyle, hand_noise
from workbench.sketch.raster import draw_sketch, head_triangle

GREY = np.full((480, 480, 3), 96, np.uint8)
SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_drawing_changes_pixels_near_the_strokes_only_and_leaves_the_picture_alone(seed):
    rng = np.random.default_rng(seed)
    stroke = random_arrow(rng)
    before = GREY.copy()
    drawn = draw_sketch(before, sketch_of(stroke))
    assert np.array_equal(before, GREY)
    rows, columns = np.nonzero((drawn != before).any(axis=-1))
    points = np.array(stroke.points) * 480
    dense = np.concatenate([np.linspace(a, b, 200) for a, b in itertools.pairwise(points)])
    away = np.linalg.norm(np.stack([columns, rows], axis=1)[:, None] + 0.5 - dense[None], axis=-1).min(axis=1)
    assert away.max() <= 12
    u, v = points[0].astype(int)
    assert tuple(drawn[v, u]) == STEP_COLOURS[0]


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_a_circle_is_round_and_as_wide_as_asked(seed):
    circle = random_circle(np.random.default_rng(seed))
    (x, y), (rim, _) = circle.points
    rows, columns = np.nonzero((draw_sketch(GREY, sketch_of(circle)) != GREY).any(axis=-1))
    distances = np.hypot(columns + 0.5 - 480 * x, rows + 0.5 - 480 * y) - 480 * (rim - x)
    assert np.abs(distances).max() <= 2 + 1.5 and np.abs(distances.mean()) < 0.6


def test_later_strokes_cover_earlier_ones():
    lines = [
        Stroke(n, StrokeKind.ARROW, p, STEP_COLOURS[i])
        for i, (n, p) in enumerate([("a", ((0.1, 0.5), (0.9, 0.5))), ("b", ((0.5, 0.1), (0.5, 0.9)))])
    ]
    assert tuple(draw_sketch(GREY, sketch_of(*lines))[240, 240]) == STEP_COLOURS[1]
    assert tuple(draw_sketch(GREY, sketch_of(*lines[::-1]))[240, 240]) == STEP_COLOURS[0]


def test_the_head_points_along_the_last_leg():
    tip, left, right = head_triangle(np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 80.0]]), 4.0, 1.0)
    assert np.allclose(tip, (100, 80)) and np.allclose((left + right) / 2, (100, 64)) and np.allclose(np.abs(left - right), (16, 0))


@pytest.mark.parametrize("is_geometric", [True, False])
def test_strokes_at_the_border_and_of_no_length_are_drawn_without_an_accident(is_geometric):
    odd = [
        Stroke("a", StrokeKind.ARROW, ((0.0, 0.0), (1.0, 1.0)), is_geometric=is_geometric),
        Stroke("b", StrokeKind.ARROW, ((0.5, 0.5), (0.5, 0.5)), is_geometric=is_geometric),
        Stroke("c", StrokeKind.CIRCLE, ((1.0, 0.0), (1.5, 0.0)), is_geometric=is_geometric),
        Stroke("d", StrokeKind.CIRCLE, ((0.2, 0.2), (0.2, 0.2)), is_geometric=is_geometric),
        Stroke("e", StrokeKind.FREEHAND, ((0.3, 0.3),)),
    ]
    assert draw_sketch(GREY, sketch_of(*odd)).shape == GREY.shape
    assert draw_sketch(GREY[:1, :1], sketch_of(*odd)).shape == (1, 1, 3)
    with pytest.raises(InvalidShape):
        draw_sketch(np.zeros((4, 4), np.uint8), sketch_of(*odd))


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_hand_noise_gives_freehand_strokes_near_the_exact_ones(seed):
    rng = np.random.default_rng(seed)
    exact = sketch_of(random_arrow(rng), random_circle(rng))
    drawn = hand_noise(exact, rng, HandStyle(), habits=("none",))
    assert [s.kind for s in drawn.strokes] == [StrokeKind.FREEHAND] * 2 and [s.id for s in drawn.strokes] == ["a", "c"]
    ends = np.linalg.norm(np.subtract(drawn.strokes[0].points[0], exact.strokes[0].points[0])) * 480
    assert ends < 10
    assert np.abs(np.mean(drawn.strokes[1].points, axis=0) - exact.strokes[1].points[0]).max() * 480 < 20


def test_hand_noise_is_the_same_for_the_same_seed():
    exact = sketch_of(random_arrow(np.random.default_rng(1)))
    assert hand_noise(exact, np.random.default_rng(5)) == hand_noise(exact, np.random.default_rng(5))
    assert hand_noise(exact, np.random.default_rng(5)) != hand_noise(exact, np.random.default_rng(6))
