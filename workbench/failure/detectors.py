"""Detectors that take one policy call after the other, live or on record alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.core.calls import Detector, PolicyCall
from workbench.failure.features import Pooling, normalised, pool
from workbench.failure.networks import CumulativeMlp, LstmState, StepLstm

__all__ = ["ChunkDisagreement", "CumulativeDetector", "EmbeddingDistance", "LstmDetector", "TokenEntropy", "score_calls"]

Floats = NDArray[np.float64]
NUM_NEIGHBOURS: Final = 5
_RIDGE: Final = 1e-3
"""Added to the covariance, in parts of its mean variance, so that it can be inverted."""


def score_calls(detector: Detector, calls: Sequence[PolicyCall]) -> Floats:
    """Return the scores ``(n,)`` of the calls of one episode."""
    detector.reset()
    return np.array([detector.score(call) for call in calls], dtype=np.float64)


class CumulativeDetector:
    """SAFE's MLP: what each call adds, summed up."""

    def __init__(self, network: CumulativeMlp, pooling: Pooling) -> None:
        self._network, self._pooling = network.eval(), pooling
        self._total = 0.0

    def reset(self) -> None:
        """Forget the episode so far."""
        self._total = 0.0

    @torch.inference_mode()
    def score(self, call: PolicyCall) -> float:
        """Return the sum after one more call."""
        self._total += float(self._network.each(torch.from_numpy(feature_of(call, self._pooling))))
        return self._total


class LstmDetector:
    """SAFE's LSTM: the probability of a failure after all calls so far."""

    def __init__(self, network: StepLstm, pooling: Pooling) -> None:
        self._network, self._pooling = network.eval(), pooling
        self._state: LstmState | None = None

    def reset(self) -> None:
        """Forget the episode so far."""
        self._state = None

    @torch.inference_mode()
    def score(self, call: PolicyCall) -> float:
        """Return the probability after one more call."""
        feature = torch.from_numpy(feature_of(call, self._pooling))[None, None]
        scores, self._state = self._network.go_on(feature, self._state)
        return float(scores[0, 0])


class TokenEntropy:
    """Baseline: how unsure the policy is of its action tokens, [nat]."""

    def __init__(self, *, is_largest: bool = False) -> None:
        """Take the mean over the tokens of a call, or the largest."""
        self._is_largest = is_largest

    def reset(self) -> None:
        """Nothing is remembered."""

    def score(self, call: PolicyCall) -> float:
        """Return the entropy of this call; 0 where the policy does not tell it."""
        intention = call.chunk.intention
        if intention is None or intention.entropies is None:
            return 0.0
        return float(intention.entropies.max() if self._is_largest else intention.entropies.mean())


class EmbeddingDistance:
    """Baseline: how much farther a call's feature lies from those of successes than from those of failures."""

    def __init__(self, successes: NDArray[np.float32], failures: NDArray[np.float32], pooling: Pooling, *, is_mahalanobis: bool) -> None:
        """Take features ``(n, D)`` of training episodes; by Mahalanobis distance to each class, or to its nearest neighbours."""
        self._pooling = pooling
        make = _Mahalanobis if is_mahalanobis else _Neighbours
        self._to_success, self._to_failure = make(successes), make(failures)

    def reset(self) -> None:
        """Nothing is remembered."""

    def score(self, call: PolicyCall) -> float:
        """Return the difference of the two distances."""
        feature = feature_of(call, self._pooling).astype(np.float64)
        return self._to_success(feature) - self._to_failure(feature)


class ChunkDisagreement:
    """Baseline, STAC with one sample: how far what the policy plans now lies from what it planned a call ago for the same steps."""

    def __init__(self, scale: NDArray[np.float32]) -> None:
        """Take the spread ``(7,)`` of each action dimension, which makes metres, radians and openings comparable."""
        self._scale = np.maximum(np.asarray(scale, dtype=np.float64), 1e-6)
        self._before: PolicyCall | None = None

    def reset(self) -> None:
        """Forget the episode so far."""
        self._before = None

    def score(self, call: PolicyCall) -> float:
        """Return the mean distance over the steps that both chunks plan; 0 where they share none."""
        before, self._before = self._before, call
        if before is None:
            return 0.0
        passed = call.step - before.step
        num_common = min(len(before.chunk.actions) - passed, len(call.chunk.actions))
        if passed <= 0 or num_common <= 0:
            return 0.0
        apart = (before.chunk.actions[passed : passed + num_common] - call.chunk.actions[:num_common]) / self._scale
        return float(np.linalg.norm(apart, axis=1).mean())


def feature_of(call: PolicyCall, pooling: Pooling) -> NDArray[np.float32]:
    """Return the vector ``(D,)`` or ``(2 D,)`` of a call, at a root mean square of 1."""
    return normalised(pool(normalised(call.tokens), pooling)[None])[0]


class _Mahalanobis:
    def __init__(self, features: NDArray[np.float32]) -> None:
        rows = features.astype(np.float64)
        self._mean = rows.mean(axis=0)
        covariance = np.cov(rows, rowvar=False) if len(rows) > 1 else np.eye(rows.shape[1])
        ridge = _RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-9)
        self._precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))

    def __call__(self, feature: Floats) -> float:
        away = feature - self._mean
        return float(np.sqrt(max(away @ self._precision @ away, 0.0)))


class _Neighbours:
    def __init__(self, features: NDArray[np.float32]) -> None:
        self._rows = features.astype(np.float64)

    def __call__(self, feature: Floats) -> float:
        distances = np.linalg.norm(self._rows - feature, axis=1)
        count = min(NUM_NEIGHBOURS, len(distances))
        return float(np.partition(distances, count - 1)[:count].mean())
