"""Steering edits: frozen descriptions of what is changed inside the network, stored as events and applied by :mod:`.steered`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from workbench.core.errors import InvalidInput
from workbench.steering.places import Part
from workbench.steering.records import from_json, to_json
from workbench.steering.scopes import Scope

MAX_STRENGTH: Final = 1000.0
"""Largest alpha, dose or feature value; far beyond anything useful (sliders go to 20, 1.5 and 15)."""
DEFAULT_DOSE: Final = 0.5
"""Of the layer's median norm."""


class FeatureMode(StrEnum):
    """How a feature of a sparse autoencoder is changed."""

    SET = "set"
    """``z_f = value``; 0 ablates it."""
    ADD = "add"
    """``z_f += value``, not below 0."""
    SCALE = "scale"
    """``z_f *= 1 + value``, not below 0."""


@dataclass(frozen=True)
class ClampNeurons:
    """Override the activation of some neurons: ``f_i = alpha``.

    Source: Häon et al. 2025, arXiv:2509.00328. An override, not an addition or a scale.
    """

    stack: str
    neurons: tuple[int, ...]
    """Flat ids."""
    alpha: float
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        check_strength("alpha", self.alpha)
        if len(set(self.neurons)) != len(self.neurons):
            raise InvalidInput("neurons to clamp", expected="each one once", found="one twice")


@dataclass(frozen=True)
class AddDirection:
    """Add a multiple of a direction: ``h + dose * norm_l * v / |v|``."""

    stack: str
    direction: str
    """Id of the direction."""
    layers: tuple[int, ...]
    norms: tuple[float, ...]
    """Median norm of the tokens in each of these layers: the unit of the dose."""
    dose: float = DEFAULT_DOSE
    scope: Scope = field(default_factory=Scope)
    part: Part = Part.RESIDUAL

    def __post_init__(self) -> None:
        check_strength("dose", self.dose)
        if len(self.norms) != len(self.layers) or not all(math.isfinite(n) and n > 0 for n in self.norms):
            raise InvalidInput("norms of the layers", expected=f"{len(self.layers)} positive numbers", found=str(self.norms))


@dataclass(frozen=True)
class RemoveDirection:
    """Take a share of a direction away: ``h - share * (h . v) v / |v|^2``."""

    stack: str
    direction: str
    layers: tuple[int, ...]
    share: float = 1.0
    scope: Scope = field(default_factory=Scope)
    part: Part = Part.RESIDUAL

    def __post_init__(self) -> None:
        check_strength("share", self.share)


@dataclass(frozen=True)
class ClampReading:
    """Keep what a probe reads within bounds, by the smallest push that does.

    Source: Observing and Controlling Features, arXiv:2603.05487.
    """

    stack: str
    probe: str
    """Id of the probe; it says at which site and on which tokens it reads."""
    low: float | None = None
    high: float | None = None
    """None: no bound. In the unit of what the probe reads; of a classifier, its score before the logistic function."""
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        low, high = self.bounds
        if not low <= high:
            raise InvalidInput("range of a reading", expected="a lower bound not above the upper one", found=f"{low} to {high}")

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds as numbers, infinite where there is none."""
        return (-math.inf if self.low is None else self.low, math.inf if self.high is None else self.high)


@dataclass(frozen=True)
class SteerFeature:
    """Change one feature of a sparse autoencoder and keep what the autoencoder cannot explain.

    Source: Action Atlas, arXiv:2603.19233: ``h + (Dec(z') - Dec(z)) * scale``.
    """

    stack: str
    sae: str
    """Id of the autoencoder; it says at which site it reads."""
    feature: int
    mode: FeatureMode
    value: float
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        check_strength("value of a feature", self.value)
        if self.feature < 0:
            raise InvalidInput("feature", expected="0 or more", found=str(self.feature))


@dataclass(frozen=True)
class ApplyConceptor:
    """Blend the residual stream with its image under a conceptor: ``((1 - beta) I + beta C) h``. Experimental.

    Source: COAST, arXiv:2605.17144. An outside group found no effect; always show the spectrum-matched random control beside it.
    """

    stack: str
    conceptor: str
    beta: float = 0.2
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        if not 0 <= self.beta <= 1:
            raise InvalidInput("beta of a conceptor", expected="a number from 0 to 1", found=str(self.beta))


SteeringEdit: TypeAlias = ClampNeurons | AddDirection | RemoveDirection | ClampReading | SteerFeature | ApplyConceptor

_KINDS: Final[Mapping[str, type[SteeringEdit]]] = {
    "clamp_neurons": ClampNeurons,
    "add_direction": AddDirection,
    "remove_direction": RemoveDirection,
    "clamp_reading": ClampReading,
    "steer_feature": SteerFeature,
    "apply_conceptor": ApplyConceptor,
}
_STRENGTHS: Final = {
    ClampNeurons: "alpha",
    AddDirection: "dose",
    RemoveDirection: "share",
    SteerFeature: "value",
    ApplyConceptor: "beta",
}


def strength_of(edit: SteeringEdit) -> float:
    """Return the number that a slider moves.

    Raises:
        InvalidInput: the edit has bounds instead of one strength.
    """
    return float(getattr(edit, _strength_name(edit)))


def with_strength(edit: SteeringEdit, strength: float) -> SteeringEdit:
    """Return the same edit with another strength; errors as :func:`strength_of`."""
    changed: SteeringEdit = replace(edit, **{_strength_name(edit): strength})  # type: ignore[arg-type]
    return changed


def edit_to_dict(edit: SteeringEdit) -> dict[str, Any]:
    """Return a JSON-able dictionary, the payload of a steering event."""
    kind = next(name for name, cls in _KINDS.items() if cls is type(edit))
    return {"kind": kind, **to_json(edit)}


def parse_edit(data: object, what: str = "steering edit") -> SteeringEdit:
    """Read what :func:`edit_to_dict` wrote, or what a page sent.

    Raises:
        InvalidInput: the document is not an edit; the message names the field.
    """
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidInput(f"{what}, kind", expected=f"one of {', '.join(_KINDS)}", found=repr(kind)[:60])
    return from_json(_KINDS[kind], {k: v for k, v in data.items() if k != "kind"}, what)


def check_strength(what: str, value: float) -> None:
    """Raise InvalidInput unless the value is finite and not absurdly large."""
    if not math.isfinite(value) or abs(value) > MAX_STRENGTH:
        raise InvalidInput(what, expected=f"a number from {-MAX_STRENGTH:g} to {MAX_STRENGTH:g}", found=f"{value:g}")


def _strength_name(edit: SteeringEdit) -> str:
    name = _STRENGTHS.get(type(edit))
    if name is None:
        raise InvalidInput("strength", expected="an edit with one strength", found="a range of a reading, which has two bounds")
    return name
