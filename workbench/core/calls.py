"""One call of a policy, as those see it who watch the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core.types import ActionChunk


@dataclass(frozen=True, eq=False)
class PolicyCall:
    """What went through the policy in one call, and what came out."""

    step: int
    """Control step at which the policy was asked."""
    tokens: NDArray[np.float32]
    """``(T, D) float32``: hidden states behind the last block, of the tokens that become actions."""
    chunk: ActionChunk


class Detector(Protocol):
    """Scores call after call how much an episode looks like one that fails; more is worse."""

    def reset(self) -> None:
        """Forget the episode so far."""
        ...

    def score(self, call: PolicyCall) -> float:
        """Return the score after one more call."""
        ...
