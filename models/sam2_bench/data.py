"""What training sees: pictures with the masks of some of their things, and clips, changed at random so that no two are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from numpy.typing import NDArray
from torch import Tensor

from models.sam2_bench.shards import Place, ShardSet
from models.sam2_bench.studio import Shot

MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)
"""Of the colours, as in SAM 2."""
MIN_AREA: Final = 24
"""Smallest mask that is asked for [px]."""
_TOKEN: Final = 16
"""Pixels to a token."""
_PART_SHARE: Final = 0.12
"""How often the mask wanted is that of a part, when the thing has several."""
_ARM_WEIGHT: Final = 0.4
"""How often the arm and the gripper are asked for, against a thing."""


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Pictures and masks; several masks share a picture."""

    pictures: Tensor
    """``(B, 3, S, S) float32``, normalised."""
    owners: Tensor
    """``(N,) int64``: which picture each mask is of."""
    masks: Tensor
    """``(N, S, S) bool``"""
    ids: Tensor
    """``(B, S, S) uint8``: which thing each pixel is of, 0 for none."""
    origin: tuple[int, int] = (0, 0)
    """Where in a whole picture these stand (u, v) [px], when they are windows of one: a multiple of 16."""


@dataclass(frozen=True, eq=False)
class ClipBatch:
    """One clip and the masks of some of its things; all of them are seen on the first frame."""

    pictures: Tensor
    """``(T, 3, S, S) float32``, normalised."""
    masks: Tensor
    """``(T, N, S, S) bool``; empty where the thing is not seen."""


def draw_images(shards: ShardSet, rng: np.random.Generator, *, num_pictures: int, num_masks: int, side: int, window: int) -> ImageBatch:
    """Draw pictures with ``num_masks`` masks each; with ``window`` below ``side``, a window around a thing of each, all at one place."""
    pictures: list[Tensor] = []
    owners, masks, ids = [], [], []
    places = rng.integers(0, (side - window) // _TOKEN + 1, 2)
    while len(pictures) < num_pictures:
        shot = shards.read(shards.stills[int(rng.integers(len(shards.stills)))])
        picture, labels = change([shot], rng, _draw_window(shot, rng, window) if window < side else None)
        found = _draw_masks(labels[0], shot, rng, num_masks)
        if not found:
            continue
        owners += [len(pictures)] * len(found)
        masks += found
        pictures.append(picture[0])
        ids.append(labels[0][0])
    origin = (int(places[0]) * _TOKEN, int(places[1]) * _TOKEN)
    return ImageBatch(
        torch.stack(pictures), torch.tensor(owners), torch.from_numpy(np.stack(masks)), torch.from_numpy(np.stack(ids)), origin
    )


def draw_clip(shards: ShardSet, rng: np.random.Generator, *, num_frames: int, num_masks: int) -> ClipBatch:
    """Draw some frames of a clip in order, forwards or backwards, and up to ``num_masks`` of its things."""
    while True:
        places: list[Place] = shards.clips[int(rng.integers(len(shards.clips)))]
        step = int(rng.integers(1, max(2, (len(places) - 1) // (num_frames - 1) + 1)))
        first = int(rng.integers(0, max(1, len(places) - step * (num_frames - 1))))
        chosen = places[first::step][:num_frames]
        shots = [shards.read(p) for p in (chosen if rng.random() < 0.5 else chosen[::-1])]
        pictures, labels = change(shots, rng)
        numbers = _draw_tracked(labels, rng, num_masks)
        if numbers:
            masks = np.stack([np.stack([frame[0] == n for n in numbers]) for frame in labels])
            return ClipBatch(pictures, torch.from_numpy(masks))


Labels = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Ids and parts."""
Window = tuple[tuple[int, int, int, int], int]
"""Top, left, height and width of a cut, and the side at which it is shown [px]."""


def change(shots: list[Shot], rng: np.random.Generator, window: Window | None = None) -> tuple[Tensor, list[Labels]]:
    """Return pictures ``(T, 3, S, S)`` and their ids and parts, cut, mirrored, lit and blurred, all of them alike."""
    side = shots[0].rgb.shape[0]
    box = _draw_cut(rng, side) if rng.random() < 0.6 else (0, 0, side, side)
    if window is not None:
        box, side = window
    flip = rng.random() < 0.5
    rgb = _cut(np.stack([s.rgb for s in shots]), box, flip)
    pictures = torch.from_numpy(rgb).movedim(-1, 1).float()
    if box[2:] != (side, side):
        pictures = F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)
    labels = [(_enlarge(_cut(s.ids, box, flip), side), _enlarge(_cut(s.parts, box, flip), side)) for s in shots]
    pictures = _light(pictures / 255.0, rng)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (pictures - mean) / std, labels


def _draw_cut(rng: np.random.Generator, side: int) -> tuple[int, int, int, int]:
    """Draw top, left, height and width of a cut [px]."""
    scale, aspect = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.25, 0.25))
    height, width = (int(np.clip(side * scale * a, 64, side)) for a in (aspect, 1.0 / aspect))
    return int(rng.integers(0, side - height + 1)), int(rng.integers(0, side - width + 1)), height, width


def _draw_window(shot: Shot, rng: np.random.Generator, window: int) -> Window:
    """Draw a cut around one of a picture's things, to be shown ``window`` pixels wide."""
    areas = np.bincount(shot.ids.ravel(), minlength=2)
    able = 1 + np.flatnonzero(areas[1:] >= MIN_AREA)
    inside = np.flatnonzero(shot.ids == rng.choice(able)) if len(able) else np.arange(shot.ids.size)
    row, column = np.divmod(int(rng.choice(inside)), shot.ids.shape[1])
    height, width = (int(window * np.exp(rng.uniform(-0.45, 0.45) + a)) for a in rng.uniform(-0.15, 0.15, 2))
    top, left = (int(at - size * rng.uniform(0.2, 0.8)) for at, size in ((row, height), (column, width)))
    limit = shot.ids.shape[0]
    return (int(np.clip(top, 0, limit - height)), int(np.clip(left, 0, limit - width)), height, width), window


def _cut(array: NDArray[np.uint8], box: tuple[int, int, int, int], flip: bool) -> NDArray[np.uint8]:
    top, left, height, width = box
    axis = 2 if array.ndim == 4 else 0
    rows, columns = slice(top, top + height), slice(left, left + width)
    found = array[:, rows, columns] if axis else array[rows, columns]
    return np.ascontiguousarray(np.flip(found, axis or 1) if flip else found)


def _enlarge(labels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return labels ``(h, w)`` at ``(side, side)``, each pixel from the nearest."""
    rows = (np.arange(side) + 0.5) * labels.shape[0] / side
    columns = (np.arange(side) + 0.5) * labels.shape[1] / side
    found: NDArray[np.uint8] = labels[rows.astype(np.int64)][:, columns.astype(np.int64)]
    return found


def _light(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    gain = torch.tensor(rng.uniform(0.8, 1.2, (3, 1, 1)) * rng.uniform(0.7, 1.3), dtype=torch.float32)
    found = (pictures * gain).clamp(0.0, 1.0) ** float(np.exp(rng.uniform(-0.3, 0.3)))
    if rng.random() < 0.3:
        found = F.avg_pool2d(found, 3, 1, 1, count_include_pad=False)
    if rng.random() < 0.4:
        found = found + float(rng.uniform(0.0, 0.03)) * torch.randn_like(found)
    return found.clamp(0.0, 1.0)


def _draw_masks(labels: Labels, shot: Shot, rng: np.random.Generator, num: int) -> list[NDArray[np.bool_]]:
    ids, parts = labels
    areas = np.bincount(ids.ravel(), minlength=len(shot.names) + 1)
    numbers = [n for n in range(1, len(shot.names) + 1) if areas[n] >= MIN_AREA]
    if not numbers:
        return []
    weights = np.array([_ARM_WEIGHT if n > len(shot.names) - 2 else 1.0 for n in numbers])
    # No thing twice before every one was asked for once.
    order: list[int] = []
    while len(order) < num:
        order += [numbers[i] for i in rng.choice(len(numbers), len(numbers), replace=False, p=weights / weights.sum())]
    return [_whole_or_part(ids == n, parts, rng) for n in order[:num]]


def _whole_or_part(mask: NDArray[np.bool_], parts: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.bool_]:
    if rng.random() > _PART_SHARE:
        return mask
    areas = np.bincount(parts[mask])
    large = np.flatnonzero(areas >= MIN_AREA)
    return mask & (parts == rng.choice(large)) if len(large) > 1 else mask


def _draw_tracked(labels: list[Labels], rng: np.random.Generator, num: int) -> list[int]:
    """Draw things that are seen well on the first frame, those first whose visible part changes most."""
    highest = max(int(ids.max()) for ids, _ in labels) + 1
    areas = np.stack([np.bincount(ids.ravel(), minlength=highest) for ids, _ in labels])[:, 1:]
    able = np.flatnonzero(areas[0] >= MIN_AREA)
    if not len(able):
        return []
    changes = areas[:, able].std(axis=0) / areas[0, able] + 0.1 + rng.random(len(able))
    return [int(able[i]) + 1 for i in np.argsort(-changes)[:num]]
