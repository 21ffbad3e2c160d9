"""A path in the world: from a picture and back, and the laws of editing it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trajectory.conftest import Box, cast, look_down
from workbench.core.errors import InvalidInput, InvalidShape, TooLarge, Unreachable, WorkbenchError
from workbench.core.types import Trace
from workbench.trajectory.paths import (
    MAX_POINTS,
    SpacePath,
    cut_path,
    lift_trace,
    project_path,
    sample_arcs,
    speeds_of,
    with_speeds,
)
from workbench.trajectory.trace_editing import (
    move_point,
    smooth,
    snap_to_mask,
    snap_to_surface,
    snap_to_thing,
)

CAMERA = look_down()
SIDE = look_down(eye=(0.45, 1.2, 0.8))
place = st.tuples(st.floats(0.3, 0.6), st.floats(-0.2, 0.2), st.floats(0.02, 0.3))
places = st.lists(place, min_size=2, max_size=8)
quick = settings(max_examples=40, deadline=None)
ARCH = SpacePath(np.array([[0.4, -0.2, 0.2], [0.4, -0.2, 0.02], [0.45, 0.0, 0.2], [0.5, 0.2, 0.05]]), np.array([1.0, 0, 0, 1]))


@quick
@given(places)
def test_a_path_comes_back_from_a_picture(points):
    path = with_speeds(SpacePath(np.array(points), np.linspace(0, 1, len(points))), 0.2)
    back = lift_trace(project_path(path, CAMERA), CAMERA.resized(96, 96))
    assert np.abs(back.positions - path.positions).max() < 1e-9
    assert np.array_equal(back.gripper, path.gripper) and np.array_equal(back.times_s, path.times_s)


def test_a_path_drawn_without_depths_runs_over_what_is_seen_and_down_to_it_where_the_gripper_acts():
    box = Box(0.45, 0.0, 0.0, (0.1, 0.1, 0.06))
    picture = cast(CAMERA, [box])
    pixels = CAMERA.project([[0.4, -0.2, 0.0], box.top, [0.4, 0.2, 0.0]])[0]
    trace = Trace("front", 480, 480, tuple((float(u), float(v)) for u, v in pixels), gripper=(1.0, 0.0, 0.0))
    lifted = lift_trace(trace, CAMERA, picture, clearance_m=0.05)
    assert lifted.positions[:, 2] == pytest.approx([0.05, 0.06, 0.05], abs=0.003)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"points": ((float("nan"), 1.0), (2.0, 2.0))}, InvalidInput),
        ({"points": ((-5.0, 1.0), (2.0, 2.0))}, Unreachable),
        ({"points": ()}, InvalidInput),
        ({"points": ((1.0, 1.0),) * (MAX_POINTS + 1)}, TooLarge),
        ({"camera": "rear"}, InvalidInput),
        ({"depths_m": (0.5, -1.0)}, InvalidInput),
        ({"depths_m": None}, InvalidInput),
        ({"times_s": (1.0, 0.5)}, InvalidInput),
        ({"gripper": (0.5, 7.0)}, InvalidInput),
    ],
)
def test_a_bad_trace_is_refused_with_a_clear_message(change, error):
    good = Trace("front", 480, 480, ((200.0, 200.0), (240.0, 240.0)), depths_m=(0.8, 0.9))
    with pytest.raises(error) as caught:
        lift_trace(replace(good, **change), CAMERA)
    assert isinstance(caught.value, WorkbenchError) and len(str(caught.value)) > 20


def test_a_point_that_the_camera_does_not_show_is_named():
    with pytest.raises(Unreachable, match="point 2 of the path"):
        project_path(SpacePath(np.array([[0.4, 0.0, 0.1], [0.4, 3.0, 0.1]])), CAMERA)


@quick
@given(places, st.floats(0.0, 0.1))
def test_smoothing_stays_within_its_tolerance_and_keeps_ends_and_events(points, tolerance):
    path = SpacePath(np.array(points), (np.arange(len(points)) % 3 > 0).astype(float))
    thin = smooth(path, tolerance)
    gaps = [np.linalg.norm(p - thin.at(thin.nearest_arc(p))[0]) for p in path.positions]
    assert max(gaps) <= tolerance + 1e-9
    assert np.array_equal(thin.positions[[0, -1]], path.positions[[0, -1]])
    assert np.array_equal(thin.positions[list(thin.events)], path.positions[list(path.events)])


def test_speeds_are_kept_when_a_path_is_bent():
    path = with_speeds(ARCH, [0.1, 0.1, 0.2, 0.3])
    assert speeds_of(move_point(path, 2, [0.45, 0.0, 0.4]))[1:] == pytest.approx([0.1, 0.2, 0.3])
    with pytest.raises(InvalidInput, match="point"):
        move_point(path, 9, [0.45, 0.0, 0.4])


def test_a_point_snaps_to_the_surface_under_it_and_to_the_inside_of_a_mask():
    box = Box(0.45, 0.0, 0.0, (0.1, 0.1, 0.06))
    picture = cast(CAMERA, [box])
    path = SpacePath(np.array([[0.4, -0.2, 0.1], [0.4, 0.2, 0.15]]))
    snapped = snap_to_surface(path, 0, picture, clearance_m=0.02)
    assert snapped.positions[0, 2] == pytest.approx(0.02, abs=0.003) and np.array_equal(snapped.positions[1], path.positions[1])
    heights = picture.world(slice(0, 480), slice(0, 480))[..., 2]
    onto = snap_to_mask(path, 1, heights > 0.05, picture, clearance_m=0.01)
    assert onto.positions[1, 2] == pytest.approx(0.07, abs=0.004) and np.abs(onto.positions[1, :2] - [0.45, 0.0]).max() < 0.05
    with pytest.raises(InvalidInput, match="mask"):
        snap_to_mask(path, 1, np.zeros((4, 4), bool), picture)


def test_a_point_goes_onto_the_masked_thing_that_it_was_dropped_beside_and_else_to_the_surface():
    picture = cast(CAMERA, [Box(0.45, 0.0, 0.0, (0.1, 0.1, 0.06))])
    path = SpacePath(np.array([[0.4, -0.2, 0.1], [0.4, 0.2, 0.15]]))
    box = picture.world(slice(0, 480), slice(0, 480))[..., 2] > 0.05
    rows, columns = np.nonzero(box)
    left = CAMERA.unproject(np.array([[columns.min() - 4.0, rows.mean()]]), np.array([0.8]))[0]
    beside = SpacePath(np.array([path.positions[0], left]))
    assert snap_to_thing(beside, 1, [box], picture).positions[1, 2] == pytest.approx(0.06, abs=0.004)
    assert np.array_equal(snap_to_thing(path, 0, [box], picture).positions, snap_to_surface(path, 0, picture).positions)
    assert np.array_equal(snap_to_thing(path, 0, [], picture).positions, snap_to_surface(path, 0, picture).positions)


@quick
@given(places, st.floats(0.005, 0.1))
def test_samples_hold_every_point_and_are_near_each_other(points, spacing):
    path = SpacePath(np.array(points))
    arcs = sample_arcs(path, spacing)
    assert np.diff(arcs).max(initial=0.0) <= spacing + 1e-9
    assert np.abs(arcs[:, None] - path.arcs[None]).min(axis=0).max() < 1e-9
    assert np.allclose(cut_path(path, arcs).length, path.length)


@pytest.mark.parametrize("positions", [np.zeros((0, 3)), np.zeros((3, 2)), np.array([[0, 0, np.inf]])])
def test_points_that_are_no_path_are_refused(positions):
    with pytest.raises((InvalidShape, InvalidInput)):
        SpacePath(positions)
