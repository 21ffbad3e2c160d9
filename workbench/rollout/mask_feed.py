"""The newest mask of one tracked object, as a policy is told it."""

from __future__ import annotations

from typing import Final

import numpy as np

from workbench.core.types import Mask
from workbench.rollout.picturing import PICTURE_PX
from workbench.rollout.tracking import ObjectTracking

EVERY: Final = 4
"""A mask is told anew after so many steps at the soonest: each is kept as an event."""


class MaskFeed:
    """Returns the newest mask of an object on the policy's camera, at once; while it is not seen, where it was seen last."""

    def __init__(self, tracking: ObjectTracking, object_id: str) -> None:
        self._tracking, self._object_id = tracking, object_id
        self._last = Mask("front", np.zeros((PICTURE_PX, PICTURE_PX), dtype=bool), "tracker")
        self._step: int | None = None

    def __call__(self) -> Mask:
        """Return the newest mask; the same object again while it has not moved."""
        step = self._tracking.step
        if self._step is not None and 0 <= step - self._step < EVERY:
            return self._last
        found = self._tracking.told_mask(self._object_id)
        if found is not None and (found.camera != self._last.camera or not np.array_equal(found.pixels, self._last.pixels)):
            self._last, self._step = Mask(found.camera, found.pixels, found.source, newest=self), step
        return self._last
