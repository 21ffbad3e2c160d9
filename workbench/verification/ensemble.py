"""Weights for predictions of one and the same step by several calls of a policy.

Sources: ACT (arXiv:2304.13705): exponential in age, the oldest counts most. CogACT (arXiv:2411.19650): by how alike each is to the newest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ACT_DECAY: Final = 0.01
ADAPTIVE_ALPHA: Final = 0.1
_EPSILON: Final = 1e-7


def temporal_weights(count: int, decay: float = ACT_DECAY) -> Floats:
    """Return ACT's weights ``(count,)``, oldest first, that sum to 1: exp(-decay * i) for the i-th oldest."""
    weights = np.exp(-decay * np.arange(count))
    return np.asarray(weights / weights.sum())


def adaptive_weights(predictions: Floats, alpha: float = ADAPTIVE_ALPHA) -> Floats:
    """Return CogACT's weights ``(n,)`` that sum to 1: exp(alpha * cosine to the newest).

    Args:
        predictions: ``(n, 7)`` actions for one step, oldest first, as they are executed.
        alpha: 0 gives the plain mean; with the paper's 0.1 no weight is more than 1.22 times another.
    """
    newest = predictions[-1]
    lengths = np.linalg.norm(predictions, axis=1) * np.linalg.norm(newest)
    cosines = predictions @ newest / (lengths + _EPSILON)
    cosines[-1] = 1.0
    weights = np.exp(alpha * (cosines - 1.0))
    return np.asarray(weights / weights.sum())
