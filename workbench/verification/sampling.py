"""Candidates for the next chunk: drawn from a policy's own distribution, or from a Gaussian around a few such draws.

Source: RoboMonkey (arXiv:2506.17811): a few samples of the policy, one Gaussian over their translation and rotation, the gripper by
majority, and then as many candidates as wanted at no cost. Where we differ: a policy here answers with a chunk. A draw keeps its quantile
of each dimension through the whole chunk, so that a candidate is one coherent motion while every action still has the policy's own
distribution; and the Gaussian is over the mean motion of a step, which is added to the mean chunk.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.types import ACTION_DIM, ActionDistribution

Floats = NDArray[np.float64]

MOTION_DIM: Final = ACTION_DIM - 1
"""Translation and rotation; the gripper comes last."""
LEAST_SPREAD: Final = np.array([0.001, 0.001, 0.001, 0.004, 0.004, 0.004])
"""Standard deviation of a step that a Gaussian has at least [m], [rad]: samples that agree still give candidates that differ a little."""
MAX_CANDIDATES: Final = 64


def draw_chunks(
    distribution: ActionDistribution, count: int, rng: np.random.Generator, *, temperature: float = 1.0, is_coherent: bool = True
) -> Floats:
    """Return ``(count, T, 7)`` chunks drawn from a policy's distribution.

    Args:
        distribution: of the chunk.
        count: how many.
        rng: of the draws.
        temperature: 1 as the policy says, lower nearer to its likeliest values, higher wider.
        is_coherent: keep the quantile of each dimension through a chunk; else draw each action by itself, as tokens are sampled.

    Raises:
        InvalidInput: the temperature is not positive.
    """
    if not temperature > 0:
        raise InvalidInput("temperature", expected="a positive number", found=str(temperature))
    weights = np.asarray(distribution.probabilities, dtype=np.float64)
    tempered = weights if temperature == 1.0 else np.power(weights / weights.max(-1, keepdims=True), 1.0 / temperature)
    cumulative = np.cumsum(tempered, axis=-1)
    cumulative /= cumulative[..., -1:]  # (T, 7, B)
    horizon = cumulative.shape[0]
    quantiles = rng.random((count, 1 if is_coherent else horizon, ACTION_DIM))
    quantiles = np.broadcast_to(quantiles, (count, horizon, ACTION_DIM))
    chosen = (cumulative[None] < quantiles[..., None]).sum(-1)  # (count, T, 7)
    chosen = np.minimum(chosen, cumulative.shape[-1] - 1)
    before = np.where(chosen > 0, np.take_along_axis(cumulative[None], np.maximum(chosen - 1, 0)[..., None], -1)[..., 0], 0.0)
    share = (quantiles - before) / np.maximum(np.take_along_axis(cumulative[None], chosen[..., None], -1)[..., 0] - before, 1e-12)
    low, width = distribution.centres[:, 0], distribution.centres[:, 1] - distribution.centres[:, 0]
    # A bin stands for all values around its centre; the outermost ones end at theirs.
    values = low + width * (chosen + np.clip(share, 0.0, 1.0) - 0.5)
    return np.asarray(np.clip(values, low, distribution.centres[:, -1]))


class MotionGaussian(NamedTuple):
    """What was fitted to a few chunks."""

    chunk: Floats
    """``(T, 7)`` their mean, the gripper by majority."""
    covariance: Floats
    """``(6, 6)`` of the mean motion of a step [m], [rad]."""


def fit_gaussian(samples: Floats, own: Floats, *, least_spread: Floats = LEAST_SPREAD) -> MotionGaussian:
    """Return the Gaussian of a few chunks.

    With few samples the covariance is drawn towards its diagonal, with weight 6 / (6 + N), and the diagonal has a least spread, so that it is
    never degenerate.

    Args:
        samples: ``(N, T, 7)``.
        own: ``(T, 7)`` the policy's own answer, which decides where the gripper's votes are even.
        least_spread: ``(6,)`` standard deviation at least.
    """
    if samples.ndim != 3 or samples.shape[-1] != ACTION_DIM or not len(samples):
        raise InvalidShape("samples", expected=("N >= 1", "T", ACTION_DIM), found=samples.shape)
    chunk = samples.mean(axis=0)
    chunk[:, -1] = majority(samples[..., -1], own[:, -1])
    motions = samples[..., :MOTION_DIM].mean(axis=1)  # (N, 6)
    covariance = np.cov(motions, rowvar=False, bias=False) if len(samples) > 1 else np.zeros((MOTION_DIM, MOTION_DIM))
    to_diagonal = MOTION_DIM / (MOTION_DIM + len(samples))
    covariance = (1 - to_diagonal) * covariance + to_diagonal * np.diag(np.diag(covariance))
    lacking = np.maximum(0.0, np.asarray(least_spread) ** 2 - np.diag(covariance))
    return MotionGaussian(chunk, covariance + np.diag(lacking))


def draw_gaussian(fitted: MotionGaussian, count: int, rng: np.random.Generator) -> Floats:
    """Return ``(count, T, 7)`` chunks drawn from a Gaussian; the gripper is that of the majority in all of them."""
    factor = np.linalg.cholesky(fitted.covariance)
    offsets = rng.standard_normal((count, MOTION_DIM)) @ factor.T
    chunks = np.repeat(fitted.chunk[None], count, axis=0)
    chunks[..., :MOTION_DIM] += offsets[:, None]
    return chunks


def majority(openings: Floats, own: Floats) -> Floats:
    """Return ``(T,)`` openings of the gripper that most samples want; where votes are even, or agree with it, the policy's own stay.

    Args:
        openings: ``(N, T)`` 0..1; more than a half is a vote for open.
        own: ``(T,)`` of the policy's own answer.
    """
    votes = 2 * (openings > 0.5).sum(axis=0) - len(openings)
    is_open = np.where(votes == 0, own > 0.5, votes > 0)
    return np.where(is_open == (own > 0.5), own, is_open.astype(np.float64))
