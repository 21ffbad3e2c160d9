"""Whether an attempt gets anywhere: the hand moves, or what is left to do becomes less."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

STILL_S: Final = 3.0
STILL_M: Final = 0.01
"""A hand that stays within this for so long is stuck."""
IDLE_S: Final = 8.0
GAIN_M: Final = 0.01
"""So is an attempt in which what is left did not become less by this for so long, however much the hand moves."""


@dataclass
class ProgressWatch:
    """Watches one attempt, one look a control step; times are simulated time [s] and grow."""

    still_s: float = STILL_S
    idle_s: float = IDLE_S
    _hand: deque[tuple[float, NDArray[np.float64]]] = field(default_factory=deque)
    _best: float = np.inf
    _best_at: float | None = None

    def look(self, time_s: float, hand: ArrayLike, remaining: float | None) -> str:
        """Take in a moment; return why the attempt is stuck, or nothing.

        Args:
            time_s: now.
            hand: ``(3,)``, where the end-effector is [m].
            remaining: what is left to do [m], or None where nothing measures it.
        """
        here = np.asarray(hand, dtype=float)
        self._hand.append((time_s, here))
        while len(self._hand) > 1 and self._hand[1][0] <= time_s - self.still_s:
            self._hand.popleft()
        if self._best_at is None or (remaining is not None and remaining < self._best - GAIN_M):
            self._best, self._best_at = np.inf if remaining is None else remaining, time_s
        is_long = self._hand[0][0] <= time_s - self.still_s
        if is_long and max(float(np.linalg.norm(p - here)) for _, p in self._hand) < STILL_M:
            return f"the hand has not moved for {self.still_s:g} s"
        if remaining is not None and time_s - self._best_at >= self.idle_s:
            return f"no progress for {self.idle_s:g} s, {remaining * 100:.0f} cm are left"
        return ""
