"""What is known of the way before the decoder, put together."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from models.bench_vla.calibration import NUM_FEATURES, NUM_GRIPS, NUM_RELATIONS, NUM_SAID, NUM_TURNS
from models.bench_vla.config import NUM_ROLES, STATE_DIM
from models.bench_vla.prompts import NUM_AHEAD

CLOSE_WIDTH: Final = 96
"""Features of what is closely around one point."""
NUM_LED: Final = NUM_RELATIONS + NUM_AHEAD * (NUM_FEATURES + 3) + (NUM_AHEAD - 1) * NUM_TURNS + NUM_GRIPS + NUM_RELATIONS + NUM_SAID
"""How the targets lie to each other; the points of a given trace: way, is its height told, opening, is it told; turns to its parts; turns
to grip the target along its heading; where the arm is along the low part of the trace; what is left of a turn that was told."""


class Aim(nn.Module):
    """What is seen at the targets and closely around them, where they are from the arm, what is said, where a trace leads; starts at zero."""

    def __init__(self, num_seen: int, width: int) -> None:
        super().__init__()
        self.seen = mlp(num_seen, 4 * width, 4 * width)
        self.last = nn.Linear(4 * width, width)
        self.said = nn.Linear(NUM_ROLES * width, 4 * width)
        self.led = mlp(NUM_LED, 2 * width, 4 * width)
        self.closely = mlp(2 * NUM_ROLES * CLOSE_WIDTH + STATE_DIM, 2 * width, 4 * width)
        for layer in (self.last, self.said, self.led[-1], self.closely[-1]):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, seen: Tensor, said: Tensor, led: Tensor, close: Tensor) -> Tensor:
        """Map ``(A, num_seen)``, ``(A, 2 * width)``, ``(A, num_led)`` and glimpses with the state to ``(A, width)``."""
        aim: Tensor = self.last(functional.gelu(self.seen(seen) + self.said(said) + self.led(led) + self.closely(close)))
        return aim


def mlp(num_inputs: int, hidden: int, num_outputs: int) -> nn.Sequential:
    """Return two layers with a GELU between."""
    return nn.Sequential(nn.Linear(num_inputs, hidden), nn.GELU(), nn.Linear(hidden, num_outputs))
