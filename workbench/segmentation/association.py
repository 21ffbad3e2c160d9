"""A tracker made of any segmenter: the object of the next frame is the mask that fits best in place, colour and size.

No memory is learned: what is hidden for long, or one of several that look the same and cross, may be lost or taken for another. It
says how sure it is, so that a person can be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from workbench.core.masks import INCLUDE, Embedding, MaskPrompt, Picture, TrackedMask
from workbench.core.protocols import Segmenter
from workbench.segmentation.masks import Pixels, box_of, centroid, grown_box, inner_point, iou, shifted

MIN_CONFIDENCE: Final = 0.4
"""Below this a candidate is not the object."""
COLOUR_SCALE: Final = 0.12
"""Difference of mean colour (RGB in 0..1) at which two masks look different."""
LIKE: Final = 0.09
"""Pixels within this of an object's mean colour may be the object."""
SPEED_SMOOTHING: Final = 0.5
MAX_OVERLAP: Final = 0.5
"""Two objects may not share more than this of the smaller one."""
_MIN_AREA: Final = 4

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is remembered of one object; its size does not grow."""

    mask: Pixels
    """Where it was last seen."""
    colour: Floats
    """``(3,)`` mean RGB in 0..1."""
    area: float
    velocity: tuple[float, float]
    """[px a frame]"""
    num_missed: int = 0


class AssociationTracker:
    """Follows objects by asking a segmenter again near where they were."""

    def __init__(self, segmenter: Segmenter, pointed_by: Segmenter | None = None) -> None:
        """Take who finds objects on the next frame, and who finds what a person points at, by default the same."""
        self._segmenter, self._pointed_by = segmenter, pointed_by or segmenter
        self._picture: Picture | None = None
        self._pointed: Embedding | None = None
        self._objects: dict[str, _Seen] = {}

    def start(self, picture: Picture) -> None:
        """Forget every object; this is the present frame."""
        self._picture, self._pointed, self._objects = picture, None, {}

    def prompt(self, object_id: str, prompt: MaskPrompt) -> TrackedMask:
        """Add or correct an object; a mask alone is taken as it is."""
        assert self._picture is not None, "a tracker is started before it is prompted"
        score = 1.0
        if prompt.mask is not None and not prompt.points and prompt.box is None:
            mask = prompt.mask
        else:
            # The costly look at a picture is taken for whoever points, once.
            self._pointed = self._pointed or self._pointed_by.embed(self._picture)
            best = self._pointed_by.segment(self._pointed, prompt)[0]
            mask, score = best.pixels, best.score
        if mask.any():
            self._objects[object_id] = _Seen(mask, _colour(self._picture, mask), float(mask.sum()), (0.0, 0.0))
        return TrackedMask(mask, score if mask.any() else 0.0)

    def track(self, picture: Picture) -> Mapping[str, TrackedMask]:
        """Find every object on the next frame."""
        self._picture, self._pointed = picture, None
        if not self._objects:
            return {}
        embedding = self._segmenter.embed(picture)
        if self._pointed_by is self._segmenter:
            self._pointed = embedding
        found = {object_id: self._find(embedding, seen) for object_id, seen in self._objects.items()}
        for object_id in _doubles(found):
            found[object_id] = TrackedMask(np.zeros_like(found[object_id].pixels), 0.0)
        for object_id, tracked in found.items():
            self._objects[object_id] = _updated(self._objects[object_id], tracked, picture)
        return found

    def remove(self, object_id: str) -> None:
        """Follow an object no longer."""
        self._objects.pop(object_id, None)

    def _find(self, embedding: Embedding, seen: _Seen) -> TrackedMask:
        picture = embedding.picture
        expected = shifted(seen.mask, *seen.velocity) if seen.num_missed == 0 else seen.mask
        expected = expected if expected.any() else seen.mask
        best = TrackedMask(np.zeros_like(seen.mask), 0.0)
        for prompt in _prompts(picture, seen, expected):
            for candidate in self._segmenter.segment(embedding, prompt):
                confidence = _fit(picture, seen, expected, candidate.pixels)
                if confidence > best.confidence:
                    best = TrackedMask(candidate.pixels, confidence)
            if best.confidence > 0.75:
                break
        return best if best.confidence >= MIN_CONFIDENCE else TrackedMask(np.zeros_like(seen.mask), 0.0)


def _prompts(picture: Picture, seen: _Seen, expected: Pixels) -> list[MaskPrompt]:
    """Return what to ask: near where the object should be, then where something of its colour is."""
    pixels = picture.pixels.astype(np.float32) / 255.0
    like = np.linalg.norm(pixels - seen.colour, axis=2) < LIKE + 0.02 * min(seen.num_missed, 3)
    asked = []
    box = box_of(expected)
    assert box is not None, "an object was seen somewhere"
    near = like & np.asarray(ndimage.binary_dilation(expected, iterations=3))
    point = inner_point(near) or inner_point(expected)
    assert point is not None
    margin = 3 + 0.15 * max(box[2] - box[0], box[3] - box[1])
    asked.append(MaskPrompt((point,), (INCLUDE,), grown_box(box, margin, picture.width, picture.height)))
    asked.append(MaskPrompt((point,), (INCLUDE,)))
    if seen.num_missed or near.sum() < 0.3 * seen.area:
        labels, count = ndimage.label(like)
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        for index in np.argsort(-areas)[:3]:
            piece = labels == index + 1
            somewhere = inner_point(piece)
            if areas[index] >= max(_MIN_AREA, 0.15 * seen.area) and somewhere is not None:
                asked.append(MaskPrompt((somewhere,), (INCLUDE,)))
    return asked


def _fit(picture: Picture, seen: _Seen, expected: Pixels, mask: Pixels) -> float:
    """Return how well a mask fits an object, 0..1, by place, colour and area."""
    area = float(mask.sum())
    if area < _MIN_AREA:
        return 0.0
    likeness = float(np.exp(-((np.linalg.norm(_colour(picture, mask) - seen.colour) / COLOUR_SCALE) ** 2)))
    size = min(area, seen.area) / max(area, seen.area)
    if seen.num_missed == 0:
        return float((0.25 + 0.75 * iou(expected, mask)) * likeness**0.5 * min(1.0, size + 0.4))
    here, there = centroid(mask), centroid(expected)
    assert here is not None and there is not None
    reach = np.sqrt(seen.area) * (1.0 + 0.25 * seen.num_missed)
    nearness = float(np.exp(-((np.hypot(here[0] - there[0], here[1] - there[1]) / (2 * reach)) ** 2)))
    return float(0.9 * likeness * size**0.5 * (0.3 + 0.7 * nearness))


def _updated(seen: _Seen, tracked: TrackedMask, picture: Picture) -> _Seen:
    if not tracked.confidence:
        return replace(seen, num_missed=seen.num_missed + 1)
    before, now = centroid(seen.mask), centroid(tracked.pixels)
    assert before is not None and now is not None
    gone = seen.num_missed + 1
    moved = tuple((n - b) / gone for n, b in zip(now, before, strict=True))
    velocity = tuple(SPEED_SMOOTHING * v + (1 - SPEED_SMOOTHING) * m for v, m in zip(seen.velocity, moved, strict=True))
    rate = 0.05 * tracked.confidence
    colour = (1 - rate) * seen.colour + rate * _colour(picture, tracked.pixels)
    area = (1 - rate) * seen.area + rate * float(tracked.pixels.sum())
    return _Seen(tracked.pixels, colour.astype(np.float32), area, (velocity[0], velocity[1]))


def _doubles(found: Mapping[str, TrackedMask]) -> list[str]:
    """Return the objects that lie where a surer one lies."""
    order = sorted(found, key=lambda object_id: -found[object_id].confidence)
    taken: list[Pixels] = []
    doubles = []
    for object_id in order:
        mask = found[object_id].pixels
        if not mask.any():
            continue
        if any((mask & other).sum() > MAX_OVERLAP * min(mask.sum(), other.sum()) for other in taken):
            doubles.append(object_id)
        else:
            taken.append(mask)
    return doubles


def _colour(picture: Picture, mask: Pixels) -> Floats:
    return np.asarray(picture.pixels[mask].mean(axis=0) / 255.0, dtype=np.float32)
