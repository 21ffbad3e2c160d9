"""Paths as documents, as traces, and thinned."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput, TooLarge, Unreachable
from workbench.core.geometry import Pinhole
from workbench.rollout.trace_path import MAX_POINTS, DrawnPath, PathPoint, parse_path, path_to_dict, thinned, trace_of, with_start
from workbench.trajectory.paths import lift_trace

FRONT = Pinhole("front", 256, 256, 300.0, 300.0, 128.0, 128.0, np.diag([1.0, -1.0, -1.0, 1.0]) + np.array([[0, 0, 0, 0.5]] + [[0] * 4] * 3))
FRONT.T_world_camera[2, 3] = 1.0

coordinates = st.floats(-0.2, 0.2).map(lambda c: round(c, 4))
points = st.tuples(coordinates.map(lambda c: round(0.5 + c, 4)), coordinates, coordinates.map(lambda c: round(0.25 + c, 4)))


def path(*positions, **more):
    return DrawnPath(tuple(PathPoint(f"p{i}", tuple(p), **more) for i, p in enumerate(positions)))


@given(st.lists(points, min_size=1, max_size=6))
def test_a_path_comes_back_from_json(positions):
    before = path(*positions, speed=0.2)
    assert parse_path(json.loads(json.dumps(path_to_dict(before)))) == before


@given(st.lists(points, min_size=2, max_size=6, unique=True))
def test_a_path_comes_back_from_its_trace(positions):
    before = path(*positions)
    assert np.allclose(lift_trace(trace_of(before, FRONT, opening=1.0), FRONT).positions, before.positions(), atol=1e-9)


def test_gripper_events_and_speeds_are_told_with_the_trace():
    drawn = DrawnPath(
        (PathPoint("a", (0.5, 0, 0.3)), PathPoint("b", (0.5, 0.1, 0.3), gripper=0.0, speed=0.5), PathPoint("c", (0.5, 0.2, 0.3)))
    )
    trace = trace_of(drawn, FRONT, opening=1.0, weight=0.25)
    assert trace.gripper == (1.0, 0.0, 0.0) and trace.weight == 0.25
    assert np.allclose(np.diff(trace.times_s), [0.1 / 0.5, 0.1 / 0.15])


@pytest.mark.parametrize(
    "row",
    [
        {"position": [math.nan, 0, 0]},
        {"position": [math.inf, 0, 0]},
        {"position": [0, 0]},
        {"position": [9, 0, 0]},
        {"position": ["0", 0, 0]},
        {"position": [0.5, 0, 0.2], "gripper": 2},
        {"position": [0.5, 0, 0.2], "speed": 0},
        {"position": [0.5, 0, 0.2], "colour": "red"},
        7,
    ],
)
def test_a_bad_point_is_named(row):
    good = {"id": "a", "position": [0.5, 0, 0.2]}
    with pytest.raises(InvalidInput, match="point 2"):
        parse_path({"version": 1, "points": [good, row]})


def test_ten_thousand_points_are_thinned_and_more_are_refused():
    many = [{"id": f"p{i}", "position": [0.5, 0.2 * math.sin(i / 500), 0.3 + i * 1e-5]} for i in range(10_000)]
    thin = thinned(parse_path({"points": many}), 1.0)
    assert len(thin.points) <= MAX_POINTS and "10000 points were thinned" in thin.note
    with pytest.raises(TooLarge, match="10000"):
        parse_path({"points": [*many, {"id": "x", "position": [0.5, 0, 0.2]}]})


def test_a_point_outside_of_the_picture_is_named():
    with pytest.raises(Unreachable, match="point 2"):
        trace_of(path((0.5, 0.0, 0.3), (0.5, 1.5, 0.3)), FRONT, opening=1.0)


def test_what_is_left_starts_where_the_gripper_is():
    left = with_start(path((0.4, 0, 0.3), (0.5, 0, 0.3), (0.6, 0, 0.3)), np.array([0.45, 0.01, 0.3]), 1)
    assert [p.id for p in left.points] == ["now", "p1", "p2"] and left.points[0].position == (0.45, 0.01, 0.3)
