"""The short memory tells what happened since the gripper last changed its mind, and what before."""

import numpy as np
import pytest

from models.bench_vla.memory import ShortMemory
from workbench.core.types import PROPRIO
from workbench.simulation.expert_motion import down_quaternion


def proprio(position, yaw, command):
    values = np.zeros(16)
    values[PROPRIO["ee_position"]], values[PROPRIO["ee_quaternion"]] = position, down_quaternion(yaw)
    values[PROPRIO["gripper_command"]] = command
    return values


def watch(*steps):
    memory = ShortMemory()
    for time_s, position, yaw, command in steps:
        memory.watch(proprio(position, yaw, command), time_s)
    return memory.vector()


def test_nothing_is_known_before_the_first_change():
    assert watch((0, (0.4, 0, 0.3), 0, 1.0), (1, (0.5, 0, 0.1), 0.2, 1.0)).tolist() == [0] * 9 + [1]
    assert watch((0, (0.4, 0, 0.3), 0, 0.0)).tolist() == [1, *[0] * 8, 1]


def test_way_and_turn_since_the_change_are_told():
    found = watch((0, (0.4, 0, 0.3), 0, 1.0), (1, (0.5, 0.1, 0.1), 0.2, 0.0), (2, (0.5, 0.1, 0.2), 0.9, 0.0))
    np.testing.assert_allclose(found, [1, 0, 0, 0.1, 0.7, 0, 0, 0, 0, np.tanh(0.5)], atol=1e-6)


def test_the_segment_before_the_change_is_kept():
    steps = [(0, (0.4, 0, 0.3), 0, 1.0), (1, (0.5, 0.1, 0.1), 0.2, 0.0), (2, (0.5, 0.1, 0.2), 0.9, 1.0), (2.5, (0.5, 0.1, 0.3), 0.9, 1.0)]
    np.testing.assert_allclose(watch(*steps), [0, 0, 0, 0.1, 0, 0, 0, 0.1, 0.7, np.tanh(0.25)], atol=1e-6)


def test_turns_are_told_the_short_way_round():
    found = watch((0, (0.4, 0, 0.3), 3.0, 1.0), (1, (0.4, 0, 0.3), 3.0, 0.0), (2, (0.4, 0, 0.3), 3.4, 0.0))
    assert found[4] == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize("command", [0.4, 0.5, 0.6])
def test_answers_about_half_open_are_no_change(command):
    assert watch((0, (0.4, 0, 0.3), 0, 0.5), (1, (0.4, 0, 0.2), 0, command))[9] == 1
