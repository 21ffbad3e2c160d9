"""Region growing: masks by colour alone, for any picture, with no weights at all."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from workbench.core.masks import EXCLUDE, INCLUDE, MAX_CANDIDATES, Candidate, Embedding, MaskPrompt, Picture
from workbench.core.protocols import SegmenterSpec, Tracker
from workbench.segmentation.association import AssociationTracker
from workbench.segmentation.masks import Pixels, cleaned, piece_at, resized

WORK_PX: Final = 512
"""Larger pictures are worked at in this size."""
TOLERANCES: Final = (0.10, 0.05, 0.18)
"""How far from the clicked colour a region grows: a thing, a part, a group."""
SHADE_WEIGHT: Final = 0.3
"""Of brightness against hue: the sides of one thing differ in brightness."""
_BLUR_PX: Final = 0.8
_NUM_SECTORS: Final = 12
"""The surroundings of a box are looked at in so many directions."""

Floats = NDArray[np.float32]


class _Work(NamedTuple):
    """A picture made ready."""

    features: Floats
    """``(h, w, 3)``: weighted brightness and two hues."""
    scale: float
    """Work pixels for one pixel of the picture."""


class ClassicalSegmenter:
    """Grows regions of like colour from clicks; tells a thing in a box by what its rim does not show."""

    spec = SegmenterSpec("classical", "region growing by colour: needs no weights, works on any picture, sees no meaning")

    def embed(self, picture: Picture) -> Embedding:
        """Turn a picture into brightness and hue at work size."""
        scale = min(1.0, WORK_PX / max(picture.width, picture.height))
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        small = picture.pixels if scale == 1.0 else np.asarray(Image.fromarray(picture.pixels).resize(size, Image.Resampling.BOX))
        return Embedding(picture, _Work(features_of(small), scale))

    def segment(self, embedding: Embedding, prompt: MaskPrompt) -> tuple[Candidate, ...]:
        """Return one mask for a box or several prompts, three for a lone click, best first."""
        work = embedding.data
        assert isinstance(work, _Work)
        picture = embedding.picture
        found = [_in_box(work, prompt)] if prompt.box is not None else [_grown(work, prompt, tolerance) for tolerance in TOLERANCES]
        kept = [_without(work, mask, prompt) for mask in _distinct(found)]
        scored = sorted(((_contrast(work, mask), mask) for mask in kept), key=lambda s: -round(s[0], 2))
        full = [Candidate(resized(mask, picture.width, picture.height), score) for score, mask in scored]
        return tuple(full[:MAX_CANDIDATES]) if prompt.is_ambiguous else tuple(full[:1])

    def make_tracker(self) -> Tracker:
        """Return a tracker that associates from frame to frame."""
        return AssociationTracker(self)


def features_of(pixels: NDArray[np.uint8]) -> Floats:
    """Return ``(H, W, 3) float32`` weighted brightness and hues of ``(H, W, 3) uint8`` RGB, slightly blurred."""
    rgb = ndimage.gaussian_filter(pixels.astype(np.float32) / 255.0, (_BLUR_PX, _BLUR_PX, 0))
    light = rgb.mean(axis=2)
    total = rgb.sum(axis=2) + 0.15  # dark pixels have no hue to speak of
    hues = [(rgb[..., 0] - rgb[..., 1]) / total, ((rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]) / total]
    return np.stack([SHADE_WEIGHT * light, *hues], axis=2).astype(np.float32)


def _cells(work: _Work, prompt: MaskPrompt, label: int) -> list[tuple[int, int]]:
    height, width = work.features.shape[:2]
    points = [p for p, found in zip(prompt.points, prompt.labels, strict=True) if found == label]
    return [
        (int(np.clip(v * work.scale, 0, height - 1)), int(np.clip(u * work.scale, 0, width - 1)))
        for u, v in points
    ]  # fmt: skip


def _colour_at(work: _Work, cell: tuple[int, int]) -> Floats:
    row, column = cell
    patch = work.features[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return np.asarray(np.median(patch.reshape(-1, 3), axis=0), dtype=np.float32)


def _away(work: _Work, colour: Floats) -> Floats:
    return np.asarray(np.linalg.norm(work.features - colour, axis=2), dtype=np.float32)


def _grown(work: _Work, prompt: MaskPrompt, tolerance: float) -> Pixels:
    """Return the regions of like colour around every point that includes, and a mask that was given."""
    height, width = work.features.shape[:2]
    mask = np.zeros((height, width), bool) if prompt.mask is None else resized(prompt.mask, width, height)
    for cell in _cells(work, prompt, INCLUDE):
        mask = mask | piece_at(_away(work, _colour_at(work, cell)) < tolerance, [cell])
    return _to_edge(work, cleaned(mask)) if mask.any() else mask


def _to_edge(work: _Work, mask: Pixels) -> Pixels:
    """Return a region grown by the pixels of its rim, which are a mixture, that look more like it than like what surrounds it."""
    beyond = np.asarray(ndimage.binary_dilation(mask, iterations=4)) & ~np.asarray(ndimage.binary_dilation(mask, iterations=2))
    if not beyond.any():
        return mask
    inside, outside = (_away(work, np.median(work.features[part], axis=0).astype(np.float32)) for part in (mask, beyond))
    return np.asarray(ndimage.binary_dilation(mask, iterations=2, mask=mask | (inside < outside)))


def _in_box(work: _Work, prompt: MaskPrompt) -> Pixels:
    """Return what in a box is unlike the colours around it; with points, what is like theirs as well."""
    assert prompt.box is not None
    height, width = work.features.shape[:2]
    u0, v0, u1, v1 = (round(x * work.scale) for x in prompt.box)
    u0, v0 = min(max(0, u0), width - 1), min(max(0, v0), height - 1)
    u1, v1 = min(max(u0 + 1, u1), width), min(max(v0 + 1, v1), height)
    inside = np.zeros((height, width), bool)
    inside[v0:v1, u0:u1] = True
    ring = np.asarray(ndimage.binary_dilation(inside, iterations=4)) & ~inside
    colours = work.features[ring].reshape(-1, 3)
    if not len(colours):
        return inside
    rows, columns = np.nonzero(ring)
    side = np.arctan2(rows - 0.5 * (v0 + v1), columns - 0.5 * (u0 + u1))
    sector = np.floor((side + np.pi) / (2 * np.pi) * _NUM_SECTORS).astype(int)
    centres = [np.median(colours[sector == k], axis=0) for k in np.unique(sector)]
    far = np.min([_away(work, centre.astype(np.float32)) for centre in centres], axis=0)
    mask = inside & (far > max(0.5 * TOLERANCES[0], _threshold(far[inside])))
    seeds = [c for c in _cells(work, prompt, INCLUDE) if inside[c]]
    for seed in seeds:
        mask |= inside & piece_at(_away(work, _colour_at(work, seed)) < TOLERANCES[0], [seed])
    if seeds:
        mask = piece_at(mask, seeds)
    return _to_edge(work, cleaned(mask)) & inside if mask.any() else mask


def _threshold(values: Floats) -> float:
    """Return where two groups of values part best (Otsu), at most half their highest."""
    counts, edges = np.histogram(values, bins=48)
    centres, below = 0.5 * (edges[:-1] + edges[1:]), np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * gap**2)
    return min(float(centres[int(np.argmax(between))]), 0.5 * float(edges[-1]))


def _without(work: _Work, mask: Pixels, prompt: MaskPrompt) -> Pixels:
    """Take away what points exclude: the region of their colour, or of one colour the part that lies nearer to them."""
    keep = _cells(work, prompt, INCLUDE)
    for cell in _cells(work, prompt, EXCLUDE):
        if not mask[cell]:
            continue
        cut = piece_at(mask & (_away(work, _colour_at(work, cell)) < TOLERANCES[1]), [cell])
        if cut.sum() > 0.9 * mask.sum() or any(cut[k] for k in keep):
            cut = mask & _nearer_to(cell, keep or [_middle(mask)], mask.shape)
        mask = mask & ~cut
    return mask


def _middle(mask: Pixels) -> tuple[int, int]:
    rows, columns = np.nonzero(mask)
    return int(rows.mean()), int(columns.mean())


def _nearer_to(cell: tuple[int, int], others: list[tuple[int, int]], shape: tuple[int, ...]) -> Pixels:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    own = np.hypot(rows - cell[0], columns - cell[1])
    rival = np.min([np.hypot(rows - r, columns - c) for r, c in others], axis=0)
    return np.asarray(own < rival)


def _distinct(masks: list[Pixels]) -> list[Pixels]:
    """Return the masks without those that are nearly another one again."""
    kept: list[Pixels] = []
    for mask in masks:
        area = int(mask.sum())
        if all(abs(area - int(k.sum())) > 0.05 * max(area, 1) for k in kept):
            kept.append(mask)
    return kept


def _contrast(work: _Work, mask: Pixels) -> float:
    """Return how much a mask differs from what surrounds it, 0..1; the whole picture is surrounded by nothing."""
    if not mask.any():
        return 0.0
    # Beside the rim, whose pixels are a mixture of both.
    beside = np.asarray(ndimage.binary_dilation(mask, iterations=4)) & ~np.asarray(ndimage.binary_dilation(mask, iterations=1))
    if not beside.any():
        return 0.0
    away = _away(work, np.median(work.features[mask], axis=0).astype(np.float32))
    step, spread = float(away[beside].mean()), float(away[mask].mean())
    return step / (step + spread + 0.03)
