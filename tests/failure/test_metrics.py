import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.failure.band import band_of
from workbench.failure.metrics import ScoredEpisode, alarm_rates, auc_of, roc_auc, scores_at


def clock_episodes():
    """Failures run to the end of their time, successes end early; the score is nothing but the number of calls."""
    lengths = [(12, False), (15, False), (18, False), (40, True), (40, True)]
    return [ScoredEpisode(task, is_failure, np.arange(1.0, n + 1)) for task in ("pick", "touch") for n, is_failure in lengths]


def test_a_clock_wins_without_the_control_of_length_and_is_chance_with_it():
    assert auc_of(clock_episodes(), has_length_control=False) == 1.0
    for share in (0.25, 0.5, 0.75, 1.0):
        assert auc_of(clock_episodes(), share) == 0.5


def test_auc_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 5, 40), rng.random(40) < 0.4
    pairs = [(f > s) + 0.5 * (f == s) for f in scores[labels] for s in scores[~labels]]
    assert roc_auc(scores, labels) == pytest.approx(np.mean(pairs))
    assert roc_auc(-scores, labels) == pytest.approx(1 - np.mean(pairs))
    assert roc_auc(np.exp(scores), labels) == pytest.approx(np.mean(pairs)), "only the order counts"


def test_auc_of_episodes_that_all_ended_alike_is_refused():
    with pytest.raises(InvalidInput, match="failures and successes"):
        roc_auc([1.0, 2.0], [True, True])


def test_the_score_is_the_largest_so_far():
    episodes = [ScoredEpisode("pick", True, np.array([0.1, 0.9, 0.2, 0.3])), ScoredEpisode("pick", False, np.array([0.2, 0.1, 0.4]))]
    assert scores_at(episodes, 1.0).tolist() == [0.9, 0.4]
    assert scores_at(episodes, 0.0).tolist() == [0.1, 0.2]


def test_rates_of_alarms_by_hand():
    flat = np.zeros((10, 4))
    band = band_of(flat[:3], flat[3:], 0.3)
    up, down = np.array([-1.0, 1.0, -1.0, 1.0]), -np.ones(4)
    episodes = [
        ScoredEpisode("t", True, up),
        ScoredEpisode("t", True, down),
        ScoredEpisode("t", False, up),
        *[ScoredEpisode("t", False, down)] * 3,
    ]
    rates = alarm_rates(episodes, band)
    assert (rates.true_positive_rate, rates.false_positive_rate) == (0.5, 0.25)
    assert rates.balanced_accuracy == 0.625
    assert rates.false_alarms_per_clean_episode == 0.5
    assert rates.detection_time == pytest.approx((0.5 + 1.0) / 2)
