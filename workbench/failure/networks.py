"""SAFE's two detectors and the losses that they are trained by.

Source: Gu et al. 2025, arXiv:2506.09937: two linear layers whose step scores add up, or an LSTM with a score of its own at every step.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN: Final = 256

LstmState = tuple[Tensor, Tensor]


class CumulativeMlp(nn.Module):
    """Scores each call by itself, and adds up: the score of call t lies between 0 and t and never falls."""

    def __init__(self, width: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, hidden), nn.Linear(hidden, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, T, D)`` to the scores ``(B, T)``."""
        return self.each(features).cumsum(dim=-1)

    def each(self, features: Tensor) -> Tensor:
        """Return what each call adds, 0..1: ``(..., D)`` to ``(...)``."""
        steps: Tensor = self.outer(functional.relu(self.inner(features)))[..., 0].sigmoid()
        return steps


class StepLstm(nn.Module):
    """Reads the calls in order; its score is the probability of a failure, 0..1."""

    def __init__(self, width: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.memory, self.outer = nn.LSTM(width, hidden, batch_first=True), nn.Linear(hidden, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, T, D)`` to the scores ``(B, T)``."""
        return self.go_on(features, None)[0]

    def go_on(self, features: Tensor, state: LstmState | None) -> tuple[Tensor, LstmState]:
        """Return the scores ``(B, T)`` of further calls, and the state behind them."""
        hidden, after = self.memory(features, state)
        scores: Tensor = self.outer(hidden)[..., 0].sigmoid()
        return scores, after


def cumulative_loss(scores: Tensor, is_failure: Tensor) -> Tensor:
    """Return the loss of each call ``(B, T)``: the score itself in a success, what it lacks of the number of calls in a failure."""
    calls = torch.arange(1, scores.shape[1] + 1, dtype=scores.dtype, device=scores.device)
    return torch.where(is_failure[:, None], calls - scores, scores)


def probability_loss(scores: Tensor, is_failure: Tensor) -> Tensor:
    """Return the loss of each call ``(B, T)``: cross-entropy against how the episode ended."""
    return functional.binary_cross_entropy(scores, is_failure[:, None].to(scores.dtype).expand_as(scores), reduction="none")


def class_weights(is_failure: Tensor) -> Tensor:
    """Return the weight ``(B,)`` of each episode: one over the share of its outcome, with one more counted of each."""
    counts = torch.stack([(~is_failure).sum(), is_failure.sum()]).float() + 1
    weights: Tensor = (counts.sum() / counts)[is_failure.long()]
    return weights


def reduced(losses: Tensor, is_valid: Tensor, is_failure: Tensor) -> Tensor:
    """Return one number: the mean over the valid calls of an episode ``(B, T)``, weighted by outcome, over the episodes."""
    valid = is_valid.to(losses.dtype)
    each = (losses * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1)
    return (class_weights(is_failure) * each).sum() / len(each)


def weight_decay(network: nn.Module) -> Tensor:
    """Return the sum of squares of everything but biases."""
    return torch.stack([p.square().sum() for name, p in network.named_parameters() if "bias" not in name]).sum()
