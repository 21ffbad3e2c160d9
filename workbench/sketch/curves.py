"""Plane curves: resampling, simplification, swept angles and circles through points. All lengths in the unit of the input."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Circle(NamedTuple):
    """A fitted circle."""

    centre: Array
    """``(2,)``."""
    radius: float
    residual: float
    """Root mean square distance of the points to the circle."""


def thin_out(points: ArrayLike, gap: float) -> Array:
    """Drop points nearer than ``gap`` to the last one kept; first and last stay. Pointer jitter at low speed goes away."""
    p = np.asarray(points, dtype=float).reshape(-1, 2)
    kept = [p[0]]
    for q in p[1:-1]:
        if np.hypot(*(q - kept[-1])) >= gap:
            kept.append(q)
    if len(p) > 1:
        kept.append(p[-1])
    return np.array(kept)


def swept_angles(points: ArrayLike, centre: ArrayLike) -> Array:
    """Return the signed angles ``(N - 1,)`` [rad] that each segment of a polyline ``(N, 2)`` sweeps around a centre ``(2,)``.

    Positive from +x towards +y: in pixels, from image right towards image down.
    """
    arms = np.asarray(points, dtype=float) - np.asarray(centre, dtype=float)  # (N, 2)
    a, b = arms[:-1], arms[1:]
    cross = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return np.asarray(np.arctan2(cross, (a * b).sum(axis=1)))


def swept_angle(points: ArrayLike, centre: ArrayLike) -> float:
    """Return the signed angle [rad] that a polyline ``(N, 2)`` sweeps around a centre ``(2,)``.

    The parts are summed, so more than 180 degrees, or several turns, work. Source: arXiv:2505.00693 uses arccos between end
    points, which loses the sign and stops at 180 degrees.
    """
    return float(swept_angles(points, centre).sum())


def fit_circle(points: ArrayLike) -> Circle | None:
    """Fit a circle to points ``(N, 2)``: algebraic start, then least squares of the distances; None for points on a line."""
    p = np.asarray(points, dtype=float).reshape(-1, 2)
    middle = p.mean(axis=0)
    scale = float(np.abs(p - middle).max())
    if len(p) < 3 or scale == 0:
        return None
    q = (p - middle) / scale
    design = np.column_stack([2 * q, np.ones(len(q))])
    solution, _, rank, _ = np.linalg.lstsq(design, (q**2).sum(axis=1), rcond=1e-9)
    if rank < 3:
        return None
    centre = solution[:2]
    radius = float(np.sqrt(max(solution[2] + centre @ centre, 0.0)))
    for _ in range(8):
        arms = q - centre
        distances = np.maximum(np.linalg.norm(arms, axis=1), 1e-9)
        jacobian = np.column_stack([arms / distances[:, None], np.ones(len(q))])
        normal = jacobian.T @ jacobian + 1e-12 * np.eye(3)
        change = np.linalg.solve(normal, jacobian.T @ (distances - radius))
        centre, radius = centre + change[:2], radius + float(change[2])
        if np.abs(change).max() < 1e-7:
            break
    residual = float(np.sqrt(np.mean((np.linalg.norm(q - centre, axis=1) - radius) ** 2)))
    if not (np.isfinite(residual) and 0 < radius < 50):
        return None
    return Circle(centre * scale + middle, radius * scale, residual * scale)
