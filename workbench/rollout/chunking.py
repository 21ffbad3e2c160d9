"""Executing a chunk of actions open loop, before the policy is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_DIM, ActionChunk, Intention

_NO_SCORES: Final[Mapping[str, float]] = MappingProxyType({})


class ChunkQueue:
    """The part of the latest action chunk that was not executed yet.

    At most ``horizon`` actions of a chunk are executed, one a control step; then, or after :meth:`clear`, the policy is asked
    again. An action is taken off only when it was executed (:meth:`advance`), so that a pause between deciding and acting loses
    nothing.
    """

    def __init__(self) -> None:
        self._actions: NDArray[np.float32] = np.empty((0, ACTION_DIM), dtype=np.float32)
        self._next = 0
        self._scores = _NO_SCORES
        self._intention: Intention | None = None

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

    def put(self, chunk: ActionChunk, horizon: int) -> None:
        """Replace what is left by the first ``horizon`` actions of a new chunk.

        Raises:
            InvalidInput: an action is not finite.
        """
        actions = np.array(chunk.actions[: max(1, horizon)], dtype=np.float32)
        if not np.isfinite(actions).all():
            raise InvalidInput("action chunk", expected="finite numbers", found=str(actions[~np.isfinite(actions).all(axis=1)][0].tolist()))
        self._actions, self._next, self._scores = actions, 0, dict(chunk.scores)
        self._intention = chunk.intention

    def peek(self) -> NDArray[np.float32]:
        """Return the next action ``(7,) float32``."""
        return self._actions[self._next]

    def rest(self) -> NDArray[np.float32]:
        """Return what is left ``(T, 7) float32``; T is 0 when the policy must be asked."""
        return self._actions[self._next :]

    def advance(self) -> None:
        """Take the next action off: it was executed, or somebody else acted in its place."""
        self._next += 1

    def clear(self) -> None:
        """Drop what is left, for example because the prompt changed."""
        self._next = len(self._actions)
        self._intention = None
