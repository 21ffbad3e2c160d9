"""Policy calls of development episodes, kept with what the simulator knew and what went through the network: what concepts are found on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.core.protocols import PolicySpec, SteerablePolicy
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.evaluation.episodes import run_trial
from workbench.evaluation.steering_labels import label_now
from workbench.simulation.manner import MANNERS, PLAIN
from workbench.simulation.simulator import BenchSimulator
from workbench.steering.hooks import recorded
from workbench.steering.sites import Part, all_sites, as_module

FIRST_SEED: Final = 500_000
"""Of development episodes; published figures use seeds from 1,000,000 on."""
TASKS: Final = ("place_on_plate",)
TELLINGS: Final = tuple("words" if name == PLAIN else f"words:{name}" for name in MANNERS)
NUM_EPISODES: Final = 6
"""Each manner once; few, since every process that runs trials plays them itself."""


@dataclass(frozen=True, eq=False)
class RecordedCall:
    """One policy call of a development episode."""

    episode: int
    observation: Observation
    """With its pictures."""
    prompt: Prompt
    labels: Mapping[str, float]
    """See :data:`workbench.evaluation.steering_labels.LABELS`."""
    residual: Mapping[tuple[str, int], NDArray[np.float16]]
    """Stack and layer -> ``(T, d)`` tokens of the last forward pass of the call."""


class CallRecorder:
    """A policy that keeps what it is asked and what goes through its network."""

    def __init__(self, policy: SteerablePolicy, simulator: BenchSimulator) -> None:
        self._policy, self._simulator = policy, simulator
        self._sites = all_sites(policy.sites, Part.RESIDUAL)
        self.episode = 0
        self.calls: list[RecordedCall] = []

    @property
    def spec(self) -> PolicySpec:
        """That of the policy."""
        return self._policy.spec

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._policy.reset(rng)

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the policy's actions."""
        with recorded(as_module(self._policy.module), self._policy.sites, self._sites) as found:
            chunk = self._policy.act(observation, prompt, rng)
        residual = {(site.stack, site.layer): _half(tensors[-1]) for site, tensors in found.items() if tensors}
        seen = {c.name: observation.images[c.name].copy() for c in self.spec.cameras}
        kept = replace(observation, images=seen, depth={}, cameras={c.name: observation.cameras[c.name] for c in self.spec.cameras})
        self.calls.append(RecordedCall(self.episode, kept, prompt, label_now(self._simulator), residual))
        return chunk


def record_calls(
    policy: SteerablePolicy,
    simulator: BenchSimulator,
    *,
    tasks: Sequence[str] = TASKS,
    tellings: Sequence[str] = TELLINGS,
    episodes: int = NUM_EPISODES,
    first_seed: int = FIRST_SEED,
) -> tuple[RecordedCall, ...]:
    """Let a policy play development episodes, each way of telling in turn, and return its calls with their labels.

    Args:
        policy: not steered.
        simulator: that it was made for; it stands anywhere afterwards.
        tasks: in turn, changing slower than the ways of telling.
        tellings: see :mod:`workbench.evaluation.telling`.
        episodes: how many.
        first_seed: of the first; the others follow.
    """
    recorder = CallRecorder(policy, simulator)
    for index in range(episodes):
        recorder.episode, begun = index, len(recorder.calls)
        task = tasks[(index // len(tellings)) % len(tasks)]
        result = run_trial(simulator, recorder, task, first_seed + index, tellings[index % len(tellings)])
        for at in range(begun, len(recorder.calls)):
            call = recorder.calls[at]
            recorder.calls[at] = replace(call, labels={**call.labels, "success": float(result.is_success)})
    return tuple(recorder.calls)


def _half(tensor: Tensor) -> NDArray[np.float16]:
    half: NDArray[np.float16] = tensor[0].detach().to("cpu", torch.float16).numpy()
    return half
