"""The oracle: masks from a simulator's own truth. No robot has that; whatever is made with it says so.

It shows how well everything around a segmenter works, and is the upper bound that trained ones are measured against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from workbench.core.errors import InvalidInput
from workbench.core.masks import INCLUDE, Candidate, Embedding, MaskPrompt, ObjectIds, Picture, TrackedMask
from workbench.core.protocols import SegmenterSpec, Tracker
from workbench.segmentation.masks import Pixels, box_of, iou, resized

_MIN_SHARE: Final = 0.4
"""A thing belongs to a prompt's mask or box when this share of it lies inside."""
_WHOLE: Final = 0.85
"""A mask that overlaps so well with a thing means all of it."""
_FULL_SIGHT: Final = 0.35
"""A thing counts as fully seen while it shows at least this share of the most that was seen of it."""


class OracleSegmenter:
    """Finds the simulator's own things under a prompt."""

    spec = SegmenterSpec(
        "oracle", "simulator's truth: exact, and not to be had with a real robot", is_privileged=True, tracks_by="truth", is_live=True
    )

    def embed(self, picture: Picture) -> Embedding:
        """Keep the truth of a picture.

        Raises:
            InvalidInput: the picture comes without truth.
        """
        return Embedding(picture, truth_of(picture))

    def segment(self, embedding: Embedding, prompt: MaskPrompt) -> tuple[Candidate, ...]:
        """Return the thing that is meant, and for a lone click also that thing with all that touches it."""
        truth = truth_of(embedding.picture)
        mask = _asked(truth, prompt)
        found = [Candidate(mask, 1.0)]
        if prompt.is_ambiguous and mask.any():
            group = _with_neighbours(truth, mask)
            found += [Candidate(group, 0.5)] if group.sum() > mask.sum() else []
        return tuple(found)

    def make_tracker(self) -> Tracker:
        """Return a tracker that looks things up."""
        return OracleTracker()


@dataclass(frozen=True, eq=False)
class _Meant:
    """What a tracked object is."""

    things: tuple[int, ...]
    """Indices of the simulator's things."""
    part: Pixels | None
    """The part that is meant, as it filled the box of the things; None for all of them."""
    area: int
    """Most pixels that were seen of it."""


class OracleTracker:
    """Follows things by their identity."""

    def __init__(self) -> None:
        self._picture: Picture | None = None
        self._objects: dict[str, _Meant] = {}

    def start(self, picture: Picture) -> None:
        """Forget every object; this is the present frame."""
        truth_of(picture)
        self._picture, self._objects = picture, {}

    def prompt(self, object_id: str, prompt: MaskPrompt) -> TrackedMask:
        """Add or correct an object."""
        assert self._picture is not None, "a tracker is started before it is prompted"
        truth = truth_of(self._picture)
        mask = prompt.mask if prompt.mask is not None and not prompt.points and prompt.box is None else _asked(truth, prompt)
        things = _things_in(truth, mask)
        whole = np.isin(truth.ids, [i + 1 for i in things])
        box = box_of(whole)
        part = None
        if box is not None and iou(whole, mask) < _WHOLE:
            u0, v0, u1, v1 = (int(x) for x in box)
            part = (mask & whole)[v0:v1, u0:u1].copy()
        self._objects[object_id] = _Meant(things, part, int(mask.sum()))
        return TrackedMask(mask, 1.0 if mask.any() else 0.0)

    def track(self, picture: Picture) -> Mapping[str, TrackedMask]:
        """Look every object up on the next frame."""
        truth, self._picture = truth_of(picture), picture
        found = {}
        for object_id, meant in self._objects.items():
            mask = np.isin(truth.ids, [i + 1 for i in meant.things])
            box = box_of(mask)
            if meant.part is not None and box is not None:
                u0, v0, u1, v1 = (int(x) for x in box)
                part = np.zeros_like(mask)
                part[v0:v1, u0:u1] = resized(meant.part, u1 - u0, v1 - v0)
                mask &= part
            area = max(meant.area, int(mask.sum()))
            self._objects[object_id] = _Meant(meant.things, meant.part, area)
            found[object_id] = TrackedMask(mask, min(1.0, float(mask.sum()) / (_FULL_SIGHT * area)) if area else 0.0)
        return found

    def remove(self, object_id: str) -> None:
        """Follow an object no longer."""
        self._objects.pop(object_id, None)


def truth_of(picture: Picture) -> ObjectIds:
    """Return the truth that comes with a picture.

    Raises:
        InvalidInput: there is none.
    """
    if picture.truth is None:
        raise InvalidInput(
            "oracle", expected="a picture of a simulator that tells which thing is where", found="none", fix="Choose another segmenter."
        )
    return picture.truth


def _asked(truth: ObjectIds, prompt: MaskPrompt) -> Pixels:
    """Return the mask of the things that a prompt includes, less what it excludes."""
    meant: set[int] = set()
    if prompt.box is not None:
        u0, v0, u1, v1 = (round(x) for x in prompt.box)
        inside = np.zeros(truth.ids.shape, bool)
        inside[max(0, v0) : v1, max(0, u0) : u1] = True
        meant |= set(_things_in(truth, inside, of_thing=True))
    if prompt.mask is not None:
        meant |= set(_things_in(truth, prompt.mask))
    clicked = [(_id_at(truth, point), label) for point, label in zip(prompt.points, prompt.labels, strict=True)]
    meant |= {thing for thing, label in clicked if label == INCLUDE and thing >= 0}
    included = {thing for thing, label in clicked if label == INCLUDE}
    excluded = {thing for thing, label in clicked if label != INCLUDE}
    meant -= excluded - included if prompt.mask is None else excluded - included - meant
    mask = np.isin(truth.ids, [i + 1 for i in meant])
    if prompt.mask is not None and prompt.mask.any():
        mask &= prompt.mask | ~np.isin(truth.ids, [i + 1 for i in _things_in(truth, prompt.mask)])
    return mask & ~_cut_off(truth, mask, prompt) if excluded & meant else mask


def _cut_off(truth: ObjectIds, mask: Pixels, prompt: MaskPrompt) -> Pixels:
    """Return the part of a mask that lies nearer to a point that excludes than to one that includes, or to the middle."""
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return np.zeros_like(mask)
    places = np.stack([columns + 0.5, rows + 0.5], axis=1)
    points, labels = np.array(prompt.points, dtype=float), np.array(prompt.labels)
    if INCLUDE not in labels:
        points, labels = np.vstack([points, places.mean(axis=0)]), np.append(labels, INCLUDE)
    nearest = np.argmin(np.linalg.norm(places[:, None] - points[None], axis=2), axis=1)
    cut = np.zeros_like(mask)
    is_out = labels[nearest] != INCLUDE
    cut[rows[is_out], columns[is_out]] = True
    return cut


def _id_at(truth: ObjectIds, point: tuple[float, float]) -> int:
    height, width = truth.ids.shape
    column, row = (int(np.clip(np.floor(c), 0, n - 1)) for c, n in zip(point, (width, height), strict=True))
    return int(truth.ids[row, column]) - 1


def _things_in(truth: ObjectIds, mask: Pixels, *, of_thing: bool = False) -> tuple[int, ...]:
    """Return the things that fill a mask; with ``of_thing`` those that lie in it for the most part."""
    inside = np.bincount(truth.ids[mask], minlength=len(truth.names) + 1)[1:]
    if of_thing:
        whole = np.bincount(truth.ids.ravel(), minlength=len(truth.names) + 1)[1:]
        return tuple(int(i) for i in np.flatnonzero((inside >= _MIN_SHARE * whole) & (inside > 0)))
    return tuple(int(i) for i in np.flatnonzero((inside >= 0.2 * max(1, inside.sum())) & (inside > 0)))


def _with_neighbours(truth: ObjectIds, mask: Pixels) -> Pixels:
    rim = ndimage.binary_dilation(mask, iterations=2) & ~mask
    touching = set(np.unique(truth.ids[rim]).tolist()) - {0}
    return np.asarray(mask | np.isin(truth.ids, list(touching)))
