import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput
from workbench.evaluation.statistics import wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (9, 10, 0.5958, 0.9821), (25, 50, 0.3664, 0.6336), (45, 50, 0.7864, 0.9565), (180, 200, 0.8506, 0.9343)],
)
def test_intervals_agree_with_published_values(successes, trials, low, high):
    interval = wilson_interval(successes, trials)
    assert interval.low == pytest.approx(low, abs=6e-5) and interval.high == pytest.approx(high, abs=6e-5)


@given(st.integers(1, 400), st.data())
def test_an_interval_holds_the_rate_and_mirrors_with_the_failures(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1 and high > low
    mirrored = wilson_interval(trials - successes, trials)
    assert np.allclose([mirrored.low, mirrored.high], [1 - high, 1 - low], atol=1e-12)


def test_more_trials_of_the_same_rate_narrow_the_interval():
    widths = [np.diff(wilson_interval(n // 2, n))[0] for n in (10, 20, 50, 200)]
    assert widths == sorted(widths, reverse=True)


def test_no_trials_tell_nothing():
    assert tuple(wilson_interval(0, 0)) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(InvalidInput, match="0 to 3"):
        wilson_interval(successes, trials)
