"""Closed-loop steering: a PID controller sets the strength of an edit so that a measured quantity reaches a target.

Source: CTRL-STEER, arXiv:2606.00269: a fixed strength moves the robot but breaks the task; a controlled one keeps its success.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from workbench.core.errors import InvalidInput


@dataclass(frozen=True)
class Gains:
    """Of a PID controller; the integral sums errors over calls, without the time between them."""

    proportional: float = 4.0
    integral: float = 0.5
    derivative: float = 1.0
    low: float = 0.0
    high: float = 20.0
    """What the strength is clipped to."""

    def __post_init__(self) -> None:
        numbers = (self.proportional, self.integral, self.derivative, self.low, self.high)
        if not all(map(math.isfinite, numbers)) or not self.low < self.high:
            raise InvalidInput("gains", expected="finite numbers and a lower clip below the upper one", found=str(self))


UNITS: Final = {"height": 0.01, "speed": 0.01}
"""What counts as an error of 1: a centimetre, a centimetre per second."""


@dataclass(frozen=True)
class ControlLoop:
    """What the controller of one edit shall do; plain data."""

    quantity: str
    """For example ``height`` [m] or ``speed`` [m/s], as :class:`workbench.steering.scopes.Moment` names them."""
    target: float
    """In the quantity's own unit."""
    gains: Gains = Gains()
    is_inverted: bool = False
    """True where a larger strength makes the quantity smaller."""

    def error(self, measured: float) -> float:
        """Return by how much the quantity is too small, in centimetres or centimetres per second."""
        return (self.target - measured) / UNITS.get(self.quantity, 1.0) * (-1.0 if self.is_inverted else 1.0)


@dataclass(frozen=True)
class PidState:
    """What a controller remembers from one call to the next."""

    total: float = 0.0
    """Sum of errors."""
    last: float | None = None
    """Error of the call before."""
    output: float = 0.0
    """The strength."""


def pid_step(gains: Gains, state: PidState, error: float) -> PidState:
    """Return the state after one call; its output is the strength.

    Anti-windup by conditional integration: while the output is clipped, errors that would push it further out are not summed.
    """
    slope = 0.0 if state.last is None else error - state.last
    total = state.total + error
    raw = gains.proportional * error + gains.integral * total + gains.derivative * slope
    output = min(max(raw, gains.low), gains.high)
    is_winding = (raw > gains.high and gains.integral * error > 0) or (raw < gains.low and gains.integral * error < 0)
    return PidState(state.total if is_winding else total, error, output)
