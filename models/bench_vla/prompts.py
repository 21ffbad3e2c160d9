"""Prompt channels of the front picture: a mask, and a trace drawn by time, height and gripper.

Source: ROCKET-1 (arXiv:2410.17856) for the mask channel, RT-Trajectory (arXiv:2311.01977) for the 2.5-D trace; the values are ours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from models.bench_vla.config import NUM_PROMPT_CHANNELS
from workbench.core.polylines import arc_lengths, points_at, resample

MASK, TIME, HEIGHT, GRIPPER = range(NUM_PROMPT_CHANNELS)
TOP_HEIGHT_M: Final = 0.40
"""Height that is drawn brightest."""
_LINE_PX: Final = 3
_LOOK_AHEAD: Final = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 9.0])
"""Distances along a trace at which it is read point by point, in sides of the picture; the last is its end."""
NUM_AHEAD: Final = len(_LOOK_AHEAD)
_LOW_M: Final = 0.045
"""Below this height a path leads along the table: something is pushed or pulled."""
_SHORTEST_LEG: Final = 0.03
"""A shorter low part is a coming down or a going up, in sides of the picture."""
_LEG: Final = 0.03
"""Longest leg that is drawn in one shade, in sides of the picture."""
_LEAST: Final = 0.15
"""Value of the least time, height and opening: a line is seen wherever there is one."""


def draw_trace(channels: NDArray[np.float32], path: ArrayLike) -> None:
    """Draw a path on prompt channels ``(4, side, side)``, in place.

    Args:
        channels: zeros, or a mask.
        path: ``(n, 4)``: u, v in 0..1, height [m], and the opening 0..1 wanted from there on; nan where height or opening are not known.
    """
    points, arcs = _finely(np.asarray(path, dtype=float))
    side = channels.shape[-1]
    pixels = [(float(u) * side, float(v) * side) for u, v in points[:, :2]]
    height, opening = np.clip(points[:, 2] / TOP_HEIGHT_M, 0.0, 1.0), np.clip(points[:, 3], 0.0, 1.0)
    values = {TIME: arcs[1:] / max(arcs[-1], 1e-9), HEIGHT: height[1:], GRIPPER: opening[:-1]}
    for channel, value in values.items():
        picture = Image.new("L", (side, side))
        draw = ImageDraw.Draw(picture)
        for start, end, shade in zip(pixels[:-1], pixels[1:], value, strict=True):
            if np.isfinite(shade):
                draw.line([start, end], fill=round(255 * (_LEAST + (1 - _LEAST) * float(shade))), width=_LINE_PX)
        channels[channel] = np.asarray(picture, dtype=np.float32) / 255


def _finely(path: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a path ``(n, 4)`` with more points on its long legs, and the length up to each ``(m,)``: a few corners look as many points."""
    lengths = arc_lengths(path[:, :2])
    arcs = np.union1d(lengths, np.arange(0.0, lengths[-1], _LEG))
    reached = np.searchsorted(lengths, arcs, side="right") - 1
    return np.column_stack([points_at(path[:, :3], lengths, arcs), path[reached, 3]]), arcs


def draw_outline(channels: NDArray[np.float32], outline: ArrayLike) -> None:
    """Fill an outline ``(n, 2)`` in 0..1 on the mask channel of ``(4, side, side)``, in place."""
    side = channels.shape[-1]
    picture = Image.new("L", (side, side))
    corners = [(float(u) * side, float(v) * side) for u, v in np.asarray(outline, dtype=float)]
    ImageDraw.Draw(picture).polygon(corners, fill=1)
    channels[MASK] = np.asarray(picture, dtype=np.float32)


def shrink_mask(mask: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
    """Return a mask of any size as ``(side, side) float32``, 0 or 1; a cell is set when half of it is, or else the fullest cell."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255).resize((side, side), Image.Resampling.BOX)
    area = np.asarray(picture, dtype=np.float32) / 255
    least = min(0.5, float(area.max()))
    return (area >= max(least, 1e-6)).astype(np.float32)


def look_along(path: ArrayLike) -> NDArray[np.float32]:
    """Return ``(7, 6)``: u, v, height [m] and whether it is known, opening and whether it is known, at growing distances along a path.

    Args:
        path: ``(n, 4)``: u, v in 0..1, height [m], opening 0..1; nan where height or opening are not known.
    """
    points = np.asarray(path, dtype=float)
    lengths = arc_lengths(points[:, :2])
    at = np.minimum(_LOOK_AHEAD, lengths[-1])
    # What is wanted at a point holds from there on; where a path stands still on the picture, what comes last there counts.
    reached = np.searchsorted(lengths, at, side="right") - 1
    ahead = np.zeros((len(at), 6), dtype=np.float32)
    places = points_at(points[:, :3], lengths, at)
    ahead[:, :2] = places[:, :2]
    for column, values in ((2, places[:, 2]), (4, points[reached, 3])):
        is_known = np.isfinite(values)
        ahead[:, column], ahead[:, column + 1] = np.where(is_known, values, 0.0), is_known
    return ahead


def find_low_part(path: ArrayLike) -> NDArray[np.float32]:
    """Return ``(2, 3)``: u, v in 0..1 and 1 of both ends of the longest low part of a path; zeros where there is none or no height is known.

    Args:
        path: ``(n, 4)``: u, v in 0..1, height [m], opening 0..1; nan where height or opening are not known.
    """
    found = np.zeros((2, 3), dtype=np.float32)
    points, arcs = _finely(np.asarray(path, dtype=float))
    is_low = np.concatenate([[False], points[:, 2] < _LOW_M, [False]])
    starts, stops = np.flatnonzero(is_low[1:] & ~is_low[:-1]), np.flatnonzero(is_low[:-1] & ~is_low[1:]) - 1
    if len(starts) == 0:
        return found
    longest = int(np.argmax(arcs[stops] - arcs[starts]))
    ends = [starts[longest], stops[longest]]
    if arcs[ends[1]] - arcs[ends[0]] >= _SHORTEST_LEG:
        found[:, :2], found[:, 2] = points[ends, :2], 1.0
    return found


def five_points(path: ArrayLike, num_points: int, num_coordinates: int) -> NDArray[np.int64]:
    """Return the coordinates ``(2 * num_points,) int64``, u1 v1 u2 v2 ..., of points evenly along a path ``(n, >= 2)`` in 0..1."""
    points = np.asarray(path, dtype=float)[:, :2]
    even = resample(points, num_points)
    cells: NDArray[np.int64] = np.clip(np.floor(even * num_coordinates), 0, num_coordinates - 1).astype(np.int64)
    return cells.ravel()
