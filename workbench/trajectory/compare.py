"""How near an executed path came to the drawn one.

Distances are those of ordered points. The order matters: a path that is driven backwards is far from itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.polylines import path_length, spaced

SPACING_M: Final = 0.01
"""Paths are compared on points this far apart, so that their own points do not matter."""
MAX_SAMPLES: Final = 300
ANGLE_WEIGHT: Final = 0.25
LENGTH_WEIGHT: Final = 0.10
_MAX_LENGTH_RATIO: Final = 10.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PathScore:
    """An executed path beside the drawn one; all lengths in metres."""

    frechet_m: float
    """Discrete Fréchet distance."""
    warped_m: float
    """Dynamic time warping: mean distance of the matched points."""
    end_point_m: float
    mean_m: float
    """Mean distance of executed places to the drawn path."""
    in_plane_m: float | None = None
    """The same mean, seen on the picture: across the camera's line of sight; None without a camera."""
    out_of_plane_m: float | None = None
    """The same mean along the camera's line of sight, which a drawing on the picture does not tell."""


def score_path(drawn: ArrayLike, driven: ArrayLike, *, view_axis: ArrayLike | None = None) -> PathScore:
    """Compare an executed path with the drawn one.

    Args:
        drawn: ``(N, 3)`` points [m].
        driven: ``(M, 3)`` where the end-effector went [m], in order.
        view_axis: ``(3,)`` direction in which the camera looks that the path was drawn on; None leaves the plane out.

    Raises:
        InvalidShape: they are not points in space.
        InvalidInput: a number is not finite.
    """
    a, b = resampled(_points(drawn)), resampled(_points(driven))
    offsets = nearest_offsets(a, b)
    in_plane = out_of_plane = None
    if view_axis is not None:
        axis = np.asarray(view_axis, dtype=float) / np.linalg.norm(view_axis)
        along = offsets @ axis
        out_of_plane = float(np.abs(along).mean())
        in_plane = float(np.linalg.norm(offsets - along[:, None] * axis, axis=1).mean())
    return PathScore(
        discrete_frechet(a, b),
        dynamic_time_warping(a, b),
        float(np.linalg.norm(a[-1] - b[-1])),
        float(np.linalg.norm(offsets, axis=1).mean()),
        in_plane,
        out_of_plane,
    )


def resampled(points: Floats, spacing: float = SPACING_M) -> Floats:
    """Return a polyline ``(N, D)`` with points evenly along it, at most ``spacing`` apart as far as :data:`MAX_SAMPLES` do."""
    return spaced(points, spacing, at_most=MAX_SAMPLES) if path_length(points) > 0 else points[:1]


def discrete_frechet(a: ArrayLike, b: ArrayLike) -> float:
    """Return the discrete Fréchet distance of ordered points ``(N, D)`` and ``(M, D)``: the shortest leash for two walkers that never go back.

    Source: Eiter and Mannila 1994.
    """
    p, q = _points(a), _points(b)
    return _leash(np.linalg.norm(p[:, None] - q[None], axis=-1))


def _leash(costs: Floats) -> float:
    """Return the least greatest cost of a monotone way through a matrix ``(N, M)`` from corner to corner."""
    reached = np.maximum.accumulate(costs[0])
    for row in costs[1:]:
        # Coming from above or from the diagonal; then along the row.
        best = np.minimum(reached, np.concatenate([[np.inf], reached[:-1]]))
        now, left = np.empty_like(row), np.inf
        for j, (cost, before) in enumerate(zip(row.tolist(), best.tolist(), strict=True)):
            left = max(cost, min(before, left))
            now[j] = left
        reached = now
    return float(reached[-1])


def dynamic_time_warping(a: ArrayLike, b: ArrayLike) -> float:
    """Return the mean distance of matched points of the cheapest monotone matching of ``(N, D)`` and ``(M, D)`` (Sakoe and Chiba 1978)."""
    p, q = _points(a), _points(b)
    costs = np.linalg.norm(p[:, None] - q[None], axis=-1)
    total = np.full((len(p), len(q)), np.inf)
    steps = np.zeros((len(p), len(q)), dtype=np.int64)
    for i in range(len(p)):
        for j in range(len(q)):
            ways = [(total[x, y], steps[x, y]) for x, y in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if x >= 0 and y >= 0]
            before, count = min(ways) if ways else (0.0, 0)
            total[i, j], steps[i, j] = before + costs[i, j], count + 1
    return float(total[-1, -1] / steps[-1, -1])


def nearest_offsets(drawn: Floats, driven: Floats) -> Floats:
    """Return for each driven point ``(M, D)`` the vector ``(M, D)`` to it from the nearest place of a drawn polyline ``(N, D)``."""
    if len(drawn) < 2:
        return driven - drawn[0]
    starts, steps = drawn[:-1], np.diff(drawn, axis=0)
    lengths2 = np.maximum((steps**2).sum(axis=1), 1e-18)
    shares = np.clip(((driven[:, None] - starts[None]) * steps[None]).sum(axis=-1) / lengths2, 0.0, 1.0)
    offsets = driven[:, None] - (starts[None] + shares[..., None] * steps[None])  # (M, N - 1, D)
    best = np.argmin(np.linalg.norm(offsets, axis=-1), axis=1)
    return np.asarray(offsets[np.arange(len(driven)), best])


def trajectory_reward(drawn: ArrayLike, driven: ArrayLike) -> float:
    """Return VLA-R1's reward of a path on a picture, 0..1: 1 for equal paths.

    The discrete Fréchet distance with a cost that also counts direction and step length, over its greatest value. Nothing is resampled.
    Source: VLA-R1 (arXiv:2510.01623): ``1 - min(1, D / Dmax)``, cost ``|p - q| + 0.25 angle + 0.10 |ln(length ratio)|``, Dmax = sqrt 2 +
    0.25 pi + 0.10 ln 10. Tangents are the normalised sum of the unit steps on both sides.

    Args:
        drawn: ``(N, 2)`` in 0..1 of the picture.
        driven: ``(M, 2)``.
    """
    p, q = _points(drawn), _points(driven)
    distances = np.linalg.norm(p[:, None] - q[None], axis=-1)
    u, v = _tangents(p)[:, None], _tangents(q)[None]
    angles = 2.0 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))  # exactly 0 for equal ones
    lengths_p, lengths_q = _step_lengths(p), _step_lengths(q)
    ratios = np.abs(np.log(np.maximum(lengths_p, 1e-6)[:, None] / np.maximum(lengths_q, 1e-6)[None]))
    greatest = np.sqrt(2.0) + ANGLE_WEIGHT * np.pi + LENGTH_WEIGHT * np.log(_MAX_LENGTH_RATIO)
    found = _leash(distances + ANGLE_WEIGHT * angles + LENGTH_WEIGHT * ratios)
    return float(1.0 - min(1.0, found / greatest))


def _tangents(points: Floats) -> Floats:
    """Return unit tangents ``(N, D)``; of a point without a direction an arbitrary but equal one."""
    if len(points) < 2:
        return np.eye(1, points.shape[1])
    steps = np.diff(points, axis=0)
    units = steps / np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-12)
    sums = np.concatenate([units[:1], units[:-1] + units[1:], units[-1:]])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 1e-9, sums / np.maximum(lengths, 1e-12), np.eye(1, points.shape[1]))


def _step_lengths(points: Floats) -> Floats:
    """Return the length ``(N,)`` of the step from each point, of the last one that to it."""
    if len(points) < 2:
        return np.zeros(1)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([steps, steps[-1:]])


def _points(points: ArrayLike) -> Floats:
    array = np.asarray(points, dtype=float)
    if array.ndim != 2 or len(array) < 1:
        raise InvalidShape("path to compare", expected=("N >= 1", "D"), found=array.shape)
    if not np.isfinite(array).all():
        raise InvalidInput("path to compare", expected="finite numbers", found="NaN or infinity")
    return array
