"""Masks that are given only now and then, as by a person who points: alone, or tracked in between.

Source: ROCKET-1 (arXiv:2410.17856), table on SAM-2: success with a prompt every 3 or every 30 frames, with tracking and without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from workbench.core.masks import INCLUDE, MaskPrompt, Picture
from workbench.core.protocols import Segmenter, Tracker
from workbench.core.types import CameraRequest, Mask, Prompt
from workbench.evaluation.pointing import Pointed, point_out
from workbench.segmentation.masks import Pixels, box_of, inner_point
from workbench.simulation.simulator import BenchSimulator

CAMERA: Final = CameraRequest("front", 256, 256)
EVERY: Final = ("every3", "every30")
TRACKED: Final = ("tracked3", "tracked30")
MASK_OPTIONS: Final = (*EVERY, *TRACKED)
"""What may follow ``mask:``."""


class Rhythm(NamedTuple):
    """How often a person points, and whether the mask is tracked in between."""

    period: int
    """[steps]"""
    is_tracked: bool


def rhythm_of(option: str) -> Rhythm | None:
    """Return what an option of a mask means; None for a mask made anew at each call."""
    if option not in MASK_OPTIONS:
        return None
    is_tracked = option.startswith("tracked")
    return Rhythm(int(option.removeprefix("tracked").removeprefix("every")), is_tracked)


class PointingHand:
    """Points at the thing of the present sub-step every so many steps; a segmenter makes the mask of it."""

    def __init__(self, simulator: BenchSimulator, rhythm: Rhythm, segmenter: Segmenter) -> None:
        self._simulator, self._rhythm, self._segmenter = simulator, rhythm, segmenter
        self._tracker: Tracker = segmenter.make_tracker()
        self._is_started = False
        self._next = 0
        self._pointed: Pointed | None = None
        self._last: Pixels | None = None

    def tell(self, prompt: Prompt) -> Prompt:
        """Return the prompt for the present frame: with a mask when one was pointed out or tracked, else without."""
        step = self._simulator.observe(()).step
        is_due = step >= self._next
        if is_due:
            self._next = step + self._rhythm.period
            self._point()
        elif self._rhythm.is_tracked and self._pointed is not None:
            tracked = self._tracker.track(self._picture())["it"]
            self._last = tracked.pixels if tracked.confidence > 0 else self._last
        else:
            return replace(prompt, mask=None, interaction=None)
        if self._pointed is None or self._last is None or not self._last.any():
            return replace(prompt, mask=None, interaction=None)
        return replace(prompt, mask=Mask(CAMERA.name, self._last, "tracker"), interaction=self._pointed.interaction)

    def _point(self) -> None:
        """Click on the thing and draw a box around it; a thing that cannot be seen is not pointed at."""
        pointed, picture = point_out(self._simulator), self._picture()
        ids, names = self._simulator.object_ids(CAMERA)
        seen = ids == names.index(pointed.name)
        place = inner_point(seen)
        if not self._is_started or pointed != self._pointed:
            self._tracker.start(picture)
            self._is_started, self._last = True, None
        else:
            self._tracker.track(picture)
        self._pointed = pointed
        if place is None:
            return
        prompt = MaskPrompt((place,), (INCLUDE,), box_of(seen))
        mask = self._segmenter.segment(self._segmenter.embed(picture), prompt)[0].pixels
        if mask.any():
            self._last = mask
            self._tracker.prompt("it", MaskPrompt(mask=mask))

    def _picture(self) -> Picture:
        pixels = self._simulator.observe((CAMERA,)).images[CAMERA.name]
        return Picture(np.ascontiguousarray(pixels), CAMERA.name)
