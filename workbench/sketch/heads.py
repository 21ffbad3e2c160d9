"""Arrowheads in pictures: which end of a curve has one, and where its tip is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from workbench.sketch.curves import Array, path_length
from workbench.sketch.skeleton import Mask
from workbench.sketch.tracing import Ink, end_of

REACH_PX = 48.0
"""Length of the longest head on a frame of 480 [px]."""

HIDDEN_TRUST = 0.2
PARTED_PX = 20.0
"""How far behind a line that crosses the shaft the head is looked for."""


class PictureHead(NamedTuple):
    """What lies at one end of a curve."""

    tip: Array
    """``(2,)`` [px]."""
    weight: float
    """Drawn pixels beside the shaft, on the side with fewer of them; about 0 where there is no head."""
    pixels: Array
    """``(N, 2)`` [px] of the head beside the shaft."""


def look_for_head(points: Array, is_last: bool, ink: Ink, others: Mask, hidden: Mask) -> PictureHead:
    """Look for a head, filled or open, at one end of a curve.

    A head is ink on both sides of the shaft, within a cone that opens backwards from the tip.

    Args:
        points: ``(N, 2)`` [px] of the curve.
        is_last: which end.
        ink: the strokes of that colour.
        others: ``(H, W)``: ink of other curves and circles, not to be taken for a head.
        hidden: ``(H, W)``: where ink of this colour may be covered; a line across a shaft may part it from its head.
    """
    scale, half = ink.scale, ink.half_width
    end = end_of(points, is_last, 0, ink)
    height, width = ink.mask.shape
    reach = REACH_PX * scale + half
    low = np.maximum(np.floor(end.point - reach), 0).astype(int)
    high = np.minimum(np.ceil(end.point + reach), (width, height)).astype(int)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    u, v = end.point.astype(int)
    is_parted = hidden[max(0, v - 4) : v + 5, max(0, u - 4) : u + 5].any()
    radius = half + (PARTED_PX if is_parted else 3.0) * scale
    near = _part_at(ink.mask[window] & ~others[window], end.point - low, radius)
    rows, columns = np.nonzero(near)
    pixels = np.stack([columns + low[0], rows + low[1]], axis=1) + 0.5
    if not len(pixels):
        return PictureHead(end.point, 0.0, pixels)
    ahead = (pixels - end.point) @ end.direction
    aside = (pixels - end.point) @ np.array([-end.direction[1], end.direction[0]])
    on_axis = (np.abs(aside) <= half + 1.5 * scale) & (ahead > -reach)
    front = max(0.0, float(ahead[on_axis].max(initial=0.0)))
    back = front - ahead
    in_cone = (back >= 0) & (np.abs(aside) <= 1.2 * back + 1.5 * half) & (back <= reach)
    from_curve = _distances_to_curve(pixels, points)
    beside = in_cone & (from_curve > 1.3 * half + 1.2 * scale)
    # Beside other ink colours mix: what is there is less sure to be a head.
    trust = np.where(hidden[window][near], HIDDEN_TRUST, 1.0) * beside
    left, right = float(trust[aside > 0].sum()), float(trust[aside < 0].sum())
    tip = end.point + max(0.0, front - half) * end.direction if min(left, right) > 0 else end.point
    return PictureHead(tip, min(left, right) + 0.1 * max(left, right), pixels[beside])


def _part_at(mask: Mask, at: Array, radius: float) -> Mask:
    """Return the connected parts of a mask that come within a radius of a point (u, v)."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    rows, columns = np.nonzero(mask)
    close = np.hypot(columns + 0.5 - at[0], rows + 0.5 - at[1]) <= radius
    wanted = np.unique(labels[rows[close], columns[close]])
    return np.isin(labels, wanted[wanted > 0])


def _distances_to_curve(pixels: Array, points: Array) -> Array:
    """Return the distance of each pixel ``(N, 2)`` to the nearest sample of a curve."""
    step = max(1, int(len(points) / max(path_length(points), 1.0)))
    best = np.full(len(pixels), np.inf)
    for start in range(0, len(points), 200):
        part = points[start : start + 200 : step]
        best = np.minimum(best, np.linalg.norm(pixels[:, None] - part[None], axis=-1).min(axis=1))
    return best
