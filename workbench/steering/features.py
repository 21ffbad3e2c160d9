"""What the features of an autoencoder are good for: general or memorised, and which ones belong to a concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from workbench.core.errors import InvalidInput

ONSET: Final = 0.1
"""Activation, of a feature's largest, above which it switches on; it switches off at half of that."""


class _Weights(NamedTuple):
    bias: float
    onsets: float
    coverage: float
    peak: float
    run: float


LIBERO_WEIGHTS: Final = _Weights(-4.20, 1.89, 1.80, 0.52, -0.36)


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Four statistics of every feature over episodes, arrays ``(F,)``. Source: Dr. VLA, arXiv:2603.19183."""

    coverage: NDArray[np.float64]
    """Share of the episodes in which it switches on."""
    onsets: NDArray[np.float64]
    """How often it switches on in an episode, mean over the episodes in which it does."""
    peak: NDArray[np.float64]
    """Largest activation in an episode, mean over the episodes in which it switches on."""
    run: NDArray[np.float64]
    """Length of an activation as a share of the episode, mean over activations."""

    def general_chances(self, weights: _Weights = LIBERO_WEIGHTS) -> NDArray[np.float64]:
        """Return the probability ``(F,)`` that a feature is general rather than memorised.

        The weights were fitted to other policies by their authors, on standardised statistics as far as their intercepts tell: a
        ranking, not a measurement, for any other network.
        """
        parts = (self.onsets, self.coverage, self.peak, self.run)
        normal = [(p - p.mean()) / (p.std() or 1.0) for p in parts]
        total = weights.bias + sum(w * p for w, p in zip(weights[1:], normal, strict=True))
        chances: NDArray[np.float64] = expit(total)
        return chances


def feature_statistics(episodes: Sequence[NDArray[np.floating]]) -> FeatureStatistics:
    """Return the statistics of features from their activations ``(T, F)`` in each episode.

    Raises:
        InvalidInput: there are no episodes, or one is empty.
    """
    if not episodes or any(e.ndim != 2 or not len(e) for e in episodes):
        raise InvalidInput("episodes of features", expected="at least one, none empty", found=str(len(episodes)))
    high = ONSET * np.max([e.max(axis=0) for e in episodes], axis=0)
    num_features = episodes[0].shape[1]
    covered, onsets, peaks, runs, count = (np.zeros(num_features) for _ in range(5))
    for episode in episodes:
        is_on = _hysteresis(episode, high, high / 2)
        starts = is_on & ~np.concatenate([np.zeros((1, num_features), dtype=bool), is_on[:-1]])
        is_covered = is_on.any(axis=0)
        covered += is_covered
        onsets += starts.sum(axis=0)
        peaks += np.where(is_covered, episode.max(axis=0), 0.0)
        runs += is_on.sum(axis=0) / len(episode)
        count += starts.sum(axis=0)
    once = np.maximum(covered, 1)
    return FeatureStatistics(covered / len(episodes), onsets / once, peaks / once, runs / np.maximum(count, 1))


def concept_scores(with_concept: NDArray[np.floating], without: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much each feature ``(F,)`` belongs to a concept: Cohen's d times how often it is active with it.

    Source: Action Atlas, arXiv:2603.19233.

    Args:
        with_concept: ``(n, F)`` activations in states that show the concept.
        without: ``(k, F)`` in states that do not.

    Raises:
        InvalidInput: fewer than two states on a side.
    """
    if min(len(with_concept), len(without)) < 2:
        raise InvalidInput("states", expected="at least two on each side", found=f"{len(with_concept)} and {len(without)}")
    difference = with_concept.mean(0) - without.mean(0)
    num_a, num_b = len(with_concept), len(without)
    pooled = ((num_a - 1) * with_concept.var(0, ddof=1) + (num_b - 1) * without.var(0, ddof=1)) / (num_a + num_b - 2)
    size = np.divide(difference, np.sqrt(pooled), out=np.zeros(len(difference)), where=pooled > 0)
    scores: NDArray[np.float64] = size * (with_concept > 0).mean(0)
    return scores


def _hysteresis(values: NDArray[np.floating], high: NDArray[np.floating], low: NDArray[np.floating]) -> NDArray[np.bool_]:
    is_on = np.zeros(values.shape, dtype=bool)
    state = np.zeros(values.shape[1], dtype=bool)
    for t, now in enumerate(values):
        state = (now > high) | (state & (now > low))
        is_on[t] = state
    return is_on
