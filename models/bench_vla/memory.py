"""The bench VLA's short memory: what the arm did since it last opened or shut its gripper, and in the segment before."""

from __future__ import annotations

from dataclasses import dataclass
from math import tanh
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.geometry import matrix_from_quat, wrap_angle
from workbench.core.types import PROPRIO

Floats = NDArray[np.float64]

SHUT_BELOW: Final = 0.25
"""A commanded opening below this counts as shut: far from the half opening of a push, about which a policy's answers scatter."""
_LONG_S: Final = 2.0
"""Times are told apart up to a few times this [s]."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where the end-effector was at a change."""

    position: Floats
    """``(3,)`` in the world [m]."""
    yaw: float
    """About world +Z [rad]."""
    time_s: float


class ShortMemory:
    """Watches proprioception, one observation a control step, and keeps two segments.

    A segment begins at a *change*: the first observation in which the commanded opening has crossed :data:`SHUT_BELOW`.
    """

    def __init__(self) -> None:
        self._is_shut: bool | None = None
        self._now: Place | None = None
        self._change: Place | None = None
        self._change_before: Place | None = None

    def watch(self, proprio: ArrayLike, time_s: float) -> None:
        """Take in the proprioception ``(16,)`` of an observation; the times grow."""
        values = np.asarray(proprio, dtype=float)
        is_shut = bool(values[PROPRIO["gripper_command"]][0] < SHUT_BELOW)
        self._now = Place(values[PROPRIO["ee_position"]].copy(), _yaw(values[PROPRIO["ee_quaternion"]]), time_s)
        if self._is_shut is not None and is_shut != self._is_shut:
            self._change_before, self._change = self._change, self._now
        self._is_shut = is_shut

    def vector(self) -> NDArray[np.float32]:
        """Return ``(10,) float32``.

        Commanded shut 0/1; dx dy dz [m] dyaw [rad] since the last change; the same over the segment before it; tanh of half the seconds
        since the change. What is not known is zero, the time since a change that never was is one.
        """
        memory = np.zeros(10, dtype=np.float32)
        memory[0] = float(bool(self._is_shut))
        memory[9] = 1.0
        if self._change is not None and self._now is not None:
            memory[1:5] = _way(self._change, self._now)
            memory[9] = tanh((self._now.time_s - self._change.time_s) / _LONG_S)
            if self._change_before is not None:
                memory[5:9] = _way(self._change_before, self._change)
        return memory


def _yaw(quaternion: Floats) -> float:
    axis = matrix_from_quat(quaternion)[:, 0]
    return float(np.arctan2(axis[1], axis[0]))


def _way(start: Place, end: Place) -> Floats:
    return np.array([*(end.position - start.position), wrap_angle(end.yaw - start.yaw)])
