"""Traces drawn as the policies read them that were trained on drawn paths, and the one of these pictures that can be read back.

- ``molmoact``: a cyan line, 3 px, on the picture (arXiv:2508.07917).
- ``hamster``: 100 points along the path, blue to red by time, a circle at the start and where the gripper changes (arXiv:2502.05485).
- RT-Trajectory (arXiv:2311.01977): on black, red is time, in the 2.5-D kind green is height; green circles close, blue ones open.
- TraceVLA (arXiv:2412.10345): not what shall come but what was: the last places of some points, one hue each, an arrow head at the newest.
"""

from __future__ import annotations

import colorsys
from dataclasses import replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.polylines import arc_lengths, points_at, resample, simplify_indices
from workbench.core.types import Trace

Style = Literal["molmoact", "hamster"]
Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

MOLMOACT_COLOUR: Final = (0, 255, 255)
MOLMOACT_WIDTH_PX: Final = 3
HAMSTER_POINTS: Final = 100
HAMSTER_LINE_PX, HAMSTER_RADIUS_PX = 2, 7
HAMSTER_CLOSE, HAMSTER_OPEN = (0, 0, 255), (255, 0, 0)
HEIGHTS_M: Final = (0.0, 0.4)
"""Heights that are drawn as no green and as full green."""
MARK_PX: Final = 4
"""Radius of the circles of RT-Trajectory."""
PAST_STEPS: Final = 15
_CLOSE, _OPEN = (0, 255, 0), (0, 0, 255)
_STEP_PX: Final = 0.25
"""The path is drawn pixel by pixel, at places this far apart."""
_JAG_PX: Final = 0.25
"""What a line of pixels deviates from what it shows is taken out as far as this."""


def draw_overlay(image: Picture, trace: Trace, style: Style) -> Picture:
    """Return a picture ``(H, W, 3) uint8`` with a trace drawn on it as a model's own code draws it; the trace may be of another frame size."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    scale = np.array([image.shape[1] / trace.width, image.shape[0] / trace.height])
    points = np.asarray(trace.points, dtype=float).reshape(-1, 2) * scale
    if style == "molmoact":
        draw.line([_pixel(p) for p in points], fill=MOLMOACT_COLOUR, width=MOLMOACT_WIDTH_PX, joint="curve")
        return np.asarray(canvas)
    factor = max(min(image.shape[:2]) / 512, 1.0)
    even = resample(points, HAMSTER_POINTS)
    for index in range(1, len(even)):
        colour = jet(index / max(1, len(even) - 1))
        draw.line([_pixel(even[index - 1]), _pixel(even[index])], fill=colour, width=round(HAMSTER_LINE_PX * factor))
    gripper = trace.gripper or (1.0,) * len(points)
    changes = {0, *(i for i in range(1, len(points)) if (gripper[i] > 0.5) != (gripper[i - 1] > 0.5))}
    for index in sorted(changes):
        colour = HAMSTER_OPEN if gripper[index] > 0.5 else HAMSTER_CLOSE
        draw.ellipse(_box(points[index], HAMSTER_RADIUS_PX * factor), outline=colour, width=round(HAMSTER_LINE_PX * factor))
    return np.asarray(canvas)


def jet(share: float) -> tuple[int, int, int]:
    """Return the colour of the map ``jet``, blue at 0, green-cyan at one half, red at 1."""
    red, green, blue = (float(np.clip(1.5 - abs(4.0 * share - middle), 0.0, 1.0)) for middle in (3.0, 2.0, 1.0))
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_past(image: Picture, tracks: ArrayLike) -> Picture:
    """Return a picture with where some points were, the last 15 steps of ``(T, K, 2)`` pixels, as TraceVLA draws them.

    Raises:
        InvalidShape: the tracks are of another shape.
    """
    places = np.asarray(tracks, dtype=float)
    if places.ndim != 3 or places.shape[2] != 2:
        raise InvalidShape("tracks", expected=("T", "K", 2), found=places.shape)
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    recent = places[-PAST_STEPS:]
    for number in range(recent.shape[1]):
        colour = tuple(round(255 * c) for c in colorsys.hsv_to_rgb(number / recent.shape[1], 1.0, 1.0))
        track = recent[:, number]
        if len(track) >= 2:
            draw.line([_pixel(p) for p in track], fill=colour, width=2)
            _draw_head(draw, track, colour)
    return np.asarray(canvas)


def _draw_head(draw: ImageDraw.ImageDraw, track: Floats, colour: tuple[int, ...]) -> None:
    moved = np.flatnonzero(np.hypot(*(track[-1] - track[:-1]).T) > 1.0)
    if len(moved):
        along = track[-1] - track[moved[-1]]
        along = along / np.hypot(*along)
        side = np.array([-along[1], along[0]])
        draw.polygon(
            [_pixel(track[-1] + 3 * along), _pixel(track[-1] - 4 * along + 3 * side), _pixel(track[-1] - 4 * along - 3 * side)], colour
        )


# --- RT-Trajectory -------------------------------------------------------------------------------------------------------------------


class DrawnTrace(NamedTuple):
    """What was read from a picture."""

    trace: Trace
    heights_m: Floats | None
    """``(N,)`` over the table; None in the 2-D kind."""


def draw_rt_trajectory(trace: Trace, heights_m: ArrayLike | None = None, *, range_m: tuple[float, float] = HEIGHTS_M) -> Picture:
    """Return a trace as RT-Trajectory's picture ``(H, W, 3) uint8``; with heights ``(N,)`` [m] the 2.5-D kind.

    Raises:
        InvalidInput: the trace has fewer than two points.
    """
    points = np.asarray(trace.points, dtype=float).reshape(-1, 2)
    if len(points) < 2:
        raise InvalidInput("trace", expected="two points or more", found=str(len(points)))
    arcs = arc_lengths(points)
    wanted = np.linspace(0.0, arcs[-1], max(2, int(np.ceil(arcs[-1] / _STEP_PX)) + 1))
    even = points_at(points, arcs, wanted)
    columns, rows = np.clip(np.floor(even), 0, [trace.width - 1, trace.height - 1]).astype(int).T
    picture = np.zeros((trace.height, trace.width, 3), dtype=np.uint8)
    picture[rows, columns, 0] = 1 + np.round(254 * wanted / max(arcs[-1], 1e-9)).astype(int)
    if heights_m is not None:
        low, high = range_m
        shares = np.clip((np.asarray(heights_m, dtype=float) - low) / (high - low), 0.0, 1.0)
        picture[rows, columns, 1] = np.round(255 * np.interp(wanted, arcs, shares))
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    for index, is_open in _events(trace):
        draw.ellipse(_box(points[index], MARK_PX), outline=_OPEN if is_open else _CLOSE, width=1)
    return np.asarray(canvas)


def read_rt_trajectory(image: Picture, camera: str, *, has_heights: bool, range_m: tuple[float, float] = HEIGHTS_M) -> DrawnTrace:
    """Read what :func:`draw_rt_trajectory` drew, to a pixel where the path does not cross itself.

    Args:
        image: ``(H, W, 3) uint8``, without compression.
        camera: on whose picture the trace lies.
        has_heights: whether it is of the 2.5-D kind.
        range_m: heights of no green and of full green.

    Raises:
        InvalidShape: it is no RGB picture.
        InvalidInput: there is no path on it.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InvalidShape("RT-Trajectory picture", expected=("H", "W", 3), found=image.shape, dtype="uint8")
    red = image[..., 0].astype(int)
    rows, columns = np.nonzero((red > 0) & (image[..., 2] == 0))
    levels = red[rows, columns]
    if len(np.unique(levels)) < 2:
        raise InvalidInput(
            "RT-Trajectory picture", expected="a path in shades of red on black", found=f"{len(np.unique(levels))} shades of red"
        )
    pixels = _in_order(np.stack([columns, rows], axis=1) + np.float64(0.5), levels)
    kept = simplify_indices(pixels[:, :2], _JAG_PX)
    points = pixels[kept, :2]
    heights = None
    if has_heights:
        green = ndimage.uniform_filter1d(image[pixels[:, 1].astype(int), pixels[:, 0].astype(int), 1].astype(float), 3, mode="nearest")
        heights = range_m[0] + green[kept] / 255 * (range_m[1] - range_m[0])
    trace = Trace(camera, image.shape[1], image.shape[0], tuple((float(u), float(v)) for u, v in points), source="model")
    return DrawnTrace(replace(trace, gripper=_read_events(image, points)), heights)


def _in_order(pixels: Floats, levels: NDArray[np.int64]) -> Floats:
    """Return pixels ``(K, 2)`` of a path in the order in which they are passed: by their level, and along the path within one."""
    order = np.unique(levels)
    means = np.array([pixels[levels == level].mean(axis=0) for level in order])
    passed = []
    for index, level in enumerate(order):
        own = pixels[levels == level]
        along = means[min(index + 1, len(order) - 1)] - means[max(index - 1, 0)]
        passed.append(own[np.argsort(own @ along, kind="stable")])
    return np.concatenate(passed)


def _read_events(image: Picture, points: Floats) -> tuple[float, ...] | None:
    """Return the openings ``(N,)`` that the circles on a picture tell, or None when there is none."""
    marks: list[tuple[int, bool]] = []
    for colour, is_open in ((_CLOSE, False), (_OPEN, True)):
        labels, count = ndimage.label((image == colour).all(axis=2), structure=np.ones((3, 3)))
        for number in range(1, count + 1):
            rows, columns = np.nonzero(labels == number)
            if len(rows) >= 2 * MARK_PX:
                centre = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
                marks.append((int(np.argmin(np.hypot(*(points - centre).T))), is_open))
    if not marks:
        return None
    marks.sort()
    found = [float(not marks[0][1])] * len(points)
    for index, is_open in marks:
        found[index:] = [float(is_open)] * (len(points) - index)
    return tuple(found)


def _events(trace: Trace) -> list[tuple[int, bool]]:
    """Return where the gripper of a trace closes or opens; one that begins closed closes at its first point."""
    if trace.gripper is None:
        return []
    opened = [True, *(g > 0.5 for g in trace.gripper)]
    return [(i, opened[i + 1]) for i in range(len(trace.points)) if opened[i + 1] != opened[i]]


def _pixel(point: Floats) -> tuple[int, int]:
    return int(np.floor(point[0])), int(np.floor(point[1]))


def _box(centre: Floats, radius: float) -> tuple[float, float, float, float]:
    u, v = np.floor(centre)
    return float(u - radius), float(v - radius), float(u + radius), float(v + radius)
