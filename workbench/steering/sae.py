"""Sparse autoencoders of residual-stream tokens: TopK with an auxiliary loss for dead features, trained in minutes.

Source: Dr. VLA, arXiv:2603.19183 (geometric-median centre, per-token mean and length taken out, ReLU after TopK, unit decoder rows, no
biases, auxiliary loss 1/32 on dead features, expansion 1); per token rather than pooled over tokens, as Action Atlas, arXiv:2603.19233,
finds that pooled reconstruction destroys the policy (success 96 % to 8 %).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.core.errors import InvalidInput
from workbench.steering.assets import Place, Sae

AUX_WEIGHT: Final = 1 / 32
_MEDIAN_SAMPLES: Final = 10_000
_EPS: Final = 1e-6


@dataclass(frozen=True)
class SaeTraining:
    """How an autoencoder is trained; the defaults are those of Dr. VLA, but for the shorter schedule of a small network."""

    expansion: float = 1.0
    """Features per channel; more mostly adds dead ones."""
    num_active: int = 16
    """k; Dr. VLA takes about a twentieth of the width (100 of 2048, 64 of 1024)."""
    num_aux: int = 512
    dead_after: int = 500
    """Steps without being active after which a feature counts as dead."""
    learning_rate: float = 1e-3
    batch: int = 4096
    epochs: int = 100
    holdout: float = 0.1
    """Share of the tokens that only measures."""
    seed: int = 0


class Code(NamedTuple):
    """A token in features."""

    values: Tensor
    """``(..., F)``, at least 0, at most k of them not 0."""
    mean: Tensor
    """``(..., 1)``."""
    scale: Tensor
    """``(..., 1)``: what the decoded features are multiplied by."""


class TorchSae:
    """An autoencoder as tensors of one device."""

    def __init__(self, sae: Sae, device: torch.device | str = "cpu") -> None:
        self.encoder, self.decoder, self.centre = (
            torch.tensor(a, dtype=torch.float32, device=device) for a in (sae.encoder, sae.decoder, sae.centre)
        )
        self.num_active = sae.num_active

    def encode(self, hidden: Tensor) -> Code:
        """Return the features of tokens ``(..., d) float32``."""
        normal = _normalise(hidden, self.centre)
        return Code(top_k(normal.tokens @ self.encoder.T, self.num_active), normal.mean, normal.scale)

    def decode(self, code: Code) -> Tensor:
        """Return tokens ``(..., d)`` from features."""
        return code.values @ self.decoder * code.scale + code.mean + self.centre

    def reconstruct(self, hidden: Tensor) -> Tensor:
        """Return what is left of tokens ``(..., d)`` after encoding and decoding."""
        return self.decode(self.encode(hidden))


def top_k(scores: Tensor, k: int) -> Tensor:
    """Keep the k largest scores of ``(..., F)`` where they are positive, and put 0 elsewhere."""
    best = scores.topk(k, dim=-1)
    return torch.zeros_like(scores).scatter(-1, best.indices, best.values.clamp(min=0))


def train_sae(
    tokens: NDArray[np.float32],
    *,
    name: str,
    place: Place,
    training: SaeTraining = SaeTraining(),
    progress: Callable[[float, float], None] | None = None,
) -> Sae:
    """Train an autoencoder.

    Args:
        tokens: ``(n, d) float32``, one row a token, in any order.
        name: what to call it.
        place: where the tokens come from.
        training: how.
        progress: called after each epoch with the share done and the training loss.

    Raises:
        InvalidInput: too few tokens, or not finite.
    """
    if len(tokens) < 10 * training.num_active or not np.isfinite(tokens).all():
        fix = "Record more steps."
        raise InvalidInput("tokens for an autoencoder", expected=f">= {10 * training.num_active}, finite", found=f"{len(tokens)}", fix=fix)
    generator = torch.Generator().manual_seed(training.seed)
    data = torch.tensor(tokens, dtype=torch.float32)
    data = data[torch.randperm(len(data), generator=generator)]
    num_held = max(1, int(training.holdout * len(data)))
    centre = geometric_median(data[num_held:][:_MEDIAN_SAMPLES])
    normal = _normalise(data, centre).tokens
    held, seen = normal[:num_held], normal[num_held:]
    trainer = _Trainer(data.shape[1], training, generator)
    for epoch in range(training.epochs):
        loss = trainer.epoch(seen)
        if progress is not None:
            progress((epoch + 1) / training.epochs, loss)
    codes = top_k(held @ trainer.encoder.detach().T, training.num_active)
    residue = held - codes @ trainer.decoder.detach()
    measures = {
        "explained": float(1 - residue.square().sum() / (held - held.mean(0)).square().sum()),
        "dead_share": float((trainer.silent >= training.dead_after).float().mean()),
        "active_features": float((codes > 0).float().sum(-1).mean()),
        "n_tokens": float(len(seen)),
    }
    return Sae(
        name,
        place,
        trainer.encoder.detach().numpy().copy(),
        trainer.decoder.detach().numpy().copy(),
        centre.numpy().copy(),
        training.num_active,
        source=f"TopK autoencoder, k = {training.num_active}, {len(seen)} tokens, {training.epochs} epochs",
        measures=measures,
    )


def geometric_median(points: Tensor, iterations: int = 50) -> Tensor:
    """Return the point with the least sum of distances to ``(n, d)`` points, by Weiszfeld's iteration."""
    median = points.mean(0)
    for _ in range(iterations):
        weight = 1 / (points - median).norm(dim=1).clamp(min=_EPS)
        median = (weight[:, None] * points).sum(0) / weight.sum()
    return median


class _Normal(NamedTuple):
    tokens: Tensor
    mean: Tensor
    scale: Tensor


def _normalise(hidden: Tensor, centre: Tensor) -> _Normal:
    moved = hidden - centre
    mean = moved.mean(-1, keepdim=True)
    moved = moved - mean
    scale = moved.norm(dim=-1, keepdim=True).clamp(min=_EPS)
    return _Normal(moved / scale, mean, scale)


class _Trainer:
    """Weights, optimiser and dead-feature counts."""

    def __init__(self, width: int, training: SaeTraining, generator: torch.Generator) -> None:
        num_features = max(training.num_active, math.ceil(training.expansion * width))
        rows = torch.randn(num_features, width, generator=generator)
        rows = rows / rows.norm(dim=1, keepdim=True)
        self.encoder, self.decoder = rows.clone().requires_grad_(), rows.clone().requires_grad_()
        self.silent = torch.zeros(num_features)
        self._training, self._generator = training, generator
        self._optimiser = torch.optim.Adam([self.encoder, self.decoder], lr=training.learning_rate)

    def epoch(self, tokens: Tensor) -> float:
        order = torch.randperm(len(tokens), generator=self._generator)
        losses = [self._step(tokens[part]) for part in torch.split(order, self._training.batch)]
        return sum(losses) / len(losses)

    def _step(self, batch: Tensor) -> float:
        scores = batch @ self.encoder.T
        codes = top_k(scores, self._training.num_active)
        residue = batch - codes @ self.decoder
        variance = (batch - batch.mean(0)).square().sum().clamp(min=_EPS)
        loss = residue.square().sum() / variance
        dead = self.silent >= self._training.dead_after
        if dead.any():
            spare = top_k(scores.masked_fill(~dead, -math.inf), min(self._training.num_aux, int(dead.sum())))
            miss = (residue.detach() - spare @ self.decoder).square().sum() / residue.detach().square().sum().clamp(min=_EPS)
            loss = loss + AUX_WEIGHT * miss
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        with torch.no_grad():
            self.decoder /= self.decoder.norm(dim=1, keepdim=True).clamp(min=_EPS)
            is_active = (codes > 0).any(dim=0)
            self.silent = torch.where(is_active, 0.0, self.silent + 1)
        return float(loss.detach())
