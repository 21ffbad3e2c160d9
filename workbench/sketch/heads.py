"""Arrowheads in pictures: which end of a curve has one, and where its tip is.

Analysis by synthesis: heads as they are drawn, filled or open, are laid over the end, and the one counts that explains the pixels best.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from workbench.core.polylines import path_length, resample
from workbench.sketch.curves import Array
from workbench.sketch.raster import HEAD_PER_WIDTH, MIN_HEAD_PX
from workbench.sketch.skeleton import Mask
from workbench.sketch.tracing import End, Ink, end_of

REACH_PX = 48.0
"""Length of the longest head on a frame of 480 [px]."""

BARB_DEGREES = (22, 30, 38, 46)
BARB_LENGTHS_PX = (8.0, 13.0, 18.0, 24.0, 31.0)
"""Barbs of open heads: angle to the shaft, and length on a frame of 480."""
TURNS_DEGREES = (-20, -10, 0, 10, 20)
"""How far a head may be turned from the end of its shaft."""
HIDDEN_TRUST = 0.2
PARTED_PX = 20.0
"""How far behind a line that crosses the shaft the head is looked for."""


class PictureHead(NamedTuple):
    """What lies at one end of a curve."""

    tip: Array
    """``(2,)`` [px]."""
    weight: float
    """Pixels beside the shaft that the best head explains less those that it asks for in vain, on the worse side; 0 without one."""
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
    on_shaft = _is_near_curve(near.shape, points - low, 1.3 * half + 1.2 * scale)
    beside = in_cone & ~on_shaft[near]
    left, right = bool((beside & (aside > 0)).any()), bool((beside & (aside < 0)).any())
    tip = end.point + max(0.0, front - half) * end.direction if left and right else end.point
    # Beside other ink colours mix: what is there is less sure to be a head.
    gain = np.where(ink.mask[window], 0.0, -1.0)
    gain[near] = 1.0
    gain[hidden[window]] *= np.where(ink.mask[window], HIDDEN_TRUST, 0.0)[hidden[window]]
    gain[others[window] | on_shaft] = 0.0
    return PictureHead(tip, _likeness(gain, end._replace(point=end.point - low), front, ink), pixels[beside])


class Templates(NamedTuple):
    """Right halves of heads; tip at the origin, pointing ahead."""

    places: Array
    """``(P, 2)``: how far behind the tip and aside of the axis [px]."""
    is_drawn: Array
    """``(T, P)``: 1 where the half-head is drawn, filled heads first."""
    num_filled: int


@lru_cache(maxsize=64)
def _templates(half: float, scale: float) -> Templates:
    """Return the halves of heads that belong to strokes of a half width [px]."""
    reach = REACH_PX * scale
    back, aside = (a.ravel() for a in np.mgrid[0.5:reach, 1.3 * half + 1.2 * scale : 0.75 * reach])
    size = max(2 * half * HEAD_PER_WIDTH, MIN_HEAD_PX * scale)
    filled = [(back <= s) & (aside <= 0.5 * back - 0.5) for s in (0.55 * size, 0.75 * size, 0.95 * size)]
    barbs = []
    for angle in np.radians(BARB_DEGREES):
        along = back * np.cos(angle) + aside * np.sin(angle)
        off = np.abs(aside * np.cos(angle) - back * np.sin(angle))
        barbs += [(off <= max(0.8 * half, 0.8)) & (along <= length * scale) for length in BARB_LENGTHS_PX]
    return Templates(np.stack([back, aside], axis=1), np.array([*filled, *barbs], dtype=float), len(filled))


def _likeness(gain: Array, end: End, front: float, ink: Ink) -> float:
    """Return the weight of the best head at an end of a curve.

    Args:
        gain: ``(H, W)``: what a drawn pixel of a head is worth there; below 0 where nothing is drawn.
        end: in the pixels of ``gain``.
        front: how far ahead of the end there is ink [px].
        ink: the strokes of that colour.
    """
    height, width = gain.shape
    shapes = _templates(round(ink.half_width, 2), ink.scale)
    best = 0.0
    for turn in np.radians(TURNS_DEGREES):
        ahead = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ end.direction
        across = np.array([-ahead[1], ahead[0]])
        for forward in np.arange(-4.0, front / ink.scale + 2.5, 2.0) * ink.scale:
            sides = []
            for side in (1.0, -1.0):
                at = end.point + forward * ahead - shapes.places[:, :1] * ahead + side * shapes.places[:, 1:] * across
                column, row = np.floor(at).astype(int).T
                is_inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
                values = np.where(is_inside, gain[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)], 0.0)
                sides.append(shapes.is_drawn @ values)
            one, other = sides
            filled = np.minimum(one, other)[: shapes.num_filled] + 0.1 * np.maximum(one, other)[: shapes.num_filled]
            barbs = one[shapes.num_filled :].max(), other[shapes.num_filled :].max()
            best = max(best, float(filled.max()), float(min(barbs) + 0.1 * max(barbs)))
    return best


def _part_at(mask: Mask, at: Array, radius: float) -> Mask:
    """Return the connected parts of a mask that come within a radius of a point (u, v)."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    rows, columns = np.nonzero(mask)
    close = np.hypot(columns + 0.5 - at[0], rows + 0.5 - at[1]) <= radius
    wanted = np.unique(labels[rows[close], columns[close]])
    return np.isin(labels, wanted[wanted > 0])


def _is_near_curve(shape: tuple[int, ...], points: Array, radius: float) -> Mask:
    """Tell which pixels of a frame ``(H, W)`` lie within a radius of a curve ``(N, 2)`` [px]."""
    height, width = shape
    dense = resample(points, max(2, int(2 * path_length(points))))
    u, v = dense[((dense >= 0) & (dense < (width, height))).all(axis=1)].astype(int).T
    is_off = np.ones((height, width), dtype=bool)
    is_off[v, u] = False
    return np.asarray(ndimage.distance_transform_edt(is_off) <= radius) if len(u) else ~is_off
