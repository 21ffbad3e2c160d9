"""How the thing that is acted on lies on the table, seen closely in both pictures."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bench_vla.normalisation import ArmPose
from models.bench_vla.stem import NUM_GLIMPSED

_HIDDEN: Final = 128


class Heading(nn.Module):
    """Reads the heading of a thing whose two ends are alike, as a concentration vector of its doubled angle.

    Each picture gives a vector: its angle is twice the heading, its length the concentration of a von Mises distribution. The front camera
    stands still and tells the heading in the world, the wrist camera tells it from the gripper; turned into one frame they are added, as
    independent observations of one angle are (Source: Mardia and Jupp, Directional Statistics, 2000).

    Neither reader is told how the arm stands: an expert near a thing is turned as the thing lies, and a reader that knows the one takes it
    for the other.
    """

    def __init__(self, num_seen: int) -> None:
        super().__init__()
        self.front = _reader(NUM_GLIMPSED + num_seen)
        self.wrist = _reader(NUM_GLIMPSED + num_seen)

    def forward(self, glimpses: tuple[Tensor, Tensor], seen: tuple[Tensor, Tensor], pose: ArmPose) -> Tensor:
        """Return ``(A, 2)``, from the gripper's x axis counter-clockwise.

        Args:
            glimpses: ``(A, 972)`` of the thing on the front and on the wrist picture.
            seen: ``(A, num_seen)``, what else is known of it, on either picture, but not of the arm.
            pose: how the gripper is turned.
        """
        front = self.front(torch.cat([glimpses[0], seen[0]], dim=-1)).float()
        wrist = self.wrist(torch.cat([glimpses[1], seen[1]], dim=-1)).float()
        c, s = functional.normalize(pose.rotation[:, :2, 0], dim=-1).unbind(-1)
        cos, sin = c * c - s * s, 2 * c * s
        turned = torch.stack([cos * front[:, 0] + sin * front[:, 1], cos * front[:, 1] - sin * front[:, 0]], dim=-1)
        heading: Tensor = wrist + turned
        return heading


def heading_loss(heading: Tensor, turn: Tensor) -> Tensor:
    """Return ``(A,)``, the negative log likelihood [nat], up to a constant, of headings ``turn`` ``(A,)`` [rad] under ``(A, 2)`` vectors."""
    concentration = heading.norm(dim=-1)
    doubled = torch.stack([(2 * turn).cos(), (2 * turn).sin()], dim=-1)
    log_scale = torch.special.i0e(concentration).log() + concentration
    loss: Tensor = log_scale - (heading * doubled).sum(-1)
    return loss


def _reader(num_inputs: int) -> nn.Sequential:
    last = nn.Linear(_HIDDEN // 2, 2)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(num_inputs, _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, _HIDDEN // 2), nn.GELU(), last)
