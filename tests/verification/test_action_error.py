import numpy as np
import pytest

from workbench.verification.action_error import action_errors, best_of, fit_power_law


def test_the_demonstrators_own_action_has_no_error():
    truth = np.random.default_rng(0).normal(size=(4, 7))
    assert action_errors(truth[None], truth)[0] == 0.0


def test_the_error_of_the_best_never_grows_with_more_candidates():
    errors = np.random.default_rng(1).random((30, 64))
    for row in errors:
        assert (np.diff(best_of(row)) <= 0).all()


def test_a_known_power_law_is_found_again():
    counts = np.array([1.0, 2, 4, 8, 16, 32, 64])
    rng = np.random.default_rng(2)
    found = fit_power_law(counts, 0.4 * counts**-0.3 * np.exp(rng.normal(0, 0.005, len(counts))))
    assert found.a == pytest.approx(0.4, rel=0.02) and found.b == pytest.approx(-0.3, rel=0.02)
