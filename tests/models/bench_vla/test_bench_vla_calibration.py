"""Pixels are lifted to ways from the end-effector as the plain bench's cameras see them."""

import numpy as np
import pytest
import torch

from models.bench_vla.calibration import Calibration
from models.bench_vla.normalisation import normalise_state, read_pose
from workbench.core.geometry import matrix_from_quat
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.expert_motion import bar_yaw
from workbench.simulation.simulator import BenchSimulator


@pytest.fixture(scope="module")
def observation():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("touch", 3))
    for _ in range(15):
        simulator.step(np.array([0.01, -0.008, -0.008, 0.01, 0, 0.04, 1], dtype=np.float32))
    yield simulator.observe((CameraRequest("front", 128, 128), CameraRequest("wrist", 64, 64)))
    simulator.close()


def pose_of(observation):
    return read_pose(torch.from_numpy(normalise_state(observation.proprio[None], np.zeros((1, 10)))))


@pytest.mark.parametrize("camera", ["front", "wrist"])
def test_a_pixel_of_a_place_on_the_table_gives_the_way_to_it(observation, camera):
    x, y, _ = observation.part("ee_position")
    place = np.array([x + 0.04, y - 0.03, 0.03])
    pinhole = observation.cameras[camera]
    point = pinhole.project(place[None])[0] / pinhole.width
    pose = pose_of(observation)
    calibration = Calibration()
    find = calibration.from_front if camera == "front" else calibration.from_wrist
    far = find(torch.tensor(point, dtype=torch.float32)[None], pose)[0, 0, :3].numpy()
    np.testing.assert_allclose(np.arctanh(far) * 0.3, place - observation.part("ee_position"), atol=2e-4)


def test_the_pose_is_read_back_from_a_normalised_state(observation):
    position, rotation = pose_of(observation)
    np.testing.assert_allclose(position[0], observation.part("ee_position"), atol=1e-5)
    np.testing.assert_allclose(rotation[0], matrix_from_quat(observation.part("ee_quaternion")), atol=1e-5)


def test_a_ray_that_never_meets_the_table_gives_a_bounded_way(observation):
    pose = pose_of(observation)
    assert torch.isfinite(Calibration().from_front(torch.tensor([[[0.5, -0.3]]]), pose)).all()


def test_a_pixel_of_a_point_of_known_height_gives_the_way_to_it(observation):
    place = observation.part("ee_position") + np.array([0.02, 0.03, 0.05])
    pinhole = observation.cameras["front"]
    point = torch.tensor(pinhole.project(place[None])[0] / pinhole.width, dtype=torch.float32)[None]
    pose = pose_of(observation)
    way = Calibration().from_front(point, pose, torch.tensor([[place[2]]], dtype=torch.float32))[0, 0, :3].numpy()
    np.testing.assert_allclose(np.arctanh(way) * 0.3, [0.02, 0.03, 0.05], atol=2e-4)


def test_two_places_on_the_table_give_the_way_between_them_and_where_the_arm_is_along_it(observation):
    ee = observation.part("ee_position")
    first, second = np.array([ee[0] + 0.05, ee[1], 0.015]), np.array([ee[0] + 0.25, ee[1], 0.0])
    pinhole = observation.cameras["front"]
    points = torch.tensor(pinhole.project(np.stack([first, second]))[0] / pinhole.width, dtype=torch.float32)[None]
    pose = pose_of(observation)
    found = Calibration().relate(points, pose)[0].numpy()
    np.testing.assert_allclose(np.arctanh(found[:2]) * 0.3, [0.2, 0.0], atol=1e-3)
    np.testing.assert_allclose(np.arctanh(found[6:8]) * 0.3, [-0.05, 0.0], atol=1e-3)
    np.testing.assert_allclose(found[12:14], [1.0, 0.0], atol=5e-3)
    axis = matrix_from_quat(observation.part("ee_quaternion"))[:2, 0]
    yaw = np.arctan2(axis[1], axis[0])
    np.testing.assert_allclose(found[14:16], np.hypot(*axis) ** 2 * np.array([np.cos(2 * yaw), np.sin(2 * yaw)]), atol=1e-2)


def test_turns_are_those_of_the_expert_and_a_way_of_no_length_has_none(observation):
    rng = np.random.default_rng(0)
    headings = rng.uniform(-np.pi, np.pi, 40)
    ways = torch.tensor(0.1 * np.stack([np.cos(headings), np.sin(headings)], axis=1), dtype=torch.float32)[None]
    pose = pose_of(observation)
    found = Calibration().turns(torch.cat([ways, torch.zeros(1, 1, 2)], dim=1), pose)[0].numpy()
    axis = matrix_from_quat(observation.part("ee_quaternion"))[:2, 0]
    yaw = np.arctan2(axis[1], axis[0])
    for heading, row in zip(headings, found[:-1], strict=True):
        wanted = [np.tanh(bar_yaw(h) - yaw) for h in (heading, heading + np.pi / 2)]
        np.testing.assert_allclose(row[:2], wanted, atol=2e-3)
    assert np.all(found[-1] == 0)
