import numpy as np
import pytest

from workbench.core.errors import Unreachable
from workbench.core.geometry import matrix_from_quat, wrap_angle
from workbench.trajectory.grasp import downward, find_grasp, finger_yaw, nearest_half_turn
from workbench.trajectory.things import find_thing, stands_at


def angle_between_axes(a: float, b: float, fold: float) -> float:
    """Smallest angle between two directions that repeat every ``fold``."""
    return abs((a - b + fold / 2) % fold - fold / 2)


def test_a_gripper_that_looks_down_closes_along_its_yaw():
    for yaw in np.linspace(-3, 3, 9):
        R = matrix_from_quat(downward(yaw))
        assert np.allclose(R[:, 2], [0, 0, -1]) and np.allclose(R[:, 1], [np.cos(yaw), np.sin(yaw), 0])
        assert np.isclose(np.linalg.det(R), 1.0)
        assert abs(wrap_angle(finger_yaw(downward(yaw)) - yaw)) < 1e-9


def test_nearest_half_turn_is_the_same_grasp_at_most_a_right_angle_away():
    for yaw in np.linspace(-7, 7, 29):
        near = nearest_half_turn(yaw, 0.4)
        assert abs(near - 0.4) <= np.pi / 2 + 1e-9
        assert angle_between_axes(near, yaw, np.pi) < 1e-9


def test_cubes_are_grasped_in_the_middle_along_an_edge(make_picture, make_box, pixel_of):
    rng = np.random.default_rng(0)
    for _ in range(25):
        box = make_box(*rng.uniform([0.35, -0.3], [0.68, 0.3]), rng.uniform(-0.8, 0.8), (0.044, 0.044, 0.044))
        grasp = find_grasp(make_picture(box), pixel_of(box.top - [0, 0, 0.022]), 0.0)
        assert np.hypot(*(grasp.position[:2] - [box.x, box.y])) < 0.003
        assert angle_between_axes(grasp.yaw, box.yaw, np.pi / 2) < np.deg2rad(6)
        assert 0.010 <= grasp.position[2] <= 0.034
        assert abs(grasp.width_m - 0.044) < 0.004


def test_a_long_block_is_grasped_across_its_narrow_side(make_picture, make_box, pixel_of):
    for yaw in np.linspace(-1.4, 1.4, 8):
        box = make_box(0.5, 0.1, yaw, (0.10, 0.036, 0.036))
        grasp = find_grasp(make_picture(box), pixel_of(box.top), 0.0)
        assert angle_between_axes(grasp.yaw, yaw + np.pi / 2, np.pi) < np.deg2rad(5)
        assert np.hypot(*(grasp.position[:2] - [box.x, box.y])) < 0.004


def test_a_bar_before_a_wall_is_grasped_across_and_not_the_wall(make_picture, make_box, pixel_of):
    bar = make_box(0.60, 0.0, 0.0, (0.012, 0.10, 0.014), base=0.043)
    wall = make_box(0.50, 0.0, 0.0, (0.06, 0.16, 0.09))
    posts = [make_box(0.565, y, 0.0, (0.07, 0.01, 0.01), base=0.045) for y in (-0.046, 0.046)]
    grasp = find_grasp(make_picture(bar, wall, *posts), pixel_of(np.array([0.60, 0.0, 0.05])), 0.0)
    assert angle_between_axes(grasp.yaw, 0.0, np.pi) < np.deg2rad(5)
    assert np.hypot(*(grasp.position[:2] - [0.60, 0.0])) < 0.005
    assert 0.02 < grasp.position[2] < 0.057


def test_the_upper_cube_of_a_stack_is_taken_at_its_own_height(make_picture, make_box, pixel_of):
    lower, upper = make_box(0.5, 0.0, 0.2, (0.044,) * 3), make_box(0.5, 0.0, 0.2, (0.044,) * 3, base=0.044)
    grasp = find_grasp(make_picture(lower, upper), pixel_of(upper.top - [0, 0, 0.02]), 0.0)
    assert 0.055 < grasp.position[2] < 0.085


def test_a_cube_on_a_plate_stands_on_the_plate(make_picture, make_box, pixel_of):
    plate, cube = make_box(0.5, 0.0, 0.0, (0.14, 0.14, 0.012)), make_box(0.5, 0.0, 0.3, (0.044,) * 3, base=0.012)
    thing = find_thing(make_picture(plate, cube), pixel_of(cube.top))
    assert abs(thing.support_m - 0.012) < 0.004 and abs(thing.top_m - 0.056) < 0.002


def test_a_neighbour_does_not_become_part_of_the_thing(make_picture, make_box, pixel_of):
    cube, other = make_box(0.5, 0.0, 0.0, (0.044,) * 3), make_box(0.5, 0.08, 0.0, (0.044,) * 3)
    grasp = find_grasp(make_picture(cube, other), pixel_of(cube.top), np.pi / 2)
    assert np.hypot(*(grasp.position[:2] - [0.5, 0.0])) < 0.003


def test_a_keypoint_drawn_a_little_beside_still_finds_the_thing(make_picture, make_box, pixel_of):
    box = make_box(0.5, 0.0, 0.0, (0.044,) * 3)
    u, v = pixel_of(np.array([0.5, 0.022, 0.022]))
    for offset in ((8, 0), (10, 3)):
        grasp = find_grasp(make_picture(box), (u + offset[0], v + offset[1]), 0.0)
        assert np.hypot(*(grasp.position[:2] - [0.5, 0.0])) < 0.004


def test_grasps_do_not_depend_on_where_on_the_thing_the_keypoint_lies(make_picture, make_box, pixel_of):
    box = make_box(0.45, -0.1, 0.4, (0.044,) * 3)
    picture = make_picture(box)
    u, v = pixel_of(box.top)
    grasps = [find_grasp(picture, (u + du, v + dv), 0.0) for du, dv in ((0, 0), (6, 2), (-6, -1), (0, 12))]
    for grasp in grasps[1:]:
        assert np.linalg.norm(grasp.position - grasps[0].position) < 0.004
        assert angle_between_axes(grasp.yaw, grasps[0].yaw, np.pi / 2) < np.deg2rad(4)


def test_wide_things_are_refused_with_their_width(make_picture, make_box, pixel_of):
    box = make_box(0.5, 0.0, 0.0, (0.10, 0.10, 0.03))
    with pytest.raises(Unreachable, match=r"10\.\d cm wide|9\.\d cm wide"):
        find_grasp(make_picture(box), pixel_of(box.top), 0.0)


def test_the_bare_table_has_nothing_to_grasp(make_picture):
    assert not stands_at(make_picture(), (240.0, 300.0))
    with pytest.raises(Unreachable, match="nothing stands there"):
        find_grasp(make_picture(), (240.0, 300.0), 0.0)
