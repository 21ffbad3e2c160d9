"""Choosing one of several scored candidates.

Source: V-GPS (arXiv:2410.13816): the best, or one drawn with probability softmax(score / beta).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, InvalidShape


def choose(scores: NDArray[np.float64], is_allowed: NDArray[np.bool_], beta: float, rng: np.random.Generator) -> int | None:
    """Return the index of the chosen candidate, or None when none is allowed; of equally good ones the first.

    Args:
        scores: ``(K,)``, higher is better.
        is_allowed: ``(K,)``: what the checks let pass.
        beta: 0 takes the best; larger draws more evenly.
        rng: of the draw.

    Raises:
        InvalidInput: ``beta`` is negative.
        InvalidShape: scores and checks are not of the same candidates.
    """
    if scores.shape != is_allowed.shape or scores.ndim != 1:
        raise InvalidShape("scores", expected=is_allowed.shape, found=scores.shape)
    if not beta >= 0:
        raise InvalidInput("beta", expected="0 or a positive number", found=str(beta))
    usable = is_allowed & np.isfinite(scores)
    if not usable.any():
        return None
    if beta == 0:
        return int(np.argmax(np.where(usable, scores, -np.inf)))
    return int(rng.choice(len(scores), p=shares(scores, usable, beta)))


def shares(scores: NDArray[np.float64], is_allowed: NDArray[np.bool_], beta: float) -> NDArray[np.float64]:
    """Return with which probability each candidate is drawn ``(K,)``, for ``beta`` above 0."""
    logits = np.where(is_allowed, scores / beta, -np.inf)
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())
