"""What is changed about the world of a trial, written as parts joined by commas; an empty text changes nothing.

A part is ``axis=strength``, what happens on the way: a name of :data:`workbench.evaluation.disturbance.HAPPENINGS`, or another table: a name
of :data:`TABLES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from workbench.core.errors import InvalidInput, UnknownName
from workbench.evaluation.disturbance import HAPPENINGS
from workbench.rollout.running import OnTick
from workbench.simulation.axes import AXES, merge_options
from workbench.simulation.simulator import BenchSimulator

TABLES: Final[Mapping[str, int]] = MappingProxyType({"several-two": 2, "several-three": 3})
"""Name of a table with several things -> steps of its instruction, see :mod:`workbench.simulation.several`."""


def parse_perturbation(text: str) -> dict[str, float]:
    """Read a perturbation as axis of :data:`workbench.simulation.axes.AXES`, or happening -> strength 0..1; without one it is full.

    Raises:
        UnknownName: there is no such axis.
        InvalidInput: a strength is no number from 0 to 1, or an axis comes twice.
    """
    found: dict[str, float] = {}
    for part in (p.strip() for p in text.split(",") if p.strip()):
        name, _, strength = part.partition("=")
        if name not in (*AXES, *HAPPENINGS, *TABLES):
            raise UnknownName("perturbation", name, (*AXES, *HAPPENINGS, *TABLES))
        if strength and name not in AXES:
            raise InvalidInput(f"perturbation {name}", expected="no strength", found=strength)
        if name in found:
            raise InvalidInput("perturbation", expected="each axis once", found=repr(text))
        try:
            found[name] = float(strength or 1.0)
        except ValueError as error:
            raise InvalidInput(f"strength of {name}", expected="a number from 0 to 1", found=repr(strength)) from error
        if not 0 <= found[name] <= 1:
            raise InvalidInput(f"strength of {name}", expected="a number from 0 to 1", found=strength)
    return found


def options_of(text: str, seed: int) -> dict[str, Any]:
    """Return the options of the episode of a seed under a perturbation; errors as :func:`parse_perturbation`."""
    options: dict[str, Any] = {}
    for name, strength in parse_perturbation(text).items():
        if name in AXES:
            options = merge_options(options, AXES[name].options(strength, seed))
        elif name in TABLES:
            options = merge_options(options, {"several": {"steps": TABLES[name], "seed": seed}})
    return options


def happenings_of(text: str, simulator: BenchSimulator, seed: int) -> tuple[OnTick, ...]:
    """Return what is called after each step of the episode of a seed on a simulator; errors as :func:`parse_perturbation`."""
    return tuple(HAPPENINGS[name](simulator, seed) for name in parse_perturbation(text) if name in HAPPENINGS)
