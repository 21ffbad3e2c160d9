"""Finding the thing that a symbol was drawn on again, after it was moved: colour, size and height from one colour and depth picture.

The published pipeline detects the symbol, never the object, so a thing that moves after the drawing is lost
(Source: arXiv:2505.00693). Ours remembers what stood under the symbol and looks for that before each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.sketches import Point
from workbench.core.types import Observation
from workbench.sketch.things import FLAT_M, MIN_PIXELS, Cut, Thing, cut_picture, has_depth, label_near, thing_of

MAX_COLOUR_DISTANCE: Final = 0.12
"""Weighted chroma distance above which two things are not the same."""
MAX_SIZE_RATIO: Final = 1.8
"""Longer sides and heights that differ by more than this factor are not of the same thing; views of one thing from two places differ too."""
FAR_M: Final = 0.6
"""A thing this far from where it was is as unlikely as one of a just acceptable colour [m]."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Anchor:
    """What a keypoint was drawn on."""

    camera: str
    chroma: Array
    """``(3,)``, see :attr:`workbench.sketch.things.Thing.chroma`."""
    length: float
    """Longer side [m]."""
    top: float
    """Height above the table [m]."""
    centre: Array
    """``(3,)`` world [m], when the anchor was made."""
    offset: Array
    """``(2,)`` pixels from the thing's middle to the keypoint, as shares of the thing's extent in the picture."""


def make_anchor(observation: Observation, camera: str, pixel: Point) -> Anchor | None:
    """Remember the thing under, or just beside, a pixel (u, v) of a camera's picture; None when nothing stands there."""
    if not has_depth(observation, camera):
        return None
    cut = cut_picture(observation, camera)
    label = label_near(cut, pixel)
    if label is None:
        return None
    thing = thing_of(cut, label)
    offset = np.subtract(pixel, thing.pixel) / _extent(cut, label)
    return Anchor(camera, thing.chroma, thing.length, thing.top, thing.centre, np.clip(offset, -0.6, 0.6))


def find_anchor(observation: Observation, anchor: Anchor) -> Point | None:
    """Return the pixel (u, v) at which the remembered thing is now; None when nothing in the picture is like it.

    Among things that look the same, the one nearest to where the remembered one stood is taken.
    """
    if not has_depth(observation, anchor.camera):
        return None
    cut = cut_picture(observation, anchor.camera)
    labels, counts = np.unique(cut.labels[cut.cloud[..., 2] >= FLAT_M], return_counts=True)
    best: tuple[float, Thing] | None = None
    for label in labels[counts >= MIN_PIXELS]:
        thing = thing_of(cut, int(label))
        cost = _unlikeness(thing, anchor)
        if cost is not None and (best is None or cost < best[0]):
            best = (cost, thing)
    if best is None:
        return None
    u, v = np.asarray(best[1].pixel) + anchor.offset * _extent(cut, best[1].label)
    return float(u), float(v)


def _unlikeness(thing: Thing, anchor: Anchor) -> float | None:
    """Return how unlike the anchor a thing is, or None when it cannot be the same."""
    colour = float(np.linalg.norm(thing.chroma - anchor.chroma))
    sizes = [(thing.length, anchor.length), (thing.top, anchor.top)]
    ratio = max(max(a, b, 1e-3) / max(min(a, b), 1e-3) for a, b in sizes)
    if colour > MAX_COLOUR_DISTANCE or ratio > MAX_SIZE_RATIO:
        return None
    distance = float(np.linalg.norm((thing.centre - anchor.centre)[:2]))
    return colour / MAX_COLOUR_DISTANCE + np.log(ratio) + distance / FAR_M


def _extent(cut: Cut, label: int) -> Array:
    """Return width and height ``(2,)`` [px] of a surface in the picture, at least one pixel."""
    v, u = np.nonzero(cut.labels == label)
    return np.maximum([np.ptp(u) + 1.0, np.ptp(v) + 1.0], 1.0)
