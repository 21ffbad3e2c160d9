"""Sketches drawn onto pictures: geometric (true circle, straight shaft, filled head) or loose (as a hand draws)."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from workbench.core.errors import InvalidShape
from workbench.core.polylines import path_length, resample
from workbench.core.sketches import Sketch, Stroke, StrokeKind
from workbench.sketch.curves import Array
from workbench.sketch.hand import HandStyle, hand_paths
from workbench.sketch.strokes import circle_radius_px, to_pixels

OVERSAMPLING: Final = 4
"""Strokes are drawn this many times larger and averaged down: smooth edges."""
HEAD_PER_WIDTH: Final = 4.0
MIN_HEAD_PX: Final = 14.0
"""A head is four line widths long, at least 14 px of a frame of 480, at most 45 % of the shaft."""


def draw_sketch(image: NDArray[np.uint8], sketch: Sketch, rng: np.random.Generator | None = None) -> NDArray[np.uint8]:
    """Return a copy of a picture with the sketch on it, first stroke lowest.

    Args:
        image: ``(H, W, 3) uint8`` RGB of any size; line widths are those of ``sketch.height`` scaled to ``H``.
        sketch: strokes; a freehand stroke is drawn as its path.
        rng: randomness of the loose style; by default drawn from the stroke's id, so that a sketch always looks the same.

    Raises:
        InvalidShape: the picture is not ``(H, W, 3) uint8``.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InvalidShape("picture to draw on", expected=("H", "W", 3), found=image.shape, dtype="uint8")
    canvas = image.astype(np.float32)
    for stroke in sketch.strokes:
        _blend(canvas, stroke, sketch.height, rng or np.random.default_rng(zlib.crc32(stroke.id.encode())))
    return np.asarray(np.round(canvas), dtype=np.uint8)


def _blend(canvas: NDArray[np.float32], stroke: Stroke, sketch_height: int, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    line_px = max(1.0, stroke.width_px * height / sketch_height)
    lines, triangles = outline(stroke, (width, height), line_px, rng)
    everything = np.vstack([*lines, *triangles])
    low = np.maximum(np.floor(everything.min(axis=0) - line_px - 2), 0).astype(int)
    high = np.minimum(np.ceil(everything.max(axis=0) + line_px + 2), (width, height)).astype(int)
    if (high <= low).any():
        return
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    mask = Image.new("L", (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
    pen = ImageDraw.Draw(mask)
    for line in lines:
        _draw_line(pen, (line - low) * OVERSAMPLING, line_px * OVERSAMPLING)
    for triangle in triangles:
        pen.polygon([tuple(p) for p in ((triangle - low) * OVERSAMPLING).tolist()], fill=255)
    cover = np.asarray(mask.resize(size, Image.Resampling.BOX), dtype=np.float32)[..., None] / 255
    part = canvas[low[1] : high[1], low[0] : high[0]]
    part += cover * (np.array(stroke.colour, dtype=np.float32) - part)


def _draw_line(pen: ImageDraw.ImageDraw, points: Array, width: float) -> None:
    radius = width / 2
    pen.line([tuple(p) for p in points.tolist()], fill=255, width=max(1, round(width)), joint="curve")
    for x, y in points[[0, -1]]:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def outline(stroke: Stroke, size: tuple[int, int], line_px: float, rng: np.random.Generator) -> tuple[list[Array], list[Array]]:
    """Return the polylines and filled triangles, each ``(N, 2)`` [px], of a stroke on a frame of ``size`` (width, height)."""
    width, height = size
    pixels = to_pixels(stroke.points, width, height)
    if stroke.kind is StrokeKind.FREEHAND or (not stroke.is_geometric and stroke.raw):
        drawn = to_pixels(stroke.raw or stroke.points, width, height)
        return [np.repeat(drawn, 2, axis=0) if len(drawn) == 1 else drawn], []
    if not stroke.is_geometric:
        return list(hand_paths(stroke, width, height, rng, style=HandStyle(), habit="separate")), []
    if stroke.kind is StrokeKind.CIRCLE:
        turn = np.linspace(0, 2 * np.pi, 97)
        radius = circle_radius_px(stroke, width, height)
        return [pixels[0] + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)], []
    head = head_triangle(pixels, line_px, height / 480)
    shaft = pixels.copy()
    shaft[-1] = head[1:].mean(axis=0)
    return [shaft], [head]


def head_triangle(points: Array, line_px: float, scale: float) -> Array:
    """Return tip and base corners ``(3, 2)`` of the filled head of an arrow through points ``(N, 2)`` [px]."""
    length = path_length(points)
    size = min(max(HEAD_PER_WIDTH * line_px, MIN_HEAD_PX * scale), 0.45 * length)
    dense = resample(points, 128)
    back = int(np.clip(127 * size / max(length, 1e-9), 1, 127))
    direction = points[-1] - dense[127 - back]
    direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
    across = np.array([-direction[1], direction[0]])
    base = points[-1] - size * direction
    return np.array([points[-1], base + 0.5 * size * across, base - 0.5 * size * across])
