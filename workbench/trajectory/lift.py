"""Pixels and metric depth to world points, past holes and across depth edges."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidShape, Unreachable
from workbench.core.geometry import Pinhole
from workbench.core.types import Observation

PATCH_PX: Final = 5
"""Side of the square whose median depth is taken."""
HOLE_PATCHES_PX: Final = (9, 15)
"""Wider squares, tried in turn where the first holds no depth."""
EDGE_GAP_M: Final = 0.015
"""Depths of one patch that lie further apart than this belong to two surfaces."""
MIN_NEAR_SHARE: Final = 0.12
"""Share of a patch that the near surface needs to be believed; less is sensor noise."""

Surface = Literal["near", "centre"]
"""Which surface counts at a depth edge: the nearer one, when a thing is meant, or the one under the pixel itself."""


@dataclass(frozen=True, eq=False)
class DepthPicture:
    """A metric depth picture and the camera that took it."""

    depth: NDArray[np.float32]
    """``(H, W)`` z-depth [m]; 0, negative, infinite and NaN mean that nothing was measured."""
    pinhole: Pinhole

    def __post_init__(self) -> None:
        expected = (self.pinhole.height, self.pinhole.width)
        if self.depth.shape != expected:
            raise InvalidShape(f"depth of camera {self.pinhole.name!r}", expected=expected, found=self.depth.shape)

    def contains(self, pixel: ArrayLike) -> bool:
        """Tell whether a pixel ``(2,)`` lies in the picture."""
        u, v = np.asarray(pixel, dtype=float)
        return bool(0 <= u <= self.pinhole.width and 0 <= v <= self.pinhole.height)

    def window(self, pixel: ArrayLike, radius_px: int) -> tuple[slice, slice]:
        """Return the rows and columns within ``radius_px`` of the pixel's cell, cut at the border."""
        column, row = self.cell(pixel)
        rows = slice(max(0, row - radius_px), row + radius_px + 1)
        return rows, slice(max(0, column - radius_px), column + radius_px + 1)

    def cell(self, pixel: ArrayLike) -> tuple[int, int]:
        """Return column and row of the cell that holds a pixel ``(2,)``, moved into the picture."""
        u, v = np.asarray(pixel, dtype=float)
        return (
            int(np.clip(np.floor(u), 0, self.pinhole.width - 1)),
            int(np.clip(np.floor(v), 0, self.pinhole.height - 1)),
        )

    def world(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return the world points ``(h, w, 3)`` [m] of a window; NaN where nothing was measured."""
        depth = np.asarray(self.depth[rows, columns], dtype=float)
        depth = np.where(is_measured(depth), depth, np.nan)
        return self.pinhole.unproject_cells(depth, row=rows.start, column=columns.start)


def depth_picture(observation: Observation, camera: str) -> DepthPicture:
    """Return the depth picture of one camera of an observation.

    Raises:
        Unreachable: the observation has no depth of that camera.
    """
    if camera not in observation.depth:
        known = ", ".join(sorted(observation.depth)) or "none"
        raise Unreachable(f"camera {camera!r}", reason=f"it gives no depth (cameras with depth: {known})")
    return DepthPicture(np.asarray(observation.depth[camera]), observation.cameras[camera])


def is_measured(depth: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where depths [m] are real measurements: finite and positive."""
    return np.isfinite(depth) & (depth > 0)


def lift_pixel(picture: DepthPicture, pixel: ArrayLike, surface: Surface = "near") -> NDArray[np.float64]:
    """Return the world point ``(3,)`` [m] that is seen at a pixel ``(2,)``.

    The depth is the median of a patch around the pixel, which is larger where the sensor left a hole. Where the patch holds two
    surfaces only one of them counts, and for ``near`` the point is taken at the closest pixel that shows it.

    Raises:
        Unreachable: the pixel lies outside of the picture, or there is no depth near it.
    """
    name = f"the place ({float(np.ravel(pixel)[0]):.0f}, {float(np.ravel(pixel)[1]):.0f}) of the {picture.pinhole.name} picture"
    if not picture.contains(pixel):
        raise Unreachable(
            name, reason=f"the picture is {picture.pinhole.width}x{picture.pinhole.height}", fix="Draw inside of the picture."
        )
    for side in (PATCH_PX, *HOLE_PATCHES_PX):
        rows, columns = picture.window(pixel, side // 2)
        depth = np.asarray(picture.depth[rows, columns], dtype=float)
        measured = is_measured(depth)
        if measured.any():
            break
    else:
        raise Unreachable(name, reason="the camera measured no depth there", fix="Draw on a surface, or use another camera.")
    v, u = np.mgrid[rows.start : rows.start + depth.shape[0], columns.start : columns.start + depth.shape[1]]
    distance = np.hypot(u + 0.5 - float(np.ravel(pixel)[0]), v + 0.5 - float(np.ravel(pixel)[1]))
    chosen = measured & _on_one_surface(depth, measured, distance, surface)
    target = np.asarray(pixel, dtype=float)
    if surface == "near" and chosen.sum() < measured.sum() and float(distance[chosen].min()) > 1.0:
        nearest = np.argmin(np.where(chosen, distance, np.inf))
        target = np.array([u.ravel()[nearest] + 0.5, v.ravel()[nearest] + 0.5])
    return picture.pinhole.unproject(target, [_depth_at(depth[chosen], u[chosen] + 0.5, v[chosen] + 0.5, target)])[0]


def lift_on_plane(pinhole: Pinhole, pixel: ArrayLike, height_m: float) -> NDArray[np.float64]:
    """Return where the ray through a pixel ``(2,)`` meets the horizontal plane ``z = height_m``, ``(3,)`` [m].

    Raises:
        Unreachable: the ray does not go down to that plane.
    """
    origin, direction = pinhole.ray(pixel)
    if abs(direction[2]) < 1e-6 or (height_m - origin[2]) / direction[2] <= 0:
        u, v = np.asarray(pixel, dtype=float)
        raise Unreachable(
            f"the place ({u:.0f}, {v:.0f}) of the {pinhole.name} picture", reason=f"its ray never meets height {height_m:.2f} m"
        )
    return np.asarray(origin + direction * (height_m - origin[2]) / direction[2])


def _on_one_surface(
    depth: NDArray[np.float64], measured: NDArray[np.bool_], distance: NDArray[np.float64], surface: Surface
) -> NDArray[np.bool_]:
    """Return which measurements of a patch lie on the surface that counts."""
    values = np.sort(depth[measured])
    gaps = np.flatnonzero(np.diff(values) > EDGE_GAP_M)
    if gaps.size == 0:
        return measured
    borders = [-np.inf, *(0.5 * (values[gaps] + values[gaps + 1])), np.inf]
    layers = [measured & (depth > low) & (depth <= high) for low, high in pairwise(borders)]
    if surface == "centre":
        return min(layers, key=lambda layer: float(distance[layer].min()))
    share = MIN_NEAR_SHARE * int(measured.sum())
    return next((layer for layer in layers if layer.sum() >= share), layers[0])


def _depth_at(depth: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64], pixel: NDArray[np.float64]) -> float:
    """Return the median depth [m] of one surface, moved from the middle of its samples to ``pixel``.

    A plane's inverse depth is linear in the picture, so its slope corrects patches that lie to one side of the pixel.
    """
    inverse = 1.0 / depth
    median = float(np.median(inverse))
    if depth.size >= 6 and np.ptp(u) > 0 and np.ptp(v) > 0:
        A = np.stack([u - u.mean(), v - v.mean()], axis=1)
        slope, *_ = np.linalg.lstsq(A, inverse - inverse.mean(), rcond=None)
        moved = median + float(slope @ (pixel - [np.median(u), np.median(v)]))
        # A slope may only refine: an outlier in the patch must not throw the point away from what was measured.
        median = float(np.clip(moved, inverse.min(), inverse.max()))
    return 1.0 / median
