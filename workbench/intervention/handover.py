"""Handing control from the policy to the human and back without a jump in velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.types import Actor

SHARE: Final = 0.05
"""Largest change of the commanded velocity within a control period while control changes hands, in parts of the limit."""


@dataclass(frozen=True)
class StepLimits:
    """How far one control step may go."""

    linear: float
    """[m]"""
    angular: float
    """[rad]"""


class Handover:
    """Lets the executed motion glide from what was done before to what the one who took over wants.

    As long as nobody takes over from anybody, actions pass unchanged, bit for bit. When control changes between human and policy, both
    parts of the velocity (straight and turning) change by at most :data:`SHARE` of their limits a control step, until the motion is
    what is wanted; from then on actions pass unchanged again. A take-over within a step changes it by the part of that which belongs to
    what is over of the step, and the next step by the rest. The gripper does what is wanted at once. From 0.2 m/s the arm stands
    after a third of a second and 4 cm; who wants it to stand at once uses HALT.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.float64] = np.zeros(6)
        self.actor: Actor | None = None
        """Who acted last; None while nobody has."""
        self.is_gliding = False
        self._left = 1.0

    def restart(self) -> None:
        """Note that nothing moves: an episode begins, or a halt stopped the arm."""
        self._last, self.is_gliding, self._left = np.zeros(6), False, 1.0

    def forget_actor(self) -> None:
        """Note that nobody has acted yet, as at the start of an episode."""
        self.restart()
        self.actor = None

    def pass_on(self, action: NDArray[np.float32], actor: Actor, limits: StepLimits, *, done: float = 1.0) -> NDArray[np.float32]:
        """Return the action ``(7,) float32`` to execute for the one that ``actor`` wants; ``done`` is what is over of a step that has begun."""
        if self.actor is not None and (actor is Actor.HUMAN) != (self.actor is Actor.HUMAN):
            self.is_gliding = True
        self.actor = actor
        most, self._left = SHARE * done * self._left, 1.0 - done if done < 1.0 else 1.0
        wanted = np.concatenate([shortened(action[:3], limits.linear), shortened(action[3:6], limits.angular)])
        if not self.is_gliding:
            self._last = wanted
            return action
        change = wanted - self._last
        linear, angular = (shortened(part, most * limit) for part, limit in ((change[:3], limits.linear), (change[3:], limits.angular)))
        self.is_gliding = not (np.array_equal(linear, change[:3]) and np.array_equal(angular, change[3:]))
        if not self.is_gliding:
            self._last = wanted
            return action
        self._last = self._last + np.concatenate([linear, angular])
        return np.concatenate([self._last, action[6:]]).astype(np.float32)


def shortened(vector: NDArray[np.floating], longest: float) -> NDArray[np.float64]:
    """Return a vector ``(3,)`` of at most a length, in the same direction."""
    values = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(values))
    return values if length <= longest else values * (longest / length)
