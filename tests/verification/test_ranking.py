import numpy as np
import pytest

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.verification.ranking import choose, shares

SCORES = np.array([0.1, 0.7, 0.4, 0.65])
ALL = np.ones(4, dtype=bool)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_without_beta_the_best_is_chosen():
    assert choose(SCORES, ALL, 0.0, rng()) == 1


def test_equal_candidates_keep_the_policys_own_which_is_the_first():
    assert choose(np.full(6, 2.5), np.ones(6, dtype=bool), 0.0, rng()) == 0


def test_small_beta_comes_to_the_best_and_large_beta_to_chance():
    assert {choose(SCORES, ALL, 1e-4, rng(seed)) for seed in range(50)} == {1}
    draws = np.bincount([choose(SCORES, ALL, 1e6, r) for r in [rng(1)] for _ in range(2000)], minlength=4)
    assert ((draws - 500) ** 2 / 500).sum() < 16.3  # chi-square, 3 degrees of freedom, p = 0.001


def test_permuting_the_candidates_permutes_the_index_and_nothing_else():
    order = np.array([2, 0, 3, 1])
    chosen = choose(SCORES[order], ALL, 0.0, rng())
    assert order[chosen] == choose(SCORES, ALL, 0.0, rng())
    assert np.allclose(shares(SCORES, ALL, 0.1)[order], shares(SCORES[order], ALL, 0.1))


@pytest.mark.parametrize("beta", [0.0, 0.1, 10.0])
def test_what_a_check_refuses_is_never_chosen(beta):
    allowed = np.array([True, False, True, False])
    assert {choose(SCORES, allowed, beta, rng(seed)) for seed in range(100)} <= {0, 2}


def test_nothing_is_chosen_where_nothing_is_allowed():
    assert choose(SCORES, ~ALL, 0.0, rng()) is None
    assert choose(np.full(4, np.nan), ALL, 0.0, rng()) is None


def test_a_negative_beta_and_scores_of_other_candidates_are_refused():
    with pytest.raises(InvalidInput):
        choose(SCORES, ALL, -1.0, rng())
    with pytest.raises(InvalidShape):
        choose(SCORES, ALL[:3], 0.0, rng())
