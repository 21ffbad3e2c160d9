"""The thing that stands under a pixel, cut out of one depth picture by continuity and height; nothing privileged is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from workbench.core.errors import Unreachable
from workbench.trajectory.lift import DepthPicture, lift_pixel

TABLE_HEIGHT_M: Final = 0.0
MIN_HEIGHT_M: Final = 0.008
"""Lower than this above the table is flat: paint, a zone, a dot."""
SNAP_SHARE: Final = 0.035
"""How far beside a thing its symbol may be drawn, as a share of the picture's width."""
LINK_M: Final = 0.011
"""Neighbouring pixels whose world points are closer than this lie on one surface."""
COLUMN_RADIUS_M: Final = 0.032
"""Radius around the keypoint in which the top of the thing is looked for."""
SLAB_M: Final = 0.022
"""Depth of the uppermost layer whose outline is the thing's footprint."""
HEADROOM_M: Final = 0.012
"""What rises further than this above the thing's top is another thing, or what the thing is fixed to."""
HAND_M: Final = 0.10
"""What is higher than this above the thing is no neighbour of it: the arm, for example."""
MAX_RADIUS_M: Final = 0.16
"""Nothing further than this from the keypoint belongs to the thing."""


@dataclass(frozen=True, eq=False)
class Thing:
    """What a camera shows of one thing on the table."""

    point: NDArray[np.float64]
    """``(3,)`` world point [m] on it, nearest to the keypoint."""
    cloud: NDArray[np.float64]
    """``(N, 3)`` world points [m] of its uppermost layer."""
    around: NDArray[np.float64]
    """``(M, 3)`` world points [m] of everything near it, itself included, up to a hand's height above it."""
    top_m: float
    """World height of its top near the keypoint [m]."""
    support_m: float
    """World height of what it stands on [m]."""

    @property
    def centre(self) -> NDArray[np.float64]:
        """Middle of its footprint's bounding box ``(2,)`` in the world [m]."""
        low, high = np.percentile(self.cloud[:, :2], [1, 99], axis=0)
        return np.asarray(0.5 * (low + high))

    @property
    def size(self) -> NDArray[np.float64]:
        """Extent ``(2,)`` of its footprint along world x and y [m]."""
        return np.asarray(np.ptp(np.percentile(self.cloud[:, :2], [1, 99], axis=0), axis=0))


def find_thing(picture: DepthPicture, pixel: ArrayLike) -> Thing:
    """Return the thing under a pixel ``(2,)``, or right beside it.

    Raises:
        Unreachable: there is no depth near the pixel, or nothing stands there.
    """
    seed = raised_point(picture, pixel)
    points = _points_around(picture, seed)
    column = np.hypot(*(points[..., :2] - seed[:2]).transpose(2, 0, 1)) <= COLUMN_RADIUS_M
    core = _linked(points, column & (points[..., 2] > TABLE_HEIGHT_M + MIN_HEIGHT_M), seed)
    top = float(np.percentile(points[core][:, 2], 97))
    floor = max(top - SLAB_M, TABLE_HEIGHT_M + min(MIN_HEIGHT_M, 0.5 * top))
    # The column's highest point starts the outline: the seed itself may lie on a side, below the uppermost layer.
    upper = points[core][points[core][:, 2] >= max(floor, top - 0.004)]
    start = upper[np.argmin(np.linalg.norm(upper - seed, axis=1))]
    layer = _linked(points, (points[..., 2] > floor) & (points[..., 2] < top + HEADROOM_M), start)
    with np.errstate(invalid="ignore"):
        around = points[points[..., 2] < top + HAND_M]
    return Thing(seed, points[layer], around, top, _support(points, layer, top))


def stands_at(picture: DepthPicture, pixel: ArrayLike) -> bool:
    """Tell whether something stands under a pixel ``(2,)`` or right beside it."""
    try:
        raised_point(picture, pixel)
    except Unreachable:
        return False
    return True


def raised_point(picture: DepthPicture, pixel: ArrayLike) -> NDArray[np.float64]:
    """Return the world point ``(3,)`` at a pixel ``(2,)``, or the nearest one that stands above the table.

    Raises:
        Unreachable: there is no depth near the pixel, or nothing stands there.
    """
    point = lift_pixel(picture, pixel)
    if point[2] > TABLE_HEIGHT_M + MIN_HEIGHT_M:
        return point
    rows, columns = picture.window(pixel, max(2, round(SNAP_SHARE * picture.pinhole.width)))
    world = picture.world(rows, columns)
    u, v = np.asarray(pixel, dtype=float)
    row, column = np.mgrid[rows.start : rows.start + world.shape[0], columns.start : columns.start + world.shape[1]]
    away = np.hypot(column + 0.5 - u, row + 0.5 - v)
    with np.errstate(invalid="ignore"):
        is_raised = (world[..., 2] > TABLE_HEIGHT_M + MIN_HEIGHT_M) & (away <= SNAP_SHARE * picture.pinhole.width)
    if not is_raised.any():
        raise Unreachable(
            f"the place ({u:.0f}, {v:.0f}) of the {picture.pinhole.name} picture",
            reason="nothing stands there",
            fix="Draw on the thing that is meant.",
        )
    return np.asarray(world[np.unravel_index(np.argmin(np.where(is_raised, away, np.inf)), away.shape)])


def _points_around(picture: DepthPicture, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the world points ``(h, w, 3)`` [m] within ``MAX_RADIUS_M`` of a world point; NaN outside."""
    pixel, depth = picture.pinhole.project(point)
    rows, columns = picture.window(pixel[0], round(picture.pinhole.fx * MAX_RADIUS_M / float(depth[0])))
    points = picture.world(rows, columns)
    with np.errstate(invalid="ignore"):
        is_far = ~(np.hypot(points[..., 0] - point[0], points[..., 1] - point[1]) <= MAX_RADIUS_M)
    points[is_far] = np.nan
    return points


def _linked(points: NDArray[np.float64], allowed: NDArray[np.bool_], start: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which allowed points ``(h, w)`` hang together with the allowed one nearest to ``start``."""
    # Pixels at even places, links between neighbours at odd ones: what hangs together there hangs together on the surface.
    grid = np.zeros((2 * allowed.shape[0] - 1, 2 * allowed.shape[1] - 1), dtype=bool)
    grid[::2, ::2] = allowed
    grid[1::2, ::2] = allowed[:-1] & allowed[1:] & (_squared(points[:-1] - points[1:]) < LINK_M**2)
    grid[::2, 1::2] = allowed[:, :-1] & allowed[:, 1:] & (_squared(points[:, :-1] - points[:, 1:]) < LINK_M**2)
    labels = ndimage.label(grid)[0][::2, ::2]
    away = np.where(allowed, _squared(points - start), np.inf)
    return np.asarray(allowed & (labels == labels[np.unravel_index(np.argmin(away), away.shape)]))


def _squared(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return squared lengths of vectors along the last axis."""
    return np.asarray(np.einsum("...k,...k->...", vectors, vectors))


def _support(points: NDArray[np.float64], layer: NDArray[np.bool_], top: float) -> float:
    """Return the height [m] of what surrounds a thing: the highest level that a good part of its neighbourhood has."""
    low, high = points[layer][:, :2].min(axis=0), points[layer][:, :2].max(axis=0)
    with np.errstate(invalid="ignore"):
        near = np.all((points[..., :2] > low - 0.025) & (points[..., :2] < high + 0.025), axis=-1) & ~layer
        heights = points[near & (points[..., 2] < top - 0.6 * SLAB_M)][:, 2]
    if heights.size < 10:
        return TABLE_HEIGHT_M
    return max(TABLE_HEIGHT_M, float(np.percentile(heights, 25)))
