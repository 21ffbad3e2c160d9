"""What is wrong with a path is told at its place; a repaired path passes its checks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trajectory.arms import ARM, LIMITS, REACH_M, box_in_the_way, check
from workbench.core.errors import Unreachable
from workbench.trajectory.feasibility import PathProblemKind, check_path
from workbench.trajectory.paths import SpacePath, with_speeds
from workbench.trajectory.repair import make_feasible
from workbench.trajectory.timing import fastest_timing

LINE = SpacePath(np.array([[0.2, -0.3, 0.1], [0.2, 0.0, 0.1], [0.2, 0.3, 0.1]]))
WALL = box_in_the_way([0.15, -0.02, 0.0], [0.25, 0.02, 0.2])


def kinds(report):
    return {p.kind for p in report.problems}


def test_a_path_within_everything_has_no_problem_and_a_time():
    report = check(LINE, start=LINE.positions[0])
    assert report.is_feasible and report.duration_s > LINE.length / LIMITS.speed


def test_a_place_out_of_reach_is_told_where_it_is():
    far = replace(LINE, positions=np.array([[0.2, -0.3, 0.1], [1.0, 0.0, 0.1], [0.2, 0.3, 0.1]]))
    (problem,) = check(far).problems
    assert problem.kind is PathProblemKind.REACH and problem.point == 1
    assert problem.arc_m == pytest.approx(far.arcs[1]) and problem.amount == pytest.approx(np.hypot(1.0, 0.1) - REACH_M)


def test_a_wall_is_told_where_the_path_goes_through_it():
    (problem,) = check(LINE, WALL).problems
    assert problem.kind is PathProblemKind.COLLISION
    assert LINE.arcs[1] - 0.025 <= problem.start_m <= problem.arc_m <= problem.stop_m <= LINE.arcs[1] + 0.025


def test_a_path_that_starts_elsewhere_says_how_far():
    (problem,) = check(LINE, start=LINE.positions[0] + [0.0, 0.0, 0.2]).problems
    assert problem.kind is PathProblemKind.FAR_FROM_GRIPPER and problem.amount == pytest.approx(0.2)


def test_speed_and_time_that_the_arm_does_not_have_are_told():
    assert PathProblemKind.SPEED in kinds(check(with_speeds(LINE, 2.0)))
    corner = SpacePath(np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.3, 0.3, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 0.0]]))
    assert kinds(check(with_speeds(corner, 0.58))) == {PathProblemKind.ACCELERATION}
    assert check(with_speeds(LINE, 0.2)).is_feasible


def test_the_fastest_timing_of_a_straight_way_is_the_one_known_by_hand():
    # From rest to rest over 0.6 m: ramps of 0.2 s to 0.6 m/s and back, 0.06 m each; the rest at full speed.
    arcs = np.linspace(0.0, 0.6, 61)
    found = fastest_timing(arcs, arcs[:, None] * [0.5, 0.5, 0.0], LIMITS)
    assert found.is_found and found.duration_s == pytest.approx(2 * 0.2 + 0.48 / 0.6, rel=0.03)


def test_no_timing_is_faster_than_any_limit():
    rng = np.random.default_rng(0)
    joints = np.cumsum(rng.normal(size=(40, 3)) * 0.02, axis=0)
    arcs = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(joints, axis=0), axis=1))])
    lasts = np.diff(fastest_timing(arcs, joints, LIMITS).times_s)
    assert (np.abs(np.diff(joints, axis=0)) / lasts[:, None] <= 1.05 * LIMITS.joint_speeds).all()
    assert (np.diff(arcs) / lasts <= 1.05 * LIMITS.speed).all()


point = st.tuples(st.floats(0.0, 0.9), st.floats(-0.6, 0.6), st.floats(0.02, 0.5))


@settings(max_examples=12, deadline=None)
@given(st.lists(point, min_size=2, max_size=5), st.floats(0.05, 1.5))
def test_a_repaired_path_passes_its_checks(points, speed):
    path = with_speeds(SpacePath(np.array(points)), speed)
    start = np.array([0.2, -0.3, 0.3])

    def look(p):
        return check(p, WALL, start)

    try:
        repair = make_feasible(path, look)
    except Unreachable:
        ends_inside = any(WALL(np.array([p]), [1.0])[0] for p in (points[0], points[-1], start))
        assert ends_inside or len(look(path).of_kind(PathProblemKind.COLLISION)) > 0
        return
    assert look(repair.path).is_feasible and repair.report.is_feasible
    assert bool(repair.notes) == (not look(path).is_feasible)


def test_a_path_that_is_fine_is_returned_as_it_is():
    repair = make_feasible(LINE, check)
    assert repair.path is LINE and repair.notes == () and repair.moved_m.max() == pytest.approx(0.0)


def test_a_wall_is_passed_on_its_near_side_and_by_little_more_than_it_takes():
    off_centre = SpacePath(LINE.positions + np.array([0.03, 0.0, 0.0]))  # 2 cm inside the wall's far side
    repair = make_feasible(off_centre, lambda p: check(p, WALL))
    assert 0.02 <= repair.moved_m.max() <= 0.04
    assert repair.path.positions[:, 0].max() > 0.25
    assert np.allclose(repair.path.positions[[0, -1]], off_centre.positions[[0, -1]])


def test_gripper_events_stay_where_they_are_when_a_path_is_bent():
    path = SpacePath(LINE.positions[[0, 0, 1, 2]] + np.array([[0, 0, 0], [0, 0.1, 0], [0, 0, 0], [0, 0, 0]]), np.array([1.0, 0, 0, 1]))
    repair = make_feasible(path, lambda p: check(p, WALL))
    assert len(repair.path.events) == 2
    assert np.allclose(repair.path.positions[list(repair.path.events)], path.positions[list(path.events)])


def test_what_cannot_be_mended_is_said():
    everywhere = box_in_the_way([-9, -9, -9], [9, 9, 9])
    with pytest.raises(Unreachable, match="no small change"):
        make_feasible(LINE, lambda p: check(p, everywhere))


def test_a_joint_at_its_limit_is_named():
    turned = replace(ARM, solve=lambda positions: replace_angles(ARM.solve(positions)), upper=np.array([2.0, 0.3, 2.0]))
    (problem,) = check_path(LINE, turned).problems
    assert problem.kind is PathProblemKind.JOINT_LIMIT and "joint 2" in problem.message


def replace_angles(solved):
    errors = np.where(solved.positions[:, 1] > 0.29, 0.5, 0.0)
    return solved._replace(angle_errors_rad=errors)
