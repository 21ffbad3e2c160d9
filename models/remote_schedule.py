"""Which part of which chunk is executed when, while the next chunk is still on its way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


class Schedule:
    """The actions to come, on a clock that counts the actions that were executed.

    A chunk belongs to the moment at which its observation was taken. What had been executed since then, when it arrives, is the
    part of it that came too late and is dropped. While the robot holds still the clock stands: then nothing has changed, and
    nothing is late. Where an older chunk reaches as far as a newer one, they are blended.

    Source of the blending: LeRobot's asynchronous inference, which weighs 0.3 old and 0.7 new.
    """

    def __init__(self, blend: float = 1.0) -> None:
        """Take the weight of the newer chunk, 0..1."""
        self._blend = blend
        self._rows: Rows = np.empty((0, 0), np.float32)
        self.clock = 0
        """Actions executed so far."""
        self._start = 0
        """Of the clock, for the first of the present rows."""

    @property
    def num_left(self) -> int:
        """Actions that were not executed yet."""
        return max(0, self._start + len(self._rows) - self.clock)

    @property
    def num_used(self) -> int:
        """Actions of the present chunk's span that lie behind; 0 before the first chunk."""
        return min(len(self._rows), self.clock - self._start)

    def put(self, rows: Rows, taken_at: int) -> int:
        """Hand over to a newer chunk ``(T, D)`` whose observation was taken at clock ``taken_at``; return how many rows came too late."""
        rows = np.array(rows, np.float32)
        for index in range(len(rows)):
            old = self._row(taken_at + index)
            # The last number is the gripper's: half-way between open and closed is neither.
            if old is not None and taken_at + index >= self.clock:
                rows[index, :-1] = self._blend * rows[index, :-1] + (1.0 - self._blend) * old[:-1]
        self._rows, self._start = rows, taken_at
        return min(len(rows), self.clock - taken_at)

    def present(self) -> Rows | None:
        """Return the row ``(D,)`` to execute now, or None when there is none; it stays until :meth:`advance`."""
        return self._row(self.clock)

    def advance(self) -> None:
        """The present row was executed."""
        self.clock += 1

    def clear(self) -> None:
        """Drop everything to come."""
        self._rows = self._rows[:0]
        self._start = self.clock

    def _row(self, at: int) -> Rows | None:
        index = at - self._start
        return self._rows[index] if 0 <= index < len(self._rows) else None
