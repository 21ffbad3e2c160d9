import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sketch.drawings import random_arrow, random_circle, sketch_of
from workbench.core.polylines import path_length, resample
from workbench.core.sketches import STEP_COLOURS, Stroke, StrokeKind
from workbench.sketch.curves import fit_circle
from workbench.sketch.hand import HABITS, HandStyle, hand_noise
from workbench.sketch.recognise import WAY_POINT_TOLERANCE, recognise, recognise_sketch, snap
from workbench.sketch.strokes import circle_radius_px, to_pixels

SEEDS = st.integers(0, 2**32 - 1)
FRAME = (480, 480)


def share_recognised(make, habit, style, count):
    """Return the share of hand-drawn symbols of which kind, tail and head (or centre and radius, within 20 px) are right."""
    right = 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        truth = make(rng)
        found = recognise_sketch(hand_noise(sketch_of(truth), rng, style, habits=(habit,))).strokes
        if len(found) == 1 and found[0].kind is truth.kind:
            a, b = (to_pixels(s.points, *FRAME) for s in (truth, found[0]))
            errors = [np.linalg.norm(a[0] - b[0])]
            is_arrow = truth.kind is StrokeKind.ARROW
            errors.append(
                np.linalg.norm(a[-1] - b[-1]) if is_arrow else circle_radius_px(truth, *FRAME) - circle_radius_px(found[0], *FRAME)
            )
            right += max(np.abs(errors)) <= 20
    return right / count


@pytest.mark.slow
def test_97_percent_of_500_hand_drawn_arrows_are_recognised():
    shares = [share_recognised(random_arrow, habit, HandStyle(), 167) for habit in HABITS]
    assert np.mean(shares) >= 0.97, shares


@pytest.mark.slow
def test_97_percent_of_500_hand_drawn_circles_are_recognised():
    assert share_recognised(random_circle, "none", HandStyle(), 500) >= 0.97


def test_a_few_hand_drawn_symbols_are_recognised():
    assert share_recognised(random_arrow, "joined", HandStyle(), 15) >= 0.9
    assert share_recognised(random_circle, "none", HandStyle(), 15) >= 0.9


def hand_path(seed):
    rng = np.random.default_rng(seed)
    make = random_arrow if rng.random() < 0.5 else random_circle
    return np.array(hand_noise(sketch_of(make(rng)), rng, habits=("joined",)).strokes[0].points)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.floats(0.7, 1), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
def test_place_and_size_do_not_change_what_is_recognised(seed, scale, dx, dy):
    path = hand_path(seed)
    # A frame with room around the drawing, so that moving it does not clip it.
    room = path * 0.4 + 0.3
    other = (room - 0.5) * scale + 0.5 + np.array([dx, dy])
    first, second = recognise(room, 2000, 2000), recognise(other, 2000, 2000)
    assert first.kind is second.kind and first.has_head == second.has_head
    assert np.allclose((np.array(first.points) - 0.5) * scale + 0.5 + np.array([dx, dy]), second.points, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_denser_pointer_samples_do_not_change_what_is_recognised(seed):
    path = hand_path(seed)
    denser = np.concatenate([np.linspace(a, b, 3, endpoint=False) for a, b in itertools.pairwise(path)] + [path[-1:]])
    first, second = recognise(path, *FRAME), recognise(denser, *FRAME)
    assert first.kind is second.kind
    assert np.allclose(np.array(first.points)[[0, -1]], np.array(second.points)[[0, -1]], atol=0.02)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_an_exact_polyline_keeps_its_corners(seed):
    points = np.array(random_arrow(np.random.default_rng(seed)).points)
    found = recognise(resample(points, 300), *FRAME)
    if found.kind is StrokeKind.ARROW and not found.has_head:
        tolerance = 2 * WAY_POINT_TOLERANCE * path_length(points)
        line = resample(found.points, 600)
        assert max(np.linalg.norm(line - corner, axis=1).min() for corner in points) <= tolerance
        legs = np.diff(points, axis=0)
        bends = np.abs(np.arctan2(legs[:-1, 0] * legs[1:, 1] - legs[:-1, 1] * legs[1:, 0], (legs[:-1] * legs[1:]).sum(axis=1)))
        for corner in points[1:-1][bends > np.radians(35)]:
            assert np.linalg.norm(np.array(found.points) - corner, axis=1).min() <= tolerance


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60))
@settings(deadline=None)
def test_any_path_gives_finite_points_in_the_frame(points):
    found = recognise(points, 640, 480)
    assert 0 <= found.confidence <= 1
    first = np.array(found.points[:1] if found.kind is StrokeKind.CIRCLE else found.points)
    assert np.isfinite(found.points).all() and first.min() >= -1e-9 and first.max() <= 1 + 1e-9


def test_a_dot_and_a_scribble_stay_freehand():
    assert recognise([(0.5, 0.5), (0.503, 0.5)], *FRAME).kind is StrokeKind.FREEHAND
    scribble = 0.5 + 0.1 * np.random.default_rng(0).uniform(-1, 1, (60, 2))
    assert recognise(scribble, *FRAME).kind is StrokeKind.FREEHAND


def test_a_circle_on_a_wide_frame_is_round_in_pixels():
    turn = np.linspace(0, 2 * np.pi, 80)
    points = np.stack([(320 + 50 * np.cos(turn)) / 640, (240 + 50 * np.sin(turn)) / 480], axis=1)
    found = recognise(points, 640, 480)
    assert found.kind is StrokeKind.CIRCLE
    assert circle_radius_px(Stroke("c", found.kind, found.points), 640, 480) == pytest.approx(50, abs=0.5)


def test_an_arc_of_200_degrees_is_an_arrow_not_a_circle():
    turn = np.radians(np.linspace(0, 200, 60))
    found = recognise(np.stack([0.5 + 0.1 * np.cos(turn), 0.5 + 0.1 * np.sin(turn)], axis=1), *FRAME)
    assert found.kind is StrokeKind.ARROW and len(found.points) >= 4


@pytest.mark.parametrize("barbs", [[(0.75, 0.45), (0.8, 0.5), (0.75, 0.55)], [(0.8, 0.5), (0.76, 0.53)]])
def test_a_second_stroke_near_the_end_is_the_head(barbs):
    line = Stroke("line", StrokeKind.FREEHAND, ((0.2, 0.5), (0.5, 0.5), (0.79, 0.5)))
    (found,) = recognise_sketch(sketch_of(line, Stroke("head", StrokeKind.FREEHAND, tuple(barbs)))).strokes
    assert found.id == "line" and found.points[0] == pytest.approx((0.2, 0.5)) and found.points[-1] == pytest.approx((0.8, 0.5), abs=0.011)


def test_a_head_at_the_start_turns_the_line_round():
    line = Stroke("line", StrokeKind.FREEHAND, ((0.2, 0.5), (0.8, 0.5)))
    head = Stroke("head", StrokeKind.FREEHAND, ((0.25, 0.45), (0.2, 0.5), (0.25, 0.55)))
    (found,) = recognise_sketch(sketch_of(line, head)).strokes
    assert found.points[0] == pytest.approx((0.8, 0.5)) and found.points[-1] == pytest.approx((0.2, 0.5))


def test_a_head_of_another_colour_is_a_stroke_of_its_own():
    line = Stroke("line", StrokeKind.FREEHAND, ((0.2, 0.5), (0.8, 0.5)))
    head = Stroke("head", StrokeKind.FREEHAND, ((0.75, 0.45), (0.8, 0.5), (0.75, 0.55)), colour=STEP_COLOURS[1])
    assert len(recognise_sketch(sketch_of(line, head)).strokes) == 2


def test_snapping_gives_the_geometric_symbol_and_keeps_the_drawn_path():
    rng = np.random.default_rng(5)
    drawn = hand_noise(sketch_of(random_circle(rng)), rng).strokes[0]
    snapped = snap(drawn, *FRAME)
    assert snapped.kind is StrokeKind.CIRCLE and snapped.is_geometric and snapped.raw == drawn.points
    assert snap(snapped, *FRAME) == snapped


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(1, 200), st.floats(0.5, 6.2))
def test_a_circle_through_exact_points_is_found(x, y, radius, sweep):
    turn = np.linspace(0, sweep, 30)
    circle = fit_circle(np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1))
    assert circle is not None
    assert circle.radius == pytest.approx(radius, rel=1e-3) and np.allclose(circle.centre, (x, y), atol=1e-3 * radius)
