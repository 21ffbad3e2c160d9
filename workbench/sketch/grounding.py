"""Keypoints that stay with their thing: remember what was under a keypoint, find it again in a later picture.

VIEW (arXiv:2505.00693) plans on the first picture only; between two steps of a task things may have been moved, so the keypoints
of a later step are looked up anew, from colour and depth, never from the simulator's truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.sketches import Point
from workbench.core.types import Observation
from workbench.sketch.things import FLAT_M, MIN_PIXELS, Array, Cut, Thing, cut_picture, has_depth, label_near, thing_of

MAX_CHROMA: Final = 0.07
"""Largest difference of colour (shares of red, green, and weighted brightness) between two views of one thing."""
MAX_SIZE: Final = 0.45
"""Largest relative difference of its size; 1 cm is added for what a pixel blurs, or the arm hides."""
PLACE_SHARE: Final = 0.10
"""A flat surface that fills more of the picture is the table: a keypoint there is a place, not a thing."""


@dataclass(frozen=True, eq=False)
class Anchor:
    """What lies under one keypoint."""

    camera: str
    pixel: Point
    """Where the keypoint was."""
    point: Array
    """``(3,)`` in the world [m]."""
    thing: Thing | None
    """None for a place on the table, which does not move."""
    offset: Array
    """``(3,)`` [m]: from the middle of the thing to the keypoint."""
    is_flat: bool = False
    """True for a thing without height: a goal zone, a dot."""


def make_anchor(observation: Observation, camera: str, pixel: Point) -> Anchor:
    """Remember what a keypoint marks, from colour and depth alone.

    Args:
        observation: holds colour, depth and pose of ``camera``.
        camera: its name.
        pixel: (u, v) of that camera's picture in the observation.

    Raises:
        Unreachable: there is no depth picture, or none at that pixel.
    """
    if not has_depth(observation, camera):
        raise Unreachable(f"keypoint {pixel} of camera {camera!r}", reason="there is no depth picture of it")
    cut = cut_picture(observation, camera)
    height, width = cut.labels.shape
    u, v = int(np.clip(pixel[0], 0, width - 1)), int(np.clip(pixel[1], 0, height - 1))
    point = cut.cloud[v, u]
    label = label_near(cut, pixel)
    if label is not None:
        thing = thing_of(cut, label)
        if cut.labels[v, u] != label:
            point = thing.cloud[int(np.argmin(np.linalg.norm(thing.cloud - point, axis=1)))]
        return Anchor(camera, pixel, point, thing, point - thing.centre)
    if np.count_nonzero(cut.labels == cut.labels[v, u]) < PLACE_SHARE * cut.labels.size and abs(point[2]) < FLAT_M:
        thing = thing_of(cut, int(cut.labels[v, u]))
        return Anchor(camera, pixel, point, thing, point - thing.centre, is_flat=True)
    return Anchor(camera, pixel, point, None, np.zeros(3))


def find_anchor(observation: Observation, anchor: Anchor) -> Point | None:
    """Return the pixel (u, v) of a remembered keypoint in a later picture of the same camera; None when its thing is not seen.

    Of the things that are alike in colour and size the one nearest to the old place is taken. A place on the table stays where
    it is.
    """
    if not has_depth(observation, anchor.camera):
        return None
    pinhole = observation.cameras[anchor.camera]
    if anchor.thing is None:
        place = anchor.point
    else:
        found = _most_alike(cut_picture(observation, anchor.camera), anchor, anchor.thing)
        if found is None:
            return None
        place = found.centre + anchor.offset
    pixels, depths = pinhole.project(place)
    u, v = (float(x) for x in pixels[0])
    if depths[0] <= 0 or not (0 <= u <= pinhole.width and 0 <= v <= pinhole.height):
        return None
    return (u, v)


def _most_alike(cut: Cut, anchor: Anchor, wanted: Thing) -> Thing | None:
    best: tuple[float, Thing] | None = None
    for label in _labels_of_colour(cut, wanted, anchor.is_flat):
        thing = thing_of(cut, int(label))
        colour = float(np.abs(thing.chroma - wanted.chroma).sum())
        sizes = np.array([thing.length, thing.width]) - (wanted.length, wanted.width)
        misfit = float(np.max(np.maximum(np.abs(sizes) - 0.01, 0) / np.maximum((wanted.length, wanted.width), 0.01)))
        if colour > MAX_CHROMA or misfit > MAX_SIZE:
            continue
        distance = float(np.linalg.norm(thing.centre[:2] - wanted.centre[:2]))
        cost = distance + 2.0 * colour + 0.3 * misfit
        if best is None or cost < best[0]:
            best = (cost, thing)
    return None if best is None else best[1]


def _labels_of_colour(cut: Cut, wanted: Thing, is_flat: bool) -> NDArray[np.int64]:
    """Return the labels whose mean colour is near enough to look closer: raised ones, or flat ones on the table."""
    height = cut.cloud[..., 2]
    mask = np.abs(height) < FLAT_M if is_flat else height >= FLAT_M
    mask &= np.abs(cut.rgb.astype(int) - wanted.rgb.astype(int)).max(axis=-1) < 70
    counts = np.bincount(cut.labels[mask])
    smallest = max(MIN_PIXELS, 0.2 * np.sqrt(len(wanted.cloud)) ** 1.5)
    labels: NDArray[np.int64] = np.nonzero(counts >= smallest)[0]
    return labels[np.argsort(-counts[labels], kind="stable")][:24]
