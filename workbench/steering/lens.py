"""What the network would say at every layer: logit lens per action dimension, entropies, and the neurons behind the action."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.core.anatomy import ActionBins, ActionTokens, Anatomy, Stack
from workbench.core.errors import InvalidInput
from workbench.steering.hooks import recorded
from workbench.steering.projection import NeuronTable
from workbench.steering.sites import Part, Site, find_module, readout_of, readout_weight

ANY_DIMENSION: Final = "any"

Recording = Mapping[Site, Sequence[Tensor]]
"""What :func:`workbench.steering.hooks.recorded` collects."""


@dataclass(frozen=True, eq=False)
class LensReading:
    """An action chunk of S steps and D dimensions as it is after each of L layers."""

    dimensions: tuple[str, ...]
    values: NDArray[np.float32]
    """``(L, S, D)``: expected value of the bins, or the continuous read-out; in the unit of the dimension."""
    entropies: NDArray[np.float32] | None
    """``(L, S, D)`` [nat] of the bins; None for a continuous read-out."""
    confidences: NDArray[np.float32] | None
    """``(L, S, D)`` probability of the likeliest bin."""
    best: NDArray[np.int64] | None
    """``(L, S, D)`` index of the likeliest bin."""


def logit_lens(module: nn.Module, anatomy: Anatomy, call: Callable[[], object], stack: str) -> LensReading:
    """Read the residual stream at the action tokens after every layer through the final norm and the read-out, in one policy call.

    Raises:
        InvalidInput: the stack has no action tokens or no read-out, or did not run.
    """
    with recorded(module, anatomy, sites_of(anatomy, stack, Part.RESIDUAL)) as tensors:
        call()
    return lens_of(module, anatomy, stack, tensors)


def lens_of(module: nn.Module, anatomy: Anatomy, stack: str, tensors: Recording) -> LensReading:
    """Return the lens from the recorded residual stream of every layer of a stack; errors as :func:`logit_lens`."""
    found = anatomy.stack(stack)
    sites = sites_of(anatomy, stack, Part.RESIDUAL)
    hidden = torch.stack([_action_tokens(found, tensors[site]) for site in sites])  # (L, S, tokens a step, d)
    with torch.inference_mode():
        norm = find_module(module, found.final_norm) if found.final_norm else nn.Identity()
        return read_actions(found, norm(hidden), readout_weight(module, readout_of(found)))


def sites_of(anatomy: Anatomy, stack: str, part: Part) -> list[Site]:
    """Return the sites of one part in every layer of a stack."""
    return [Site(stack, layer, part) for layer in range(len(anatomy.stack(stack).blocks))]


def read_actions(stack: Stack, hidden: Tensor, table: Tensor) -> LensReading:
    """Read normalised action tokens ``(L, S, D or 1, d)`` by the rows of the read-out ``(V, d)``."""
    readout = readout_of(stack)
    if not readout.bins:
        rows = torch.stack([table[a.row] * a.gain for a in readout.axes]).to(hidden)
        return LensReading(readout.dimensions, (hidden[:, :, 0] @ rows.T).float().cpu().numpy(), None, None, None)
    parts = [_read_bins(hidden[:, :, i], bins, table) for i, bins in enumerate(_bins_of(stack, hidden.shape[2]))]
    value, entropy, confidence, best = (torch.stack(p, dim=-1).cpu().numpy() for p in zip(*parts, strict=True))
    return LensReading(readout.dimensions, value, entropy, confidence, best)


class _BinReading(NamedTuple):
    value: Tensor
    entropy: Tensor
    confidence: Tensor
    best: Tensor


def _read_bins(hidden: Tensor, bins: ActionBins, table: Tensor) -> _BinReading:
    rows = table[bins.first_id : bins.first_id + len(bins.centres)].to(hidden)
    logs = (hidden @ rows.T).float().log_softmax(-1)
    chances = logs.exp()
    peak = chances.max(-1)
    centres = torch.tensor(bins.centres, dtype=torch.float32, device=chances.device)
    return _BinReading(chances @ centres, -(chances * logs).sum(-1), peak.values, peak.indices)


def _bins_of(stack: Stack, num_dims: int) -> Sequence[ActionBins]:
    """Return the bins of each dimension, which may be shared by all."""
    bins = readout_of(stack).bins
    if len(bins) == 1 and bins[0].dimension == ANY_DIMENSION:
        return bins * num_dims
    if len(bins) != num_dims:
        raise InvalidInput(f"action tokens of {stack.name!r}", expected=f"{len(bins)} a step", found=str(num_dims))
    return bins


def _action_tokens(stack: Stack, passes: Sequence[Tensor]) -> Tensor:
    """Return the action tokens ``(S, tokens a step, C)`` of the first batch item; of several passes, the last one's."""
    actions = actions_of(stack)
    if not passes:
        raise InvalidInput(f"policy call through {stack.name!r}", expected="at least one forward pass", found="none")
    end = actions.start + actions.num_steps * actions.num_dims
    return passes[-1][0, actions.start : end].reshape(actions.num_steps, actions.num_dims, -1)


def actions_of(stack: Stack) -> ActionTokens:
    """Return where a stack keeps its action tokens.

    Raises:
        InvalidInput: it has none at fixed places.
    """
    if stack.actions is None:
        raise InvalidInput(f"stack {stack.name!r}", expected="one with action tokens at fixed places", found="one without")
    return stack.actions


@dataclass(frozen=True)
class Contribution:
    """How much a neuron argues for the present action."""

    flat: int
    activation: float
    """Mean over the steps of the chunk."""
    push: float
    """Activation times the push of its value vector [nat towards the upper end; its sign says which end]."""


def top_contributions(
    module: nn.Module,
    anatomy: Anatomy,
    call: Callable[[], object],
    table: NeuronTable,
    dimension: str,
    *,
    count: int = 10,
    num_steps: int = 1,
) -> tuple[Contribution, ...]:
    """Return the neurons that contribute most to one action dimension in a policy call: activation times value projection.

    Direct effect only: what a neuron does through later layers is not in it, nor is the norm before the read-out.

    Args:
        module: the network.
        anatomy: its anatomy.
        call: makes the policy call.
        table: the neurons of the stack.
        dimension: for example ``dz``.
        count: how many.
        num_steps: the first steps of the chunk, those that are executed.

    Raises:
        UnknownName: the stack has no such action dimension.
    """
    with recorded(module, anatomy, sites_of(anatomy, table.stack.name, Part.NEURONS)) as tensors:
        call()
    return contributions_of(tensors, table, dimension, count=count, num_steps=num_steps)


def contributions_of(
    tensors: Recording, table: NeuronTable, dimension: str, *, count: int = 10, num_steps: int = 1
) -> tuple[Contribution, ...]:
    """Return the contributions from the recorded neurons of every layer; arguments and errors as :func:`top_contributions`."""
    stack, pushes = table.stack, table.push(dimension)
    sites = [Site(stack.name, layer, Part.NEURONS) for layer in range(len(stack.blocks))]
    tokens = actions_of(stack).num_dims
    at = table.readout.dimensions.index(dimension) if tokens > 1 else 0
    activations = torch.cat([_action_tokens(stack, tensors[s])[:num_steps, at].float().mean(0) for s in sites]).cpu().numpy()
    total = activations * pushes
    best = np.argsort(-np.abs(total), kind="stable")[:count]
    return tuple(Contribution(int(i), float(activations[i]), float(total[i])) for i in best)


def strip(module: nn.Module, anatomy: Anatomy, call: Callable[[], object], stack: str) -> NDArray[np.float32]:
    """Return a picture of the network at work: norm of what each block's feed-forward layer adds to each token, ``(L, T)``."""
    with recorded(module, anatomy, sites_of(anatomy, stack, Part.FFN)) as tensors:
        call()
    return strip_of(anatomy, stack, tensors)


def strip_of(anatomy: Anatomy, stack: str, tensors: Recording) -> NDArray[np.float32]:
    """Return the picture from the recorded outputs of every feed-forward layer; errors when the stack did not run.

    Raises:
        InvalidInput: there was no forward pass.
    """
    sites = sites_of(anatomy, stack, Part.FFN)
    if not tensors[sites[0]]:
        raise InvalidInput(f"policy call through {stack!r}", expected="at least one forward pass", found="none")
    return torch.stack([tensors[site][-1][0].float().norm(dim=-1) for site in sites]).cpu().numpy()
