"""How well raters agree beyond chance.

Cohen's kappa for two raters, Fleiss' kappa for a fixed number of ratings an item, Krippendorff's alpha for any number of raters with
gaps. Written out here because the packages that have them are copyleft or many times larger than these few lines; the tests hold
them against published examples.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidInput, InvalidShape

Floats = NDArray[np.float64]


class Level(StrEnum):
    """What differences between values mean."""

    NOMINAL = "nominal"
    """Equal or not."""
    ORDINAL = "ordinal"
    """Ranks, as stars are."""
    INTERVAL = "interval"
    """Distances count, as per cent do."""


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Return Cohen's kappa of two raters who judged the same items; NaN when both always say the same one thing.

    Source: Cohen 1960.

    Raises:
        InvalidInput: there are no items, or not equally many.
    """
    if len(a) != len(b) or not a:
        raise InvalidInput("ratings of two raters", expected="equally many, at least one", found=f"{len(a)} and {len(b)}")
    labels = list(dict.fromkeys([*a, *b]))
    table = np.zeros((len(labels), len(labels)))
    for x, y in zip(a, b, strict=True):
        table[labels.index(x), labels.index(y)] += 1
    table /= len(a)
    expected = float(table.sum(axis=1) @ table.sum(axis=0))
    return _beyond_chance(float(np.trace(table)), expected)


def fleiss_kappa(counts: ArrayLike) -> float:
    """Return Fleiss' kappa of ``counts`` ``(items, categories)``: how many raters put each item in each category.

    Source: Fleiss 1971. NaN when all ratings are of one category.

    Raises:
        InvalidInput: the items do not all have the same number of ratings, at least two.
    """
    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or not table.size:
        raise InvalidShape("counts", expected=("items", "categories"), found=table.shape)
    totals = table.sum(axis=1)
    if totals.min() < 2 or totals.min() != totals.max():
        raise InvalidInput("counts", expected="the same number of ratings for every item, at least two", found=str(totals.tolist())[:80])
    n = totals[0]
    agreement = ((table**2).sum(axis=1) - n) / (n * (n - 1))
    shares = table.sum(axis=0) / table.sum()
    return _beyond_chance(float(agreement.mean()), float((shares**2).sum()))


def _beyond_chance(observed: float, expected: float) -> float:
    return float("nan") if np.isclose(expected, 1.0) else (observed - expected) / (1.0 - expected)


def krippendorff_alpha(values: ArrayLike, level: Level = Level.NOMINAL) -> float:
    """Return Krippendorff's alpha of ``values`` ``(raters, items)``, NaN where a rater did not judge.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability". NaN when fewer than two items were judged twice, or all values
    are equal.
    """
    data = np.asarray(values, dtype=float)
    if data.ndim != 2:
        raise InvalidShape("values", expected=("raters", "items"), found=data.shape)
    columns = [column[~np.isnan(column)] for column in data.T]
    columns = [column for column in columns if len(column) >= 2]
    if not columns:
        return float("nan")
    domain, codes = np.unique(np.concatenate(columns), return_inverse=True)
    coincidences = np.zeros((len(domain), len(domain)))
    start = 0
    for column in columns:
        counts = np.bincount(codes[start : start + len(column)], minlength=len(domain)).astype(float)
        start += len(column)
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(column) - 1)
    marginals = coincidences.sum(axis=1)
    distances = _distances(domain, marginals, level)
    expected = float((np.outer(marginals, marginals) * distances).sum() / (marginals.sum() - 1))
    return float("nan") if expected == 0 else 1.0 - float((coincidences * distances).sum()) / expected


def _distances(domain: Floats, marginals: Floats, level: Level) -> Floats:
    """Return squared distances ``(k, k)`` between values."""
    if level is Level.NOMINAL:
        return 1.0 - np.eye(len(domain))
    if level is Level.INTERVAL:
        return np.asarray((domain[:, None] - domain[None]) ** 2)
    ranks = np.cumsum(marginals) - marginals / 2
    return np.asarray((ranks[:, None] - ranks[None]) ** 2)
