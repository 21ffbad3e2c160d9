"""Executing the policy's chunks: one after the other, or several that foretell the same step put together.

Four ways. *Open loop* executes a whole chunk before the policy is asked again; *receding horizon* a part of it. The ensembles keep the last
chunks and, each time the policy is asked, execute for every coming step a weighted mean of what they foretold for it: *temporal* by age
(Source: ACT, arXiv:2304.13705), *adaptive* by how alike each is to the newest (Source: CogACT, arXiv:2411.19650).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_DIM, ActionChunk, Intention
from workbench.verification.ensemble import ACT_DECAY, ADAPTIVE_ALPHA, adaptive_weights, temporal_weights

_NO_SCORES: Final[Mapping[str, float]] = MappingProxyType({})
MAX_KEPT: Final = 16
MAX_HORIZON: Final = 64


class ChunkMode(StrEnum):
    """How chunks are executed."""

    RECEDING = "receding"
    OPEN_LOOP = "open loop"
    TEMPORAL = "temporal"
    ADAPTIVE = "adaptive"


_ENSEMBLES: Final = (ChunkMode.TEMPORAL, ChunkMode.ADAPTIVE)


@dataclass(frozen=True)
class ChunkHandling:
    """What a person chooses of it."""

    mode: ChunkMode = ChunkMode.RECEDING
    horizon: int | None = None
    """Actions that are executed before the policy is asked again; None: as many as it asks for, with an ensemble one."""
    num_kept: int = 8
    """Chunks that an ensemble looks at, the newest included."""
    alpha: float = ADAPTIVE_ALPHA
    """Of the adaptive ensemble: 0 is the plain mean, larger trusts those like the newest."""
    decay: float = ACT_DECAY
    """Of the temporal ensemble: how much less a newer chunk counts than the one before."""

    def __post_init__(self) -> None:
        if self.horizon is not None and not 1 <= self.horizon <= MAX_HORIZON:
            raise InvalidInput("execution horizon", expected=f"1 to {MAX_HORIZON} actions", found=str(self.horizon))
        if not 1 <= self.num_kept <= MAX_KEPT:
            raise InvalidInput("chunks of an ensemble", expected=f"1 to {MAX_KEPT}", found=str(self.num_kept))
        if not (0 <= self.alpha <= 10 and 0 <= self.decay <= 10):
            raise InvalidInput("weights of an ensemble", expected="numbers from 0 to 10", found=f"{self.alpha} and {self.decay}")

    def steps_of(self, length: int, wanted: int) -> int:
        """Return how many actions of a chunk of some length are executed, when the policy wants so many to be."""
        if self.mode is ChunkMode.OPEN_LOOP:
            return length
        asked = self.horizon if self.horizon is not None else 1 if self.mode in _ENSEMBLES else wanted
        return min(length, max(1, asked))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "mode": self.mode.value}


class Share(NamedTuple):
    """How much a chunk counts in the next action."""

    age: int
    """Steps since the policy gave it."""
    weight: float


class _Kept(NamedTuple):
    """A chunk that was given, and how many steps ago."""

    actions: NDArray[np.float32]
    age: int


class ChunkQueue:
    """The actions that were not executed yet.

    When they are used up, or after :meth:`clear`, the policy is asked again. An action is taken off only when it was executed
    (:meth:`advance`), so that a pause between deciding and acting loses nothing.
    """

    def __init__(self) -> None:
        self._actions: NDArray[np.float32] = np.empty((0, ACTION_DIM), dtype=np.float32)
        self._next = 0
        self._scores = _NO_SCORES
        self._intention: Intention | None = None
        self._kept: deque[_Kept] = deque(maxlen=MAX_KEPT)
        self._shares: tuple[tuple[Share, ...], ...] = ()
        self.taken_shares: tuple[Share, ...] = ()
        """The shares of the action that was taken off last."""

    @property
    def is_empty(self) -> bool:
        """Whether the policy must be asked."""
        return self._next >= len(self._actions)

    @property
    def is_fresh(self) -> bool:
        """Whether there is a chunk of which nothing was executed: asking the policy again at this moment would give the same."""
        return self._next == 0 and len(self._actions) > 0

    @property
    def is_last(self) -> bool:
        """Whether one action is left."""
        return self._next == len(self._actions) - 1

    @property
    def scores(self) -> Mapping[str, float]:
        """What the policy said about the present chunk."""
        return self._scores

    @property
    def intention(self) -> Intention | None:
        """What the policy showed of its intention with the present chunk; None once the chunk was dropped."""
        return self._intention

    @property
    def shares(self) -> tuple[Share, ...]:
        """How much each kept chunk counts in the next action, oldest first; they sum to 1."""
        return () if self.is_empty else self._shares[self._next]

    def put(self, chunk: ActionChunk, horizon: int, handling: ChunkHandling | None = None) -> None:
        """Replace what is left by the first actions of a new chunk, or by its ensemble with those before.

        Args:
            chunk: the policy's answer.
            horizon: as many of its actions as the policy wants to be executed.
            handling: how chunks are executed; by default receding horizon.

        Raises:
            InvalidInput: an action is not finite.
        """
        handling = handling or ChunkHandling()
        actions = np.array(chunk.actions, dtype=np.float32)
        if not np.isfinite(actions).all():
            raise InvalidInput("action chunk", expected="finite numbers", found=str(actions[~np.isfinite(actions).all(axis=1)][0].tolist()))
        taken = self._next
        if self._next == 0 and len(self._actions):
            self._kept.pop()  # it was replaced before anything of it was executed
        self._kept = deque((_Kept(k.actions, k.age + taken) for k in self._kept), maxlen=MAX_KEPT)
        self._kept.append(_Kept(actions, 0))
        count = handling.steps_of(len(actions), horizon)
        if handling.mode in _ENSEMBLES:
            parts = [self._blend(step, handling) for step in range(count)]
            self._actions, self._shares = np.array([action for action, _ in parts], dtype=np.float32), tuple(s for _, s in parts)
        else:
            self._actions, self._shares = actions[:count], tuple((Share(step, 1.0),) for step in range(count))
        self._next, self._scores, self._intention = 0, dict(chunk.scores), chunk.intention

    def _blend(self, step: int, handling: ChunkHandling) -> tuple[NDArray[np.float64], tuple[Share, ...]]:
        """Return the action ``(7,)`` of a coming step, and how much each chunk that foretells it counts."""
        found = [(k.age + step, k.actions[k.age + step]) for k in list(self._kept)[-handling.num_kept :] if k.age + step < len(k.actions)]
        told = np.array([action for _, action in found], dtype=np.float64)
        is_adaptive = handling.mode is ChunkMode.ADAPTIVE
        weights = adaptive_weights(told, handling.alpha) if is_adaptive else temporal_weights(len(told), handling.decay)
        return weights @ told, tuple(Share(age, float(w)) for (age, _), w in zip(found, weights, strict=True))

    def peek(self) -> NDArray[np.float32]:
        """Return the next action ``(7,) float32``."""
        return self._actions[self._next]

    def rest(self) -> NDArray[np.float32]:
        """Return what is left ``(T, 7) float32``; T is 0 when the policy must be asked."""
        return self._actions[self._next :]

    def advance(self) -> None:
        """Take the next action off: it was executed, or somebody else acted in its place."""
        self.taken_shares = self.shares
        self._next += 1

    def clear(self) -> None:
        """Drop what is left and what was kept, for example because the prompt changed."""
        self._next = len(self._actions)
        self._kept.clear()
        self._intention = None
