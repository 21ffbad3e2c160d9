"""The laws of polylines, in any number of dimensions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.core.polylines import arc_lengths, path_length, points_at, resample, simplify_indices, spaced

places = st.integers(-40, 40).map(lambda eighths: eighths / 8)
lines = st.integers(2, 3).flatmap(lambda dim: arrays(float, st.tuples(st.integers(2, 30), st.just(dim)), elements=places))
quick = settings(max_examples=60, deadline=None)


@quick
@given(lines)
def test_the_last_length_is_the_whole_and_places_at_their_own_lengths_are_the_points(points):
    arcs = arc_lengths(points)
    assert arcs[0] == 0 and arcs[-1] == pytest.approx(path_length(points)) and (np.diff(arcs) >= 0).all()
    assert np.allclose(points_at(points, arcs, arcs), points, atol=1e-9)


@quick
@given(lines, st.integers(2, 40))
def test_resampling_keeps_both_ends_and_the_parts_are_no_longer_than_their_share(points, num):
    even = resample(points, num)
    assert len(even) == num and np.allclose(even[[0, -1]], points[[0, -1]], atol=1e-9)
    assert np.linalg.norm(np.diff(even, axis=0), axis=1).max() <= path_length(points) / (num - 1) + 1e-9


@quick
@given(lines, st.floats(0.05, 3.0))
def test_spaced_points_are_at_most_so_far_apart_unless_there_would_be_too_many(points, spacing):
    even = spaced(points, spacing)
    assert len(even) >= 2 and np.linalg.norm(np.diff(even, axis=0), axis=1).max() <= spacing + 1e-9
    assert len(spaced(points, spacing, at_most=3)) <= 3


@quick
@given(lines, st.floats(0.0, 2.0), st.data())
def test_simplified_lines_keep_every_point_within_the_tolerance_and_what_is_fixed(points, tolerance, data):
    fixed = data.draw(st.sets(st.integers(0, len(points) - 1), max_size=3))
    kept = simplify_indices(points, tolerance, fixed=fixed)
    assert fixed <= set(kept) and {0, len(points) - 1} <= set(kept)
    for first, last in itertools.pairwise(kept):
        a, b = points[first], points[last]
        t = np.clip(((points[first : last + 1] - a) @ (b - a)) / max((b - a) @ (b - a), 1e-12), 0, 1)
        assert np.linalg.norm(points[first : last + 1] - (a + t[:, None] * (b - a)), axis=1).max() <= tolerance + 1e-9


def test_a_line_that_goes_nowhere_stays_where_it_is():
    still = np.tile([1.0, 2.0], (4, 1))
    assert (resample(still, 3) == [1.0, 2.0]).all() and len(spaced(still, 0.1)) == 2 and path_length(still) == 0
