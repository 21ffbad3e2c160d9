"""Strict reading of JSON documents: every function returns a checked value or says what is wrong where."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from workbench.core.errors import InvalidInput, TooLarge
from workbench.core.sketches import Point

E = TypeVar("E", bound=StrEnum)


def shown(value: object) -> str:
    """Return a short text of any value for an error message."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return "an integer of more than 30 digits"
    text = repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def read_mapping(value: object, what: str, *, required: Collection[str], optional: Collection[str] = ()) -> Mapping[str, Any]:
    """Return ``value`` if it is an object with all required and no unknown fields."""
    if not isinstance(value, Mapping):
        raise InvalidInput(what, expected="an object", found=shown(value))
    missing = sorted(set(required) - set(value))
    if missing:
        raise InvalidInput(what, expected=f"the field {missing[0]!r}", found="an object without it")
    unknown = sorted(str(k) for k in value if k not in required and k not in optional)
    if unknown:
        known = ", ".join(sorted({*required, *optional}))
        raise InvalidInput(what, expected=f"only the fields {known}", found=shown(unknown[0]), fix="Remove the unknown field.")
    return value


def read_list(value: object, what: str, *, at_least: int, at_most: int) -> Sequence[Any]:
    """Return ``value`` if it is a list of an allowed length."""
    if not isinstance(value, list | tuple):
        raise InvalidInput(what, expected="a list", found=shown(value))
    if len(value) > at_most:
        raise TooLarge(what, limit=f"{at_most} entries", found=f"{len(value)}", fix="Simplify the drawing.")
    if len(value) < at_least:
        raise InvalidInput(what, expected=f"at least {at_least} entries", found=f"{len(value)}")
    return value


def read_number(value: object, what: str, low: float, high: float) -> float:
    """Return ``value`` as a float if it is a finite number within ``[low, high]``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(what, expected="a number", found=shown(value))
    # Compared before the conversion: a huge integer would overflow a float.
    if not low <= value <= high or not math.isfinite(value):
        raise InvalidInput(what, expected=f"a number from {low:g} to {high:g}", found=shown(value))
    return float(value)


def read_integer(value: object, what: str, low: int, high: int) -> int:
    """Return ``value`` if it is a whole number within ``[low, high]``; 3.0 counts as 3, since JSON has one kind of number."""
    number = read_number(value, what, low, high)
    if number != int(number):
        raise InvalidInput(what, expected="a whole number", found=shown(value))
    return int(number)


def read_flag(value: object, what: str) -> bool:
    """Return ``value`` if it is true or false."""
    if not isinstance(value, bool):
        raise InvalidInput(what, expected="true or false", found=shown(value))
    return value


def read_text(value: object, what: str, *, at_most: int, at_least: int = 0) -> str:
    """Return ``value`` if it is a text of an allowed length that can be stored."""
    if not isinstance(value, str):
        raise InvalidInput(what, expected="a text", found=shown(value))
    if len(value) > at_most:
        raise TooLarge(what, limit=f"{at_most} characters", found=f"{len(value)}")
    if len(value) < at_least:
        raise InvalidInput(what, expected=f"at least {at_least} characters", found=shown(value))
    if any("\ud800" <= c <= "\udfff" or c == "\0" for c in value):
        raise InvalidInput(what, expected="a text without lone surrogates and zero characters", found="one with")
    return value


def read_enum(value: object, what: str, kind: type[E]) -> E:
    """Return the member of ``kind`` whose value this is."""
    if not isinstance(value, str) or value not in {m.value for m in kind}:
        raise InvalidInput(what, expected=f"one of {', '.join(m.value for m in kind)}", found=shown(value))
    return kind(value)


def read_point(value: object, what: str, low: Point, high: Point) -> Point:
    """Return a pair of numbers, each within its bounds."""
    pair = read_list(value, what, at_least=2, at_most=2)
    return (read_number(pair[0], f"{what}, x", low[0], high[0]), read_number(pair[1], f"{what}, y", low[1], high[1]))


def read_version(value: object, what: str) -> None:
    """Check that a document is of version 1."""
    if isinstance(value, bool) or value != 1:
        raise InvalidInput(f"{what}, version", expected="1", found=shown(value), fix="Save it again with this workbench.")
