"""Names of places in a network: which tensor of which block, and neurons by number; plain data, without the network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from workbench.core.anatomy import Anatomy, Readout, Stack
from workbench.core.errors import InvalidInput


class Part(StrEnum):
    """Which tensor of a block."""

    NEURONS = "neurons"
    """``(B, T, m)``: activations of the feed-forward neurons, the input of the down projection."""
    FFN = "ffn"
    """``(B, T, d)``: what the feed-forward layer adds."""
    ATTENTION = "attention"
    """``(B, T, d)``: what the attention adds."""
    RESIDUAL = "residual"
    """``(B, T, d)``: the residual stream after the block."""


@dataclass(frozen=True, order=True)
class Site:
    """A tensor of one block of one stack."""

    stack: str
    layer: int
    part: Part = Part.RESIDUAL

    def __str__(self) -> str:
        return f"{self.stack} {self.layer} {self.part}"


class Neuron(NamedTuple):
    """A feed-forward neuron by its place: the layer, and which of its m units."""

    layer: int
    unit: int


def flat_id(stack: Stack, layer: int, index: int) -> int:
    """Return the flat id of a neuron, ``layer * m + index``.

    Raises:
        InvalidInput: the stack has no such neuron.
    """
    if not 0 <= index < stack.inner:
        raise InvalidInput("index of a neuron", expected=f"0 to {stack.inner - 1}", found=str(index))
    return check_layer(stack, layer) * stack.inner + index


def neuron_of(stack: Stack, flat: int) -> Neuron:
    """Return layer and index of a flat id.

    Raises:
        InvalidInput: the stack has no such neuron.
    """
    size = len(stack.blocks) * stack.inner
    if not 0 <= flat < size:
        raise InvalidInput(f"neuron of {stack.name!r}", expected=f"0 to {size - 1}", found=str(flat))
    return Neuron(*divmod(flat, stack.inner))


def check_layer(stack: Stack, layer: int) -> int:
    """Return the layer if the stack has it.

    Raises:
        InvalidInput: it has not.
    """
    if not 0 <= layer < len(stack.blocks):
        raise InvalidInput(f"layer of {stack.name!r}", expected=f"0 to {len(stack.blocks) - 1}", found=str(layer))
    return layer


def width_of(stack: Stack, part: Part) -> int:
    """Return the length of a token's vector at a part of a block: m at the neurons, d elsewhere."""
    return stack.inner if part is Part.NEURONS else stack.width


def all_sites(anatomy: Anatomy, part: Part) -> list[Site]:
    """Return the sites of one part in every block of every stack, in order."""
    return [Site(s.name, layer, part) for s in anatomy.stacks for layer in range(len(s.blocks))]


def readout_of(stack: Stack) -> Readout:
    """Return the read-out of a stack.

    Raises:
        InvalidInput: the stack has none.
    """
    if stack.readout is None:
        raise InvalidInput(f"stack {stack.name!r}", expected="one with a read-out", found="one without")
    return stack.readout
