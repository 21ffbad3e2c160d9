"""From the hidden states of one policy call to one vector."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidShape

Floats = NDArray[np.float32]
_TINY: Final = 1e-6


class Pooling(StrEnum):
    """How the tokens of a call become one vector."""

    FIRST = "first"
    LAST = "last"
    MEAN = "mean"
    ENDS = "ends"
    """First and last, one behind the other."""


def normalised(tokens: Floats) -> Floats:
    """Return tokens ``(T, D)`` at a root mean square of 1 each: what the last norm of a network gives, before its gains."""
    scale = np.sqrt(np.mean(np.square(tokens), axis=-1, keepdims=True) + _TINY)
    return np.asarray(tokens / scale, dtype=np.float32)


def token_at(tokens: Floats, share: float) -> Floats:
    """Return the token ``(D,)`` that lies at a share 0..1 of the way from the first to the last."""
    return tokens[round((len(tokens) - 1) * share)]


def pool(tokens: Floats, pooling: Pooling) -> Floats:
    """Return one vector ``(D,)``, or ``(2 D,)`` of both ends, for tokens ``(T, D)``.

    Raises:
        InvalidShape: there are no tokens.
    """
    if tokens.ndim != 2 or not len(tokens):
        raise InvalidShape("tokens of a policy call", expected=("T >= 1", "D"), found=tokens.shape)
    match pooling:
        case Pooling.FIRST:
            return token_at(tokens, 0.0)
        case Pooling.LAST:
            return token_at(tokens, 1.0)
        case Pooling.MEAN:
            return np.asarray(tokens.mean(axis=0), dtype=np.float32)
    return np.concatenate([token_at(tokens, 0.0), token_at(tokens, 1.0)])
