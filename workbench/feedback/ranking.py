"""A ranking from comparisons of two: the Bradley-Terry model with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from workbench.core.errors import InvalidInput

_PRIOR: Final = 0.1
"""Of a win and a loss of each against an average one: keeps those finite who always win or always lose."""
_NUM_ITERATIONS: Final = 200


class Comparison(NamedTuple):
    """One preference between two names."""

    winner: str
    loser: str
    is_tie: bool = False
    """Counts as half a win for each."""


@dataclass(frozen=True)
class Ranked:
    """One name in the ranking."""

    name: str
    strength: float
    """Log-odds against an average one; the strengths add up to 0."""
    low: float
    """Lower end of the 95 % interval of the strength."""
    high: float
    win_share: float
    """Expected share of wins against an average one, 0..1."""
    win_low: float
    """Lower end of its 95 % interval."""
    win_high: float
    num_wins: float
    """Ties count half."""
    num_comparisons: int


def bradley_terry(comparisons: Sequence[Comparison], *, prior: float = _PRIOR, confidence: float = 0.95) -> tuple[Ranked, ...]:
    """Return everyone who was compared, the strongest first.

    Maximum likelihood by Newton's method with a weak prior; intervals from the curvature of the likelihood, on the scale on which the
    strengths add up to 0. Source: Bradley and Terry 1952; ties as half a win each.

    Raises:
        InvalidInput: somebody was compared with himself.
    """
    if any(c.winner == c.loser for c in comparisons):
        raise InvalidInput("comparison", expected="two different names", found="the same one twice")
    names = sorted({name for c in comparisons for name in (c.winner, c.loser)})
    if not names:
        return ()
    wins = np.zeros((len(names), len(names)))
    for winner, loser, is_tie in comparisons:
        i, j = names.index(winner), names.index(loser)
        wins[i, j] += 0.5 if is_tie else 1.0
        wins[j, i] += 0.5 if is_tie else 0.0
    strengths, covariance = _fit(wins, prior)
    errors = float(norm.ppf(0.5 + confidence / 2)) * np.sqrt(np.diag(covariance))
    games = wins + wins.T
    ranked = [
        Ranked(
            name=name,
            strength=float(strengths[i]),
            low=float(strengths[i] - errors[i]),
            high=float(strengths[i] + errors[i]),
            win_share=_logistic(float(strengths[i])),
            win_low=_logistic(float(strengths[i] - errors[i])),
            win_high=_logistic(float(strengths[i] + errors[i])),
            num_wins=float(wins[i].sum()),
            num_comparisons=round(float(games[i].sum())),
        )
        for i, name in enumerate(names)
    ]
    return tuple(sorted(ranked, key=lambda r: -r.strength))


def _fit(wins: NDArray[np.float64], prior: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return strengths ``(n,)`` that add up to 0, and their covariance ``(n, n)``."""
    n = len(wins)
    games = wins + wins.T
    strengths = np.zeros(n)
    centre = np.eye(n) - 1.0 / n
    for _ in range(_NUM_ITERATIONS):
        chance = 1.0 / (1.0 + np.exp(strengths[None] - strengths[:, None]))  # (n, n): that i beats j
        own = 1.0 / (1.0 + np.exp(-strengths))
        gradient = (wins - games * chance).sum(axis=1) + prior * (1.0 - 2.0 * own)
        weight = games * chance * (1.0 - chance)
        curvature = np.diag(weight.sum(axis=1) + 2.0 * prior * own * (1.0 - own)) - weight
        step = np.linalg.pinv(curvature) @ gradient
        length = float(np.abs(step).max())
        strengths = centre @ (strengths + step / max(1.0, length))
        if length < 1e-10:
            break
    return strengths, centre @ np.linalg.pinv(curvature) @ centre


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-x)))
