"""Tables over seeds on paths whose speed, height and end are known."""

import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.steering.comparison import MATCHED, Episode, compare_episodes, measure_path

RATE = 20.0


def path(seed, *, speed, height, moving=30, waiting=0):
    start = np.random.default_rng(seed).uniform(0.2, 0.4)
    x = start + np.arange(moving) * speed / RATE
    x = np.concatenate([x, np.full(waiting, x[-1])])
    return np.stack([x, np.zeros(len(x)), np.full(len(x), height + start)], axis=1)


def test_a_straight_path_has_its_speed_its_height_and_no_jerk():
    found = measure_path(path(0, speed=0.3, height=0.1), RATE)
    assert found["speed"] == found["velocity x"] == pytest.approx(0.3)
    assert found["velocity z"] == 0 and found["jerk"] == pytest.approx(0, abs=1e-6)


def test_effects_are_paired_by_seed_and_success_is_beside_them():
    seeds = range(10)
    base = [Episode(path(s, speed=0.3, height=0.1), True) for s in seeds]
    up = [Episode(path(s, speed=0.3, height=0.15), s > 4) for s in seeds]
    table = compare_episodes(base, {"up": up}, rate_hz=RATE, rng=np.random.default_rng(0))["up"]
    assert table["height"].change == pytest.approx(0.05) and table["height"].low == pytest.approx(0.05)
    assert table["height"].is_clear and table["height"].n == 10
    assert table["success"].change == pytest.approx(-0.5) and table["success"].baseline == 1.0
    assert not table["speed"].is_clear and table["speed"].change == pytest.approx(0, abs=1e-9)


def test_waiting_at_the_end_looks_slow_until_lengths_are_matched():
    base = [Episode(path(s, speed=0.3, height=0.1, waiting=30), True) for s in range(6)]
    arm = [Episode(path(s, speed=0.3, height=0.1), True) for s in range(6)]
    table = compare_episodes(base, {"same": arm}, rate_hz=RATE, rng=np.random.default_rng(0))["same"]
    assert table["speed"].change > 0.1
    assert table["speed" + MATCHED].change == pytest.approx(0, abs=1e-9)
    assert table["duration"].change == pytest.approx(-1.5)


def test_every_arm_shortens_the_paths_of_its_seed():
    base = [Episode(path(s, speed=0.3, height=0.1, moving=40), True) for s in range(3)]
    long = [Episode(path(s, speed=0.3, height=0.1, moving=40, waiting=40), True) for s in range(3)]
    short = [Episode(path(s, speed=0.3, height=0.1, moving=5), True) for s in range(3)]
    table = compare_episodes(base, {"long": long, "short": short}, rate_hz=RATE, rng=np.random.default_rng(0))
    assert all(table[name]["speed" + MATCHED].change == pytest.approx(0, abs=1e-9) for name in table)
    assert table["long"]["speed"].change < -0.1


def test_arms_with_missing_episodes_are_refused():
    base = [Episode(path(s, speed=0.3, height=0.1), True) for s in range(3)]
    with pytest.raises(InvalidInput, match="'up'"):
        compare_episodes(base, {"up": base[:2]}, rate_hz=RATE, rng=np.random.default_rng(0))
    with pytest.raises(InvalidInput, match="'up'"):
        compare_episodes([], {"up": []}, rate_hz=RATE, rng=np.random.default_rng(0))
