"""The executed path of the live episode, for drawing it on the picture."""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

from workbench.core.types import PROPRIO, Step

MAX_POINTS: Final = 20_000
"""Steps whose positions are kept."""


class TrailMark(NamedTuple):
    """How far a socket has heard of the executed path."""

    episode_id: str = ""
    num_points: int = 0


class Trail:
    """End-effector positions, one a step; written by the stepping thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._episode_id = ""
        self._points: list[list[float]] = []
        self.gripper = 1.0
        """The opening that the gripper was last told, 0..1."""

    def restart(self, episode_id: str) -> None:
        """Forget everything: another episode runs."""
        with self._lock:
            self._episode_id, self._points = episode_id, []

    def add(self, step: Step) -> None:
        """Keep where the hand was before a step."""
        if step.proprio is None:
            return
        position = [round(float(c), 4) for c in step.proprio[PROPRIO["ee_position"]]]
        self.gripper = round(float(step.proprio[PROPRIO["gripper_command"]][0]), 3)
        with self._lock:
            if len(self._points) < MAX_POINTS:
                self._points.append(position)

    def since(self, mark: TrailMark) -> tuple[list[list[float]], TrailMark]:
        """Return the positions [m] after ``mark``, and the new mark; a new episode starts anew."""
        with self._lock:
            first = mark.num_points if mark.episode_id == self._episode_id else 0
            return self._points[first:], TrailMark(self._episode_id, len(self._points))
