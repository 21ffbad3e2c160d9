"""What those see who judge candidates for the next chunk of actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core.protocols import Simulator
from workbench.core.types import ActionChunk, Observation, Prompt


@dataclass(frozen=True, eq=False)
class Occasion:
    """A call of the policy whose answer is weighed against other candidates."""

    observation: Observation
    prompt: Prompt
    chunk: ActionChunk
    """The policy's own answer."""


@dataclass(frozen=True)
class VerifierSpec:
    """What a verifier is."""

    name: str
    description: str = ""
    is_privileged: bool = False
    """True when it reads simulator truth; everything chosen with it says so."""


class Verifier(Protocol):
    """Says how good candidates are. Made and used in the thread that steps the simulator."""

    @property
    def spec(self) -> VerifierSpec:
        """What it is."""
        ...

    def score(self, occasion: Occasion, candidates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``(K,)`` scores of candidates ``(K, T, 7)``, the policy's own first; higher is better.

        Raises:
            InvalidInput: it cannot judge what this policy does; the message says why.
        """
        ...


VerifierFactory = Callable[[Simulator], Verifier]
"""Makes a verifier for one simulator, in the thread that steps it."""
