"""Concepts: what a person has found, with a name, a version and the fingerprint of the policy it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from workbench.core.anatomy import Anatomy, Stack
from workbench.core.errors import InvalidInput
from workbench.steering.edits import (
    DEFAULT_DOSE,
    AddDirection,
    ApplyConceptor,
    ClampNeurons,
    FeatureMode,
    SteerFeature,
    SteeringEdit,
)
from workbench.steering.places import Part, neuron_of
from workbench.steering.records import from_json, to_json
from workbench.steering.scopes import Scope

if TYPE_CHECKING:
    from torch import nn

_VERSION: Final = 1
_WHOLE_BELOW: Final = 4_000_000
_NUM_SAMPLED: Final = 65_536


class ConceptKind(StrEnum):
    """What a concept is made of."""

    NEURONS = "neurons"
    DIRECTION = "direction"
    FEATURE = "feature"
    CONCEPTOR = "conceptor"


@dataclass(frozen=True)
class Concept:
    """A named way to turn a policy; plain data."""

    name: str
    policy: str
    """Fingerprint of the weights it was found in, see :func:`fingerprint`."""
    stack: str
    kind: ConceptKind
    neurons: tuple[int, ...] = ()
    """Flat ids, of neurons only."""
    asset: str = ""
    """Id of the direction, autoencoder or conceptor."""
    feature: int = 0
    layers: tuple[int, ...] = ()
    norms: tuple[float, ...] = ()
    """Of directions: where it is added, and the unit of the dose in each of these layers."""
    part: Part = Part.RESIDUAL
    tokens: str = "all"
    strength: float = 1.0
    """Where the slider starts."""
    method: str = "by hand"
    """How it was found."""
    note: str = ""
    version: int = 1
    """Grows with every change that is saved under the same name."""
    measures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 100:
            raise InvalidInput("name of a concept", expected="1 to 100 characters", found=repr(self.name[:40]))
        if self.kind is ConceptKind.NEURONS and not self.neurons:
            raise InvalidInput(f"concept {self.name!r}", expected="at least one neuron", found="none")
        if self.kind is not ConceptKind.NEURONS and not self.asset:
            raise InvalidInput(f"concept {self.name!r}", expected=f"the id of a {self.kind}", found="none")

    def edit(self, strength: float | None = None, scope: Scope | None = None) -> SteeringEdit:
        """Return the edit that turns the concept on, at its own strength and tokens unless told otherwise.

        Raises:
            InvalidInput: the strength is not a number, or absurd.
        """
        value = self.strength if strength is None else strength
        where = scope or Scope(self.tokens)
        match self.kind:
            case ConceptKind.NEURONS:
                return ClampNeurons(self.stack, self.neurons, value, where)
            case ConceptKind.DIRECTION:
                return AddDirection(self.stack, self.asset, self.layers, self.norms, value, where, self.part)
            case ConceptKind.FEATURE:
                return SteerFeature(self.stack, self.asset, self.feature, FeatureMode.ADD, value, where)
            case ConceptKind.CONCEPTOR:
                return ApplyConceptor(self.stack, self.asset, value, where)

    def changed(self, **fields: Any) -> Concept:
        """Return the next version with some fields changed."""
        return replace(self, version=self.version + 1, **fields)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able dictionary, the exported file."""
        return {"format": "vla-workbench concept", "format_version": _VERSION, **to_json(self)}


def neuron_concept(name: str, policy: str, stack: Stack, neurons: tuple[int, ...], **fields: Any) -> Concept:
    """Return a concept of neurons, which starts at the usual clamp of its architecture.

    Raises:
        InvalidInput: the stack has no such neuron.
    """
    for flat in neurons:
        neuron_of(stack, flat)
    return Concept(name, policy, stack.name, ConceptKind.NEURONS, neurons, strength=stack.default_alpha, **fields)


def parse_concept(data: object) -> Concept:
    """Read what :meth:`Concept.to_dict` wrote.

    Raises:
        InvalidInput: the document is not a concept; the message names the field.
    """
    if not isinstance(data, Mapping) or data.get("format_version") != _VERSION:
        found = data.get("format_version") if isinstance(data, Mapping) else type(data).__name__
        raise InvalidInput("concept file", expected=f"format version {_VERSION}", found=str(found)[:60])
    return from_json(Concept, {k: v for k, v in data.items() if not k.startswith("format")}, "concept")


def check_concept(concept: Concept, anatomy: Anatomy, policy: str) -> None:
    """Check that a concept belongs to a policy.

    Raises:
        InvalidInput: it was found in another policy, or names a neuron or layer that is not there.
        UnknownName: it names a stack or token group that is not there.
    """
    if concept.policy != policy:
        raise InvalidInput(
            f"concept {concept.name!r}",
            expected=f"one found in this policy ({policy})",
            found=f"one found in {concept.policy}",
            fix="Find it again here, or load the policy it belongs to.",
        )
    stack = anatomy.stack(concept.stack)
    stack.group(concept.tokens)
    for flat in concept.neurons:
        neuron_of(stack, flat)


def default_strength(kind: ConceptKind, stack: Stack) -> float:
    """Return where a slider starts: the usual clamp of the architecture, or half the layer's norm."""
    return {ConceptKind.NEURONS: stack.default_alpha, ConceptKind.DIRECTION: DEFAULT_DOSE, ConceptKind.CONCEPTOR: 0.2}.get(kind, 1.0)


def fingerprint(module: nn.Module) -> str:
    """Return 16 hexadecimal digits that tell weights apart: names, shapes and values, of very large tensors a regular sample."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        flat = tensor.detach().reshape(-1)
        if len(flat) > _WHOLE_BELOW:
            flat = flat[:: len(flat) // _NUM_SAMPLED]
        digest.update(f"{name} {tuple(tensor.shape)} ".encode())
        digest.update(flat.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
