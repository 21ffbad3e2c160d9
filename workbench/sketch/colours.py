"""Which pixels of a picture were drawn in the colour of which step."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy import ndimage

from workbench.core.sketches import STEP_COLOURS
from workbench.sketch.curves import Array
from workbench.sketch.skeleton import Mask

LIGHTNESS_WEIGHT: Final = 0.5
"""Lightness counts half: a photo of a drawing is lighter or darker, but keeps its hues."""
SURE: Final = 16.0
POSSIBLE: Final = 34.0
EXACT: Final = 3.0
"""Distances in weighted Lab: a stroke has a core of sure pixels, and possible ones (smoothed edges, compression) beside them."""
CHANGED: Final = 20
"""Largest difference of a channel (0..255) from the clean picture that compression alone may make; a quarter without any."""
TATTER_PX: Final = 2
"""Half the width of the holes that compression tears into strokes."""
EDGE_SHARE: Final = 0.2
"""Compression changes pixels beside an edge by up to this share of the edge's height."""
THIN_SHARE: Final = 0.5
"""Share of its difference from what lies behind that is left of a thin line after compression, which keeps half of the hues."""


@dataclass(frozen=True, eq=False)
class Layers:
    """The drawn pixels of a picture, by step colour."""

    masks: dict[int, Mask]
    """Index in ``STEP_COLOURS`` -> ``(H, W) bool``."""
    hidden: dict[int, Mask]
    """Where a stroke of that colour could run unseen, since the clean picture has its colour there."""
    ink: Mask
    """``(H, W)``: everything drawn, also what belongs to no single colour for sure."""
    has_clean: bool
    """True when the picture without the drawing was of use."""


class Change(NamedTuple):
    """How a picture differs from the clean one."""

    is_changed: Mask
    is_unsure: Mask
    """Where compression may hide a stroke."""
    painted: NDArray[np.int64]
    """``(H, W)``: index of the step colour that explains the change best, -1 where none does."""
    is_clear: Mask
    """Where that colour covers most of the pixel and explains the change well."""
    is_unseen: Mask
    """``(H, W, 8)``: where a thin line of that colour would make no change, or one that compression alone might make."""
    is_exact: bool
    """True when nothing was compressed."""


def to_lab(rgb: ArrayLike) -> Array:
    """Return CIE Lab (D65) of sRGB colours ``(..., 3)`` 0..255, with lightness weighted."""
    c = np.asarray(rgb, dtype=float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    xyz = linear @ to_xyz.T / (0.95047, 1.0, 1.08883)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lightness = LIGHTNESS_WEIGHT * (116 * f[..., 1] - 16)
    return np.stack([lightness, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def find_layers(image: NDArray[np.uint8], clean: NDArray[np.uint8] | None) -> Layers:
    """Find the pixels drawn in each step colour.

    Args:
        image: ``(H, W, 3) uint8`` RGB with a drawing.
        clean: the same picture without the drawing, or None. A picture that differs nearly everywhere is not used.
    """
    distances = _distances(image)
    nearest, distance = distances.argmin(axis=-1), distances.min(axis=-1)
    change = None if clean is None or clean.shape != image.shape else _compare(image, clean)
    masks: dict[int, Mask] = {}
    hidden: dict[int, Mask] = {}
    for index in range(len(STEP_COLOURS)):
        if change is None:
            possible = (nearest == index) & (distance < POSSIBLE)
            sure = possible & (distance < SURE)
            behind = np.zeros(possible.shape, dtype=bool)
        else:
            possible = change.is_changed & (change.painted == index)
            sure = possible & change.is_clear
            behind = change.is_unseen[..., index] | change.is_unsure
            if not change.is_exact:
                # On things of nearly its colour a compressed stroke is in tatters.
                undecided = behind | (change.is_changed & ~(change.is_clear & (change.painted != index)))
                possible = possible | (ndimage.binary_closing(possible, np.ones((3, 3)), iterations=TATTER_PX) & undecided)
        mask = _with_core(possible, sure)
        if change is None:
            mask = _exact_if_any(mask, distance)
        if mask.any():
            masks[index] = mask
            hidden[index] = behind & ~mask
    ink = np.any(list(masks.values()), axis=0) if masks else np.zeros(distance.shape, dtype=bool)
    if change is not None:
        ink |= change.is_changed
    return Layers(_without_fringes(masks, change is not None and change.is_exact), hidden, ink, change is not None)


def _compare(image: NDArray[np.uint8], clean: NDArray[np.uint8]) -> Change | None:
    """Compare a picture with the one without the drawing; None when they are different pictures."""
    difference = _difference(image, clean)
    # Compression changes many pixels a little; a drawing alone changes few, and those much.
    is_exact = bool(np.count_nonzero((difference > 0) & (difference <= CHANGED)) <= 0.35 * np.count_nonzero(difference))
    is_unseen = _distances(clean) < POSSIBLE
    if is_exact:
        is_changed, is_unsure = difference > CHANGED // 4, np.zeros(difference.shape, dtype=bool)
    else:
        # What compression alone does to the clean picture is no change; beside edges it differs from one time to the next.
        for quality in (75, 90):
            difference = np.minimum(difference, _difference(image, through_jpeg(clean, quality)))
        contrast = np.max(
            [ndimage.maximum_filter(c, 9).astype(int) - ndimage.minimum_filter(c, 9) for c in np.moveaxis(clean, -1, 0)], axis=0
        )
        least = CHANGED + EDGE_SHARE * contrast
        is_changed, is_unsure = difference > least, contrast > 150
        for index, colour in enumerate(STEP_COLOURS):
            is_unseen[..., index] |= THIN_SHARE * np.abs(clean.astype(int) - colour).max(axis=-1) < least
        is_changed = ndimage.binary_opening(is_changed, ndimage.generate_binary_structure(2, 1))
    if is_changed.mean() > 0.4:
        return None
    painted, is_clear = _unmix(image, clean, is_changed, is_exact)
    return Change(is_changed, is_unsure, painted, is_clear, is_unseen, is_exact)


class Unmixed(NamedTuple):
    """Which colour was painted over which pixel."""

    painted: NDArray[np.int64]
    is_clear: Mask


def _unmix(image: NDArray[np.uint8], clean: NDArray[np.uint8], is_changed: Mask, is_exact: bool) -> Unmixed:
    """Find the step colour that, laid over the clean picture in part, gives each changed pixel.

    A smoothed edge or a compressed thin line is a mixture of its colour and what lies behind; the direction of the change tells
    the colour still.
    """
    painted, is_clear = np.full(is_changed.shape, -1), np.zeros(is_changed.shape, dtype=bool)
    before, after = clean[is_changed].astype(float), image[is_changed].astype(float)  # (N, 3)
    if not len(before):
        return Unmixed(painted, is_clear)
    whole = np.array(STEP_COLOURS, dtype=float)[None] - before[:, None]  # (N, 8, 3)
    change = (after - before)[:, None]
    cover = (change * whole).sum(axis=-1) / np.maximum((whole**2).sum(axis=-1), 1.0)  # (N, 8)
    rest = np.linalg.norm(change - np.clip(cover, 0, 1)[..., None] * whole, axis=-1)
    best = rest.argmin(axis=1)
    which = np.arange(len(best))
    share = rest[which, best] / np.maximum(np.linalg.norm(change[:, 0], axis=-1), 1.0)
    limit = 0.3 if is_exact else 0.45
    is_explained = (share < limit) & (cover[which, best] > 0.3)
    painted[is_changed] = np.where(is_explained, best, -1)
    is_clear[is_changed] = is_explained & (share < 0.6 * limit) & (cover[which, best] > 0.65)
    return Unmixed(painted, is_clear)


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.asarray(np.abs(a.astype(np.int16) - b.astype(np.int16)).max(axis=-1))


def through_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return a picture ``(H, W, 3) uint8`` as JPEG keeps it at a quality of 1 to 95."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"), dtype=np.uint8)


def _without_fringes(masks: dict[int, Mask], is_exact: bool) -> dict[int, Mask]:
    """Drop thin parts that line strokes of another colour: there colours mix with the background."""
    # Fringes are one pixel wide, or two where colours are compressed.
    pen = np.ones((2, 2), dtype=bool) if is_exact else ndimage.generate_binary_structure(2, 1)
    thick = {index: ndimage.binary_opening(mask, pen) for index, mask in masks.items()}
    kept: dict[int, Mask] = {}
    for index, mask in masks.items():
        others = np.zeros(mask.shape, dtype=bool)
        for key, other in thick.items():
            if key != index:
                others |= other
        own = mask & (~ndimage.binary_dilation(others, iterations=3) | thick[index])
        labels, count = ndimage.label(own, structure=np.ones((3, 3)))
        sizes = ndimage.sum_labels(own, labels, np.arange(1, count + 1))
        own = np.concatenate([[False], sizes >= 8])[labels]
        if own.any():
            kept[index] = np.asarray(own)
    return kept


def _exact_if_any(mask: Mask, distance: Array) -> Mask:
    """Without compression strokes have exactly their colour: when some parts of a mask do, drop those that do not."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count == 0:
        return mask
    exact = ndimage.sum_labels(mask & (distance < EXACT), labels, np.arange(1, count + 1))
    sizes = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
    is_exact = (exact >= 0.25 * sizes) & (exact >= 8)
    return np.asarray(np.concatenate([[False], is_exact])[labels]) if is_exact.any() else mask


def _distances(image: NDArray[np.uint8]) -> Array:
    """Return the distance ``(H, W, 8)`` of every pixel to every step colour."""
    table = _distance_table()
    r, g, b = (image[..., k] >> 2 for k in range(3))
    return np.asarray(table[r, g, b])


@cache
def _distance_table() -> NDArray[np.float32]:
    """Return the distances for 6 bits a channel, exact to two steps of 255: far below the thresholds."""
    steps = np.arange(64) * 4 + 2
    table = to_lab(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1))
    targets = to_lab(np.array(STEP_COLOURS))
    return np.stack([np.linalg.norm(table - t, axis=-1) for t in targets], axis=-1).astype(np.float32)


def _with_core(possible: Mask, sure: Mask) -> Mask:
    """Keep the connected parts of ``possible`` that have enough ``sure`` pixels."""
    labels, count = ndimage.label(possible, structure=np.ones((3, 3)))
    if count == 0:
        return possible
    cores = ndimage.sum_labels(sure, labels, np.arange(1, count + 1))
    sizes = ndimage.sum_labels(possible, labels, np.arange(1, count + 1))
    is_kept = np.concatenate([[False], (cores >= 4) & (cores >= 0.12 * sizes)])
    return np.asarray(is_kept[labels])
