"""Polylines in any number of dimensions: lengths along them, points at lengths, simplification. All lengths in the unit of the input."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def arc_lengths(points: ArrayLike) -> Array:
    """Return the length ``(N,)`` of a polyline ``(N, D)`` up to each of its points."""
    steps = np.linalg.norm(np.diff(np.asarray(points, dtype=float), axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def path_length(points: ArrayLike) -> float:
    """Return the length of a polyline ``(N, D)``."""
    return float(np.linalg.norm(np.diff(np.asarray(points, dtype=float), axis=0), axis=1).sum())


def points_at(points: Array, arcs: Array, wanted: Array) -> Array:
    """Return the places ``(K, D)`` at lengths ``(K,)`` of a polyline ``(N, D)`` whose points are at growing lengths ``(N,)``."""
    return np.stack([np.interp(wanted, arcs, points[:, k]) for k in range(points.shape[1])], axis=1)


def resample(points: ArrayLike, num: int) -> Array:
    """Return ``num`` points ``(num, D)`` spaced evenly along a polyline ``(N, D)``; both ends are kept."""
    p = np.asarray(points, dtype=float)
    lengths = np.linalg.norm(np.diff(p, axis=0), axis=1)
    p = p[np.concatenate([[True], lengths > 0])]
    if len(p) < 2:
        return np.repeat(p[:1], num, axis=0)
    arcs = arc_lengths(p)
    return points_at(p, arcs, np.linspace(0.0, arcs[-1], num))


def spaced(points: ArrayLike, spacing: float, *, at_most: int = 1_000_000) -> Array:
    """Return points evenly along a polyline ``(N, D)``, both ends kept, ``spacing`` apart or less as far as ``at_most`` points do."""
    num = int(np.ceil(arc_lengths(points)[-1] / spacing)) + 1
    return resample(points, min(max(2, num), at_most))


def simplify_indices(points: ArrayLike, tolerance: float, *, fixed: Iterable[int] = ()) -> list[int]:
    """Return the indices that Ramer-Douglas-Peucker keeps: no point of ``(N, D)`` is farther than ``tolerance`` from the result.

    The ends and the points with the indices ``fixed`` are kept in any case.
    """
    p = np.asarray(points, dtype=float)
    ends = sorted({0, *fixed, len(p) - 1})
    kept, todo = set(ends), list(pairwise(ends))
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        distances = _distances_to_segment(p[first + 1 : last], p[first], p[last])
        worst = int(np.argmax(distances))
        if distances[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            todo += [(first, middle), (middle, last)]
    return sorted(kept)


def simplify(points: ArrayLike, tolerance: float) -> Array:
    """Return the points ``(M, D)`` that Ramer-Douglas-Peucker keeps."""
    p = np.asarray(points, dtype=float)
    return p[simplify_indices(p, tolerance)]


def _distances_to_segment(points: Array, a: Array, b: Array) -> Array:
    along = b - a
    squared = float(along @ along)
    t = np.clip((points - a) @ along / squared, 0.0, 1.0) if squared > 0 else np.zeros(len(points))
    return np.asarray(np.linalg.norm(points - (a + t[:, None] * along), axis=1))
