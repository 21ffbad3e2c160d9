"""How a task is done, in words and in numbers: slowly, quickly, carefully, keeping high or low."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from workbench.core.errors import UnknownName


@dataclass(frozen=True)
class Manner:
    """How the end-effector goes about a task."""

    speed: float = 0.32
    """Of the end-effector on its way [m/s]."""
    travel_height: float = 0.14
    """Of the end-effector on its way over the table [m]."""
    is_careful: bool = False
    """Whether it goes at half pace where something is about to be touched, or is touched."""


PLAIN: Final = "plain"
"""The manner of an instruction that asks for none."""

MANNERS: Final[Mapping[str, Manner]] = MappingProxyType(
    {
        PLAIN: Manner(),
        "slow": Manner(speed=0.18),
        "quick": Manner(speed=0.45),
        "careful": Manner(speed=0.22, is_careful=True),
        "high": Manner(travel_height=0.22),
        "low": Manner(travel_height=0.10),
    }
)
"""Every manner by name."""

_WORDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    PLAIN: ("{}",),
    "slow": ("slowly {}", "{} slowly", "{}, slowly"),
    "quick": ("quickly {}", "{} quickly", "{}, quickly"),
    "careful": ("carefully {}", "{} carefully", "{}, carefully"),
    "high": ("{}, keep high", "{}, stay high", "keep high and {}"),
    "low": ("{}, keep low", "{}, stay low", "keep low and {}"),
}
_ADVERBS: Final = {"slowly": "slow", "quickly": "quick", "carefully": "careful"}
_PATTERN: Final = re.compile(
    r"(?P<before>,?\s*)\b(?:(?P<adverb>slowly|quickly|carefully)|(?:keep|stay)\s+(?P<height>high|low)(?:\s+and)?)\b\s*,?", re.IGNORECASE
)


def say(instruction: str, name: str, rng: np.random.Generator) -> str:
    """Return the instruction with words for a manner put in; :func:`manner_of` reads them.

    Raises:
        UnknownName: there is no such manner.
    """
    if name not in _WORDINGS:
        raise UnknownName("manner", name, MANNERS)
    wordings = _WORDINGS[name]
    return wordings[int(rng.integers(len(wordings)))].format(instruction)


def manner_of(instruction: str) -> str:
    """Return the name of the manner that an instruction asks for, the first of several, ``plain`` when it asks for none."""
    found = _PATTERN.search(instruction)
    if found is None:
        return PLAIN
    return str(found["height"]).lower() if found["height"] else _ADVERBS[str(found["adverb"]).lower()]


def strip_manner(instruction: str) -> str:
    """Return the instruction without its words for manners."""
    return " ".join(_PATTERN.sub(" ", instruction).split())
