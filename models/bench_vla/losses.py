"""What the network is trained to answer: bins of actions and trace, and where the things are that the words mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bench_vla.batches import Labels
from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.heading import heading_loss
from models.bench_vla.network import Output
from workbench.core.types import ACTION_DIM

_ACTION_SPREAD: Final = 1.0
_TRACE_SPREAD: Final = 2.0
_TURN_SPREAD: Final = 1.0
"""Width of the soft labels [bins]."""
TURNS: Final = np.linspace(-1.6, 1.6, 65)
"""Turns of the gripper that are told apart [rad]."""


@dataclass(frozen=True)
class Weights:
    """How much each part counts."""

    action: float = 1.0
    front: float = 0.4
    wrist: float = 0.3
    trace: float = 0.15
    done: float = 0.2
    rough: float = 0.5
    turn: float = 0.3
    heading: float = 0.2
    said: float = 0.5


class PlanHeads(nn.Module):
    """What is read off the plan of every ask, before the decoder, for learning alone.

    A plan costs little, so many more asks teach it than go through the decoder.
    """

    def __init__(self, config: BenchVlaConfig) -> None:
        super().__init__()
        self._num_actions = (config.horizon, ACTION_DIM, config.num_bins)
        self.actions = nn.Linear(config.width, math.prod(self._num_actions))
        self.turn = nn.Linear(config.width, len(TURNS))

    def forward(self, plan: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(A, width)`` to logits of actions ``(A, 8, 7, num_bins)`` and of the turn that is left ``(A, 65)``."""
        return self.actions(plan).unflatten(-1, self._num_actions), self.turn(plan)


def find_losses(output: Output, planned: tuple[Tensor, Tensor], labels: Labels, bin_centres: Tensor) -> dict[str, Tensor]:
    """Return the mean of each loss [nat], by the names of :class:`Weights`.

    Args:
        output: of the network.
        planned: what :class:`PlanHeads` read off the plans.
        labels: what should be answered.
        bin_centres: ``(7, num_bins)``.
    """
    bins = _soft_bins(labels.actions, bin_centres, _ACTION_SPREAD)
    action = _bin_loss(output.actions, bins[labels.chosen])
    cells = torch.arange(output.trace.shape[-1], device=output.trace.device)
    near = torch.exp(-0.5 * ((cells - labels.trace[..., None]) / _TRACE_SPREAD) ** 2)
    trace = -(near / near.sum(-1, keepdim=True) * output.trace.float().log_softmax(-1)).sum(-1).mean(-1)
    rough, turn = planned
    turns = _soft_bins(labels.turn[:, None], torch.as_tensor(TURNS, dtype=torch.float32, device=turn.device)[None], _TURN_SPREAD)[:, 0]
    return {
        "action": _mean(action, labels.has_action[labels.chosen]),
        "front": _mean(_map_loss(output.front.logits, labels.front), labels.has_front),
        "wrist": _mean(_map_loss(output.wrist.logits, labels.wrist), labels.has_wrist),
        "trace": _mean(trace, labels.has_trace),
        "done": functional.binary_cross_entropy_with_logits(output.done.float(), labels.done),
        "rough": _mean(_bin_loss(rough, bins), labels.has_action),
        "turn": _mean(-(turns * turn.float().log_softmax(-1)).sum(-1), labels.has_action[:, 0]),
        "said": functional.smooth_l1_loss(output.said_turn, labels.said_turn, beta=0.1),
        "heading": _mean(heading_loss(output.heading, labels.turn), labels.has_heading),
    }


def weigh(losses: dict[str, Tensor], weights: Weights) -> Tensor:
    """Return the sum that is minimised."""
    return torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()


def _soft_bins(values: Tensor, centres: Tensor, spread: float) -> Tensor:
    """Return ``(..., d, n)``: a small bump around each value ``(..., d)``, ``spread`` of the ``(d, n)`` bins wide, which sums to one."""
    spacing = centres[:, 1:2] - centres[:, :1]
    clipped = torch.minimum(torch.maximum(values, centres[:, 0]), centres[:, -1])
    bumps = torch.exp(-0.5 * ((centres - clipped[..., None]) / (spread * spacing)) ** 2)
    return bumps / bumps.sum(-1, keepdim=True)


def _bin_loss(logits: Tensor, bins: Tensor) -> Tensor:
    """Return ``(..., 8)``: cross entropy of ``(..., 8, 7, num_bins)`` to soft labels, the mean over the dimensions."""
    return -(bins * logits.float().log_softmax(-1)).sum(-1).mean(-1)


def _map_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return ``(A, 2)``: cross entropy of maps ``(A, 2, 1 + n * n)`` to a cubic B-spline at the target, or to "not in the picture".

    The spline covers 4 x 4 cells and its mean is exactly the target, so that a perfect map gives the place between cells.
    """
    side = round((logits.shape[-1] - 1) ** 0.5)
    place = targets[..., :2].clamp(0, 1) * side - 0.5
    base = place.floor()
    offsets = torch.arange(-1, 3, device=logits.device)
    index = (base[..., None] + offsets).clamp(0, side - 1).long()  # (A, 2, uv, 4)
    weights = _spline((base[..., None] + offsets - place[..., None]).abs())
    columns, rows = index[..., 0, :], index[..., 1, :]
    flat = (rows[..., :, None] * side + columns[..., None, :]).flatten(-2) + 1  # (A, 2, 16)
    share = (weights[..., 1, :, None] * weights[..., 0, None, :]).flatten(-2)
    log = logits.log_softmax(-1)
    inside = -(share * log.gather(-1, flat)).sum(-1)
    return torch.where(targets[..., 2] > 0.5, inside, -log[..., 0])


def _spline(distance: Tensor) -> Tensor:
    """The uniform cubic B-spline at a distance in cells."""
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance).clamp(min=0) ** 3 / 6
    return torch.where(distance < 1, near, far)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
