"""Places in a network: which tensor of which block, and the modules behind the names of an anatomy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor, nn

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


def site_module(module: nn.Module, anatomy: Anatomy, site: Site) -> nn.Module:
    """Return the module whose input (neurons) or output (the other parts) is the tensor of a site.

    Raises:
        InvalidInput: the stack has no such layer, or the network no such module.
        UnknownName: there is no such stack.
    """
    stack = anatomy.stack(site.stack)
    block = stack.blocks[check_layer(stack, site.layer)]
    inside = {Part.NEURONS: stack.down, Part.FFN: stack.down, Part.ATTENTION: stack.attention, Part.RESIDUAL: ""}[site.part]
    return find_module(module, f"{block}.{inside}" if inside else block)


def find_module(module: nn.Module, name: str) -> nn.Module:
    """Return a module by its dotted name.

    Raises:
        InvalidInput: the network has no such module; the anatomy is of another one.
    """
    try:
        return module.get_submodule(name)
    except AttributeError as error:
        found = type(module).__name__
        raise InvalidInput(f"module {name!r}", expected="a network that its anatomy describes", found=found) from error


def value_vectors(module: nn.Module, anatomy: Anatomy, stack: str, layer: int) -> Tensor:
    """Return the value vectors of a layer, ``(m, d)``: what each neuron adds to the residual stream per unit of activation.

    Source: Häon et al. 2025, arXiv:2509.00328; their push of an identity matrix through the down projection gives the same rows.
    """
    down = site_module(module, anatomy, Site(stack, layer, Part.NEURONS))
    return _weight(down).detach().T


def readout_weight(module: nn.Module, readout: Readout) -> Tensor:
    """Return the rows that the residual stream is read by, ``(V, d)``."""
    return _weight(find_module(module, readout.weight)).detach()


def readout_of(stack: Stack) -> Readout:
    """Return the read-out of a stack.

    Raises:
        InvalidInput: the stack has none.
    """
    if stack.readout is None:
        raise InvalidInput(f"stack {stack.name!r}", expected="one with a read-out", found="one without")
    return stack.readout


def as_module(found: object) -> nn.Module:
    """Return the network of a steerable policy as what it is.

    Raises:
        InvalidInput: it is not a torch module.
    """
    if not isinstance(found, nn.Module):
        raise InvalidInput("network of the policy", expected="a torch module", found=type(found).__name__)
    return found


def _weight(module: nn.Module) -> Tensor:
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.ndim != 2 or not weight.is_floating_point():
        found = f"{type(module).__name__} without one" if weight is None else "packed or quantised weights"
        raise InvalidInput("weight matrix", expected="a matrix of floating-point numbers", found=found, fix="Load the unquantised model.")
    return weight
