"""What a person says of one episode (a rating) or of two (a preference)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from workbench.core.errors import InvalidInput

REASONS: Final = ("wrong object", "wrong place", "dropped it", "collided", "imprecise", "too slow", "jerky", "did not finish")
"""Reasons that a rater can choose; free text says the rest."""
MAX_TEXT: Final = 4000
MAX_NAME: Final = 60
MAX_NOTES: Final = 200


class Choice(StrEnum):
    """Which of two episodes is better."""

    A = "a"
    B = "b"
    TIE = "tie"


@dataclass(frozen=True)
class TimedNote:
    """Words about a moment."""

    time_s: float
    """Since the episode's start [s]."""
    text: str


@dataclass(frozen=True)
class Rating:
    """What a rater says of one episode; what is None was not answered."""

    is_success: bool | None = None
    progress: int | None = None
    """How far it came, 0 to 100 %."""
    quality: int | None = None
    """1 (poor) to 5 (excellent)."""
    is_safe: bool | None = None
    reasons: tuple[str, ...] = ()
    text: str = ""
    notes: tuple[TimedNote, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; :func:`parse_rating` reads them."""
        return {
            "is_success": self.is_success,
            "progress": self.progress,
            "quality": self.quality,
            "is_safe": self.is_safe,
            "reasons": list(self.reasons),
            "text": self.text,
            "notes": [{"time_s": n.time_s, "text": n.text} for n in self.notes],
        }


def parse_rating(data: Mapping[str, Any]) -> Rating:
    """Read a rating that came from a page.

    Raises:
        InvalidInput: a value is out of its range, or nothing was answered.
    """
    rating = Rating(
        _flag(data, "is_success"),
        _whole(data, "progress", 0, 100),
        _whole(data, "quality", 1, 5),
        _flag(data, "is_safe"),
        tuple(_text(r, 80) for r in _items(data, "reasons", 20)),
        _text(data.get("text", ""), MAX_TEXT),
        tuple(_note(n) for n in _items(data, "notes", MAX_NOTES)),
    )
    if rating == Rating():
        raise InvalidInput("rating", expected="at least one answer", found="none", fix="Say whether it worked, or give it a quality.")
    return rating


def parse_rater(name: object) -> str:
    """Return a rater's name without blanks around it; raises InvalidInput when it is empty or too long."""
    text = " ".join(_text(name, MAX_NAME).split())
    if not text:
        raise InvalidInput("name of the rater", expected="a name", found="nothing", fix="Type who you are: agreement is told by rater.")
    return text


def parse_choice(value: object) -> Choice:
    """Return which episode is better; raises InvalidInput for anything but ``a``, ``b`` and ``tie``."""
    if value not in tuple(Choice):
        raise InvalidInput("preference", expected="a, b or tie", found=repr(value)[:40])
    return Choice(str(value))


def _flag(data: Mapping[str, Any], name: str) -> bool | None:
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(f"rating, {name}", expected="yes, no or nothing", found=repr(value)[:40])
    return value


def _whole(data: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(f"rating, {name}", expected=f"a whole number from {low} to {high}", found=repr(value)[:40])
    return value


def _items(data: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    value = data.get(name) or ()
    if not isinstance(value, list | tuple) or len(value) > most:
        raise InvalidInput(f"rating, {name}", expected=f"a list of at most {most}", found=repr(value)[:40])
    return value


def _text(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise InvalidInput("text", expected=f"at most {most} letters", found=repr(value)[:40])
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("text", expected="valid Unicode", found="half of a surrogate pair") from error
    return value.strip()


def _note(value: object) -> TimedNote:
    time_s = value.get("time_s") if isinstance(value, Mapping) else None
    if isinstance(time_s, bool) or not isinstance(time_s, int | float) or not math.isfinite(time_s) or time_s < 0:
        raise InvalidInput("note, time", expected="seconds from the start", found=repr(time_s)[:40])
    assert isinstance(value, Mapping)
    return TimedNote(round(float(time_s), 3), _text(value.get("text", ""), 1000))
