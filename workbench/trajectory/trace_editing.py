"""Editing of a path in the world as pure functions: each returns a new, checked path.

A path without times keeps none. In one with times, the speed on the way to each point is kept: what is made longer takes longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.polylines import simplify_indices
from workbench.trajectory.lift import DepthPicture, lift_pixel
from workbench.trajectory.paths import Floats, SpacePath, speeds_of, with_speeds


def add_point(path: SpacePath, position: ArrayLike, *, at_start: bool = False) -> SpacePath:
    """Return the path made longer by one point ``(3,)`` [m] at its end or start, with the opening and speed of what it is added to."""
    index = 0 if at_start else path.num_points
    positions = np.insert(path.positions, index, np.asarray(position, dtype=float), axis=0)
    gripper = None if path.gripper is None else np.insert(path.gripper, index, path.gripper[0 if at_start else -1])
    if path.times_s is None:
        return SpacePath(positions, gripper)
    speeds = speeds_of(path)
    return with_speeds(SpacePath(positions, gripper), np.insert(speeds, index, speeds[0 if at_start else -1]))


def move_point(path: SpacePath, index: int, position: ArrayLike) -> SpacePath:
    """Return the path with a point at another place ``(3,)`` in the world [m].

    Raises:
        InvalidInput: there is no such point, or the place is not three numbers.
    """
    _check_index(path, index)
    place = np.asarray(position, dtype=float)
    if place.shape != (3,):
        raise InvalidShape("place of a point", expected=(3,), found=place.shape)
    positions = path.positions.copy()
    positions[index] = place
    return _moved(path, positions)


# --- Smoothing -----------------------------------------------------------------------------------------------------------------------


def smooth(path: SpacePath, tolerance_m: float) -> SpacePath:
    """Return the path without the points that lie within a tolerance [m] of what is left; ends and gripper events are kept.

    Source: Ramer 1972, Douglas and Peucker 1973, in three dimensions, as HAMSTER (arXiv:2502.05485) simplifies its paths.

    Raises:
        InvalidInput: the tolerance is negative or not finite.
    """
    if not (np.isfinite(tolerance_m) and tolerance_m >= 0):
        raise InvalidInput("tolerance of smoothing", expected="0 m or more", found=f"{tolerance_m:g}")
    return _kept(path, simplify_indices(path.positions, tolerance_m, fixed=path.events))


# --- Snapping ------------------------------------------------------------------------------------------------------------------------


_BESIDE: Final = 0.02
"""A point this near to a mask is meant for it, in sides of the picture."""


def snap_to_surface(path: SpacePath, index: int, picture: DepthPicture, *, clearance_m: float = 0.0) -> SpacePath:
    """Return the path with a point moved along the camera's ray onto what is seen there, and up by a clearance [m].

    Raises:
        InvalidInput: there is no such point.
        Unreachable: the camera does not show the point, or measured no depth there.
    """
    _check_index(path, index)
    pixel = picture.pinhole.project(path.positions[index])[0][0]
    return move_point(path, index, _raised(lift_pixel(picture, pixel, "centre"), clearance_m))


def snap_to_mask(path: SpacePath, index: int, mask: NDArray[np.bool_], picture: DepthPicture, *, clearance_m: float = 0.0) -> SpacePath:
    """Return the path with a point moved onto a masked object: to the pixel of its inside that is nearest, on its surface.

    Args:
        path: what is edited.
        index: of the point.
        mask: ``(H, W) bool`` on the picture's camera, any size.
        picture: depth of that camera.
        clearance_m: how far above the surface.

    Raises:
        InvalidInput: there is no such point, or the mask is empty.
        Unreachable: no depth was measured there.
    """
    _check_index(path, index)
    if mask.ndim != 2 or not mask.any():
        raise InvalidInput("mask to snap to", expected="a picture with something in it", found=f"shape {mask.shape}, empty")
    height, width = mask.shape
    scale = np.array([width / picture.pinhole.width, height / picture.pinhole.height])
    u, v = picture.pinhole.project(path.positions[index])[0][0] * scale
    # Half as deep inside as the deepest pixel: on the thing for sure, and still near to where the point was.
    padded = np.pad(mask, 1)
    depth_px = np.asarray(ndimage.distance_transform_edt(padded))[1:-1, 1:-1]
    rows, columns = np.nonzero(depth_px >= 0.5 * depth_px.max())
    best = int(np.argmin(np.hypot(columns + 0.5 - u, rows + 0.5 - v)))
    pixel = np.array([columns[best] + 0.5, rows[best] + 0.5]) / scale
    return move_point(path, index, _raised(lift_pixel(picture, pixel, "centre"), clearance_m))


def snap_to_thing(
    path: SpacePath, index: int, masks: Sequence[NDArray[np.bool_]], picture: DepthPicture, *, clearance_m: float = 0.0
) -> SpacePath:
    """Return the path with a point moved onto the masked object that it was dropped on or beside, or else onto what is seen there.

    Args:
        path: what is edited.
        index: of the point.
        masks: ``(H, W) bool`` each, on the picture's camera, any size.
        picture: depth of that camera.
        clearance_m: how far above the surface.

    Raises:
        InvalidInput: there is no such point.
        Unreachable: the camera does not show the point, or measured no depth there.
    """
    _check_index(path, index)
    u, v = picture.pinhole.project(path.positions[index])[0][0] / (picture.pinhole.width, picture.pinhole.height)
    gaps = [_gap(mask, float(u), float(v)) for mask in masks]
    if gaps and min(gaps) <= _BESIDE:
        return snap_to_mask(path, index, masks[int(np.argmin(gaps))], picture, clearance_m=clearance_m)
    return snap_to_surface(path, index, picture, clearance_m=clearance_m)


def _gap(mask: NDArray[np.bool_], u: float, v: float) -> float:
    """Return how far a place in 0..1 is from a mask, in sides of the picture."""
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    return float(np.hypot((columns + 0.5) / width - u, (rows + 0.5) / height - v).min()) if len(rows) else np.inf


def _raised(point: Floats, clearance_m: float) -> Floats:
    return np.array([point[0], point[1], point[2] + clearance_m])


def _check_index(path: SpacePath, index: int) -> None:
    if not 0 <= index < path.num_points:
        raise InvalidInput("point of the path", expected=f"1 to {path.num_points}", found=str(index + 1))


def _moved(path: SpacePath, positions: Floats) -> SpacePath:
    """Return a path with its points elsewhere; speeds are kept."""
    moved = SpacePath(positions, path.gripper)
    return moved if path.times_s is None else with_speeds(moved, speeds_of(path))


def _kept(path: SpacePath, indices: list[int]) -> SpacePath:
    """Return a path with some of its points; times are kept."""
    gripper = None if path.gripper is None else path.gripper[indices]
    times_s = None if path.times_s is None else path.times_s[indices]
    return SpacePath(path.positions[indices], gripper, times_s)
