"""Way points of every verb, planned from exact synthetic depth."""

from itertools import pairwise

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.sketches import PlanProblemKind, PlanStep, Verb
from workbench.core.trajectories import Phase
from workbench.trajectory.follower import signed_turn
from workbench.trajectory.grasp import downward, finger_yaw
from workbench.trajectory.planner import plan_step
from workbench.trajectory.situation import HOME_M, HOME_YAW_RAD, Situation, any_turn

CUBE = (0.044, 0.044, 0.044)


@pytest.fixture
def plan(make_picture, pixel_of):
    """Plan one step whose keypoints (and arc) are given as world points."""

    def make(verb, points, boxes, *, arc=(), angle_rad=None, turn_room=any_turn, yaw=HOME_YAW_RAD):
        situation = Situation(make_picture(*boxes), np.array(HOME_M), yaw, turn_room)
        pixels = tuple(pixel_of(np.asarray(p, dtype=float)) for p in points)
        step = PlanStep(verb, pixels, angle_rad=angle_rad, arc=tuple(pixel_of(np.asarray(p, dtype=float)) for p in arc))
        return plan_step(situation, step, 0)

    return make


def of_phase(path, phase):
    return [w for w in path.waypoints if w.phase is phase]


def total_turn(path):
    """Signed angle [rad] turned while the gripper is closed in the phase of rotation."""
    total, last = 0.0, None
    for way in path.waypoints:
        if way.phase is Phase.ROTATE and way.gripper == 0.0:
            total += signed_turn(last.quaternion, way.quaternion)
        last = way
    return total


def test_a_move_takes_the_thing_carries_it_over_the_shaft_and_lets_go_on_the_goal(plan, make_box):
    cube, plate = make_box(0.45, -0.15, 0.2, CUBE), make_box(0.55, 0.15, 0.0, (0.14, 0.14, 0.012))
    path = plan(Verb.MOVE, [cube.top, (0.40, 0.0, 0.0), plate.top], [cube, plate])
    phases = list(dict.fromkeys(w.phase for w in path.waypoints))
    assert phases == [
        Phase.APPROACH, Phase.DESCEND, Phase.GRASP, Phase.LIFT, Phase.MOVE, Phase.LOWER, Phase.RELEASE, Phase.RETREAT
    ]  # fmt: skip
    release, grasp = of_phase(path, Phase.RELEASE)[0], of_phase(path, Phase.GRASP)[0]
    assert np.linalg.norm(release.position[:2] - [0.55, 0.15]) < 0.004
    # What was d above the table under the cube is d above the plate, and a little more.
    assert 0.0 < release.position[2] - 0.012 - grasp.position[2] < 0.01
    assert min(np.linalg.norm(w.position[:2] - [0.40, 0.0]) for w in of_phase(path, Phase.MOVE)) < 0.003


def test_a_carried_thing_keeps_clear_of_what_its_shaft_is_drawn_over(plan, make_box):
    cube, tower = make_box(0.45, -0.2, 0.0, CUBE), make_box(0.45, 0.0, 0.0, (0.06, 0.06, 0.15))
    path = plan(Verb.MOVE, [cube.top, tower.top, (0.45, 0.2, 0.0)], [cube, tower])
    over = [w for w in of_phase(path, Phase.MOVE) if abs(w.position[1]) < 0.02]
    assert over and all(w.position[2] - 0.022 > 0.15 + 0.04 for w in over)


def test_a_thing_put_on_another_is_let_go_on_its_top_in_its_middle(plan, make_box):
    cube, other = make_box(0.45, -0.15, 0.2, CUBE), make_box(0.5, 0.1, 0.4, CUBE)
    path = plan(Verb.MOVE, [cube.top, other.top + np.array([0.008, 0.006, 0])], [cube, other])
    release, grasp = of_phase(path, Phase.RELEASE)[0], of_phase(path, Phase.GRASP)[0]
    assert np.linalg.norm(release.position[:2] - [0.5, 0.1]) < 0.004
    assert 0.0 < release.position[2] - 0.044 - grasp.position[2] < 0.01


def test_a_pick_ends_with_the_thing_held_high(plan, make_box):
    cube = make_box(0.5, 0.1, 0.3, CUBE)
    path = plan(Verb.PICK, [cube.top], [cube])
    last = path.waypoints[-1]
    assert last.phase is Phase.LIFT and last.gripper == 0.0 and last.position[2] > 0.15


@pytest.mark.parametrize("verb", [Verb.PRESS, Verb.TOUCH])
def test_press_and_touch_go_down_on_the_middle_of_the_top_with_closed_fingers(plan, make_box, verb):
    button = make_box(0.5, 0.1, 0.0, (0.05, 0.05, 0.045))
    path = plan(verb, [button.top + np.array([0.006, 0.004, 0])], [button])
    (press,) = of_phase(path, Phase.PRESS)
    assert np.linalg.norm(press.position[:2] - [0.5, 0.1]) < 0.004
    assert 0.02 < press.position[2] < 0.045
    assert all(w.gripper == 0.0 for w in path.waypoints)


def test_a_touch_of_the_bare_table_goes_to_the_place_itself(plan):
    path = plan(Verb.TOUCH, [(0.5, 0.1, 0.0)], [])
    (press,) = of_phase(path, Phase.PRESS)
    assert np.linalg.norm(press.position[:2] - [0.5, 0.1]) < 0.002 and 0 < press.position[2] < 0.01


def test_a_pull_keeps_the_height_of_the_handle_and_the_length_of_the_arrow(plan, make_box):
    bar = make_box(0.60, 0.0, 0.0, (0.012, 0.10, 0.014), base=0.043)
    path = plan(Verb.PULL, [(0.60, 0.0, 0.057), (0.70, 0.0, 0.057)], [bar])
    grasp, last = of_phase(path, Phase.GRASP)[0], of_phase(path, Phase.MOVE)[-1]
    assert np.allclose(last.position - grasp.position, [0.10, 0, 0], atol=0.004)
    assert of_phase(path, Phase.RELEASE)[0].gripper == 1.0


def test_a_push_starts_behind_the_thing_and_brings_its_middle_to_the_head(plan, make_box):
    puck = make_box(0.45, -0.1, 0.0, (0.10, 0.10, 0.03))
    path = plan(Verb.PUSH, [puck.top, (0.45, 0.15, 0.0)], [puck])
    first, last = of_phase(path, Phase.DESCEND)[0], of_phase(path, Phase.MOVE)[-1]
    assert first.position[1] < -0.15 - 0.02 and abs(first.position[0] - 0.45) < 0.01
    # The gripper stops half a puck and half a finger before the goal.
    assert abs(last.position[1] - (0.15 - 0.05 - 0.0095)) < 0.006
    assert all(w.position[2] < 0.03 for w in of_phase(path, Phase.MOVE))
    assert abs(np.sin(finger_yaw(last.quaternion))) < 0.1, "the fingers stand side by side across the push"


def test_a_bar_in_the_air_meets_the_finger_pads_and_is_pushed_a_little_further_than_drawn(plan, make_box):
    bar = make_box(0.55, 0.0, 0.0, (0.012, 0.10, 0.014), base=0.043)
    path = plan(Verb.PUSH, [(0.55, 0.0, 0.057), (0.63, 0.0, 0.057)], [bar])
    moves = of_phase(path, Phase.MOVE)
    # The pads reach from 4 mm below the tool centre point to 41 mm above it.
    assert all(w.position[2] - 0.004 < 0.043 and w.position[2] + 0.041 > 0.057 for w in moves)
    assert 0.63 < moves[-1].position[0] + 0.006 + 0.0095 < 0.65


def test_what_is_too_wide_to_move_is_pushed(plan, make_box):
    puck = make_box(0.45, -0.1, 0.0, (0.10, 0.10, 0.03))
    goal = (0.45, 0.15, 0.0)
    moved, pushed = (plan(verb, [puck.top, goal], [puck]) for verb in (Verb.MOVE, Verb.PUSH))
    assert np.allclose(moved.positions(), pushed.positions())


def test_the_empty_gripper_is_led_right_above_the_drawn_path(plan):
    points = np.array([(0.4, -0.1, 0.0), (0.5, 0.0, 0.0), (0.45, 0.1, 0.0)])
    path = plan(Verb.FOLLOW, points, [])
    moves = np.array([w.position for w in of_phase(path, Phase.MOVE)])
    for point in points[1:]:
        assert np.linalg.norm(moves[:, :2] - point[:2], axis=1).min() < 0.002
    assert np.linalg.norm(np.diff(moves, axis=0), axis=1).max() <= 0.031
    assert np.ptp(moves[:, 2]) < 0.001 and 0.01 < moves[0, 2] < 0.04


def arc_about(pivot, angle_deg, radius=0.085, start_deg=30.0):
    turns = np.deg2rad(start_deg + np.linspace(0, angle_deg, 40))
    return [(pivot[0] + radius * np.cos(t), pivot[1] + radius * np.sin(t), pivot[2]) for t in turns]


@pytest.mark.parametrize("angle_deg", [40, -40, 120, -120, 200, -270])
def test_a_turn_is_the_signed_angle_of_the_arc_in_the_plane_of_the_pivot(plan, make_box, angle_deg):
    block = make_box(0.5, 0.05, 0.3, (0.10, 0.036, 0.036))
    path = plan(Verb.ROTATE, [block.top], [block], arc=arc_about(block.top, angle_deg))
    assert np.rad2deg(total_turn(path)) == pytest.approx(angle_deg, abs=3)


@pytest.mark.parametrize("angle_deg", [200, -200, 350])
def test_turns_beyond_the_wrists_limits_take_a_new_hold(plan, make_box, angle_deg):
    block = make_box(0.5, 0.05, 0.3, (0.10, 0.036, 0.036))
    low, high = HOME_YAW_RAD - 1.9, HOME_YAW_RAD + 1.9
    path = plan(
        Verb.ROTATE, [block.top], [block], arc=arc_about(block.top, angle_deg), turn_room=lambda position, yaw: (low - yaw, high - yaw)
    )
    assert np.rad2deg(total_turn(path)) == pytest.approx(angle_deg, abs=3)
    assert len(of_phase(path, Phase.GRASP)) == len(of_phase(path, Phase.RELEASE)) >= 2
    # Followed from way point to way point the shortest way, the wrist never leaves its limits.
    turns = [signed_turn(a.quaternion, b.quaternion) for a, b in pairwise(path.waypoints)]
    start = signed_turn(downward(HOME_YAW_RAD), path.waypoints[0].quaternion)
    assert np.abs(start + np.cumsum(turns)).max() <= 1.9 + 1e-6


def test_without_an_arc_the_angle_on_the_screen_counts_clockwise(plan, make_box):
    block = make_box(0.5, 0.05, 0.3, (0.10, 0.036, 0.036))
    path = plan(Verb.ROTATE, [block.top], [block], angle_rad=np.deg2rad(60))
    assert np.rad2deg(total_turn(path)) == pytest.approx(-60, abs=1)


def test_a_place_where_the_wrist_cannot_turn_is_told(plan, make_box):
    cube = make_box(0.5, 0.0, 0.0, CUBE)
    with pytest.raises(Unreachable, match="turn the gripper"):
        plan(Verb.PICK, [cube.top], [cube], turn_room=lambda position, yaw: (np.inf, -np.inf))


def test_a_goal_off_the_working_area_is_reported_with_its_place(plan, make_box):
    cube = make_box(0.45, -0.3, 0.0, CUBE)
    path = plan(Verb.MOVE, [cube.top, (0.45, -0.46, 0.0)], [cube])
    (problem,) = path.problems
    assert problem.kind is PlanProblemKind.OFF_TABLE and "-46 cm" in problem.message


@pytest.mark.parametrize("verb", [Verb.MOVE, Verb.PULL, Verb.PUSH])
def test_an_arrow_without_a_head_is_refused(plan, make_box, verb):
    cube = make_box(0.45, 0.0, 0.0, CUBE)
    with pytest.raises(InvalidInput, match="a tail and a head"):
        plan(verb, [cube.top], [cube])


def test_every_path_ends_at_home_with_the_wrist_straight_unless_something_is_held(plan, make_box):
    cube = make_box(0.45, 0.0, 0.3, CUBE)
    for verb, points in ((Verb.MOVE, [cube.top, (0.5, 0.2, 0.0)]), (Verb.PRESS, [cube.top]), (Verb.PUSH, [cube.top, (0.5, 0.2, 0.0)])):
        last = plan(verb, points, [cube]).waypoints[-1]
        assert np.allclose(last.position, HOME_M) and abs(finger_yaw(last.quaternion) - HOME_YAW_RAD) < 1e-9
