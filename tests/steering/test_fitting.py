"""Directions, probes, autoencoders and conceptors against planted truth, their controls against chance."""

import numpy as np
import pytest
import torch

from tests.steering.tiny import WIDTH, make_observation
from workbench.core.errors import InvalidInput
from workbench.core.types import Prompt
from workbench.steering.assets import Conceptor, Place
from workbench.steering.conceptors import (
    conceptor_of,
    conjunction,
    contrastive_conceptor,
    negation,
    random_conceptor,
)
from workbench.steering.directions import Contrast, Method, combine, contrast_prompts, direction_of_probe, fit_direction
from workbench.steering.features import concept_scores, feature_statistics
from workbench.steering.probes import Samples, area_under_curve, fit_probe, score_of_chance, split_groups
from workbench.steering.sae import SaeTraining, TorchSae, geometric_median, top_k, train_sae

PLACE = Place("decoder", 1, "action")


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def planted(seed=0, n=120, d=20, size=3.0):
    """States that differ along one axis, in pairs, over other large variation."""
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=d)
    axis /= np.linalg.norm(axis)
    base = rng.normal(size=(n, d)) * np.linspace(0.5, 2, d)
    shift = size * (1 + 0.2 * rng.normal(size=n))[:, None] * axis
    noise = 0.2 * rng.normal(size=(2, n, d))
    groups = np.arange(n)
    return axis, Contrast((base + shift + noise[0]).astype("f4"), (base + noise[1]).astype("f4"), groups, groups)


@pytest.mark.parametrize(("method", "least"), [(Method.MEAN_DIFFERENCE, 0.98), (Method.PAIRED_PCA, 0.98), (Method.LOGISTIC, 0.6)])
def test_every_method_finds_the_planted_axis_with_its_sign(method, least):
    axis, contrast = planted()
    found = fit_direction(contrast, method, name="up", place=PLACE, norm=3.0, rng=np.random.default_rng(0))
    assert cosine(found.vector, axis) > least
    assert found.measures["auc"] > 0.9 > 0.75 > found.measures["random_auc"]
    turned = Contrast(contrast.negative, contrast.positive, contrast.negative_groups, contrast.positive_groups)
    back = fit_direction(turned, method, name="down", place=PLACE, norm=3.0, rng=np.random.default_rng(0))
    assert cosine(back.vector, axis) < -least


def test_held_out_separation_of_a_contrast_of_nothing_is_chance():
    rng, aucs = np.random.default_rng(1), []
    for _ in range(20):
        groups = np.arange(60)
        contrast = Contrast(rng.normal(size=(60, 20)).astype("f4"), rng.normal(size=(60, 20)).astype("f4"), groups, groups)
        aucs.append(fit_direction(contrast, Method.LOGISTIC, name="x", place=PLACE, norm=1.0, rng=rng).measures["auc"])
    assert abs(np.mean(aucs) - 0.5) < 0.08


def test_contrast_of_two_prompts_pairs_the_same_observations(policy):
    observations = [make_observation(seed) for seed in range(6)]
    contrast = contrast_prompts(policy, observations, (Prompt(text="up"), Prompt(text="down")), PLACE)
    assert contrast.positive.shape == contrast.negative.shape == (6, WIDTH)
    found = fit_direction(contrast, Method.PAIRED_PCA, name="up", place=PLACE, norm=1.0, rng=np.random.default_rng(0))
    assert ((contrast.positive - contrast.negative) @ found.vector > 0).mean() >= 0.5
    same = contrast_prompts(policy, observations, (Prompt(text="up"), Prompt(text="up")), PLACE)
    with pytest.raises(InvalidInput, match="differ"):
        fit_direction(same, Method.MEAN_DIFFERENCE, name="x", place=PLACE, norm=1.0, rng=np.random.default_rng(0))


def test_combined_directions_weigh_unit_vectors():
    _, contrast = planted()
    a, b = (fit_direction(contrast, m, name=m, place=PLACE, norm=1.0, rng=np.random.default_rng(0)) for m in list(Method)[:2])
    both = combine("both", [(2.0, a), (-1.0, b)])
    expected = 2 * a.vector / np.linalg.norm(a.vector) - b.vector / np.linalg.norm(b.vector)
    assert np.allclose(both.vector, expected, atol=1e-6)
    with pytest.raises(InvalidInput):
        combine("none", [])


def samples(rng, *, noise, is_classifier, episodes=24, length=10, d=16):
    rows = rng.normal(size=(episodes * length, d)) * np.linspace(0.2, 3, d) + 5
    truth = rng.normal(size=d)
    labels = (rows - 5) @ truth + noise * rng.normal(size=len(rows))
    labels = (labels > 0).astype(float) if is_classifier else labels
    return truth, Samples(rows.astype("f4"), labels, np.repeat(np.arange(episodes), length))


def test_ridge_probe_recovers_a_linear_label_in_its_own_units():
    rng = np.random.default_rng(0)
    truth, data = samples(rng, noise=0.1, is_classifier=False)
    probe = fit_probe(data, name="height", place=PLACE, is_classifier=False, unit="m", rng=rng)
    assert probe.measures["score"] > 0.99 > 0.2 > probe.measures["shuffled_score"]
    assert np.allclose(probe.weight, truth, atol=0.1)
    assert np.allclose(probe.read(data.rows), data.labels, atol=1.0)
    assert cosine(direction_of_probe(probe, 1.0).vector, truth) > 0.99


def test_logistic_probe_beats_majority_and_its_shuffled_control():
    rng = np.random.default_rng(0)
    _, data = samples(rng, noise=0.5, is_classifier=True)
    probe = fit_probe(data, name="grasped", place=PLACE, is_classifier=True, rng=rng)
    assert probe.measures["score"] > 0.95 and probe.measures["accuracy"] > 0.85 > probe.measures["majority"]
    assert abs(probe.measures["shuffled_score"] - 0.5) < 0.25


def test_probe_of_noise_scores_nothing_on_held_out_episodes():
    rng = np.random.default_rng(2)
    data = Samples(rng.normal(size=(100, 40)).astype("f4"), rng.normal(size=100), np.repeat(np.arange(10), 10))
    assert fit_probe(data, name="noise", place=PLACE, is_classifier=False, rng=rng).measures["score"] < 0.2


def test_a_label_that_only_tells_the_episode_does_not_carry_over():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), 30)
    rows = (rng.normal(size=(20, 60))[groups] + 0.01 * rng.normal(size=(600, 60))).astype("f4")
    data = Samples(rows, rng.normal(size=20)[groups], groups)
    assert fit_probe(data, name="episode", place=PLACE, is_classifier=False, rng=rng).measures["score"] < 0.3


def test_no_episode_is_on_both_sides_of_a_split():
    groups = np.array([3, 3, 5, 5, 5, 9, 9])
    held = split_groups(groups, 0.25, np.random.default_rng(0))
    assert 0 < held.sum() < len(groups)
    assert not set(groups[held]) & set(groups[~held])
    with pytest.raises(InvalidInput, match="two"):
        split_groups(np.zeros(5, dtype=int), 0.5, np.random.default_rng(0))


def test_area_under_the_curve_counts_pairs_and_half_of_ties():
    assert area_under_curve(np.array([1.0, 2, 2, 3]), np.array([False, True, False, True])) == pytest.approx(3.5 / 4)
    assert score_of_chance(0.5) == 0 and score_of_chance(0.9) == pytest.approx(np.log(9))


def test_probes_refuse_labels_and_states_that_cannot_be_fitted():
    rng = np.random.default_rng(0)
    rows, groups = rng.normal(size=(20, 4)).astype("f4"), np.repeat(np.arange(4), 5)
    for labels, kind in ((np.ones(20), False), (np.full(20, 0.5), True), (np.full(20, np.nan), False)):
        with pytest.raises(InvalidInput):
            fit_probe(Samples(rows, labels, groups), name="x", place=PLACE, is_classifier=kind, rng=rng)


def test_top_k_keeps_the_largest_positive_scores():
    scores = torch.tensor([[3.0, -1.0, 2.0, 5.0], [-1.0, -2.0, -3.0, 0.5]])
    assert top_k(scores, 2).tolist() == [[3, 0, 0, 5], [0, 0, 0, 0.5]]


def test_geometric_median_ignores_a_far_outlier():
    points = torch.cat([torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), torch.full((20, 3), 1000.0)])
    assert geometric_median(points).norm() < 0.5 < points.mean(0).norm()


def sparse_tokens(n=4000, d=16, features=16, active=2):
    rng = np.random.default_rng(0)
    dictionary = rng.normal(size=(features, d))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    codes = np.zeros((n, features))
    for row in codes:
        row[rng.choice(features, active, replace=False)] = rng.uniform(1, 2, active)
    return (10 + codes @ dictionary).astype("f4"), dictionary


def test_autoencoder_explains_sparse_tokens_better_than_an_untrained_one():
    tokens, _ = sparse_tokens()
    steps = []
    training = SaeTraining(num_active=4, batch=500, epochs=40, learning_rate=3e-3, expansion=2.0)
    sae = train_sae(tokens, name="s", place=PLACE, training=training, progress=lambda share, loss: steps.append((share, loss)))
    untrained = train_sae(tokens, name="s", place=PLACE, training=SaeTraining(num_active=4, epochs=0, expansion=2.0))
    assert sae.measures["explained"] > 0.9 > untrained.measures["explained"]
    assert steps[-1][0] == 1.0 and steps[-1][1] < steps[0][1]
    assert np.allclose(np.linalg.norm(sae.decoder, axis=1), 1.0, atol=1e-5)
    assert sae.measures["active_features"] <= 4
    net, hidden = TorchSae(sae), torch.tensor(tokens[:50])
    assert (net.reconstruct(hidden) - hidden).norm() < 0.3 * (hidden - hidden.mean(0)).norm()


def test_training_an_autoencoder_is_the_same_for_the_same_seed():
    tokens, _ = sparse_tokens(n=600)
    training = SaeTraining(num_active=3, epochs=3)
    first, second = (train_sae(tokens, name="s", place=PLACE, training=training) for _ in range(2))
    assert np.array_equal(first.encoder, second.encoder)
    with pytest.raises(InvalidInput, match="tokens"):
        train_sae(tokens[:5], name="s", place=PLACE)


def test_conceptors_are_soft_projections_with_commuting_conjunction():
    rng = np.random.default_rng(0)
    first, second = (conceptor_of(rng.normal(size=(50, 6)) * rng.uniform(0.1, 3, 6)) for _ in range(2))
    for matrix in (first, negation(first), conjunction(first, second)):
        values = np.linalg.eigvalsh(matrix)
        assert values.min() >= -1e-9 and values.max() < 1
    assert np.allclose(conjunction(first, second), conjunction(second, first), atol=1e-9)
    assert np.allclose(negation(negation(first)), first)


def test_a_conceptor_against_itself_nearly_suppresses_the_axes_it_fills():
    rows = np.random.default_rng(0).normal(size=(400, 4)) * [30, 30, 0.01, 0.01]
    made = contrastive_conceptor(rows, rows, name="x", place=PLACE)
    assert np.linalg.norm(made.matrix, 2) < 0.02


def test_the_random_control_of_a_conceptor_has_its_spectrum_on_other_axes():
    rows = np.random.default_rng(0).normal(size=(100, 5)) * [5, 2, 1, 0.5, 0.1]
    conceptor = Conceptor("c", PLACE, conceptor_of(rows).astype("f4"))
    control = random_conceptor(conceptor, np.random.default_rng(1))
    assert np.allclose(np.linalg.eigvalsh(control.matrix), np.linalg.eigvalsh(conceptor.matrix), atol=1e-5)
    assert not np.allclose(control.matrix, conceptor.matrix, atol=0.1)


def test_feature_statistics_of_a_hand_worked_episode():
    pulse = np.array([0, 1.0, 1.0, 0.06, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0])  # 0.06 keeps it on, off at 0.05
    steady = np.full(10, 0.4)
    found = feature_statistics([np.stack([pulse, steady], axis=1), np.stack([0 * pulse, steady], axis=1)])
    assert found.coverage.tolist() == [0.5, 1.0]
    assert found.onsets.tolist() == [2.0, 1.0]
    assert found.peak == pytest.approx([1.0, 0.4])
    assert found.run == pytest.approx([(0.3 + 0.1) / 2, 1.0])
    assert ((found.general_chances() > 0) & (found.general_chances() < 1)).all()


def test_concept_score_is_effect_size_times_frequency():
    rng = np.random.default_rng(0)
    with_it = np.maximum(0, rng.normal([2, 0, 0.1], [1, 1, 0.01], (500, 3)))
    without = np.maximum(0, rng.normal([0, 0, 0.1], [1, 1, 0.01], (500, 3)))
    scores = concept_scores(with_it, without)
    assert scores[0] > 1 > abs(scores[1]) and abs(scores[2]) < 0.3
    assert concept_scores(np.zeros((3, 1)), np.zeros((3, 1))).tolist() == [0.0]
