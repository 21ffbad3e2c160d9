"""How a version is taught: what it is shown, how long, which parts learn, and about how long that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from workbench.core.errors import InvalidInput
from workbench.learning.weighting import Weighting

FRAME_S: Final = 0.01
STEP_S: Final = 0.7
EYELESS_STEP_S: Final = 0.35
REHEARSAL_S: Final = 30.0
BEGIN_S: Final = 20.0
"""About what one frame of a lesson, one step of learning, the demonstrations to rehearse and the start take on two free cores of 2020 [s]."""


@dataclass(frozen=True)
class TeachSettings:
    """How a version is taught."""

    weighting: Weighting = Weighting.SIRIUS
    demonstrations: float = 0.5
    """Share of demonstrations in what is shown, so that nothing is forgotten."""
    num_steps: int = 300
    num_frames: int = 24
    """Frames a step."""
    learning_rate: float = 2e-4
    has_eyes: bool = True
    """Whether what reads the pictures learns as well; without, a step costs half."""
    seed: int = 0
    num_threads: int = 2
    rehearsal_episodes: int = 24
    """Demonstrations that are made to rehearse, once ..."""
    rehearsal_scenes: int = 60
    """... and scenes in which nothing moves."""

    def __post_init__(self) -> None:
        if not 0 <= self.demonstrations < 1:
            raise InvalidInput("share of demonstrations", expected="from 0 to below 1", found=str(self.demonstrations))
        if not 1 <= self.num_steps <= 100_000 or not 1 <= self.num_frames <= 512:
            found = f"{self.num_steps} steps of {self.num_frames} frames"
            raise InvalidInput("length of the teaching", expected="1 to 100,000 steps of 1 to 512 frames", found=found)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "weighting": self.weighting.value}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> TeachSettings:
        """Read what :meth:`to_dict` gave."""
        return TeachSettings(**{**data, "weighting": Weighting(data["weighting"])})


def estimate_s(settings: TeachSettings, *, num_steps: int, has_rehearsal: bool) -> float:
    """Return about how long teaching takes on two free cores [s].

    Args:
        settings: how.
        num_steps: recorded steps that are to be learnt from.
        has_rehearsal: whether the demonstrations to rehearse are there already.
    """
    frames = min(num_steps / 2, 3000)
    step = (STEP_S if settings.has_eyes else EYELESS_STEP_S) * settings.num_frames / 24
    rehearsal = 0.0 if has_rehearsal else REHEARSAL_S * settings.rehearsal_episodes / 24
    return BEGIN_S + FRAME_S * frames + rehearsal + step * settings.num_steps


def in_words(seconds: float) -> str:
    """Return a time as a person says it."""
    return f"{max(seconds, 1):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
