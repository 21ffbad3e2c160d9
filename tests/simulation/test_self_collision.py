"""The arm and itself: found where it folds into itself, never where it works over the table."""

import numpy as np
import pytest

from workbench.core.types import EpisodeConfig
from workbench.rollout.path_checks import PathChecker
from workbench.simulation.simulator import BenchSimulator

NOWHERE = np.array([9.0, 9.0, 9.0])


@pytest.fixture(scope="module")
def checker():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("touch", 3))
    yield PathChecker(simulator)
    simulator.close()


def test_a_folded_arm_is_in_its_own_way(checker):
    folded = np.array([[-0.41, 0.24, -0.84, -1.7, 0.58, 0.09, -0.93]])
    (found,) = checker._probe.touches(folded, np.ones(1), NOWHERE)
    assert found is not None and found.what == "the arm and itself" and found.depth_m > 0.003


def test_no_reached_place_over_the_table_is_in_its_own_way(checker):
    t = np.linspace(0, 2 * np.pi, 120)
    places = np.stack([0.5 + 0.15 * np.cos(3 * t), 0.3 * np.sin(2 * t), 0.3 + 0.15 * np.sin(5 * t)], axis=1)
    solved = checker._solve(places)
    is_reached = np.linalg.norm(solved.positions - places, axis=1) < 0.01
    found = checker._probe.touches(solved.joints, np.ones(len(places)), NOWHERE)
    assert is_reached.sum() > 40
    assert not any("itself" in t.what for t, ok in zip(found, is_reached, strict=True) if ok and t is not None)


def test_closing_fingers_are_not_in_their_own_way(checker):
    joints = np.repeat(checker._joints[None], 3, axis=0)
    assert checker._probe.touches(joints, np.array([1.0, 0.5, 0.0]), NOWHERE) == [None] * 3
