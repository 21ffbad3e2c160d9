"""Was a line drawn, or is it the border or a slender part of an object, or a fringe where two colours mix?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from workbench.core.sketches import STEP_COLOURS
from workbench.sketch.curves import Array
from workbench.sketch.skeleton import Mask
from workbench.sketch.tracing import Ink

MAX_ALONG_BLOB: Final = 0.35
MAX_ALONG_OTHERS: Final = 0.8
MAX_UNEVENNESS: Final = 0.7
EXACT: Final = 1
"""Difference of a channel (0..255) up to which a pixel has exactly the symbol's colour."""


class Traits(NamedTuple):
    """What tells a drawn line from a part of an object."""

    exact: float
    """Share of the line that has exactly the symbol's colour: all of a drawn line in a picture without compression."""
    along_blob: float
    """Share of the line that runs beside an object of its colour."""
    along_others: float
    """Share of the line that runs beside ink of other colours, where colours mix."""
    unevenness: float
    """Spread of the line's width over its middle value; a pen draws evenly."""


def traits_of(line: Array, ink: Ink, others: Mask, image: NDArray[np.uint8], index: int) -> Traits:
    """Measure a line ``(N, 2)`` [px] of step colour ``index`` in a picture ``(H, W, 3)`` with ink of other colours ``(H, W)``."""
    height, width = ink.mask.shape
    u, v = np.clip(line[:, 0].astype(int), 0, width - 1), np.clip(line[:, 1].astype(int), 0, height - 1)
    is_ink = ink.mask[v, u]
    if np.count_nonzero(is_ink) < 5:
        return Traits(0.0, 1.0, 1.0, 1.0)
    u, v = u[is_ink], v[is_ink]
    is_exact = np.abs(image.astype(np.int16) - np.array(STEP_COLOURS[index], dtype=np.int16)).max(axis=-1) <= EXACT
    exact = float(is_exact[v, u].mean())
    beside = ndimage.binary_dilation(ink.blobs, iterations=max(3, round(4 * ink.scale))) if ink.blobs.any() else ink.blobs
    depths = ink.depth[v, u]
    low, middle, high = np.percentile(depths, [15, 50, 85])
    # Widths of thin lines come in steps of half a pixel.
    near_others = ndimage.binary_dilation(others, iterations=3)
    return Traits(exact, float(beside[v, u].mean()), float(near_others[v, u].mean()), float(max(0.0, high - low - 0.6) / middle))


def plausible(traits: Sequence[Traits], has_clean: bool) -> list[bool]:
    """Tell for each line of one picture whether it was drawn."""
    if has_clean:
        return [t.along_others <= MAX_ALONG_OTHERS for t in traits]
    drawn = [t.along_blob <= MAX_ALONG_BLOB and t.along_others <= MAX_ALONG_OTHERS and t.unevenness <= MAX_UNEVENNESS for t in traits]
    best = max((t.exact for t, is_drawn in zip(traits, drawn, strict=True) if is_drawn), default=0.0)
    if best < 0.9:
        return drawn
    # Nothing was compressed, so what was drawn has exactly its colour.
    return [is_drawn and t.exact >= 0.7 * best for t, is_drawn in zip(traits, drawn, strict=True)]
