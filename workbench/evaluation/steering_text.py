"""Steering of a trial, written as parts joined by commas; an empty text changes nothing.

    neurons:up=4             ten neurons found for a concept (up, down, quick, slow, careful), clamped to 4; ``up/20`` takes twenty
    direction:high=0.5       direction from "keep low" to "keep high" (high, low, quick, slow, careful), added at half the layer's norm
    direction:high/1=0.5     the same after block 1 instead of in the middle
    range:height=0.1..0.2    what a probe reads kept within bounds (height, gripper), by the smallest push; either may be left out
    reconstruct:tokens       the middle layer put through a sparse autoencoder, token by token; ``pooled``: all by the mean token's
    concept:NAME=4           a concept that was saved, or that the campaign's file brings along; without ``=`` at its own strength

A strength written ``@height:0.2`` is set by a PID controller so that height [m] or speed [m/s] reaches that value. ``~3`` at the end takes
the third random counterpart: as many other neurons of the same layers, or a direction of equal length.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from workbench.core.errors import InvalidInput, UnknownName
from workbench.simulation.manner import MANNERS, PLAIN
from workbench.steering.controller import UNITS
from workbench.steering.edits import check_strength


class Source(StrEnum):
    """Where what is turned comes from."""

    NEURONS = "neurons"
    DIRECTION = "direction"
    RANGE = "range"
    RECONSTRUCT = "reconstruct"
    CONCEPT = "concept"


NEURON_CONCEPTS: Final = ("up", "down", "quick", "slow")
DIRECTIONS: Final = tuple(name for name in MANNERS if name != PLAIN)
RANGES: Final = ("height", "gripper")
POOLINGS: Final = ("tokens", "pooled")
_NAMES: Final = {
    Source.NEURONS: NEURON_CONCEPTS,
    Source.DIRECTION: DIRECTIONS,
    Source.RANGE: RANGES,
    Source.RECONSTRUCT: POOLINGS,
}
DEFAULT_SIZE: Final = 10
MAX_SIZE: Final = 200
_FORM: Final = re.compile(
    r"(?P<source>[a-z]+):(?P<name>[^=@~/,]+)(?:/(?P<number>\d{1,4}))?"
    r"(?:=(?P<strength>[^~@]+)|@(?P<quantity>[a-z]+):(?P<target>[^~]+))?(?:~(?P<draw>\d{1,4}))?"
)


@dataclass(frozen=True)
class Part:
    """One edit that a text asks for."""

    source: Source
    name: str
    """Of the concept, direction, probe or kind of reconstruction."""
    number: int | None = None
    """How many neurons, or after which block a direction is added."""
    strength: float | None = None
    low: float | None = None
    high: float | None = None
    """Bounds of a range."""
    quantity: str = ""
    """What a controller brings to ``target``; empty without one."""
    target: float = 0.0
    draw: int | None = None
    """Which random counterpart is taken instead."""


def parse_steering(text: str) -> tuple[Part, ...]:
    """Read the steering of a trial.

    Raises:
        UnknownName: a source, a concept or a quantity is not known.
        InvalidInput: a part is not of the form above.
    """
    return tuple(_parse_part(part.strip()) for part in text.split(",") if part.strip())


def saved_names(text: str) -> tuple[str, ...]:
    """Return the names of saved concepts that a text asks for; errors as :func:`parse_steering`."""
    return tuple(dict.fromkeys(p.name for p in parse_steering(text) if p.source is Source.CONCEPT))


def _parse_part(text: str) -> Part:
    found = _FORM.fullmatch(text)
    if found is None:
        raise InvalidInput("edits", expected="parts such as neurons:up=4 or direction:high=0.5", found=repr(text)[:60])
    if found["source"] not in list(Source):
        raise UnknownName("source of edits", found["source"], list(Source))
    source, name = Source(found["source"]), found["name"].strip()
    if source in _NAMES and name not in _NAMES[source]:
        raise UnknownName(f"name after {source.value!r}", name, _NAMES[source])
    if found["quantity"] and found["quantity"] not in UNITS:
        raise UnknownName("quantity of a controller", found["quantity"], UNITS)
    has_bounds = source is Source.RANGE
    low, high = _bounds(found["strength"], text) if has_bounds else (None, None)
    part = Part(
        source,
        name,
        number=int(found["number"]) if found["number"] else None,
        strength=_number(found["strength"], text) if found["strength"] and not has_bounds else None,
        low=low,
        high=high,
        quantity=found["quantity"] or "",
        target=_number(found["target"], text) if found["target"] else 0.0,
        draw=int(found["draw"]) if found["draw"] else None,
    )
    _check(part, text)
    return part


def _check(part: Part, text: str) -> None:
    needs_strength = part.source in (Source.NEURONS, Source.DIRECTION)
    if needs_strength and part.strength is None and not part.quantity:
        raise InvalidInput(f"edits {text!r}", expected="a strength, for example =4, or a target, for example @height:0.2", found="neither")
    if part.source in (Source.RANGE, Source.RECONSTRUCT) and (part.quantity or part.number is not None):
        raise InvalidInput(f"edits {text!r}", expected="no controller and no number", found="one")
    if part.source is Source.RECONSTRUCT and (part.strength is not None or part.draw is not None):
        raise InvalidInput(f"edits {text!r}", expected="no strength and no counterpart", found="one")
    if part.source is Source.NEURONS and part.number is not None and not 1 <= part.number <= MAX_SIZE:
        raise InvalidInput(f"edits {text!r}", expected=f"1 to {MAX_SIZE} neurons", found=str(part.number))
    if part.strength is not None:
        check_strength(f"strength of {text!r}", part.strength)


def _bounds(text: str | None, whole: str) -> tuple[float | None, float | None]:
    low, dots, high = (text or "").partition("..")
    if not dots or not (low or high):
        raise InvalidInput(f"edits {whole!r}", expected="bounds, for example =0.1..0.2", found=repr(text))
    bounds = tuple(_number(bound, whole) if bound else None for bound in (low, high))
    return bounds[0], bounds[1]


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(f"edits {whole!r}", expected="a finite number", found=repr(text))
    return value
