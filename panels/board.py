"""The drawing of one tab and everything it was before: undo and redo live on the server, so that a reload loses nothing."""

from __future__ import annotations

import threading

from panels.reading import PlanReading

MAX_UNDO = 200


class Board:
    """A line of readings with a present one; thread-safe."""

    def __init__(self, first: PlanReading) -> None:
        self._lock = threading.Lock()
        self._readings = [first]
        self._position = 0

    @property
    def reading(self) -> PlanReading:
        """The present sketch with what was read from it."""
        with self._lock:
            return self._readings[self._position]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier drawing."""
        with self._lock:
            return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Whether an undone drawing can come back."""
        with self._lock:
            return self._position < len(self._readings) - 1

    def remember(self, reading: PlanReading) -> None:
        """Make a reading the present one; what was undone before is gone, and the oldest beyond :data:`MAX_UNDO`."""
        with self._lock:
            del self._readings[self._position + 1 :]
            self._readings.append(reading)
            del self._readings[: max(0, len(self._readings) - MAX_UNDO)]
            self._position = len(self._readings) - 1

    def move(self, offset: int) -> bool:
        """Go back (-1) or forth (+1); at either end nothing happens.

        Returns:
            Whether the present reading is another one now.
        """
        with self._lock:
            position = min(max(self._position + offset, 0), len(self._readings) - 1)
            is_moved = position != self._position
            self._position = position
            return is_moved
