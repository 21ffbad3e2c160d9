"""Reading how a thing lies: the loss is that of a von Mises distribution, and the two cameras agree on frames."""

import numpy as np
import pytest
import torch
from scipy.stats import vonmises
from torch import nn

from models.bench_vla.calibration import Calibration
from models.bench_vla.heading import Heading, heading_loss
from models.bench_vla.normalisation import normalise_state, read_pose, read_turns
from models.bench_vla.stem import NUM_GLIMPSED
from workbench.core.types import PROPRIO, PROPRIO_DIM
from workbench.simulation.layout import GRIPPER_YAW, grasp_yaw

NUM_SEEN = 5


def state_of(yaw):
    """A state of a gripper that points down, turned by ``yaw``."""
    proprio = np.zeros((1, PROPRIO_DIM))
    proprio[0, PROPRIO["ee_position"]] = 0.5, 0.0, 0.2
    proprio[0, PROPRIO["ee_quaternion"]] = 0.0, np.cos(yaw / 2), np.sin(yaw / 2), 0.0
    return torch.from_numpy(normalise_state(proprio, np.zeros((1, 10))))


def make_vectors(angles, concentrations):
    return torch.stack([concentrations * (2 * angles).cos(), concentrations * (2 * angles).sin()], dim=-1)


@pytest.mark.parametrize("yaw", np.linspace(*GRIPPER_YAW, 9))
def test_the_state_tells_every_yaw_that_the_gripper_reaches(yaw):
    _, rotation = read_pose(state_of(yaw))
    np.testing.assert_allclose(rotation[0, :2, 0], [np.cos(yaw), np.sin(yaw)], atol=1e-5)


def test_the_loss_is_the_log_density_of_the_doubled_angle():
    rng = np.random.default_rng(3)
    angles, turns, concentrations = rng.uniform(-3, 3, 50), rng.uniform(-3, 3, 50), rng.uniform(0.01, 300, 50)
    expected = -vonmises.logpdf(2 * turns, concentrations, loc=2 * angles) - np.log(2 * np.pi)
    found = heading_loss(make_vectors(torch.tensor(angles), torch.tensor(concentrations)), torch.tensor(turns))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_both_ends_of_a_thing_are_alike():
    vectors, turns = torch.randn(20, 2), torch.linspace(-2, 2, 20)
    torch.testing.assert_close(heading_loss(vectors, turns), heading_loss(vectors, turns + np.pi), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("yaw", [-1.0, 0.0, 0.7, 2.2])
def test_what_the_front_camera_tells_is_turned_into_the_frame_of_the_gripper(yaw):
    heading = Heading(NUM_SEEN)
    for parameter in heading.wrist[-1].parameters():
        nn.init.zeros_(parameter)
    glimpses, seen = torch.randn(1, NUM_GLIMPSED), torch.randn(1, NUM_SEEN)
    with torch.no_grad():
        at_zero, turned = (heading((glimpses, glimpses), (seen, seen), read_pose(state_of(y)))[0] for y in (0.0, yaw))
    assert float(at_zero.norm()) == pytest.approx(float(turned.norm()), rel=1e-4)
    angle = (torch.atan2(at_zero[1], at_zero[0]) - torch.atan2(turned[1], turned[0])) / 2
    assert np.sin(float(angle) - yaw) == pytest.approx(0.0, abs=1e-4)


def test_the_grips_are_those_of_the_expert_for_a_turn_either_way():
    rng, num_compared = np.random.default_rng(5), 0
    for _ in range(200):
        along, angle = rng.uniform(-np.pi, np.pi), np.deg2rad(rng.integers(8, 25) * 5) * rng.choice([-1, 1])
        wanted, yaw = grasp_yaw(along, angle), rng.uniform(-1.2, 2.4)
        if wanted is None:
            continue
        vector = make_vectors(torch.tensor([along - yaw]), torch.tensor([20.0])).float()
        turns = np.arctanh(Calibration().grips(vector, read_pose(state_of(yaw)))[0, :2].numpy())
        assert turns[0 if angle > 0 else 1] == pytest.approx(wanted - yaw, abs=0.02)
        num_compared += 1
    assert num_compared > 100


def test_what_is_left_of_a_turn_is_told_from_the_short_memory():
    memory = np.zeros((1, 10))
    memory[0, 4], memory[0, 8] = 0.5, -1.4
    state = torch.from_numpy(normalise_state(np.zeros((1, PROPRIO_DIM)), memory))
    np.testing.assert_allclose(read_turns(state), [[0.5, -1.4]], atol=1e-6)
    found = np.arctanh(Calibration().turns_said(torch.tensor([0.9]), state)[0, :3].numpy())
    np.testing.assert_allclose(found, [0.9, 0.4, 2.3], atol=1e-4)
