"""What a policy can be watched by, and what may follow an alarm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.calls import Detector
from workbench.core.errors import UnknownName


class AlarmAction(StrEnum):
    """What follows an alarm."""

    NOTE = "note"
    """It stands on the timeline."""
    ASK = "ask"
    """The robot pauses before its next step and asks."""
    RESAMPLE = "resample"
    """Other answers of the policy are drawn, and the best of them is executed."""
    RETREAT = "retreat"
    """The hand is lifted; the policy looks again from there."""


@dataclass(frozen=True, eq=False)
class WatchKit:
    """Detectors of one policy, with what calibrates them."""

    policy: str
    """Fingerprint of the weights that they were trained on."""
    detectors: Mapping[str, str]
    """Name -> what it looks at."""
    best: str
    make: Callable[[str], Detector]
    curves: Mapping[str, Sequence[NDArray[np.float64]]]
    """Name -> its scores of successful episodes that it was not trained on."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How they were made and what was measured; JSON values."""

    def curves_of(self, name: str) -> Sequence[NDArray[np.float64]]:
        """Return the calibration scores of a detector.

        Raises:
            UnknownName: there is none of that name.
        """
        if name not in self.curves:
            raise UnknownName("detector", name, self.detectors)
        return self.curves[name]
