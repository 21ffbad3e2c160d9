import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.core.types import ActionDistribution
from workbench.verification.sampling import LEAST_SPREAD, draw_chunks, draw_gaussian, fit_gaussian, majority

CENTRES = np.linspace([-0.03] * 6 + [0.0], [0.03] * 6 + [1.0], 64, axis=1).astype(np.float32)


def distribution(seed=0, horizon=4):
    weights = np.random.default_rng(seed).random((horizon, 7, 64)).astype(np.float32) ** 3
    return ActionDistribution(weights / weights.sum(-1, keepdims=True), CENTRES)


@pytest.mark.parametrize("is_coherent", [True, False])
def test_draws_have_the_mean_of_the_distribution(is_coherent):
    told = distribution()
    drawn = draw_chunks(told, 4000, np.random.default_rng(1), is_coherent=is_coherent)
    mean = (told.probabilities * CENTRES).sum(-1)
    width = CENTRES[:, 1] - CENTRES[:, 0]
    assert (np.abs(drawn.mean(0) - mean) < 1.2 * width).all()


def test_a_coherent_draw_keeps_its_quantile_through_the_chunk():
    one = distribution(horizon=1).probabilities
    told = ActionDistribution(np.repeat(one, 5, axis=0), CENTRES)
    drawn = draw_chunks(told, 50, np.random.default_rng(2))
    assert np.allclose(drawn, drawn[:, :1])
    assert np.unique(np.round(drawn[:, 0, 0], 6)).size > 10


def test_a_low_temperature_gives_the_likeliest_bin():
    likely = np.full((2, 7, 64), 0.5 / 63, dtype=np.float32)
    likely[..., 20] = 0.5
    drawn = draw_chunks(ActionDistribution(likely, CENTRES), 30, np.random.default_rng(3), temperature=0.05)
    best = CENTRES[:, 20]
    assert (np.abs(drawn - best) <= (CENTRES[:, 1] - CENTRES[:, 0])).all()


def test_no_draw_leaves_the_range_of_the_bins():
    drawn = draw_chunks(distribution(), 5000, np.random.default_rng(4), temperature=50.0)
    assert (drawn >= CENTRES[:, 0]).all() and (drawn <= CENTRES[:, -1]).all()


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(InvalidInput, match="positive"):
        draw_chunks(distribution(), 3, np.random.default_rng(0), temperature=0.0)


def test_many_gaussian_draws_have_the_mean_and_the_covariance_of_the_fit():
    rng = np.random.default_rng(5)
    samples = rng.normal(size=(9, 4, 7)) * 0.01
    fitted = fit_gaussian(samples, samples[0])
    drawn = draw_gaussian(fitted, 100_000, rng)
    motions = drawn[..., :6].mean(axis=1)
    spread = np.sqrt(np.diag(fitted.covariance))
    assert (np.abs(motions.mean(0) - fitted.chunk[:, :6].mean(0)) < 0.02 * spread).all()
    assert np.allclose(np.cov(motions, rowvar=False), fitted.covariance, atol=0.03 * spread.max() ** 2)
    assert np.allclose(drawn[..., 6], fitted.chunk[:, 6])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_samples_that_agree_still_give_candidates_that_differ(count):
    samples = np.repeat(np.full((1, 3, 7), 0.004), count, axis=0)
    fitted = fit_gaussian(samples, samples[0])
    drawn = draw_gaussian(fitted, 500, np.random.default_rng(6))
    assert np.isfinite(drawn).all()
    assert np.allclose(drawn[..., :6].mean(1).std(0), LEAST_SPREAD, rtol=0.15)


def test_the_gripper_follows_the_majority_step_by_step():
    openings = np.array([[1.0, 0.9, 0.1], [0.8, 0.2, 0.0], [0.7, 0.1, 0.6]])
    assert majority(openings, np.zeros(3)).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("own", [0.2, 0.7])
def test_an_even_vote_leaves_the_gripper_to_the_policy(own):
    assert majority(np.array([[1.0], [0.0]]), np.array([own])).tolist() == [own]


def test_a_vote_that_agrees_keeps_the_policys_own_opening():
    assert majority(np.array([[0.8], [0.9], [0.1]]), np.array([0.65])).tolist() == [0.65]
