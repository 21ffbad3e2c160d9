"""Distances of paths against brute force, and the laws that they obey."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput
from workbench.trajectory.compare import discrete_frechet, dynamic_time_warping, score_path, trajectory_reward

small = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=4)
few = settings(max_examples=60, deadline=None)


def couplings(n, m):
    """Yield every monotone matching of n with m points."""

    @cache
    def ways(i, j):
        if i == 0 and j == 0:
            return [((0, 0),)]
        before = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
        return [(*way, (i, j)) for x, y in before if x >= 0 and y >= 0 for way in ways(x, y)]

    return ways(n - 1, m - 1)


@few
@given(small, small)
def test_frechet_is_the_shortest_leash_of_all_matchings(a, b):
    p, q = np.array(a), np.array(b)
    brute = min(max(float(np.linalg.norm(p[i] - q[j])) for i, j in way) for way in couplings(len(p), len(q)))
    assert discrete_frechet(p, q) == pytest.approx(brute)


@few
@given(small, small)
def test_warping_is_the_cheapest_of_all_matchings(a, b):
    p, q = np.array(a), np.array(b)
    totals = [sum(float(np.linalg.norm(p[i] - q[j])) for i, j in way) for way in couplings(len(p), len(q))]
    longest = max(len(way) for way in couplings(len(p), len(q)))
    found = dynamic_time_warping(p, q)
    assert min(totals) / longest - 1e-9 <= found <= min(totals) / max(len(p), len(q)) + 1e-9


@few
@given(small)
def test_a_path_is_at_no_distance_from_itself(a):
    assert discrete_frechet(a, a) == 0.0 and dynamic_time_warping(a, a) == 0.0 and trajectory_reward(a, a) == 1.0


@few
@given(small, small, st.floats(-1, 1))
def test_distances_do_not_depend_on_place_or_order_of_the_two(a, b, shift):
    p, q = np.array(a), np.array(b)
    assert discrete_frechet(p, q) == pytest.approx(discrete_frechet(q, p))
    assert discrete_frechet(p + shift, q + shift) == pytest.approx(discrete_frechet(p, q))


def test_a_path_driven_backwards_is_far_from_itself_and_gets_less_reward_than_one_beside_it():
    line = np.linspace([0.2, 0.2], [0.8, 0.2], 7)
    assert discrete_frechet(line, line[::-1]) == pytest.approx(0.6)
    assert trajectory_reward(line, line[::-1]) < trajectory_reward(line, line + np.array([0.0, 0.1])) < 1.0


def test_the_angle_alone_costs_a_quarter_of_pi_when_a_path_turns_back():
    there, back = np.array([[0.5, 0.5], [0.5 + 1e-9, 0.5]]), np.array([[0.5, 0.5], [0.5 - 1e-9, 0.5]])
    greatest = np.sqrt(2) + 0.25 * np.pi + 0.1 * np.log(10)
    assert trajectory_reward(there, back) == pytest.approx(1 - 0.25 * np.pi / greatest, abs=1e-6)


def test_error_along_the_line_of_sight_is_told_apart():
    drawn = np.linspace([0.3, -0.2, 0.1], [0.3, 0.2, 0.1], 20)
    away = score_path(drawn, drawn + np.array([0.05, 0.0, 0.0]), view_axis=[2.0, 0.0, 0.0])
    assert away.out_of_plane_m == pytest.approx(0.05) and away.in_plane_m == pytest.approx(0.0, abs=1e-9)
    across = score_path(drawn, drawn + np.array([0.0, 0.0, 0.05]), view_axis=[2.0, 0.0, 0.0])
    assert across.out_of_plane_m == pytest.approx(0.0, abs=1e-9) and across.in_plane_m == pytest.approx(0.05)
    assert across.frechet_m == across.end_point_m == pytest.approx(0.05)


def test_how_densely_a_path_is_told_does_not_matter():
    corner = np.array([[0.3, 0.0, 0.1], [0.3, 0.2, 0.1], [0.5, 0.2, 0.1]])
    dense = np.concatenate([np.linspace(corner[0], corner[1], 50), np.linspace(corner[1], corner[2], 9)[1:]])
    assert score_path(corner, dense).frechet_m < 1e-9


def test_numbers_that_are_none_are_refused():
    with pytest.raises(InvalidInput):
        discrete_frechet([[0.0, np.nan]], [[0.0, 0.0]])
