import numpy as np
import pytest
import torch

from workbench.verification.value import Critics, Transitions, expectile_loss, iql_loss, rewards_of


def test_returns_of_a_success_are_those_worked_out_by_hand():
    found = rewards_of(6, True)
    assert np.allclose(found.returns, [-2.9404, -1.98, -1, 0, 0, 0])
    assert found.goes_on.tolist() == [1, 1, 1, 0, 0, 0]


def test_a_failure_costs_for_ever_at_every_step():
    assert np.allclose(rewards_of(5, False).returns, -50.0)


def test_a_success_is_worth_more_than_a_failure_at_every_step():
    assert (rewards_of(300, True).returns > rewards_of(300, False).returns).all()


def test_expectile_regression_finds_the_expectile():
    values = torch.linspace(0, 1, 1001)
    found = min(np.linspace(0, 1, 201), key=lambda v: float(expectile_loss(values - v, 0.7)))
    low, high = values[values < found], values[values >= found]
    assert 0.7 * float((high - found).sum()) == pytest.approx(0.3 * float((found - low).sum()), rel=0.05)


def test_the_score_is_the_lesser_one_of_the_slow_critics():
    torch.manual_seed(0)
    critics = Critics(3, 2, width=8)
    situations, actions = torch.randn(5, 3), torch.randn(5, 2)
    both = torch.cat([situations, actions], -1)
    assert torch.equal(critics.score(situations, actions), torch.stack([c(both) for c in critics.slow]).min(0).values)
    critics.critics[0].layers[-1].bias.data += 1.0
    before = critics.score(situations, actions)
    critics.follow(0.0)
    assert torch.equal(critics.score(situations, actions), before)


def test_learning_ranks_the_action_that_ends_well_above_the_other():
    torch.manual_seed(0)
    actions = torch.randint(0, 2, (64, 1)).float()
    data = Transitions(torch.zeros(64, 1), actions, actions[:, 0] - 1.0, 1 - actions[:, 0], torch.zeros(64, 1))
    critics = Critics(1, 1, width=16)
    optimiser = torch.optim.Adam([p for p in critics.parameters() if p.requires_grad], 2e-2)
    for _ in range(60):
        loss = iql_loss(critics, data)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        critics.follow(0.2)
    good, bad = critics.score(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]])).detach()
    assert good > bad + 0.5
