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
    path_ahead,
    project_path,
    sample_arcs,
    speeds_of,
    with_speeds,
)
from workbench.trajectory.trace_editing import (
    clear_event,
    delete_point,
    drag_point,
    insert_point,
    push_point,
    round_corners,
    set_gripper,
    set_height,
    set_speed,
    smooth,
    snap_to_mask,
    snap_to_surface,
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
@given(places, st.floats(0.05, 0.95))
def test_a_new_point_changes_nothing_and_deleting_it_gives_the_path_back(points, share):
    path = with_speeds(SpacePath(np.array(points)), 0.1)
    if path.length < 1e-3:
        return
    more = insert_point(path, share * path.length)
    arcs = np.linspace(0, path.length, 30)
    assert np.abs(more.at(arcs) - path.at(arcs)).max() < 1e-9
    index = next(i for i in range(path.num_points + 1) if i == path.num_points or not np.allclose(more.positions[i], path.positions[i]))
    assert np.allclose(delete_point(more, min(index, path.num_points)).positions, path.positions)


@quick
@given(places, st.floats(0.0, 0.1))
def test_smoothing_stays_within_its_tolerance_and_keeps_ends_and_events(points, tolerance):
    path = SpacePath(np.array(points), (np.arange(len(points)) % 3 > 0).astype(float))
    thin = smooth(path, tolerance)
    gaps = [np.linalg.norm(p - thin.at(thin.nearest_arc(p))[0]) for p in path.positions]
    assert max(gaps) <= tolerance + 1e-9
    assert np.array_equal(thin.positions[[0, -1]], path.positions[[0, -1]])
    assert np.array_equal(thin.positions[list(thin.events)], path.positions[list(path.events)])


def test_rounding_corners_keeps_ends_and_events_and_cuts_the_rest():
    curve = round_corners(ARCH)
    assert curve.num_points > ARCH.num_points and curve.length < ARCH.length
    assert np.array_equal(curve.positions[[0, -1]], ARCH.positions[[0, -1]])
    assert np.array_equal(curve.positions[list(curve.events)], ARCH.positions[list(ARCH.events)])


@quick
@given(place, st.floats(150, 330), st.floats(150, 330))
def test_a_dragged_point_lies_under_the_pointer_at_its_depth_in_either_camera(point, u, v):
    path = SpacePath(np.array([point, (0.5, 0.0, 0.1)]))
    for camera in (CAMERA, SIDE):
        before = camera.project(path.positions[0])[1][0]
        path = drag_point(path, 0, camera, (u, v))
        pixels, depths = camera.project(path.positions[0])
        assert np.allclose(pixels[0], [u, v]) and depths[0] == pytest.approx(before)


def test_a_push_along_the_line_of_sight_does_not_show_on_that_picture():
    pushed = push_point(ARCH, 2, CAMERA, 0.08)
    assert np.linalg.norm(pushed.positions[2] - ARCH.positions[2]) == pytest.approx(0.08)
    assert np.allclose(CAMERA.project(pushed.positions)[0], CAMERA.project(ARCH.positions)[0])


def test_gripper_events_are_set_up_to_the_next_one_and_cleared_again():
    path = SpacePath(ARCH.positions)
    closed = set_gripper(path, 1, is_open=False)
    assert closed.events == (1,)
    let_go = set_gripper(closed, 3, is_open=True)
    assert let_go.events == (1, 3) and np.array_equal(let_go.gripper, ARCH.gripper)
    assert clear_event(let_go, 3).events == (1,)
    with pytest.raises(InvalidInput, match="none at point 3"):
        clear_event(let_go, 2)


def test_speeds_are_kept_when_a_path_is_bent_and_one_is_changed_alone():
    path = with_speeds(ARCH, [0.1, 0.1, 0.2, 0.3])
    assert speeds_of(set_height(path, 2, 0.4))[1:] == pytest.approx([0.1, 0.2, 0.3])
    assert speeds_of(set_speed(path, 2, 0.05))[1:] == pytest.approx([0.1, 0.05, 0.3])
    with pytest.raises(InvalidInput):
        set_speed(path, 2, 0.0)


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


@pytest.mark.parametrize("edit", [lambda p: set_height(p, 9, 0.1), lambda p: delete_point(p, -1), lambda p: insert_point(p, 99.0)])
def test_what_is_not_there_cannot_be_edited(edit):
    with pytest.raises(InvalidInput):
        edit(ARCH)


def test_the_last_two_points_stay():
    with pytest.raises(InvalidInput, match="at least 2"):
        delete_point(SpacePath(ARCH.positions[:2]), 0)


def test_what_lies_ahead_begins_at_the_gripper_with_the_opening_in_force():
    ahead = path_ahead(ARCH, ARCH.arcs[1] + 0.05, [0.41, -0.15, 0.1])
    assert ahead.num_points == 3 and ahead.gripper.tolist() == [0.0, 0.0, 1.0]
    assert np.array_equal(ahead.positions[1:], ARCH.positions[2:])


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
