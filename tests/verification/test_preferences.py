import numpy as np
import torch

from workbench.verification.preferences import make_pairs, preference_loss, representatives


def test_the_candidate_with_the_smaller_error_wins_every_pair():
    rng = np.random.default_rng(0)
    candidates, errors = rng.normal(size=(32, 7)), rng.random(32)
    pairs = make_pairs(candidates, errors, 0)
    assert len(pairs) == 10
    assert all(errors[p.winner] < errors[p.loser] and np.isclose(p.gap, errors[p.loser] - errors[p.winner]) for p in pairs)


def test_equal_candidates_make_no_pair():
    assert make_pairs(np.zeros((8, 7)), np.full(8, 0.3), 0) == []


def test_representatives_stand_for_different_groups():
    groups = np.repeat(np.eye(3), 10, axis=0) * 5 + np.random.default_rng(1).normal(scale=0.01, size=(30, 3))
    assert sorted(i // 10 for i in representatives(groups, 3, 0)) == [0, 1, 2]


def test_the_loss_is_least_where_scores_differ_as_errors_do():
    gap = torch.tensor([0.5])
    losses = {d: float(preference_loss(torch.tensor([d]), torch.tensor([0.0]), gap, margin=100.0)) for d in (0.0, 0.3, 0.5, 0.7, 1.0)}
    assert min(losses, key=losses.__getitem__) == 0.5


def test_without_a_margin_it_is_bradley_terry():
    found = preference_loss(torch.tensor([2.0]), torch.tensor([0.5]), torch.tensor([9.0]), margin=0.0)
    assert torch.isclose(found, -torch.log(torch.sigmoid(torch.tensor(1.5))))
