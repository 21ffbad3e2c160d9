"""What a count of successes says about a success rate."""

from __future__ import annotations

from typing import NamedTuple

from scipy.stats import binomtest

from workbench.core.errors import InvalidInput


class Interval(NamedTuple):
    """A two-sided confidence interval of a rate, 0..1."""

    low: float
    high: float


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a success rate; without trials it is everything.

    Unlike the normal approximation it has a width at 0 of n and n of n (Source: E. B. Wilson, JASA 22, 1927).

    Raises:
        InvalidInput: the counts are no counts, or the confidence is not between 0 and 1.
    """
    if not 0 <= successes <= trials:
        raise InvalidInput("successes", expected=f"a number from 0 to {trials}", found=str(successes))
    if not 0 < confidence < 1:
        raise InvalidInput("confidence", expected="a number between 0 and 1", found=str(confidence))
    if trials == 0:
        return Interval(0.0, 1.0)
    interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return Interval(float(interval.low), float(interval.high))
