"""Watched episodes on disk: one safetensors file each, small enough to be kept by the hundred."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from workbench.core.calls import PolicyCall
from workbench.core.errors import InvalidInput
from workbench.core.types import ActionChunk, Intention
from workbench.evaluation.watched_trials import WatchedEpisode, WatchedTrial
from workbench.failure.detectors import feature_of
from workbench.failure.features import Pooling, normalised, pool

KEPT: Final = (Pooling.FIRST, Pooling.LAST, Pooling.MEAN)
"""Of the tokens of a call these three vectors are kept."""


@dataclass(frozen=True, eq=False)
class Track:
    """What is kept of one episode."""

    trial: WatchedTrial
    is_failure: bool
    policy: str
    """Fingerprint of the weights that acted."""
    steps: NDArray[np.int32]
    """``(n,)``: when the policy was asked."""
    pooled: dict[str, NDArray[np.float32]]
    """Pooling -> ``(n, D)`` of the normalised tokens."""
    actions: NDArray[np.float32]
    """``(n, T, 7)``."""
    entropies: NDArray[np.float32]
    """``(n, 2)``: mean and largest entropy of the action tokens [nat]."""

    def features(self, pooling: Pooling) -> NDArray[np.float32]:
        """Return the rows ``(n, D)`` or ``(n, 2 D)`` of all calls, as :func:`workbench.failure.detectors.feature_of` gives them."""
        return np.stack([feature_of(call, pooling) for call in self.calls(pooling)])

    def calls(self, pooling: Pooling) -> tuple[PolicyCall, ...]:
        """Return the calls as a detector with that pooling sees them: of the tokens, only what it pools is there."""
        found = []
        for i, step in enumerate(self.steps):
            ends = (Pooling.FIRST, Pooling.LAST) if pooling is Pooling.ENDS else (pooling,)
            tokens = np.stack([self.pooled[end][i] for end in ends])
            entropies = self.entropies[i]
            # Two entries whose mean and maximum are those of the call.
            told = Intention(entropies=np.array([[2 * entropies[0] - entropies[1], entropies[1]]], dtype=np.float32))
            found.append(PolicyCall(int(step), tokens, ActionChunk(self.actions[i], 1.0, intention=told)))
        return tuple(found)


def track_of(episode: WatchedEpisode, policy: str) -> Track:
    """Return what is kept of a watched episode."""
    calls = episode.calls
    intentions = [c.chunk.intention for c in calls]
    entropies = [
        (0.0, 0.0) if i is None or i.entropies is None else (float(i.entropies.mean()), float(i.entropies.max())) for i in intentions
    ]
    return Track(
        episode.trial,
        episode.is_failure,
        policy,
        np.array([c.step for c in calls], dtype=np.int32),
        {str(how): np.stack([pool(normalised(c.tokens), how) for c in calls]) for how in KEPT},
        np.stack([c.chunk.actions for c in calls]).astype(np.float32),
        np.array(entropies, dtype=np.float32),
    )


def save_track(track: Track, path: Path) -> None:
    """Write a track; the file appears whole or not at all."""
    tensors: dict[str, Any] = {name: rows.astype(np.float16) for name, rows in track.pooled.items()}
    tensors |= {"steps": track.steps, "actions": track.actions, "entropies": track.entropies}
    trial = track.trial
    head = {"task": trial.task, "perturbation": trial.perturbation, "seed": str(trial.seed)}
    head |= {"policy": track.policy, "is_failure": str(int(track.is_failure))}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata=head)
    part.replace(path)


def load_track(path: Path) -> Track:
    """Read what :func:`save_track` wrote.

    Raises:
        InvalidInput: the file is no track, or is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            head = file.metadata()
            pooled = {str(how): file.get_tensor(str(how)).astype(np.float32) for how in KEPT}
            steps, actions, entropies = (file.get_tensor(name) for name in ("steps", "actions", "entropies"))
        trial = WatchedTrial(head["task"], head["perturbation"], int(head["seed"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"watched episode {path.name}", expected="a file of this command", found=str(error)[:120], fix="Delete it."
        ) from error
    return Track(trial, bool(int(head["is_failure"])), head["policy"], steps, pooled, actions, entropies)
