"""Going along a path: near to it, on from its nearest place after a push, and saying so when something blocks the way."""

import numpy as np
import pytest

from workbench.core.errors import Unreachable
from workbench.core.types import PROPRIO, PROPRIO_DIM, Observation
from workbench.trajectory.compare import score_path
from workbench.trajectory.drive import GRIP_DWELL_S, PathDrive
from workbench.trajectory.paths import SpacePath, with_speeds

PERIOD_S = 0.05
ARCH = SpacePath(
    np.array([[0.4, -0.2, 0.2], [0.4, -0.2, 0.05], [0.4, -0.2, 0.2], [0.5, 0.2, 0.2], [0.5, 0.2, 0.06]]), np.array([1.0, 0, 0, 0, 1])
)


class Hand:
    """An end-effector that goes where it is told, unless a wall is there."""

    def __init__(self, position, wall_y=np.inf):
        self.position, self.opening, self.wall_y, self.step = np.array(position, dtype=float), 1.0, wall_y, 0
        self.went, self.openings = [self.position.copy()], [1.0]

    def see(self):
        proprio = np.zeros(PROPRIO_DIM, dtype=np.float32)
        proprio[PROPRIO["ee_position"]] = self.position
        proprio[PROPRIO["ee_quaternion"]] = [0, 1, 0, 0]
        proprio[PROPRIO["gripper_command"]] = self.opening
        return Observation({}, {}, {}, proprio, self.step, PERIOD_S * self.step)

    def drive(self, drive, num_steps=600, until=lambda hand: False):
        for _ in range(num_steps):
            action = drive.act(self.see(), PERIOD_S)
            if drive.is_done or until(self):
                return
            self.position = self.position + action[:3]
            self.position[1] = min(self.position[1], self.wall_y)
            self.opening = float(action[6])
            self.step += 1
            self.went.append(self.position.copy())
            self.openings.append(self.opening)


def test_the_driven_path_is_the_drawn_one_with_its_gripper_events():
    hand = Hand([0.38, -0.18, 0.25])
    drive = PathDrive(ARCH, hand.see())
    hand.drive(drive)
    assert drive.is_done and drive.progress == 1.0 and drive.trouble == ""
    first = int(np.argmin(np.linalg.norm(np.array(hand.went) - ARCH.positions[0], axis=1)))
    assert score_path(ARCH.positions, hand.went[first:]).frechet_m < 0.015
    shut, opened = hand.openings.index(0.0), len(hand.openings) - hand.openings[::-1].index(0.0)
    assert np.linalg.norm(hand.went[shut] - ARCH.positions[1]) < 0.006
    assert np.linalg.norm(hand.went[opened] - ARCH.positions[4]) < 0.006
    assert np.ptp(np.array(hand.went[shut : shut + round(GRIP_DWELL_S / PERIOD_S)]), axis=0).max() < 0.005


def test_a_path_with_speeds_is_driven_at_them():
    line = SpacePath(np.array([[0.4, -0.3, 0.2], [0.4, 0.3, 0.2]]))
    steps = []
    for speed in (0.1, 0.2):
        hand = Hand(line.positions[0])
        hand.drive(PathDrive(with_speeds(line, speed), hand.see()))
        steps.append(hand.step * PERIOD_S)
    assert steps[0] == pytest.approx(0.6 / 0.1, rel=0.1) and steps[1] == pytest.approx(0.6 / 0.2, rel=0.15)


def test_a_hand_that_was_pushed_off_goes_on_from_the_nearest_place_ahead():
    hand = Hand(ARCH.positions[0])
    drive = PathDrive(ARCH, hand.see())
    hand.drive(drive, until=lambda h: h.opening == 0.0 and h.position[2] > 0.19)
    hand.position = np.array([0.5, 0.08, 0.2])  # most of the way over is done by somebody else
    count = len(hand.went)
    hand.drive(drive)
    assert drive.is_done and drive.num_anchored >= 1
    assert min(p[1] for p in hand.went[count + 1 :]) > 0.05, "it does not go back"


def test_a_push_does_not_skip_a_gripper_event():
    hand = Hand(ARCH.positions[0])
    drive = PathDrive(ARCH, hand.see())
    hand.drive(drive, num_steps=3)
    hand.position = np.array([0.5, 0.2, 0.2])  # right at the path's end, but nothing was grasped yet
    hand.drive(drive)
    assert drive.is_done and 0.0 in hand.openings


def test_a_blocked_way_is_said():
    hand = Hand(ARCH.positions[0], wall_y=0.0)
    drive = PathDrive(ARCH, hand.see())
    with pytest.raises(Unreachable, match="keeps the gripper"):
        hand.drive(drive)
    assert "keeps the gripper" in drive.trouble
