"""Which of two actions is better: pairs, and the loss of a learned verifier.

Source: RoboMonkey (arXiv:2506.17811): candidates of one situation are grouped, every pair of representatives is compared, the one nearer to
the demonstrator's action wins; Bradley-Terry with a margin that asks the scores to differ by as much as the errors do.
"""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from torch import Tensor

NUM_REPRESENTATIVES: Final = 5
"""Groups of candidates of a situation: ten pairs."""
MARGIN: Final = 0.1

Floats = NDArray[np.float64]


class Pair(NamedTuple):
    """Two candidates of one situation, by their indices."""

    winner: int
    loser: int
    gap: float
    """By how much the error of the loser is greater."""


def make_pairs(candidates: Floats, errors: Floats, seed: int, *, num_representatives: int = NUM_REPRESENTATIVES) -> list[Pair]:
    """Return all pairs of representatives of candidates ``(K, a)`` with errors ``(K,)``; equally good ones make no pair.

    A representative is the candidate nearest to the middle of its group.
    """
    chosen = representatives(candidates, min(num_representatives, len(candidates)), seed)
    pairs = []
    for first, second in combinations(chosen, 2):
        winner, loser = (first, second) if errors[first] < errors[second] else (second, first)
        if errors[winner] < errors[loser]:
            pairs.append(Pair(winner, loser, float(errors[loser] - errors[winner])))
    return pairs


def representatives(candidates: Floats, count: int, seed: int) -> list[int]:
    """Return the indices of at most ``count`` candidates ``(K, a)`` that stand for groups of like ones."""
    spread = candidates.std(axis=0)
    if count < 2 or not (spread > 1e-9).any():
        return [0]
    scaled = candidates / np.where(spread > 1e-9, spread, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fewer groups than asked for are fine
        centres, groups = kmeans2(scaled, count, minit="++", seed=seed)
    found = []
    for group in range(count):
        members = np.flatnonzero(groups == group)
        if len(members):
            found.append(int(members[np.argmin(np.linalg.norm(scaled[members] - centres[group], axis=1))]))
    return sorted(found)


def preference_loss(winners: Tensor, losers: Tensor, gaps: Tensor, *, margin: float = MARGIN) -> Tensor:
    """Return the mean of -log sigmoid((Rw - Rl) - margin * (|gap| - |Rw - Rl|)^2).

    Args:
        winners: ``(N,)`` scores Rw.
        losers: ``(N,)`` scores Rl.
        gaps: ``(N,)`` differences of their errors.
        margin: weight of the second term; 0 is plain Bradley-Terry.
    """
    difference = winners - losers
    return -torch.nn.functional.logsigmoid(difference - margin * (gaps.abs() - difference.abs()).square()).mean()
