import numpy as np
import pytest
import torch

from workbench.core.calls import PolicyCall
from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.types import ActionChunk, Intention
from workbench.failure.band import band_of
from workbench.failure.detectors import (
    ChunkDisagreement,
    CumulativeDetector,
    EmbeddingDistance,
    LstmDetector,
    TokenEntropy,
    feature_of,
    score_calls,
)
from workbench.failure.features import Pooling, normalised, pool, token_at
from workbench.failure.metrics import ScoredEpisode, auc_of
from workbench.failure.networks import CumulativeMlp, StepLstm, class_weights, cumulative_loss, probability_loss, reduced, weight_decay
from workbench.failure.training import FitSettings, LabelledEpisode, fit_lstm, fit_mlp, stacked
from workbench.failure.watching import EpisodeWatch

WIDTH = 6


def call(step, tokens, actions=None, entropies=None):
    chunk = ActionChunk(np.zeros((8, 7), np.float32) if actions is None else actions, 20.0, intention=Intention(entropies=entropies))
    return PolicyCall(step, np.asarray(tokens, np.float32), chunk)


def draw_episodes(rng, count, failing_from=6):
    """Failures turn into another direction after a while."""
    made = []
    for i in range(count):
        is_failure, length = i % 2 == 1, int(rng.integers(10, 18))
        features = rng.normal(size=(length, WIDTH)).astype(np.float32)
        if is_failure:
            features[failing_from:, 0] += 4.0
        made.append(LabelledEpisode(features, is_failure))
    return made


def as_calls(episode):
    return [call(4 * i, row[None]) for i, row in enumerate(episode.features)]


def test_pooling_takes_what_its_name_says():
    tokens = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert pool(tokens, Pooling.FIRST).tolist() == [0, 1, 2]
    assert pool(tokens, Pooling.LAST).tolist() == [9, 10, 11]
    assert pool(tokens, Pooling.MEAN).tolist() == [4.5, 5.5, 6.5]
    assert pool(tokens, Pooling.ENDS).tolist() == [0, 1, 2, 9, 10, 11]
    assert token_at(tokens, 0.34).tolist() == tokens[round(3 * 0.34)].tolist()
    with pytest.raises(InvalidShape):
        pool(np.zeros((0, 3), np.float32), Pooling.MEAN)


def test_the_scale_of_the_hidden_states_does_not_matter():
    tokens = np.random.default_rng(0).normal(size=(5, WIDTH)).astype(np.float32)
    assert np.allclose(np.square(normalised(tokens)).mean(axis=1), 1, atol=1e-4)
    for pooling in Pooling:
        assert np.allclose(feature_of(call(0, tokens), pooling), feature_of(call(0, 7 * tokens), pooling), atol=1e-4)


def test_the_mlp_never_falls_and_stays_below_the_number_of_calls_and_the_lstm_stays_a_probability():
    torch.manual_seed(0)
    calls = [call(i, row[None]) for i, row in enumerate(np.random.default_rng(0).normal(size=(30, WIDTH)))]
    scores = score_calls(CumulativeDetector(CumulativeMlp(WIDTH), Pooling.MEAN), calls)
    assert (np.diff(scores) > 0).all() and (scores < np.arange(1, 31)).all()
    scores = score_calls(LstmDetector(StepLstm(WIDTH), Pooling.MEAN), calls)
    assert ((scores > 0) & (scores < 1)).all()


def test_call_by_call_gives_what_the_whole_episode_at_once_gives():
    torch.manual_seed(1)
    calls = [call(i, row[None]) for i, row in enumerate(np.random.default_rng(1).normal(size=(12, WIDTH)))]
    features = torch.from_numpy(np.stack([feature_of(c, Pooling.MEAN) for c in calls]))[None]
    mlp, lstm = CumulativeMlp(WIDTH), StepLstm(WIDTH)
    with torch.no_grad():
        assert np.allclose(score_calls(CumulativeDetector(mlp, Pooling.MEAN), calls), mlp(features)[0], atol=1e-5)
        assert np.allclose(score_calls(LstmDetector(lstm, Pooling.MEAN), calls), lstm(features)[0], atol=1e-5)


def test_losses_by_hand():
    scores, is_failure = torch.tensor([[0.25, 0.75], [0.5, 0.5]]), torch.tensor([False, True])
    assert cumulative_loss(scores, is_failure).tolist() == [[0.25, 0.75], [0.5, 1.5]]
    assert torch.allclose(probability_loss(scores, is_failure), -torch.log(torch.tensor([[0.75, 0.25], [0.5, 0.5]])))
    is_valid = torch.tensor([[True, False], [True, True]])
    assert float(reduced(cumulative_loss(scores, is_failure), is_valid, is_failure)) == pytest.approx((2 * 0.25 + 2 * 1.0) / 2)


def test_both_outcomes_weigh_the_same_however_rare_one_is():
    is_failure = torch.tensor([True] + [False] * 9)
    weights = class_weights(is_failure)
    assert weights[0] == pytest.approx(12 / 2) and weights[1] == pytest.approx(12 / 10)


def test_the_loss_of_the_paper_and_that_of_its_code_have_the_same_gradient():
    scores = torch.tensor([[0.2, 0.9]], requires_grad=True)
    cumulative_loss(scores, torch.tensor([True])).sum().backward()
    assert scores.grad.tolist() == [[-1.0, -1.0]]


def test_decay_leaves_biases_alone():
    network = CumulativeMlp(2, hidden=2)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.fill_(5.0 if "bias" in name else 1.0)
    assert weight_decay(network).item() == 6.0


def test_what_lies_behind_the_end_of_an_episode_does_not_count():
    episodes = [LabelledEpisode(np.ones((2, WIDTH), np.float32), False), LabelledEpisode(np.ones((4, WIDTH), np.float32), True)]
    _, is_valid, is_failure = stacked(episodes)
    losses = torch.ones(2, 4)
    losses[0, 2:] = 1e6
    assert float(reduced(losses, is_valid, is_failure)) == pytest.approx(2.0)


@pytest.mark.parametrize("fit, make", [(fit_mlp, CumulativeDetector), (fit_lstm, LstmDetector)])
def test_training_finds_a_turn_that_failures_take(fit, make):
    rng = np.random.default_rng(0)
    network = fit(
        [LabelledEpisode(np.stack([feature_of(c, Pooling.MEAN) for c in as_calls(e)]), e.is_failure) for e in draw_episodes(rng, 40)],
        FitSettings(60, decay=1e-4),
    )
    detector = make(network, Pooling.MEAN)
    held_out = [ScoredEpisode("t", e.is_failure, score_calls(detector, as_calls(e))) for e in draw_episodes(rng, 30)]
    assert auc_of(held_out) > 0.9


def test_training_without_failures_says_what_is_missing():
    with pytest.raises(InvalidInput, match="episodes that failed"):
        fit_mlp([LabelledEpisode(np.zeros((3, WIDTH), np.float32), False)], FitSettings(1))


def test_embedding_distance_is_positive_near_failures():
    rng = np.random.default_rng(0)
    away = np.eye(WIDTH)[0] * 3
    good, bad = (rng.normal(size=(60, WIDTH)).astype(np.float32) + side for side in (-away, away))
    good, bad = (np.stack([normalised(row[None])[0] for row in rows]).astype(np.float32) for rows in (good, bad))
    for is_mahalanobis in (True, False):
        detector = EmbeddingDistance(good, bad, Pooling.MEAN, is_mahalanobis=is_mahalanobis)
        assert detector.score(call(0, [away])) > 0 > detector.score(call(0, [-away]))


def test_chunks_that_agree_on_the_steps_they_share_do_not_disagree():
    plan = np.random.default_rng(0).normal(size=(12, 7)).astype(np.float32)
    detector = ChunkDisagreement(np.ones(7))
    assert score_calls(detector, [call(4 * i, np.ones((1, WIDTH)), plan[4 * i : 4 * i + 8]) for i in range(2)]).tolist() == [0.0, 0.0]
    changed = plan[4:12].copy()
    changed[:4, 0] += 0.5
    assert score_calls(detector, [call(0, np.ones((1, WIDTH)), plan[:8]), call(4, np.ones((1, WIDTH)), changed)])[1] == pytest.approx(0.5)


def test_token_entropy_is_what_the_policy_tells():
    told = np.array([[0.5, 1.5]], np.float32)
    assert TokenEntropy().score(call(0, np.ones((1, WIDTH)), entropies=told)) == 1.0
    assert TokenEntropy(is_largest=True).score(call(0, np.ones((1, WIDTH)), entropies=told)) == 1.5
    assert TokenEntropy().score(call(0, np.ones((1, WIDTH)))) == 0.0


def test_an_alarm_is_the_moment_of_leaving_and_a_call_made_again_replaces_the_first():
    flat = np.zeros((10, 6))
    detector = TokenEntropy()
    watch = EpisodeWatch(detector, band_of(flat[:3], flat[3:], 0.3))

    def look(step, entropy):
        return watch.look(call(step, np.ones((1, WIDTH)), entropies=np.full((1, 1), entropy, np.float32)))

    assert [look(4 * i, e).is_alarm for i, e in enumerate((-1.0, 1.0, 1.0, -1.0, 1.0))] == [False, True, False, False, True]
    assert not look(16, -1.0).is_alarm
    assert [r.step for r in watch.readings] == [0, 4, 8, 12, 16] and not watch.readings[-1].is_above
    watch.restart()
    assert watch.readings == []


def test_a_call_made_again_leaves_no_trace_in_a_detector_that_remembers():
    torch.manual_seed(0)
    flat = np.zeros((10, 6))
    calls = [call(i, row[None]) for i, row in enumerate(np.random.default_rng(0).normal(size=(6, WIDTH)))]
    network = StepLstm(WIDTH)
    watch = EpisodeWatch(LstmDetector(network, Pooling.MEAN), band_of(flat[:3], flat[3:], 0.3))
    for c in calls[:4]:
        watch.look(c)
    watch.look(call(3, np.ones((1, WIDTH))))
    for c in calls[3:]:
        watch.look(c)
    assert [r.score for r in watch.readings] == pytest.approx(score_calls(LstmDetector(network, Pooling.MEAN), calls))
