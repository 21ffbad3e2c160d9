"""A mask of one camera as another camera sees it, by depth and geometry alone.

The question is ROCKET-2's (arXiv:2503.02505): pointed at in one view, acted on in another. There a network learns to answer; with depth
and calibrated cameras the answer is geometry.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from workbench.core.errors import InvalidInput
from workbench.core.geometry import Pinhole
from workbench.core.masks import Picture
from workbench.segmentation.masks import Pixels, resized

REACH_M: Final = 0.006
"""A point of the one view is the same surface as one of the other when they lie no further apart."""
MIN_EDGE_M: Final = 0.012
"""Depths of neighbours that differ by more are two surfaces."""
_RIM_PX: Final = 12
"""Around a mask, this much of what does not belong to it is looked at as well."""


def cloud_of(mask: Pixels, depth: NDArray[np.float32], pinhole: Pinhole) -> NDArray[np.float64]:
    """Return the world points ``(N, 3)`` [m] that a mask shows; pixels without depth, and those on a depth edge, take no part."""
    whole = mask & np.isfinite(depth) & (depth > 0)
    inner = whole & ~_is_edge(depth)
    kept = inner if inner.any() else whole
    return _lifted(kept, depth, pinhole)


def carry_mask(mask: Pixels, source: Picture, target: Picture) -> Pixels:
    """Return a mask of ``source`` as ``target`` sees it ``(H, W) bool``; both are of one moment.

    A pixel of the target belongs to the mask when the surface point of the source that lies nearest to it does, and near enough: what
    the source does not show cannot be told.

    Raises:
        InvalidInput: one of the pictures has no depth or no known camera.
    """
    for picture in (source, target):
        if picture.depth is None or picture.pinhole is None:
            raise InvalidInput("carrying a mask", expected="pictures with depth and a known camera", found=f"none for {picture.camera!r}")
    assert source.depth is not None and source.pinhole is not None and target.depth is not None and target.pinhole is not None
    mask = resized(mask, source.width, source.height)
    carried = np.zeros((target.height, target.width), bool)
    around = np.asarray(ndimage.binary_dilation(mask, iterations=_RIM_PX)) & np.isfinite(source.depth) & (source.depth > 0)
    if not (mask & around).any():
        return carried
    points, is_meant = _lifted(around, source.depth, source.pinhole), mask[around]
    low, high = points[is_meant].min(axis=0) - REACH_M, points[is_meant].max(axis=0) + REACH_M
    every = np.isfinite(target.depth) & (target.depth > 0) & _window(points[is_meant], target.pinhole)
    if not every.any():
        return carried
    surface = _lifted(every, target.depth, target.pinhole)
    near = np.all((surface >= low) & (surface <= high), axis=1)
    rows, columns = (index[near] for index in np.nonzero(every))
    away, nearest = cKDTree(points).query(surface[near], distance_upper_bound=REACH_M)
    belongs = np.isfinite(away) & np.append(is_meant, False)[nearest]
    carried[rows[belongs], columns[belongs]] = True
    return carried


def _window(points: NDArray[np.float64], pinhole: Pinhole) -> Pixels:
    """Return the part of a picture ``(H, W) bool`` in which some world points ``(N, 3)`` [m] are seen, and a rim around it."""
    window = np.zeros((pinhole.height, pinhole.width), bool)
    pixels, depths = pinhole.project(points)
    if (depths > 0).any():
        u0, v0 = np.floor(pixels[depths > 0].min(axis=0)).astype(int) - _RIM_PX
        u1, v1 = np.ceil(pixels[depths > 0].max(axis=0)).astype(int) + _RIM_PX
        window[max(0, v0) : max(0, v1), max(0, u0) : max(0, u1)] = True
    return window


def _lifted(mask: Pixels, depth: NDArray[np.float32], pinhole: Pinhole) -> NDArray[np.float64]:
    rows, columns = np.nonzero(mask)
    return pinhole.unproject(np.stack([columns + 0.5, rows + 0.5], axis=1), depth[rows, columns].astype(float))


def _is_edge(depth: NDArray[np.float32]) -> Pixels:
    """Return the pixels beside which depth jumps."""
    spread = ndimage.maximum_filter(depth, 3) - ndimage.minimum_filter(depth, 3)
    return np.asarray(spread > MIN_EDGE_M)
