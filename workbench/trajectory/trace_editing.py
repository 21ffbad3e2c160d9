"""Editing of a path in the world as pure functions: each returns a new, checked path.

A path without times keeps none. In one with times, the speed on the way to each point is kept: what is made longer takes longer.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from workbench.core.errors import InvalidInput, InvalidShape, Unreachable
from workbench.core.geometry import Pinhole
from workbench.trajectory.lift import DepthPicture, lift_pixel
from workbench.trajectory.paths import Floats, SpacePath, speeds_of, with_speeds

MIN_POINTS: Final = 2


def insert_point(path: SpacePath, arc_m: float) -> SpacePath:
    """Return the path with one more point at a length of it [m]; its shape stays as it is.

    Raises:
        InvalidInput: the length is not between the ends of the path.
    """
    if not 0.0 < arc_m < path.length:
        raise InvalidInput("new point of the path", expected=f"between its ends, 0 to {path.length:.3f} m", found=f"{arc_m:g} m")
    index = int(np.searchsorted(path.arcs, arc_m, side="right"))
    return SpacePath(
        np.insert(path.positions, index, path.at(arc_m)[0], axis=0),
        None if path.gripper is None else np.insert(path.gripper, index, path.gripper[index - 1]),
        None if path.times_s is None else np.insert(path.times_s, index, np.interp(arc_m, path.arcs, path.times_s)),
    )


def add_point(path: SpacePath, position: ArrayLike, *, at_start: bool = False) -> SpacePath:
    """Return the path made longer by one point ``(3,)`` [m] at its end or start, with the opening and speed of what it is added to."""
    index = 0 if at_start else path.num_points
    positions = np.insert(path.positions, index, np.asarray(position, dtype=float), axis=0)
    gripper = None if path.gripper is None else np.insert(path.gripper, index, path.gripper[0 if at_start else -1])
    if path.times_s is None:
        return SpacePath(positions, gripper)
    speeds = speeds_of(path)
    return with_speeds(SpacePath(positions, gripper), np.insert(speeds, index, speeds[0 if at_start else -1]))


def delete_point(path: SpacePath, index: int) -> SpacePath:
    """Return the path without a point; a gripper event at it moves to the next point.

    Raises:
        InvalidInput: there is no such point, or only two are left.
    """
    _check_index(path, index)
    if path.num_points <= MIN_POINTS:
        raise InvalidInput("path", expected=f"at least {MIN_POINTS} points", found=f"{path.num_points - 1} after deleting one")
    kept = np.arange(path.num_points) != index
    shorter = SpacePath(path.positions[kept], None if path.gripper is None else path.gripper[kept])
    return shorter if path.times_s is None else with_speeds(shorter, speeds_of(path)[kept])


def move_point(path: SpacePath, index: int, position: ArrayLike) -> SpacePath:
    """Return the path with a point at another place ``(3,)`` in the world [m]; errors as :func:`delete_point`."""
    _check_index(path, index)
    place = np.asarray(position, dtype=float)
    if place.shape != (3,):
        raise InvalidShape("place of a point", expected=(3,), found=place.shape)
    positions = path.positions.copy()
    positions[index] = place
    return _moved(path, positions)


def drag_point(path: SpacePath, index: int, pinhole: Pinhole, pixel: ArrayLike) -> SpacePath:
    """Return the path with a point dragged to a pixel ``(2,)`` of a picture; its depth along that camera stays.

    The same point dragged on a second camera moves in that one's plane: two cameras reach every place.

    Raises:
        InvalidInput: there is no such point.
        Unreachable: the point lies behind that camera, or the pixel outside of its picture.
    """
    _check_index(path, index)
    u, v = (float(x) for x in np.asarray(pixel, dtype=float))
    if not (0 <= u <= pinhole.width and 0 <= v <= pinhole.height):
        raise Unreachable(f"pixel ({u:.0f}, {v:.0f}) of camera {pinhole.name!r}", reason=f"the picture is {pinhole.width}x{pinhole.height}")
    depth = float(pinhole.project(path.positions[index])[1][0])
    if depth <= 0:
        raise Unreachable(f"point {index + 1} of the path", reason=f"it lies behind the camera {pinhole.name!r}")
    return move_point(path, index, pinhole.unproject([u, v], [depth])[0])


def push_point(path: SpacePath, index: int, pinhole: Pinhole, distance_m: float) -> SpacePath:
    """Return the path with a point moved away from a camera along its ray by a distance [m]; on that picture it stays where it is."""
    _check_index(path, index)
    ray = path.positions[index] - pinhole.T_world_camera[:3, 3]
    return move_point(path, index, path.positions[index] + distance_m * ray / np.linalg.norm(ray))


def set_height(path: SpacePath, index: int, height_m: float) -> SpacePath:
    """Return the path with a point at another height over the table [m]; errors as :func:`delete_point`."""
    _check_index(path, index)
    return move_point(path, index, [*path.positions[index, :2], height_m])


def shift_heights(path: SpacePath, first: int, last: int, by_m: float) -> SpacePath:
    """Return the path with the points from ``first`` to ``last`` raised by a distance [m]; errors as :func:`delete_point`."""
    _check_index(path, first)
    _check_index(path, last)
    positions = path.positions.copy()
    positions[first : last + 1, 2] += by_m
    return _moved(path, positions)


def set_speed(path: SpacePath, index: int, speed: float) -> SpacePath:
    """Return the path with another speed [m/s] on the way to a point; the rest keeps its own.

    Raises:
        InvalidInput: there is no such point, or the speed is not above 0.
    """
    _check_index(path, index)
    if not (np.isfinite(speed) and speed > 0):
        raise InvalidInput("speed along the path", expected="above 0 m/s", found=f"{speed:g} m/s")
    speeds = speeds_of(path)
    speeds[index] = speed
    return with_speeds(path, speeds)


def set_gripper(path: SpacePath, index: int, is_open: bool) -> SpacePath:
    """Return the path with the gripper open or closed from a point on, up to the next point at which it changes.

    Raises:
        InvalidInput: there is no such point.
    """
    _check_index(path, index)
    gripper = np.ones(path.num_points) if path.gripper is None else path.gripper.copy()
    stop = next((e for e in path.events if e > index), path.num_points)
    gripper[index:stop] = float(is_open)
    return replace(path, gripper=gripper)


def clear_event(path: SpacePath, index: int) -> SpacePath:
    """Return the path without the gripper event at a point: what was before it goes on up to the next event.

    Raises:
        InvalidInput: there is no event at that point.
    """
    if index not in path.events or path.gripper is None:
        found = f"none at point {index + 1}; events at {[e + 1 for e in path.events] or 'none'}"
        raise InvalidInput("gripper event", expected="one at that point", found=found)
    return set_gripper(path, index, bool(path.gripper[index - 1] > 0.5))


# --- Smoothing -----------------------------------------------------------------------------------------------------------------------


def smooth(path: SpacePath, tolerance_m: float) -> SpacePath:
    """Return the path without the points that lie within a tolerance [m] of what is left; ends and gripper events are kept.

    Source: Ramer 1972, Douglas and Peucker 1973, in three dimensions, as HAMSTER (arXiv:2502.05485) simplifies its paths.

    Raises:
        InvalidInput: the tolerance is negative or not finite.
    """
    if not (np.isfinite(tolerance_m) and tolerance_m >= 0):
        raise InvalidInput("tolerance of smoothing", expected="0 m or more", found=f"{tolerance_m:g}")
    return _kept(path, simplify(path.positions, tolerance_m, fixed=path.events))


def simplify(points: Floats, tolerance: float, *, fixed: tuple[int, ...] = ()) -> NDArray[np.int64]:
    """Return the indices ``(K,)`` of the points of a polyline ``(N, D)`` that a simplified one keeps: its ends, ``fixed``, corners."""
    ends = sorted({0, *fixed, len(points) - 1})
    kept, todo = set(ends), list(pairwise(ends))
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        chord, inner = points[last] - points[first], points[first + 1 : last] - points[first]
        length2 = float(chord @ chord)
        along = np.clip(inner @ chord / length2, 0.0, 1.0) if length2 > 0 else np.zeros(len(inner))
        gaps = np.linalg.norm(inner - along[:, None] * chord, axis=1)
        worst = int(np.argmax(gaps))
        if gaps[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            todo += [(first, middle), (middle, last)]
    return np.array(sorted(kept), dtype=np.int64)


def round_corners(path: SpacePath, *, rounds: int = 2) -> SpacePath:
    """Return the path with its corners cut to curves; ends and gripper events stay where they are.

    Source: Chaikin 1974: each inner corner is replaced by points a quarter before and after it.
    """
    for _ in range(rounds):
        path = _cut_corners(path)
    return path


def _cut_corners(path: SpacePath) -> SpacePath:
    sharp = {0, *path.events, path.num_points - 1}
    positions, sources = [], []
    for index, place in enumerate(path.positions):
        if index in sharp:
            positions.append(place)
            sources.append(index)
            continue
        positions += [0.75 * place + 0.25 * path.positions[index - 1], 0.75 * place + 0.25 * path.positions[index + 1]]
        sources += [index, index]
    curve = SpacePath(np.array(positions), None if path.gripper is None else path.gripper[sources])
    return curve if path.times_s is None else with_speeds(curve, speeds_of(path)[sources])


# --- Snapping ------------------------------------------------------------------------------------------------------------------------


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


def _raised(point: Floats, clearance_m: float) -> Floats:
    return np.array([point[0], point[1], point[2] + clearance_m])


def _check_index(path: SpacePath, index: int) -> None:
    if not 0 <= index < path.num_points:
        raise InvalidInput("point of the path", expected=f"1 to {path.num_points}", found=str(index + 1))


def _moved(path: SpacePath, positions: Floats) -> SpacePath:
    """Return a path with its points elsewhere; speeds are kept."""
    moved = SpacePath(positions, path.gripper)
    return moved if path.times_s is None else with_speeds(moved, speeds_of(path))


def _kept(path: SpacePath, indices: NDArray[np.int64]) -> SpacePath:
    """Return a path with some of its points; times are kept."""
    gripper = None if path.gripper is None else path.gripper[indices]
    times_s = None if path.times_s is None else path.times_s[indices]
    return SpacePath(path.positions[indices], gripper, times_s)
