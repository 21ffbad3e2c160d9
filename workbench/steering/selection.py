"""Choosing neurons for a concept: by the words they say, by the action they push, and by what clamping them really does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn

from workbench.core.anatomy import Anatomy, Stack
from workbench.core.errors import InvalidInput, UnknownName
from workbench.steering.edits import ClampNeurons, SteeringEdit
from workbench.steering.projection import NeuronTable, TopTokens, project
from workbench.steering.scopes import Scope
from workbench.steering.sites import neuron_of, readout_weight, value_vectors

CLUSTER_SIZE: Final = 10
NEIGHBOURS: Final = 5
TOP_FOR_CHOICE: Final = 20
NUM_RANDOM: Final = 20

Measure = Callable[[Sequence[SteeringEdit]], NDArray[np.floating]]
"""Makes one policy call on each of the same stored observations under some edits, and returns an action of each, ``(n, 7)``."""


def semantic_embeddings(top: TopTokens, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the meaning of each neuron ``(N, d)``: mean of its top tokens' embeddings ``(V, d)`` weighted by their probabilities.

    Source: CTRL-STEER, arXiv:2606.00269: value vector, unembedding, softmax, top 20 tokens, probability-weighted mean.
    """
    weights = softmax(top.scores.astype(np.float64), axis=1)
    meaning: NDArray[np.float32] = np.einsum("nk,nkd->nd", weights, embeddings[top.ids]).astype(np.float32)
    return meaning


def nearest_neurons(
    module: nn.Module, anatomy: Anatomy, stack: str, words: Sequence[str], *, neighbours: int = NEIGHBOURS
) -> dict[str, tuple[int, ...]]:
    """Return for each concept word the flat ids of the neurons nearest in meaning, over all layers, nearest first.

    Source: CTRL-STEER: cosine, k = 5, the union is then filtered by hand to 10; here the causal ranking can filter it.

    Raises:
        UnknownName: a word is not one token of the read-out.
        InvalidInput: the stack has no read-out with labels.
    """
    found = anatomy.stack(stack)
    if found.readout is None or not found.readout.labels:
        raise InvalidInput(f"stack {stack!r}", expected="one whose read-out knows words", found="one without")
    weight, labels = readout_weight(module, found.readout), found.readout.labels
    for word in words:
        if word not in labels:
            raise UnknownName("word of the policy", word, labels)
    vectors = torch.cat([value_vectors(module, anatomy, stack, layer) for layer in range(len(found.blocks))])
    table = _unit(weight.float().cpu().numpy())
    meaning = _unit(semantic_embeddings(project(vectors, weight, TOP_FOR_CHOICE), weight.float().cpu().numpy()))
    nearest = {}
    for word in words:
        cosines = meaning @ table[labels.index(word)]
        nearest[word] = tuple(np.argsort(-cosines, kind="stable")[:neighbours].tolist())
    return nearest


@dataclass(frozen=True)
class Effect:
    """What clamping one neuron does to an action dimension."""

    flat: int
    mean: float
    """Mean change over the observations, in the unit of the dimension."""
    error: float
    """Standard error of the mean."""


@dataclass(frozen=True)
class CausalRanking:
    """Candidates by their measured effect, with what random neurons do."""

    dimension: int
    alpha: float
    num_observations: int
    effects: tuple[Effect, ...]
    """Largest effect in the wanted direction first."""
    random: tuple[Effect, ...]

    @property
    def band(self) -> tuple[float, float]:
        """The 2.5 % and 97.5 % quantiles of the random neurons' effects."""
        low, high = np.quantile([e.mean for e in self.random], [0.025, 0.975]) if self.random else (0.0, 0.0)
        return float(low), float(high)

    def best(self, count: int = CLUSTER_SIZE) -> tuple[int, ...]:
        """Return the flat ids of the best candidates."""
        return tuple(e.flat for e in self.effects[:count])


def rank_by_effect(
    measure: Measure,
    stack: Stack,
    candidates: Sequence[int],
    *,
    dimension: int,
    sign: int = 1,
    alpha: float,
    rng: np.random.Generator,
    num_random: int = NUM_RANDOM,
    scope: Scope | None = None,
    progress: Callable[[float], None] | None = None,
) -> CausalRanking:
    """Clamp each candidate alone, and rank them by what happens to one action dimension.

    Args:
        measure: makes the policy calls.
        stack: whose neurons these are.
        candidates: flat ids.
        dimension: index into the action.
        sign: -1 to rank those first that make it smaller.
        alpha: what they are clamped to.
        rng: draws the random neurons, from the layers of the candidates.
        num_random: how many.
        scope: where the clamp acts; everywhere by default.
        progress: told the share that is done.

    Raises:
        InvalidInput: there are no candidates or no observations, or a neuron does not exist.
    """
    if not candidates:
        raise InvalidInput("candidates", expected="at least one neuron", found="none")
    layers = sorted({neuron_of(stack, flat).layer for flat in candidates})
    controls = _draw(stack, layers, set(candidates), num_random, rng)
    base = np.asarray(measure(()), dtype=np.float64)[:, dimension]
    if not len(base):
        raise InvalidInput("stored observations", expected="at least one", found="none", fix="Record some steps first.")
    effects = []
    for flat in (*candidates, *controls):
        edit = ClampNeurons(stack.name, (flat,), alpha, scope or Scope())
        change = np.asarray(measure((edit,)), dtype=np.float64)[:, dimension] - base
        error = float(change.std(ddof=1) / len(change) ** 0.5) if len(change) > 1 else float("nan")
        effects.append(Effect(flat, float(change.mean()), error))
        if progress is not None:
            progress(len(effects) / (len(candidates) + len(controls)))
    ranked = sorted(effects[: len(candidates)], key=lambda e: -np.sign(sign) * e.mean)
    return CausalRanking(dimension, alpha, len(base), tuple(ranked), tuple(effects[len(candidates) :]))


def candidates_for(table: NeuronTable, dimension: str, *, sign: int = 1, count: int = 4 * CLUSTER_SIZE) -> tuple[int, ...]:
    """Return the neurons whose value vectors push an action dimension most: what the causal ranking then tries."""
    return table.search(dimension=dimension, sign=sign, limit=count)


def _draw(stack: Stack, layers: Sequence[int], taken: set[int], count: int, rng: np.random.Generator) -> list[int]:
    free = [f for layer in layers for f in range(layer * stack.inner, (layer + 1) * stack.inner) if f not in taken]
    return [int(f) for f in rng.choice(free, size=min(count, len(free)), replace=False)] if free else []


def _unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)
