import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.failure.band import Width, band_of, fewest_curves, fit_band, padded


def clean_curves(rng, count, length=40):
    """Successes: slowly wandering noise around a ramp."""
    noise = np.zeros((count, length))
    for t in range(1, length):
        noise[:, t] = 0.8 * noise[:, t - 1] + rng.normal(size=count)
    return np.linspace(0, 3, length) + noise


@pytest.mark.parametrize("alpha", [0.1, 0.15, 0.3])
def test_a_clean_episode_leaves_the_band_at_most_at_its_rate(alpha):
    rng, resamples = np.random.default_rng(0), 500
    alarmed = 0
    for _ in range(resamples):
        curves = clean_curves(rng, 41)
        band = fit_band(list(curves[:40]), alpha, rng)
        alarmed += band.first_alarm(curves[40]) is not None
    assert alarmed / resamples <= alpha + 2 * np.sqrt(alpha * (1 - alpha) / resamples)


def test_failures_that_drift_away_leave_it():
    rng = np.random.default_rng(1)
    band = fit_band(list(clean_curves(rng, 60)), 0.15, rng)
    drifting = clean_curves(rng, 50) + np.maximum(0, np.arange(40) - 15) * 0.6
    assert np.mean([band.first_alarm(curve) is not None for curve in drifting]) > 0.9


def test_four_curves_by_hand():
    # A: (0, 0), (2, 4): mean (1, 2), both 1 and 2 away; the modulation is (1, 2). B is (1 + 3, 2) and (1, 2 + 2): scores 3 and 1.
    band = band_of(np.array([[0.0, 0.0], [2.0, 4.0]]), np.array([[4.0, 2.0], [1.0, 4.0]]), 0.4)
    assert band.mean.tolist() == [1.0, 2.0]
    assert band.upper == pytest.approx([4.0, 8.0])  # rank ceil(3 * 0.6) = 2: the larger score
    plain = band_of(np.array([[0.0, 0.0], [2.0, 4.0]]), np.array([[4.0, 2.0], [1.0, 4.0]]), 0.4, Width.QUANTILE)
    assert plain.upper == pytest.approx([1 + 2.2, 2 + 2 * 2.2])  # 1 + 0.6 * (3 - 1)


@pytest.mark.parametrize("alpha", [0.05, 0.15, 0.5])
def test_with_fewer_curves_than_alpha_needs_it_is_refused(alpha):
    rng = np.random.default_rng(0)
    fewest = fewest_curves(alpha)
    assert np.isfinite(fit_band(list(clean_curves(rng, fewest)), alpha, rng).upper).all()
    with pytest.raises(InvalidInput, match=f"at least {fewest} successful"):
        fit_band(list(clean_curves(rng, fewest - 1)), alpha, rng)


def test_a_larger_share_of_false_alarms_never_makes_the_band_wider():
    curves = clean_curves(np.random.default_rng(3), 60)
    factors = []
    for alpha in (0.05, 0.1, 0.2, 0.4):
        band = band_of(curves[:18], curves[18:], alpha)
        factors.append(min(np.sum([band.first_alarm(c) is not None for c in curves[18:]]), 42))
    assert factors == sorted(factors)


def test_curves_go_on_with_their_last_value_and_so_does_the_band():
    assert padded([np.array([1.0, 2.0]), np.array([3.0])]).tolist() == [[1.0, 2.0], [3.0, 3.0]]
    rng = np.random.default_rng(0)
    band = fit_band(list(clean_curves(rng, 30)), 0.2, rng)
    assert band.upper_at(1000) == band.upper[-1]


def test_alarms_are_counted_where_the_score_rises_through_the_band():
    flat = np.zeros((10, 6))
    band = band_of(flat[:3], flat[3:], 0.3)
    assert band.num_alarms(np.array([-1.0, 1.0, 1.0, -1.0, 2.0, -1.0])) == 2
    assert band.first_alarm(np.array([-1.0, 1.0, 1.0])) == 1
    assert band.first_alarm(np.array([-1.0, -1.0])) is None
