"""Plain arithmetic on masks ``(H, W) bool``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Pixels = NDArray[np.bool_]
Box = tuple[float, float, float, float]


def iou(a: Pixels, b: Pixels) -> float:
    """Return intersection over union of two masks; two empty ones are equal (1)."""
    union = int(np.count_nonzero(a | b))
    return 1.0 if union == 0 else int(np.count_nonzero(a & b)) / union


def box_of(mask: Pixels) -> Box | None:
    """Return the ``(u0, v0, u1, v1)`` [px] that just holds a mask; None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def grown_box(box: Box, margin: float, width: int, height: int) -> Box:
    """Return a box with ``margin`` [px] more on each side, kept within a picture."""
    u0, v0, u1, v1 = box
    return max(0.0, u0 - margin), max(0.0, v0 - margin), min(float(width), u1 + margin), min(float(height), v1 + margin)


def inner_point(mask: Pixels) -> tuple[float, float] | None:
    """Return the pixel ``(u, v)`` that lies deepest within a mask; None for an empty one."""
    if not mask.any():
        return None
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return float(column) + 0.5, float(row) + 0.5


def centroid(mask: Pixels) -> tuple[float, float] | None:
    """Return the mean pixel ``(u, v)`` of a mask; None for an empty one."""
    rows, columns = np.nonzero(mask)
    return None if not rows.size else (float(columns.mean()) + 0.5, float(rows.mean()) + 0.5)


def piece_at(mask: Pixels, points: list[tuple[int, int]]) -> Pixels:
    """Return the connected pieces of a mask that hold any of some ``(row, column)``."""
    labels, _ = ndimage.label(mask)
    wanted = {int(labels[row, column]) for row, column in points} - {0}
    return np.isin(labels, list(wanted)) if wanted else np.zeros_like(mask)


def cleaned(mask: Pixels, *, min_share: float = 0.1) -> Pixels:
    """Return a mask with its holes filled and without pieces smaller than a share of the largest one."""
    filled = np.asarray(ndimage.binary_fill_holes(mask))
    labels, count = ndimage.label(filled)
    if count <= 1:
        return filled
    areas = np.bincount(labels.ravel())[1:]
    return np.isin(labels, 1 + np.flatnonzero(areas >= min_share * areas.max()))


def resized(mask: Pixels, width: int, height: int) -> Pixels:
    """Return a mask at another size, nearest pixel; ``(H, W)`` to ``(height, width)``."""
    if mask.shape == (height, width):
        return mask
    picture = Image.fromarray(mask.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(picture).astype(bool)


def shifted(mask: Pixels, du: float, dv: float) -> Pixels:
    """Return a mask moved by whole pixels; what leaves the picture is gone."""
    right, down = round(du), round(dv)
    height, width = mask.shape
    moved = np.zeros_like(mask)
    if abs(right) >= width or abs(down) >= height:
        return moved
    to_rows, from_rows = slice(max(0, down), height + min(0, down)), slice(max(0, -down), height - max(0, down))
    to_columns, from_columns = slice(max(0, right), width + min(0, right)), slice(max(0, -right), width - max(0, right))
    moved[to_rows, to_columns] = mask[from_rows, from_columns]
    return moved


def outline(mask: Pixels) -> Pixels:
    """Return the pixels of a mask that touch its outside."""
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=1))
