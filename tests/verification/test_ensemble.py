import numpy as np
import pytest

from workbench.verification.ensemble import adaptive_weights, temporal_weights

PREDICTIONS = np.random.default_rng(0).normal(size=(5, 7))


@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_weights_sum_to_one(count):
    predictions = np.random.default_rng(count).normal(size=(count, 7))
    assert temporal_weights(count).sum() == pytest.approx(1.0)
    assert adaptive_weights(predictions, 3.0).sum() == pytest.approx(1.0)
    assert (temporal_weights(count) > 0).all()


def test_acts_oldest_prediction_counts_most():
    assert (np.diff(temporal_weights(6, 0.1)) < 0).all()
    assert np.allclose(temporal_weights(6, 0.0), 1 / 6)


def test_adaptive_weights_without_alpha_are_the_plain_mean():
    assert np.allclose(adaptive_weights(PREDICTIONS, 0.0), 0.2)


def test_the_opposite_prediction_gets_the_least_weight():
    predictions = np.vstack([PREDICTIONS[:2], -PREDICTIONS[-1:], PREDICTIONS[-1:]])
    weights = adaptive_weights(predictions, 5.0)
    assert weights.argmin() == 2 and weights.argmax() == 3


def test_with_the_papers_alpha_no_weight_is_more_than_a_quarter_greater_than_another():
    weights = adaptive_weights(np.vstack([-PREDICTIONS[-1:], PREDICTIONS[-1:]]), 0.1)
    assert weights.max() / weights.min() == pytest.approx(np.exp(0.2), rel=1e-4)


def test_an_action_that_is_all_zeros_gives_finite_weights():
    assert np.isfinite(adaptive_weights(np.zeros((3, 7)), 0.1)).all()
