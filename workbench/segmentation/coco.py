"""Masks as COCO run lengths, the form that annotation tools exchange."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.segmentation.masks import Pixels, box_of


def encode(mask: Pixels) -> dict[str, Any]:
    """Return ``{"size": [H, W], "counts": text}``: runs column by column, off first, in COCO's compressed text."""
    height, width = mask.shape
    return {"size": [height, width], "counts": _compressed(counts_of(mask))}


def decode(rle: Mapping[str, Any]) -> Pixels:
    """Read what :func:`encode` wrote, or the same with plain counts.

    Raises:
        InvalidInput: the runs do not fill the size.
    """
    height, width = (int(n) for n in rle["size"])
    counts = rle["counts"]
    runs = _expanded(counts if isinstance(counts, str) else counts.decode()) if isinstance(counts, str | bytes) else list(counts)
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise InvalidInput("COCO mask", expected=f"runs that add up to {height * width}", found=str(sum(runs)))
    is_on = np.arange(len(runs)) % 2 == 1
    return np.repeat(is_on, runs).reshape(width, height).T


def counts_of(mask: Pixels) -> list[int]:
    """Return lengths of runs column by column, off first."""
    flat = np.asarray(mask, dtype=bool).T.ravel()
    ends = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    runs = [b - a for a, b in pairwise(ends)]
    return [0, *runs] if flat.size and flat[0] else runs


def annotation(mask: Pixels, *, annotation_id: int, image_id: int, category_id: int) -> dict[str, Any]:
    """Return one COCO annotation of a mask."""
    box = box_of(mask)
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": encode(mask),
        "area": int(mask.sum()),
        "bbox": [0, 0, 0, 0] if box is None else [box[0], box[1], box[2] - box[0], box[3] - box[1]],
        "iscrowd": 1,
    }


def _compressed(counts: list[int]) -> str:
    """Write counts as COCO does: differences to the count two before, in groups of five bits, as letters from ``0`` on."""
    letters = []
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            is_last = value == (-1 if bits & 16 else 0)
            letters.append(chr((bits if is_last else bits | 32) + 48))
            if is_last:
                break
    return "".join(letters)


def _expanded(text: str) -> list[int]:
    counts: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    return counts
