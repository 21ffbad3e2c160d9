"""Hooks that undo themselves: change or record tensors of a network for as long as a ``with`` block runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from workbench.core.anatomy import Anatomy
from workbench.core.errors import InvalidInput
from workbench.steering.sites import Part, Site, site_module

Change = Callable[[Tensor], Tensor]
"""Maps the tensor of a site to the one that replaces it, of the same shape; never writes into its argument."""
Look = Callable[[Tensor], None]


@contextmanager
def changed(module: nn.Module, anatomy: Anatomy, changes: Mapping[Site, Change]) -> Iterator[None]:
    """Pass the tensors of some sites through changes; afterwards the network is as it was, whatever happened inside.

    Raises:
        InvalidInput: the network has no such site; no hook stays behind.
    """
    with ExitStack() as undo:
        for site, change in changes.items():
            undo.callback(_attach(site_module(module, anatomy, site), site, change).remove)
        yield


@contextmanager
def looked_at(module: nn.Module, anatomy: Anatomy, looks: Mapping[Site, Look]) -> Iterator[None]:
    """Show the tensors of some sites, as the network goes on with them, to functions that only look."""

    def shown(look: Look) -> Change:
        def pass_on(tensor: Tensor) -> Tensor:
            look(tensor.detach())
            return tensor

        return pass_on

    with changed(module, anatomy, {site: shown(look) for site, look in looks.items()}):
        yield


@contextmanager
def recorded(module: nn.Module, anatomy: Anatomy, sites: Sequence[Site]) -> Iterator[dict[Site, list[Tensor]]]:
    """Collect the tensors of some sites, one entry a forward pass; edits that were attached before are included."""
    found: dict[Site, list[Tensor]] = {site: [] for site in sites}
    with looked_at(module, anatomy, {site: found[site].append for site in sites}):
        yield found


def _attach(target: nn.Module, site: Site, change: Change) -> RemovableHandle:
    if site.part is Part.NEURONS:

        def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return (_checked(change(args[0]), args[0], site), *args[1:])

        return target.register_forward_pre_hook(before)

    def after(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (_checked(change(output[0]), output[0], site), *output[1:])
        return _checked(change(output), output, site)

    return target.register_forward_hook(after)


def _checked(new: Tensor, old: Tensor, site: Site) -> Tensor:
    if new.shape != old.shape:
        raise InvalidInput(f"edit at {site}", expected=f"a tensor {tuple(old.shape)}", found=f"{tuple(new.shape)}")
    return new
