"""What the hand of a person wants of the arm: a jog that is renewed, a place to go to, a way to go along; else it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.types import ACTION_DIM, Observation
from workbench.intervention.handover import StepLimits, shortened

JOG_TIMEOUT_S: Final = 0.25
"""A jog or a drag that is not renewed for this long ends: the arm holds when the hand, the page or the network is gone."""
WAY_TIMEOUT_S: Final = 20.0
"""A way that takes longer is given up."""
WAY_SPEED: Final = 0.2
"""Speed along a way, and to a place that was clicked [m/s]."""
DRAG_SPEED: Final = 0.35
"""Speed towards a handle that is dragged [m/s]."""
MAX_WAY_POINTS: Final = 200
REACHED: Final = 0.006
"""A place counts as reached within this distance [m]; points on the way within twice of it."""
_GAIN: Final = 0.35
"""Part of the distance that is left, covered in one control step: the arm slows down as it comes near."""


@dataclass(frozen=True)
class _Jog:
    action: NDArray[np.float32]
    until_s: float


@dataclass(frozen=True)
class _Way:
    points: NDArray[np.float64]
    """``(N, 3)`` in the base frame [m]."""
    gripper: float | None
    """Opening 0..1 to keep on the way; None keeps what is commanded."""
    speed: float
    """[m/s]"""
    until_s: float


class Hand:
    """The newest wish of the person who drives. Set by any thread, read by the one that steps; the newest wish alone counts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wish: _Jog | _Way | None = None
        self._next = 0

    def jog(self, action: ArrayLike) -> None:
        """Move by ``action`` ``(7,)`` in every control step until renewed, for :data:`JOG_TIMEOUT_S` at most.

        Raises:
            InvalidShape: it is not seven finite numbers.
        """
        array = np.array(action, dtype=np.float32)
        if array.shape != (ACTION_DIM,) or not np.isfinite(array).all():
            raise InvalidShape("action", expected=(ACTION_DIM,), found=array.shape, dtype="finite float32")
        self._wish = _Jog(array, self._clock() + JOG_TIMEOUT_S)

    def drag(self, position: ArrayLike, gripper: float | None = None) -> None:
        """Follow a handle that stands at ``position`` ``(3,)`` [m], until renewed, for :data:`JOG_TIMEOUT_S` at most; errors as :meth:`go`."""
        self._set_way(np.array([position], dtype=np.float64), gripper, DRAG_SPEED, JOG_TIMEOUT_S)

    def go(self, points: ArrayLike, gripper: float | None = None) -> None:
        """Go along ``points`` ``(N, 3)`` [m] in the base frame, and hold at the last one.

        Raises:
            InvalidInput: there are no points, too many, or they are not finite.
        """
        self._set_way(np.array(points, dtype=np.float64), gripper, WAY_SPEED, WAY_TIMEOUT_S)

    def _set_way(self, points: NDArray[np.float64], gripper: float | None, speed: float, timeout_s: float) -> None:
        if points.ndim != 2 or points.shape[1:] != (3,) or not 1 <= len(points) <= MAX_WAY_POINTS or not np.isfinite(points).all():
            raise InvalidInput("way", expected=f"1 to {MAX_WAY_POINTS} finite points (x, y, z)", found=f"an array of shape {points.shape}")
        self._next = 0
        self._wish = _Way(points, None if gripper is None else float(np.clip(gripper, 0, 1)), speed, self._clock() + timeout_s)

    def let_go(self) -> None:
        """Want nothing: the arm holds."""
        self._wish = None

    def action(self, observation: Observation, period_s: float, limits: StepLimits) -> NDArray[np.float32] | None:
        """Return the action ``(7,) float32`` of the next control step, or None to hold."""
        wish = self._wish
        if wish is None or self._clock() > wish.until_s:
            return None
        return wish.action if isinstance(wish, _Jog) else self._along(wish, observation, period_s, limits)

    def _along(self, way: _Way, observation: Observation, period_s: float, limits: StepLimits) -> NDArray[np.float32]:
        position = observation.ee_position
        last = len(way.points) - 1
        index = min(self._next, last)
        while index < last and np.linalg.norm(way.points[index] - position) < 2 * REACHED:
            index += 1
        self._next = index
        rest = way.points[index] - position
        gain = _GAIN if index == last else 1.0  # on the way it does not slow down
        action = np.zeros(ACTION_DIM, dtype=np.float32)
        if index < last or np.linalg.norm(rest) > REACHED:
            action[:3] = shortened(gain * rest, min(way.speed * period_s, limits.linear))
        action[6] = observation.part("gripper_command")[0] if way.gripper is None else way.gripper
        return action


def checked_action(action: object) -> NDArray[np.float32]:
    """Return a human's action as ``(7,) float32``.

    Raises:
        InvalidShape: it is not seven finite numbers.
    """
    array = np.array(action, dtype=np.float32)
    if array.shape != (ACTION_DIM,) or not np.isfinite(array).all():
        raise InvalidShape("action", expected=(ACTION_DIM,), found=array.shape, dtype="finite float32")
    return array
