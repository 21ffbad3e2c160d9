"""The policy that does nothing: the arm stays where it is and the gripper keeps its last command."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.protocols import PolicySpec
from workbench.core.types import ACTION_DIM, ActionChunk, Observation, Prompt

HOLD: Final = "hold"
"""Name of the policy that every controller knows."""


def hold_action(observation: Observation) -> NDArray[np.float32]:
    """Return the action ``(7,) float32`` that moves nothing: no motion, the gripper's command as it is."""
    action = np.zeros(ACTION_DIM, dtype=np.float32)
    action[-1] = observation.part("gripper_command")[0]
    return action


class HoldPolicy:
    """Holds still; also what runs when nobody chose a policy."""

    def __init__(self, control_hz: float = 20.0) -> None:
        self._control_hz = control_hz
        self._spec = PolicySpec(name=HOLD, description="Holds still.")

    @property
    def spec(self) -> PolicySpec:
        """What it is: it asks for no pictures and understands no prompt."""
        return self._spec

    def reset(self, rng: np.random.Generator) -> None:
        """Do nothing; there is nothing to forget."""

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action that moves nothing."""
        return ActionChunk(hold_action(observation)[None], control_hz=self._control_hz)
