"""Frozen dataclasses as JSON documents, read back with full checks: edits, scopes, concepts, presets."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from workbench.core.errors import InvalidInput, TooLarge

MAX_ITEMS: Final = 100_000
_MAX_TEXT: Final = 20_000
R = TypeVar("R")


def to_json(value: object) -> Any:
    """Return a dataclass, and what it holds, as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    return value


def from_json(kind: type[R], data: object, what: str) -> R:
    """Return a dataclass from its JSON document.

    Raises:
        InvalidInput: a field is missing, unknown, of the wrong type, or not a finite number; the message names it.
    """
    made: R = _read(kind, data, what)
    return made


def _read(kind: Any, value: Any, what: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _read(next(a for a in args if a is not type(None)), value, what)
    if origin is np.ndarray:
        return value  # the caller has checked arrays; they do not come from JSON
    if is_dataclass(kind):
        return _read_fields(kind, value, what)
    if origin is tuple:
        return _read_list(args[0], value, what)
    if origin is not None and issubclass(origin, Mapping):
        _check_type(value, Mapping, "an object", what)
        return {str(k): _read(args[1], v, f"{what}, {str(k)[:40]}") for k, v in value.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        if value not in [m.value for m in kind]:
            raise InvalidInput(what, expected=f"one of {', '.join(str(m.value) for m in kind)}", found=_shown(value))
        return kind(value)
    return _read_plain(kind, value, what)


def _read_fields(kind: Any, value: Any, what: str) -> Any:
    _check_type(value, Mapping, "an object", what)
    hints, known = get_type_hints(kind), {f.name: f for f in fields(kind)}
    if unknown := sorted(str(k) for k in value if k not in known):
        raise InvalidInput(what, expected=f"only the fields {', '.join(known)}", found=_shown(unknown[0]))
    missing = [n for n, f in known.items() if n not in value and f.default is MISSING and f.default_factory is MISSING]
    if missing:
        raise InvalidInput(what, expected=f"the field {missing[0]!r}", found="an object without it")
    return kind(**{name: _read(hints[name], part, f"{what}, {name}") for name, part in value.items()})


def _read_list(kind: Any, value: Any, what: str) -> tuple[Any, ...]:
    _check_type(value, list | tuple, "a list", what)
    if len(value) > MAX_ITEMS:
        raise TooLarge(what, limit=f"{MAX_ITEMS} entries", found=str(len(value)))
    return tuple(_read(kind, v, f"{what}, {i}") for i, v in enumerate(value))


def _read_plain(kind: Any, value: Any, what: str) -> Any:
    if kind is bool:
        _check_type(value, bool, "true or false", what)
    elif kind is str:
        _check_type(value, str, "a text", what)
        if len(value) > _MAX_TEXT:
            raise TooLarge(what, limit=f"{_MAX_TEXT} characters", found=str(len(value)))
    else:
        assert kind in (int, float), f"{what}: no rule for {kind}"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # Compared before the conversion: a huge integer would overflow a float.
        if not is_number or not -1e300 < value < 1e300 or not math.isfinite(value):
            raise InvalidInput(what, expected="a finite number", found=_shown(value))
        if kind is int and value != int(value):
            raise InvalidInput(what, expected="a whole number", found=_shown(value))
        return kind(value)
    return value


def _check_type(value: Any, kind: Any, expected: str, what: str) -> None:
    if not isinstance(value, kind):
        raise InvalidInput(what, expected=expected, found=_shown(value))


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."
