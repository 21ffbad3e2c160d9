"""How much each step counts when a policy learns from corrections: all the same, as in IWR, or as in Sirius.

Weights are derived when they are needed, never stored: what is stored is who acted and why.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidInput
from workbench.learning.lessons import Mode

Floats = NDArray[np.float64]

HUMAN_MASS: Final = 0.5
"""Share of all weight that Sirius gives to interventions ..."""
BEFORE_MASS: Final = 0.002
"""... and to the steps that led to them."""


class Weighting(StrEnum):
    """How steps are weighted."""

    UNIFORM = "uniform"
    IWR = "iwr"
    SIRIUS = "sirius"

    @property
    def words(self) -> str:
        """One line for the page."""
        return _WORDS[self]


_WORDS: Final = {
    Weighting.UNIFORM: "Uniform: every step counts the same",
    Weighting.IWR: "IWR: steps by hand are half of what counts",
    Weighting.SIRIUS: "Sirius: as IWR, and what led to a correction hardly counts",
}


def weigh(modes: ArrayLike, weighting: Weighting) -> Floats:
    """Return the weight of each step ``(N,)``; they sum to the number of steps that are not left out.

    ``iwr`` (Source: Mandlekar et al. 2020, arXiv:2012.06733): steps by hand have the weight (N - n) / n, others 1, so that both kinds
    have the same mass; scaled here to sum to N. ``sirius`` (Source: Liu et al. 2023, arXiv:2211.08416), with the shares r of the kinds:
    demonstrations 1, interventions 0.5 / r, steps before them 0.002 / r, the policy's others what is left of the mass. Where demonstrations
    leave nothing, that weight would be negative: then the policy's steps weigh nothing and the demonstrations share what is left. The mass of a
    kind that there is none of goes to the policy's steps, else to the demonstrations, else to the interventions. Without interventions
    all count the same.

    Args:
        modes: ``(N,)`` of :class:`~workbench.learning.lessons.Mode`.
        weighting: which of the three.

    Raises:
        InvalidInput: a number is no mode.
    """
    found = np.asarray(modes, dtype=np.int64)
    unknown = sorted(set(found.tolist()) - {int(m) for m in Mode})
    if unknown:
        raise InvalidInput("modes of steps", expected=f"numbers of {[int(m) for m in Mode]}", found=str(unknown[:4]))
    is_used, is_human = found != Mode.LEFT_OUT, found == Mode.HUMAN
    num, num_human = int(is_used.sum()), int(is_human.sum())
    weights = is_used.astype(np.float64)
    if weighting is Weighting.UNIFORM or num_human in (0, num):
        return weights
    if weighting is Weighting.IWR:
        weights[is_human] = (num - num_human) / num_human
        scaled: Floats = weights * (num / weights.sum())
        return scaled
    return _sirius(found, num)


def _sirius(modes: NDArray[np.int64], num: int) -> Floats:
    counts: dict[Mode, int] = {mode: int((modes == mode).sum()) for mode in Mode if mode is not Mode.LEFT_OUT}
    masses: dict[Mode, float] = {Mode.HUMAN: HUMAN_MASS, Mode.BEFORE: BEFORE_MASS if counts[Mode.BEFORE] else 0.0}
    rest = 1.0 - sum(masses.values())
    masses[Mode.DEMONSTRATION] = min(counts[Mode.DEMONSTRATION] / num, rest)
    left = rest - masses[Mode.DEMONSTRATION]
    heir = next(m for m in (Mode.POLICY, Mode.DEMONSTRATION, Mode.HUMAN) if counts[m])
    masses[heir] = masses.get(heir, 0.0) + left
    weights = np.zeros(len(modes))
    for mode, mass in masses.items():
        if counts[mode]:
            weights[modes == mode] = mass * num / counts[mode]
    return weights


def effective_number(weights: ArrayLike) -> float:
    """Return how many equally weighted steps would say as much (Kish): the square of the sum over the sum of the squares."""
    values = np.asarray(weights, dtype=np.float64)
    return float(values.sum() ** 2 / (values**2).sum()) if values.any() else 0.0
