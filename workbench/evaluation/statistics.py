"""What counts and measures of seeded trials say: intervals, paired comparisons, how many episodes a difference needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, bootstrap, norm, t

from workbench.core.errors import InvalidInput

RESAMPLES: Final = 4000
"""Draws of a bootstrap."""

Floats = NDArray[np.float64]
K = TypeVar("K")


class Interval(NamedTuple):
    """A two-sided confidence interval of a rate, 0..1."""

    low: float
    high: float


class MeanInterval(NamedTuple):
    """A mean with its two-sided 95 % confidence interval."""

    mean: float
    low: float
    high: float
    n: int


class Comparison(NamedTuple):
    """Two conditions on common seeds, with what the discordant pairs say."""

    n: int
    """Seeds that both have."""
    first: int
    """Successes of the first condition on them."""
    second: int
    only_first: int
    """Seeds that only the first solved."""
    only_second: int
    difference: float
    """Success rate of the second less that of the first."""
    low: float
    """95 % interval of the difference, see :func:`paired_difference_interval`."""
    high: float
    p_value: float
    """McNemar's exact test: two-sided, on the discordant seeds."""

    def tell(self, unit: str = "points") -> str:
        """Return one line with effect, interval, n and p."""
        effect = f"{100 * self.difference:+.0f} {unit}, 95 % interval {100 * self.low:+.0f} to {100 * self.high:+.0f}"
        discordant = f"{self.only_second} seeds gained, {self.only_first} lost"
        return f"{effect}, {self.n} common seeds, {discordant}, McNemar p = {self.p_value:.3g}"


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


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> MeanInterval:
    """Return a mean with its interval: Wilson's where all values are 0 or 1, else Student's; one value has no width.

    Raises:
        InvalidInput: there are no values.
    """
    if not values:
        raise InvalidInput("mean", expected="at least one value", found="none")
    array = np.asarray(values, dtype=float)
    mean, n = float(array.mean()), len(array)
    if np.isin(array, (0.0, 1.0)).all():
        return MeanInterval(mean, *wilson_interval(int(array.sum()), n, confidence), n)
    half = float(t.ppf(0.5 + confidence / 2, n - 1) * array.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return MeanInterval(mean, mean - half, mean + half, n)


def paired_difference_interval(both: int, only_first: int, only_second: int, neither: int, confidence: float = 0.95) -> Interval:
    """Return the interval of the second success rate less the first, of pairs counted by who solved them.

    Unlike resampling it has a width where no pair is discordant (Source: R. G. Newcombe, Statistics in Medicine 17, 1998, method 10).

    Raises:
        InvalidInput: there are no pairs, or the confidence is not between 0 and 1.
    """
    n = both + only_first + only_second + neither
    if n == 0:
        raise InvalidInput("paired difference", expected="at least one pair", found="none")
    a, b = both + only_first, both + only_second
    first, second = (wilson_interval(count, n, confidence) for count in (a, b))
    product = both * neither - only_first * only_second
    spread = np.sqrt(float(a) * (n - a) * b * (n - b))
    # Continuity-corrected where the two go together, as the method has it.
    phi = 0.0 if spread == 0 else (max(product - n / 2, 0.0) if product > 0 else product) / spread
    ends = []
    for end_a, end_b in ((first.high, second.low), (first.low, second.high)):
        da, db = abs(end_a - a / n), abs(end_b - b / n)
        ends.append(float(np.sqrt(max(da * da - 2 * phi * da * db + db * db, 0.0))))
    return Interval((b - a) / n - ends[0], (b - a) / n + ends[1])


def compare(first: Mapping[K, bool], second: Mapping[K, bool]) -> Comparison:
    """Compare two conditions on the seeds that both have.

    Args:
        first: seed, or task and seed -> solved.
        second: the same of the other condition.

    Raises:
        InvalidInput: they have no seed in common.
    """
    common = [key for key in first if key in second]
    if not common:
        raise InvalidInput("comparison", expected="two conditions with seeds in common", found="none", fix="Run both on the same seeds.")
    a, b = (np.array([solved[s] for s in common], dtype=float) for solved in (first, second))
    only_first, only_second = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    discordant = only_first + only_second
    p_value = float(binomtest(only_second, discordant).pvalue) if discordant else 1.0
    both = int((a * b).sum())
    low, high = paired_difference_interval(both, only_first, only_second, len(common) - both - discordant)
    return Comparison(len(common), int(a.sum()), int(b.sum()), only_first, only_second, float(b.mean() - a.mean()), low, high, p_value)


def ratio_interval(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> MeanInterval:
    """Return mean(second) / mean(first) of paired values ``(n,)``, with its 95 % interval by resampling pairs."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    low, high = _resampled(lambda x, y, axis=-1: np.mean(y, axis=axis) / np.mean(x, axis=axis), (a, b), seed)
    return MeanInterval(float(b.mean() / a.mean()), low, high, len(a))


def difference_interval(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> MeanInterval:
    """Return mean(second) - mean(first) of paired values ``(n,)``, with its 95 % interval by resampling pairs."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    low, high = _resampled(lambda x, y, axis=-1: np.mean(y, axis=axis) - np.mean(x, axis=axis), (a, b), seed)
    return MeanInterval(float(b.mean() - a.mean()), low, high, len(a))


def episodes_needed(first: float, second: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """Return how many episodes each of two conditions needs so that a difference of success rates is found.

    Two-sided, unpaired, normal approximation with pooled variance under the null hypothesis (Source: Fleiss, Levin and Paik, Statistical
    Methods for Rates and Proportions, 2003); common seeds need fewer.

    Raises:
        InvalidInput: a rate is not between 0 and 1, or the rates are equal.
    """
    for name, value in (("first rate", first), ("second rate", second), ("power", power), ("level", level)):
        if not 0 <= value <= 1:
            raise InvalidInput(name, expected="a number from 0 to 1", found=str(value))
    if first == second:
        raise InvalidInput(
            "rates", expected="two that differ", found=f"{first} twice", fix="No number of episodes tells equal rates apart."
        )
    pooled = (first + second) / 2
    null = norm.ppf(1 - level / 2) * np.sqrt(2 * pooled * (1 - pooled))
    alternative = norm.ppf(power) * np.sqrt(first * (1 - first) + second * (1 - second))
    return ceil(((null + alternative) / (first - second)) ** 2)


def _resampled(statistic: Callable[..., Any], samples: tuple[Floats, Floats], seed: int) -> Interval:
    """Return the 95 % percentile interval of a statistic of pairs; a single pair has no width."""
    value = float(statistic(*samples))
    is_constant = all(len(np.unique(sample)) == 1 for sample in samples)
    if len(samples[0]) < 2 or is_constant:
        return Interval(value, value)
    found = bootstrap(
        samples, statistic, paired=True, vectorized=True, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    )
    return Interval(float(found.confidence_interval.low), float(found.confidence_interval.high))
