import numpy as np
import pytest

from workbench.core.errors import InvalidShape, Unreachable
from workbench.trajectory.lift import DepthPicture, lift_on_plane, lift_pixel


def with_depth(picture, change):
    depth = picture.depth.copy()
    change(depth)
    return DepthPicture(depth, picture.pinhole)


def test_projecting_then_lifting_a_surface_point_returns_it(make_picture, pixel_of):
    picture = make_picture()
    rng = np.random.default_rng(0)
    for x, y in rng.uniform([0.3, -0.3], [0.7, 0.3], (40, 2)):
        point = np.array([x, y, 0.0])
        assert np.linalg.norm(lift_pixel(picture, pixel_of(point)) - point) < 5e-4


def test_lifting_then_projecting_returns_the_pixel(make_picture):
    picture = make_picture()
    for pixel in ((100.3, 260.9), (240.0, 300.5), (400.7, 420.2)):
        assert np.allclose(picture.pinhole.project(lift_pixel(picture, pixel))[0][0], pixel, atol=1e-6)


def test_tops_of_boxes_are_lifted_within_three_millimetres(make_picture, make_box, pixel_of):
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(20):
        box = make_box(*rng.uniform([0.35, -0.25], [0.65, 0.25]), rng.uniform(-1, 1), (0.044, 0.044, 0.044))
        errors.append(np.linalg.norm(lift_pixel(make_picture(box), pixel_of(box.top)) - box.top))
    assert np.median(errors) < 0.003 and max(errors) < 0.006


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, -1.0])
def test_scattered_holes_do_not_move_the_point(make_picture, pixel_of, nothing):
    point = np.array([0.5, 0.1, 0.0])
    holes = np.random.default_rng(2).random((480, 480)) < 0.5
    picture = with_depth(make_picture(), lambda depth: depth.__setitem__(holes, nothing))
    assert np.linalg.norm(lift_pixel(picture, pixel_of(point)) - point) < 0.002


def test_a_hole_larger_than_the_patch_is_bridged_from_its_rim(make_picture, pixel_of):
    point = np.array([0.5, 0.1, 0.0])
    u, v = (int(c) for c in pixel_of(point))
    picture = with_depth(make_picture(), lambda depth: depth.__setitem__((slice(v - 3, v + 4), slice(u - 3, u + 4)), 0.0))
    assert np.linalg.norm(lift_pixel(picture, pixel_of(point)) - point) < 0.006


def test_no_depth_anywhere_near_is_told_with_the_pixel(make_picture):
    picture = with_depth(make_picture(), lambda depth: depth.fill(0.0))
    with pytest.raises(Unreachable, match=r"\(200, 300\) of the .*.*no depth"):
        lift_pixel(picture, (200, 300))


def test_a_pixel_outside_of_the_picture_is_refused(make_picture):
    with pytest.raises(Unreachable, match="480x480"):
        lift_pixel(make_picture(), (500.0, 10.0))


def test_at_a_depth_edge_the_near_surface_is_meant(make_picture, make_box, pixel_of):
    box = make_box(0.5, 0.0, 0.0, (0.05, 0.05, 0.08))
    picture = make_picture(box)
    back_edge = np.array([0.475, 0.0, 0.08])
    u, v = pixel_of(back_edge)
    beside = (u, v - 1.5)  # one and a half pixels into the table behind the box
    assert lift_pixel(picture, beside, "near")[2] > 0.07
    assert lift_pixel(picture, beside, "centre")[2] < 0.01


def test_a_single_wrong_near_measurement_is_no_surface(make_picture, pixel_of):
    point = np.array([0.5, 0.1, 0.0])
    u, v = (int(c) for c in pixel_of(point))
    picture = with_depth(make_picture(), lambda depth: depth.__setitem__((v, u), 0.3))
    assert np.linalg.norm(lift_pixel(picture, pixel_of(point), "near") - point) < 0.002


def test_the_corner_of_the_picture_still_has_a_patch(make_picture, pinhole):
    assert abs(lift_pixel(make_picture(), (479.9, 479.9))[2]) < 1e-3


def test_a_ray_meets_a_plane_where_the_point_on_it_appears(pinhole, pixel_of):
    for point in ((0.5, 0.1, 0.05), (0.3, -0.2, 0.2)):
        assert np.allclose(lift_on_plane(pinhole, pixel_of(np.array(point)), point[2]), point, atol=1e-9)


def test_a_ray_away_from_the_plane_is_refused(pinhole):
    with pytest.raises(Unreachable, match="never meets"):
        lift_on_plane(pinhole, (240.0, 240.0), 2.0)


def test_depth_of_another_size_than_the_camera_is_refused(pinhole):
    with pytest.raises(InvalidShape, match=r"480.*480"):
        DepthPicture(np.ones((10, 10), dtype=np.float32), pinhole)
