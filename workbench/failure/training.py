"""Fitting a detector to recorded episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.core.errors import InvalidInput
from workbench.failure.networks import CumulativeMlp, StepLstm, cumulative_loss, probability_loss, reduced, weight_decay


@dataclass(frozen=True, eq=False)
class LabelledEpisode:
    """The features of one episode, and how it ended."""

    features: NDArray[np.float32]
    """``(n, D)``, one row a call of the policy."""
    is_failure: bool


@dataclass(frozen=True)
class FitSettings:
    """How long and how strongly regularised."""

    epochs: int
    learning_rate: float = 1e-3
    decay: float = 1e-2
    """Factor of the sum of squares of the weights."""
    batch: int = 512
    """Episodes."""
    seed: int = 0


def fit_mlp(episodes: Sequence[LabelledEpisode], settings: FitSettings) -> CumulativeMlp:
    """Return a detector whose scores add up; errors as :func:`fit_lstm`."""
    torch.manual_seed(settings.seed)
    network = CumulativeMlp(_width(episodes))
    _fit(network, episodes, settings, cumulative_loss)
    return network


def fit_lstm(episodes: Sequence[LabelledEpisode], settings: FitSettings) -> StepLstm:
    """Return a detector that reads the calls in order.

    Raises:
        InvalidInput: there are not both successes and failures.
    """
    torch.manual_seed(settings.seed)
    network = StepLstm(_width(episodes))
    _fit(network, episodes, settings, probability_loss)
    return network


def _fit(
    network: nn.Module, episodes: Sequence[LabelledEpisode], settings: FitSettings, loss_of: Callable[[Tensor, Tensor], Tensor]
) -> None:
    features, is_valid, is_failure = stacked(episodes)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    rng = np.random.default_rng(settings.seed)
    network.train()
    for _ in range(settings.epochs):
        order = torch.from_numpy(rng.permutation(len(features)))
        for start in range(0, len(order), settings.batch):
            chosen = order[start : start + settings.batch]
            longest = int(is_valid[chosen].sum(dim=1).max())
            losses = loss_of(network(features[chosen, :longest]), is_failure[chosen])
            loss = reduced(losses, is_valid[chosen, :longest], is_failure[chosen]) + settings.decay * weight_decay(network)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    network.eval()


def stacked(episodes: Sequence[LabelledEpisode]) -> tuple[Tensor, Tensor, Tensor]:
    """Return features ``(B, T, D)`` with zeros behind the end, what of them is valid ``(B, T)``, and the outcomes ``(B,)``."""
    longest = max(len(e.features) for e in episodes)
    features = torch.zeros(len(episodes), longest, _width(episodes))
    is_valid = torch.zeros(len(episodes), longest, dtype=torch.bool)
    for row, episode in enumerate(episodes):
        features[row, : len(episode.features)] = torch.from_numpy(episode.features)
        is_valid[row, : len(episode.features)] = True
    return features, is_valid, torch.tensor([e.is_failure for e in episodes])


def _width(episodes: Sequence[LabelledEpisode]) -> int:
    num_failures = sum(e.is_failure for e in episodes)
    if not 0 < num_failures < len(episodes):
        raise InvalidInput(
            "training of a failure detector",
            expected="episodes that succeeded and episodes that failed",
            found=f"{len(episodes) - num_failures} and {num_failures}",
            fix="Record more, or under stronger perturbations.",
        )
    return int(episodes[0].features.shape[1])
