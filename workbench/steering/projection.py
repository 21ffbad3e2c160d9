"""Value vectors in the basis of tokens: what each neuron says, and which way it pushes every action dimension.

Source: Häon et al. 2025, arXiv:2509.00328: value vector times unembedding, no norm, no bias, no centring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.core.anatomy import Anatomy, Readout, Stack
from workbench.core.errors import InvalidInput, UnknownName
from workbench.steering.sites import neuron_of, readout_of, readout_weight, value_vectors

TOP_TOKENS: Final = 10
_BLOCK_ELEMENTS: Final = 32_000_000
"""Logits held at once: 128 MB."""

Progress = Callable[[float], None]
"""Told the share that is done, 0..1."""


class TopTokens(NamedTuple):
    """The tokens with the largest logits of each vector."""

    ids: NDArray[np.int32]
    """``(n, k)``, best first."""
    scores: NDArray[np.float32]
    """``(n, k)``."""


def project(vectors: Tensor, table: Tensor, k: int = TOP_TOKENS) -> TopTokens:
    """Return the k best tokens of each vector ``(n, d)`` by its products with a table ``(V, d)``, in bounded memory."""
    k = min(k, len(table))
    wide, rows = table.float().T, max(1, _BLOCK_ELEMENTS // len(table))
    best = [torch.topk(part.float() @ wide, k, dim=1) for part in torch.split(vectors, rows)]
    ids, scores = torch.cat([b.indices for b in best]), torch.cat([b.values for b in best])
    return TopTokens(ids.int().cpu().numpy(), scores.cpu().numpy())


def action_directions(readout: Readout, table: Tensor) -> NDArray[np.float32]:
    """Return for each action dimension the direction ``(D, d)`` of the residual stream that raises it.

    With bins: the slope of the bins' logits over their centres, times half their range, so that a product with it is by how many
    nats the upper end is preferred to the middle. With a continuous read-out: its row, turned towards larger actions.
    """
    directions = []
    for bins in readout.bins:
        rows = table[bins.first_id : bins.first_id + len(bins.centres)].double()
        centres = torch.tensor(bins.centres, dtype=torch.float64, device=table.device)
        centred = centres - centres.mean()
        half = (centres.max() - centres.min()) / 2
        directions.append(half * centred @ rows / (centred @ centred))
    if not directions:
        directions = [axis.gain * table[axis.row].double() for axis in readout.axes]
    if not directions:
        return np.zeros((0, table.shape[1]), dtype=np.float32)
    return torch.stack(directions).float().cpu().numpy()


@dataclass(frozen=True)
class NeuronRow:
    """A neuron as a table shows it."""

    flat: int
    layer: int
    unit: int
    tokens: tuple[tuple[str, float], ...]
    """What its value vector says, with logits, best first."""
    pushes: dict[str, float]
    """By action dimension: nats by which an activation of 1 prefers the upper end to the middle."""
    norm: float


@dataclass(frozen=True, eq=False)
class NeuronTable:
    """All neurons of one stack, N = layers * m, by flat id."""

    stack: Stack
    top: TopTokens
    pushes: NDArray[np.float32]
    """``(N, D)`` by action dimension."""
    norms: NDArray[np.float32]
    """``(N,)`` lengths of the value vectors."""

    @property
    def readout(self) -> Readout:
        """What the vectors were projected on."""
        return readout_of(self.stack)

    def row(self, flat: int) -> NeuronRow:
        """Return one neuron; errors as :func:`workbench.steering.sites.neuron_of`."""
        place = neuron_of(self.stack, flat)
        words = tuple((self.readout.label(int(i)), float(s)) for i, s in zip(self.top.ids[flat], self.top.scores[flat], strict=True))
        pushes = dict(zip(self.readout.dimensions, self.pushes[flat].tolist(), strict=True))
        return NeuronRow(flat, place.layer, place.unit, words, pushes, float(self.norms[flat]))

    def search(
        self, *, word: str = "", layers: Iterable[int] | None = None, dimension: str = "", sign: int = 1, limit: int = 50
    ) -> tuple[int, ...]:
        """Return flat ids: neurons that say a word, in some layers, ordered by how strongly they push a dimension.

        Args:
            word: part of a label among the top tokens, in any case; empty for all.
            layers: None for all.
            dimension: order by the push on it, largest first; empty to order by the best matching token's logit.
            sign: -1 for neurons that push the dimension down.
            limit: how many at most.

        Raises:
            UnknownName: the stack has no such action dimension.
        """
        keep = np.ones(len(self.norms), dtype=bool)
        order = self.top.scores[:, 0].copy()
        if word:
            hits = np.isin(self.top.ids, self._rows_with(word))
            keep &= hits.any(axis=1)
            order = np.where(hits, self.top.scores, -np.inf).max(axis=1)
        if layers is not None:
            keep &= np.isin(np.arange(len(keep)) // self.stack.inner, list(layers))
        if dimension:
            order = np.sign(sign) * self.push(dimension)
        found = np.flatnonzero(keep)
        return tuple(found[np.argsort(-order[found], kind="stable")][:limit].tolist())

    def push(self, dimension: str) -> NDArray[np.float32]:
        """Return every neuron's push ``(N,)`` on an action dimension.

        Raises:
            UnknownName: the stack has no such action dimension.
        """
        if dimension not in self.readout.dimensions:
            raise UnknownName("action dimension", dimension, self.readout.dimensions)
        pushes: NDArray[np.float32] = self.pushes[:, self.readout.dimensions.index(dimension)]
        return pushes

    def action_shares(self) -> NDArray[np.float64]:
        """Return for each layer ``(L,)`` the share of action tokens among the top tokens."""
        is_action = np.array([self.readout.is_action(i) for i in range(int(self.top.ids.max()) + 1)])
        shares: NDArray[np.float64] = is_action[self.top.ids].reshape(len(self.stack.blocks), -1).mean(axis=1)
        return shares

    def _rows_with(self, word: str) -> NDArray[np.int32]:
        wanted, ids = word.casefold(), np.unique(self.top.ids)
        return np.array([i for i in ids if wanted in self.readout.label(int(i)).casefold()], dtype=np.int32)


def build_table(module: nn.Module, anatomy: Anatomy, stack: str, *, k: int = TOP_TOKENS, progress: Progress | None = None) -> NeuronTable:
    """Project all value vectors of a stack, layer by layer.

    Raises:
        InvalidInput: the stack has no read-out.
    """
    found = anatomy.stack(stack)
    readout = readout_of(found)
    layers = (value_vectors(module, anatomy, stack, layer) for layer in range(len(found.blocks)))
    return table_of(found, layers, readout_weight(module, readout), k=k, progress=progress)


def table_of(
    stack: Stack, layers: Iterator[Tensor], table: Tensor, *, k: int = TOP_TOKENS, progress: Progress | None = None
) -> NeuronTable:
    """Project value vectors ``(m, d)`` that are given layer by layer; only one layer is held at a time.

    Raises:
        InvalidInput: not as many layers, or of another shape, as the stack says.
    """
    directions = torch.tensor(action_directions(readout_of(stack), table), device=table.device)
    tops, pushes, norms = [], [], []
    for values in layers:
        if values.shape != (stack.inner, stack.width):
            raise InvalidInput(f"value vectors of {stack.name!r}", expected=f"{(stack.inner, stack.width)}", found=f"{tuple(values.shape)}")
        tops.append(project(values, table, k))
        pushes.append((values.float() @ directions.T).cpu().numpy())
        norms.append(values.float().norm(dim=1).cpu().numpy())
        if progress is not None:
            progress(len(tops) / len(stack.blocks))
    if len(tops) != len(stack.blocks):
        raise InvalidInput(f"layers of {stack.name!r}", expected=str(len(stack.blocks)), found=str(len(tops)))
    top = TopTokens(np.concatenate([t.ids for t in tops]), np.concatenate([t.scores for t in tops]))
    return NeuronTable(stack, top, np.concatenate(pushes), np.concatenate(norms))
