"""Keeping simulated time in step with real time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from threading import Event
from typing import Final

MAX_LAG_S: Final = 0.1
"""Delay [s] that is caught up; what exceeds it is forgotten, so that a slow machine runs slow instead of in bursts."""
_METER_WINDOW_S: Final = 1.0

Clock = Callable[[], float]


class Pacer:
    """Says when each slice of a control step is due.

    Control steps follow a schedule of one period each. The simulator asks before each slice, so a step's last slice is run, and the
    policy is asked, while that slice is still being shown. What is left of a period when the policy has answered is shared evenly
    by the slices, so that motion stays smooth.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadline: float | None = None
        self._due = 0.0
        self._begun = 0.0
        self._per_slice = 0.0

    def restart(self) -> None:
        """Forget the schedule, for example after a pause."""
        self._deadline = None

    def begin_step(self, period_s: float) -> None:
        """Open a control step that is due when the one before ends and takes ``period_s`` [s] of real time (0: unpaced)."""
        now = self._clock()
        self._due = now if self._deadline is None else max(self._deadline, now - MAX_LAG_S)
        self._deadline = self._due + period_s

    def begin_slices(self, num_slices: int) -> None:
        """Note that the policy has answered."""
        assert self._deadline is not None
        self._begun = max(self._due, self._clock())
        self._per_slice = max(0.0, self._deadline - self._begun) / num_slices

    def wait_s(self, slice_index: int) -> float:
        """Return how long [s] to wait before a slice; 0 or less when it is late."""
        return self._begun + slice_index * self._per_slice - self._clock()

    def wait(self, slice_index: int, wake: Event, is_over: Callable[[], bool]) -> None:
        """Wait until a slice is due, or ``is_over`` holds; that is asked again whenever ``wake`` is set, which is cleared then."""
        while not is_over() and (left := self.wait_s(slice_index)) > 0:
            wake.wait(left)
            wake.clear()


class SpeedMeter:
    """Simulated over real time in the last second of running."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque()

    def restart(self) -> None:
        """Forget everything, for example at a pause."""
        self._samples.clear()

    def add(self, time_s: float) -> None:
        """Note that simulated time is ``time_s`` [s] now."""
        now = self._clock()
        self._samples.append((now, time_s))
        while len(self._samples) > 2 and now - self._samples[0][0] > _METER_WINDOW_S:
            self._samples.popleft()

    @property
    def speed(self) -> float:
        """The ratio; 0 before two samples."""
        if len(self._samples) < 2:
            return 0.0
        (wall_0, time_0), (wall_1, time_1) = self._samples[0], self._samples[-1]
        return (time_1 - time_0) / (wall_1 - wall_0) if wall_1 > wall_0 else math.inf
