import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.geometry import (
    Pinhole,
    matrix_from_quat,
    quat_from_matrix,
    quat_from_rotvec,
    quat_multiply,
    rotvec_from_quat,
    signed_angle,
    wrap_angle,
)

angles = st.floats(-3.1, 3.1)
vectors = st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)).map(np.array)


@given(vectors)
def test_rotation_vector_round_trips_through_a_quaternion(v):
    assert np.allclose(rotvec_from_quat(quat_from_rotvec(v)), v, atol=1e-9)


@given(vectors, vectors)
def test_quaternion_product_is_the_matrix_product(a, b):
    qa, qb = quat_from_rotvec(3 * a), quat_from_rotvec(3 * b)
    assert np.allclose(matrix_from_quat(quat_multiply(qa, qb)), matrix_from_quat(qa) @ matrix_from_quat(qb), atol=1e-9)


@given(vectors)
def test_matrix_round_trips_through_a_quaternion(v):
    R = matrix_from_quat(quat_from_rotvec(3 * v))
    assert np.allclose(matrix_from_quat(quat_from_matrix(R)), R, atol=1e-9)


@given(angles, angles)
def test_signed_angle_turns_the_first_vector_into_the_second(a, b):
    turned = signed_angle([np.cos(a), np.sin(a)], [np.cos(b), np.sin(b)])
    assert abs(wrap_angle(turned - (b - a))) < 1e-9


@given(vectors, st.floats(0.2, 3.0), st.floats(0, 640), st.floats(0, 480))
def test_unproject_inverts_project(v, depth, u, w):
    T = np.eye(4)
    T[:3, :3] = matrix_from_quat(quat_from_rotvec(2 * v))
    T[:3, 3] = v
    camera = Pinhole("front", 640, 480, 500.0, 510.0, 320.0, 240.0, T)
    pixels, depths = camera.project(camera.unproject([[u, w]], [depth]))
    assert np.allclose(pixels, [[u, w]], atol=1e-6)
    assert np.allclose(depths, depth, atol=1e-9)


def test_resized_camera_sees_the_same_point_at_the_same_share_of_the_frame():
    camera = Pinhole("front", 640, 480, 500.0, 500.0, 320.0, 240.0, np.eye(4))
    point = [[0.1, -0.2, 1.5]]
    small = camera.resized(320, 240)
    assert small.project(point)[0] == pytest.approx(camera.project(point)[0] / 2)
