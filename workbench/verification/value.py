"""How good an action is in a situation: returns, and Q functions learnt from recorded episodes by implicit Q-learning.

Source: V-GPS (arXiv:2410.13816) in its variant with IQL (arXiv:2110.06169): reward -1 a step and 0 on the last three of a success, gamma
0.98, expectile 0.7, two critics of which the lesser one of their slow copies scores. Where we differ: a step is a call of the policy, and
an episode that fails goes on costing -1 for ever.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]

GAMMA: Final = 0.98
NUM_FREE: Final = 3
"""Last steps of a success that cost nothing."""
EXPECTILE: Final = 0.7
TARGET_RATE: Final = 0.005
WIDTH: Final = 256


class Rewards(NamedTuple):
    """Of one episode with T steps."""

    rewards: Floats
    """``(T,)``"""
    goes_on: Floats
    """``(T,)``: 1 where what comes after counts, 0 on the last steps of a success."""
    returns: Floats
    """``(T,)``: discounted sum from each step on."""


def rewards_of(num_steps: int, is_success: bool, *, gamma: float = GAMMA, num_free: int = NUM_FREE) -> Rewards:
    """Return rewards and returns of an episode; one that failed costs -1 for ever, which comes to -1 / (1 - gamma)."""
    rewards, goes_on = -np.ones(num_steps), np.ones(num_steps)
    tail = -1.0 / (1.0 - gamma)
    if is_success:
        rewards[max(0, num_steps - num_free) :] = 0.0
        goes_on[max(0, num_steps - num_free) :] = 0.0
        tail = 0.0
    returns = np.empty(num_steps)
    for index in reversed(range(num_steps)):
        tail = rewards[index] + gamma * goes_on[index] * tail
        returns[index] = tail
    return Rewards(rewards, goes_on, returns)


class Perceptron(nn.Module):
    """Two hidden layers, on inputs that are brought to zero mean and unit spread; one output."""

    mean: Tensor
    spread: Tensor

    def __init__(self, num_inputs: int, width: int = WIDTH) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_inputs))
        self.register_buffer("spread", torch.ones(num_inputs))
        self.layers = nn.Sequential(
            nn.Linear(num_inputs, width), nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def fit_inputs(self, inputs: Tensor) -> None:
        """Take mean and spread from inputs ``(N, num_inputs)``."""
        self.mean.copy_(inputs.mean(0))
        self.spread.copy_(inputs.std(0).clamp(min=1e-3))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map ``(..., num_inputs)`` to ``(...)``."""
        found: Tensor = self.layers((inputs - self.mean) / self.spread)[..., 0]
        return found


class Critics(nn.Module):
    """Two Q functions with slow copies, and the value that actions of the data have."""

    def __init__(self, num_situation: int, num_action: int, width: int = WIDTH) -> None:
        super().__init__()
        self.critics = nn.ModuleList(Perceptron(num_situation + num_action, width) for _ in range(2))
        self.slow = copy.deepcopy(self.critics)
        self.value = Perceptron(num_situation, width)
        for parameter in self.slow.parameters():
            parameter.requires_grad_(False)

    def fit_inputs(self, situations: Tensor, actions: Tensor) -> None:
        """Take the normalisation of the inputs from data ``(N, s)`` and ``(N, a)``."""
        both = torch.cat([situations, actions], dim=-1)
        for critic in (*self.critics, *self.slow):
            critic.fit_inputs(both)
        self.value.fit_inputs(situations)

    def score(self, situations: Tensor, actions: Tensor) -> Tensor:
        """Return the lesser one of the slow critics: ``(..., s)`` and ``(..., a)`` to ``(...)``."""
        both = torch.cat([situations, actions], dim=-1)
        return torch.minimum(self.slow[0](both), self.slow[1](both))

    @torch.no_grad()
    def follow(self, rate: float = TARGET_RATE) -> None:
        """Move the slow critics towards the others."""
        for slow, fast in zip(self.slow.parameters(), self.critics.parameters(), strict=True):
            slow.lerp_(fast, rate)


@dataclass(frozen=True, eq=False)
class Transitions:
    """Steps of recorded episodes, N of them."""

    situations: Tensor
    """``(N, s)``"""
    actions: Tensor
    """``(N, a)``"""
    rewards: Tensor
    """``(N,)``"""
    goes_on: Tensor
    """``(N,)``: 0 where nothing counts that comes after."""
    next_situations: Tensor
    """``(N, s)``; where an episode failed at its last step, that step's own: it would have gone on like this."""

    def pick(self, rows: Tensor) -> Transitions:
        """Return some of them."""
        return Transitions(self.situations[rows], self.actions[rows], self.rewards[rows], self.goes_on[rows], self.next_situations[rows])


def iql_loss(critics: Critics, batch: Transitions, *, gamma: float = GAMMA, expectile: float = EXPECTILE) -> Tensor:
    """Return the loss of both critics and of the value: expectile regression to the slow critics, and one step ahead with that value."""
    with torch.no_grad():
        scored = critics.score(batch.situations, batch.actions)
        wanted = batch.rewards + gamma * batch.goes_on * critics.value(batch.next_situations)
    value_loss = expectile_loss(scored - critics.value(batch.situations), expectile)
    both = torch.cat([batch.situations, batch.actions], dim=-1)
    critic_loss = torch.stack([(critic(both) - wanted).square().mean() for critic in critics.critics]).sum()
    return value_loss + critic_loss


def expectile_loss(gaps: Tensor, expectile: float) -> Tensor:
    """Return the mean of |expectile - [gap < 0]| * gap^2."""
    weights = torch.where(gaps < 0, 1.0 - expectile, expectile)
    return (weights * gaps.square()).mean()
