import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.errors import InvalidInput
from workbench.evaluation.statistics import (
    compare,
    difference_interval,
    episodes_needed,
    mean_interval,
    paired_difference_interval,
    ratio_interval,
    wilson_interval,
)


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


@pytest.mark.parametrize(
    ("first", "second", "needed"), [(0.5, 0.55, 1565), (0.5, 0.6, 388), (0.5, 0.7, 93), (0.5, 0.8, 39), (0.8, 0.9, 199)]
)
def test_episodes_needed_are_those_of_the_tables(first, second, needed):
    assert episodes_needed(first, second) == episodes_needed(second, first) == needed


@pytest.mark.parametrize(("first", "second"), [(0.5, 0.5), (-0.1, 0.5), (0.5, 1.2)])
def test_rates_that_are_equal_or_no_rates_are_refused(first, second):
    with pytest.raises(InvalidInput):
        episodes_needed(first, second)


@pytest.mark.parametrize(
    ("counts", "low", "high"), [((36, 2, 12, 0), 0.057, 0.340), ((14, 0, 5, 22), 0.011, 0.226), ((1, 7, 1, 12), -0.507, -0.026)]
)
def test_intervals_of_paired_rates_agree_with_published_examples(counts, low, high):
    """Newcombe 1998, Table III; Altman and others 2000, Table 6.2; Fagerland, Lydersen and Laake 2014."""
    found = paired_difference_interval(*counts)
    assert found.low == pytest.approx(low, abs=6e-4) and found.high == pytest.approx(high, abs=6e-4)


@given(st.lists(st.integers(0, 60), min_size=4, max_size=4).filter(any))
def test_an_interval_of_paired_rates_holds_the_difference_has_a_width_and_mirrors(counts):
    both, first, second, neither = counts
    low, high = paired_difference_interval(*counts)
    difference = (second - first) / sum(counts)
    assert -1 - 1e-9 <= low <= difference <= high <= 1 + 1e-9 and high > low
    assert np.allclose(paired_difference_interval(both, second, first, neither), (-high, -low))


def test_a_paired_comparison_counts_the_discordant_seeds_alone():
    first = {seed: seed < 10 for seed in range(20)}
    second = {seed: seed < 16 for seed in range(30)}
    found = compare(first, second)
    assert (found.n, found.first, found.second, found.only_first, found.only_second) == (20, 10, 16, 0, 6)
    assert found.difference == pytest.approx(0.3) and found.low < 0.3 < found.high and found.low > 0
    assert found.p_value == pytest.approx(2 / 2**6)
    assert "20 common seeds" in found.tell() and "p = 0.0312" in found.tell()


def test_swapping_the_sides_negates_the_difference_and_keeps_the_p_value():
    rng = np.random.default_rng(1)
    a, b = ({s: bool(v) for s, v in enumerate(rng.random(40) < rate)} for rate in (0.4, 0.7))
    forth, back = compare(a, b), compare(b, a)
    assert forth.difference == -back.difference and forth.p_value == back.p_value
    assert forth.low == pytest.approx(-back.high) and forth.high == pytest.approx(-back.low)


def test_equal_sides_have_no_difference_and_p_one():
    same = {s: s % 2 == 0 for s in range(10)}
    found = compare(same, same)
    assert (found.difference, found.p_value) == (0.0, 1.0) and found.low == -found.high < 0


def test_sides_without_a_common_seed_are_refused():
    with pytest.raises(InvalidInput, match="same seeds"):
        compare({1: True}, {2: True})


def test_the_mean_of_zeros_and_ones_has_wilsons_interval_and_of_numbers_students():
    assert mean_interval([1.0] * 9 + [0.0])[1:3] == wilson_interval(9, 10)
    found = mean_interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0 and found.high - 2.0 == pytest.approx(4.302653 / 3**0.5, abs=1e-5) and found.n == 3
    with pytest.raises(InvalidInput):
        mean_interval([])


def test_ratio_and_difference_of_pairs_are_those_of_the_means():
    a = np.array([1.0, 2.0, 4.0])
    assert ratio_interval(a, 2 * a)[:3] == pytest.approx((2.0, 2.0, 2.0)) and difference_interval(a, a + 3)[:3] == pytest.approx(
        (3.0, 3.0, 3.0)
    )
