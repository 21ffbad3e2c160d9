"""Handing the newest state from the stepping thread to whoever draws it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.rollout.pacing import Clock
from workbench.rollout.status import LiveScene, LiveState

_PERIOD_S: Final = 1 / 60
"""Least time between two published states that nobody waits for."""

Listener = Callable[[], None]


class Publisher:
    """A slot for the newest state. Written by the stepping thread, read by any; listeners are told in the stepping thread."""

    def __init__(self, clock: Clock) -> None:
        self.latest: LiveState | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._last = -math.inf
        self._seq = 0

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` at every new state."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Undo :meth:`subscribe`; again is harmless."""
        with self._lock:
            self._listeners = tuple(item for item in self._listeners if item != listener)

    def publish(
        self, scene: LiveScene, episode_id: str, physics: NDArray[np.float64], *, step: int, time_s: float, is_due: bool = True
    ) -> None:
        """Put a state in the slot, unless it is there; one that is not due is left out when the last one is young."""
        if self.shows(scene, episode_id, physics, step=step):
            return
        now = self._clock()
        if not is_due and now - self._last < _PERIOD_S:
            return
        self._last, self._seq = now, self._seq + 1
        self.latest = LiveState(self._seq, scene, episode_id, physics.copy(), step, time_s, time.time())
        for listener in self._listeners:
            listener()

    def shows(self, scene: LiveScene, episode_id: str, physics: NDArray[np.float64], *, step: int) -> bool:
        """Tell whether the slot holds this very state."""
        latest = self.latest
        is_place = latest is not None and (latest.scene, latest.episode_id, latest.step) == (scene, episode_id, step)
        return is_place and latest is not None and np.array_equal(latest.physics, physics)

    def clear(self) -> None:
        """Forget the state and whoever listens."""
        self.latest = None
        with self._lock:
            self._listeners = ()
