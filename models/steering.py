"""Opening a policy for steering: its network, and where it keeps its inside."""

from __future__ import annotations

import numpy as np
from torch import nn

from models.layers import find_anatomy
from workbench.core.anatomy import Anatomy
from workbench.core.errors import InvalidInput
from workbench.core.protocols import Interruptible, Policy, PolicySpec, SteerablePolicy
from workbench.core.types import ActionChunk, Observation, Prompt


class OpenedPolicy:
    """A policy that shows its network, with the anatomy that :mod:`models.layers` knows for it."""

    def __init__(self, policy: Policy, module: nn.Module) -> None:
        """Look the network up.

        Raises:
            InvalidInput: its architecture is not known.
        """
        self._policy, self._module = policy, module
        self._anatomy = find_anatomy(module)

    @property
    def spec(self) -> PolicySpec:
        """That of the policy."""
        return self._policy.spec

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._module

    @property
    def sites(self) -> Anatomy:
        """Where it keeps what can be read and steered."""
        return self._anatomy

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._policy.reset(rng)

    def interrupt(self) -> None:
        """Tell the policy that somebody else made the robot do something."""
        if isinstance(self._policy, Interruptible):
            self._policy.interrupt()

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the policy's next actions."""
        return self._policy.act(observation, prompt, rng)


def as_steerable(policy: Policy) -> SteerablePolicy:
    """Return a policy that can be read and steered.

    Raises:
        InvalidInput: the policy does not expose its inside (a remote server, a script), or its architecture is not known.
    """
    if isinstance(policy, SteerablePolicy):
        return policy
    module = getattr(policy, "module", None)
    if not isinstance(module, nn.Module):
        raise InvalidInput(
            f"policy {policy.spec.name!r}",
            expected="one that exposes its inside",
            found=getattr(policy, "closed_reason", "one that does not"),
            fix="Choose a policy whose network runs here, for example bench-vla.",
        )
    return OpenedPolicy(policy, module)
