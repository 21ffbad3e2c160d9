"""What sites do over many policy calls: streamed statistics of neurons, norms of layers, and samples to fit directions on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.core.anatomy import ALL_TOKENS, Anatomy
from workbench.core.errors import InvalidInput
from workbench.steering.hooks import looked_at, recorded
from workbench.steering.scopes import spans_in
from workbench.steering.sites import Part, Site

Call = Callable[[], object]
"""Makes one policy call on a stored observation."""
MAX_NORMS: Final = 100_000
"""Token norms kept for one layer's median."""


class Pool(StrEnum):
    """How the tokens of a call become rows."""

    MEAN = "mean"
    LAST = "last"
    TOKENS = "tokens"
    """Every token is a row."""


@dataclass(frozen=True, eq=False)
class Activity:
    """Statistics of every neuron of a stack over tokens of recorded calls; arrays ``(N,)`` by flat id."""

    num_tokens: int
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    """Standard deviation."""
    largest: NDArray[np.float64]
    """Largest absolute activation."""
    active_share: NDArray[np.float64]
    """Share of tokens with an activation above 0."""


class ActivityMeter:
    """Adds up the activations of one stack as they come."""

    def __init__(self, num_layers: int, inner: int) -> None:
        shape = (num_layers, inner)
        self._count = np.zeros(num_layers, dtype=np.int64)
        self._mean, self._square, self._largest, self._active = (np.zeros(shape) for _ in range(4))

    def add(self, layer: int, activations: NDArray[np.floating]) -> None:
        """Add the activations ``(n, m)`` of some tokens (Source: Chan et al. 1983, parallel variance)."""
        new = np.asarray(activations, dtype=np.float64)
        if not len(new):
            return
        old, num = self._count[layer], len(new)
        mean = new.mean(axis=0)
        delta, total = mean - self._mean[layer], old + num
        self._square[layer] += ((new - mean) ** 2).sum(axis=0) + delta**2 * (old * num / total)
        self._mean[layer] += delta * (num / total)
        self._largest[layer] = np.maximum(self._largest[layer], np.abs(new).max(axis=0))
        self._active[layer] += (new > 0).sum(axis=0)
        self._count[layer] = total

    def result(self) -> Activity:
        """Return the statistics so far."""
        count = np.maximum(self._count, 1)[:, None]
        parts = (self._mean, np.sqrt(self._square / count), self._largest, self._active / count)
        return Activity(int(self._count.max(initial=0)), *(p.reshape(-1).copy() for p in parts))


@contextmanager
def metered(module: nn.Module, anatomy: Anatomy, stack: str, tokens: str = ALL_TOKENS) -> Iterator[ActivityMeter]:
    """Measure the neurons of a stack in every policy call within the block; nothing but sums is kept.

    Raises:
        UnknownName: there is no such stack or token group.
    """
    found = anatomy.stack(stack)
    found.group(tokens)
    meter = ActivityMeter(len(found.blocks), found.inner)

    def look(layer: int) -> Callable[[Tensor], None]:
        return lambda x: meter.add(layer, rows_of(anatomy, Site(stack, layer), tokens, [x]).numpy())

    looks = {Site(stack, layer, Part.NEURONS): look(layer) for layer in range(len(found.blocks))}
    with looked_at(module, anatomy, looks):
        yield meter


def layer_norms(module: nn.Module, anatomy: Anatomy, calls: Iterable[Call], stack: str, tokens: str = ALL_TOKENS) -> NDArray[np.float64]:
    """Return the median norm ``(L,)`` of the residual stream's tokens after each layer: the unit of doses.

    Raises:
        InvalidInput: there were no calls.
    """
    sites = [Site(stack, layer) for layer in range(len(anatomy.stack(stack).blocks))]
    norms: dict[Site, list[NDArray[np.float32]]] = {site: [] for site in sites}
    for call in calls:
        with recorded(module, anatomy, sites) as found:
            call()
        for site, tensors in found.items():
            if sum(map(len, norms[site])) < MAX_NORMS:
                norms[site].append(rows_of(anatomy, site, tokens, tensors).norm(dim=1).numpy())
    if not norms[sites[0]]:
        raise InvalidInput("recorded calls", expected="at least one", found="none", fix="Record some steps first.")
    return np.array([np.median(np.concatenate(norms[site])) for site in sites])


def collect(
    module: nn.Module,
    anatomy: Anatomy,
    calls: Iterable[Call],
    sites: Sequence[Site],
    *,
    tokens: str = ALL_TOKENS,
    pool: Pool = Pool.MEAN,
) -> dict[Site, NDArray[np.float32]]:
    """Return for each site the rows ``(n, C) float32`` of all calls, in order; with pooling, one row a call.

    Tokens of later forward passes of a call (denoising steps, decoded tokens) follow those of the first.

    Raises:
        InvalidInput: there were no calls, or the tokens do not occur in them.
    """
    rows: dict[Site, list[Tensor]] = {site: [] for site in sites}
    for call in calls:
        with recorded(module, anatomy, sites) as found:
            call()
        for site, tensors in found.items():
            rows[site].append(_pooled(rows_of(anatomy, site, tokens, tensors), pool))
    for site, parts in rows.items():
        if not sum(map(len, parts)):
            raise InvalidInput(f"tokens {tokens!r} at {site}", expected="some in the recorded calls", found="none")
    return {site: torch.cat(parts).numpy() for site, parts in rows.items()}


def rows_of(anatomy: Anatomy, site: Site, tokens: str, tensors: Sequence[Tensor]) -> Tensor:
    """Return the tokens of a group in all forward passes and all batch items, ``(n, C) float32`` on the CPU."""
    stack, parts = anatomy.stack(site.stack), []
    for index, tensor in enumerate(tensors):
        for start, stop in spans_in(stack, tokens, tensor.shape[1], index):
            parts.append(tensor[:, start:stop].flatten(0, 1).float().cpu())
    return torch.cat(parts) if parts else torch.zeros(0, tensors[0].shape[-1] if tensors else 0)


def _pooled(rows: Tensor, pool: Pool) -> Tensor:
    if not len(rows) or pool is Pool.TOKENS:
        return rows
    return rows.mean(dim=0, keepdim=True) if pool is Pool.MEAN else rows[-1:]
