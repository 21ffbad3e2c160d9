"""The modules and weights behind the names of an anatomy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.core.anatomy import Anatomy, Readout
from workbench.core.errors import InvalidInput
from workbench.steering.places import (
    Neuron,
    Part,
    Site,
    all_sites,
    check_layer,
    flat_id,
    neuron_of,
    readout_of,
    width_of,
)

__all__ = [
    "Neuron",
    "Part",
    "Site",
    "all_sites",
    "as_module",
    "check_layer",
    "find_module",
    "flat_id",
    "neuron_of",
    "readout_of",
    "readout_weight",
    "site_module",
    "value_vectors",
    "width_of",
]


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
