"""What is uncertain about an episode's world, as plain data: actions, events, observations, dynamics, delays, and their drift.

Source: STORI's types of stochasticity (arXiv:2509.01793), carried over to an arm: type 1 ``replaced``; 2.1 ``nudge``, ``slip``,
``teleport``; 2.2 ``drift``; 3.2 ``dropout``. Sticky actions as in Gymnasium, after Machado et al. 2018. Gaussian noise, changed
dynamics and delays are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from workbench.core.errors import InvalidInput, UnknownName

DRIFTS: Final = ("none", "sudden", "cyclic", "ramp")
MAX_DELAY: Final = 10
"""[control steps]"""


@dataclass(frozen=True)
class Noise:
    """Everything that chance does in an episode; the defaults do nothing. Probabilities are those of one control step."""

    seed: int = 0
    """Together with the step it fixes every draw, so that a step does the same whenever it is repeated."""
    replaced: float = 0.0
    """Probability that the action is replaced by a uniform draw."""
    shake: float = 0.0
    """Standard deviation that is added to each axis of the motion, as a share of its longest step."""
    sticky: float = 0.0
    """Probability that the last executed action is executed again."""
    sticky_steps: int = 1
    """Longest streak of repeats; its length is drawn uniformly from 1 to this."""
    nudge: float = 0.0
    """Probability that a free thing is shoved by some centimetres."""
    slip: float = 0.0
    """Probability that the gripper opens for some steps."""
    teleport: float = 0.0
    """Probability that a free thing is suddenly elsewhere."""
    pixels: float = 0.0
    """Standard deviation of the noise of each pixel, 0..255."""
    dropout: float = 0.0
    """Probability that a picture is black: in one half, outside of a disc, or altogether."""
    proprio: float = 0.0
    """Standard deviation of measured joint angles [rad], places [m] and the gripper's opening."""
    proprio_dropout: float = 0.0
    """Probability that proprioception is all zero."""
    friction: float = 0.0
    """Friction is changed by a factor of up to two to this power, either way; drawn once an episode."""
    mass: float = 0.0
    """The same for the mass of every free thing."""
    gain: float = 0.0
    """The same for the stiffness of the arm's motors."""
    action_delay: int = 0
    """Control steps from when an action is commanded to when it is executed."""
    observation_delay: int = 0
    """Age of pictures and proprioception [control steps]."""
    drift: str = "none"
    """When all the above is there: always; ``sudden``, from a step on; ``cyclic``, by turns; ``ramp``, more and more."""
    drift_steps: int = 60
    """The step with which it begins, the length of a turn, or the length of the ramp."""

    def presence(self, step: int) -> float:
        """Return how much of the noise there is at a step (from 0), 0..1."""
        if self.drift == "sudden":
            return float(step >= self.drift_steps - 1)
        if self.drift == "cyclic":
            return float(step // self.drift_steps % 2)
        if self.drift == "ramp":
            return min(1.0, step / self.drift_steps)
        return 1.0


_PROBABILITIES: Final = frozenset({"replaced", "sticky", "nudge", "slip", "teleport", "dropout", "proprio_dropout"})
_AMOUNTS: Final = {"shake": 4.0, "pixels": 255.0, "proprio": 1.0, "friction": 4.0, "mass": 4.0, "gain": 2.0}
"""Largest value of each."""
_COUNTS: Final = {
    "seed": (0, 2**63 - 1),
    "sticky_steps": (1, 1000),
    "action_delay": (0, MAX_DELAY),
    "observation_delay": (0, MAX_DELAY),
    "drift_steps": (1, 1_000_000),
}
"""Smallest and largest value of each."""


def read_noise(data: Mapping[str, Any]) -> Noise:
    """Read the plain data of a :class:`Noise`.

    Raises:
        UnknownName: a name that it does not have.
        InvalidInput: a value of the wrong form or outside of its range.
    """
    known = [f.name for f in fields(Noise)]
    for name, value in data.items():
        if name not in known:
            raise UnknownName("part of the noise", name, known)
        _check(name, value)
    return Noise(**data)


def _check(name: str, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "drift":
        if value not in DRIFTS:
            raise UnknownName("drift", str(value), DRIFTS)
    elif name in _COUNTS:
        low, high = _COUNTS[name]
        if not isinstance(value, int) or not is_number or not low <= value <= high:
            raise InvalidInput(f"noise, {name}", expected=f"a whole number from {low} to {high}", found=str(value))
    else:
        most = 1.0 if name in _PROBABILITIES else _AMOUNTS[name]
        if not is_number or not 0.0 <= value <= most:
            raise InvalidInput(f"noise, {name}", expected=f"a number from 0 to {most:g}", found=str(value))
