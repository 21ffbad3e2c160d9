"""The path of one tab and everything it was before: undo and redo live on the server, so that a reload loses nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from workbench.rollout.trace_path import DrawnPath, path_to_dict

MAX_UNDO: Final = 200


@dataclass(frozen=True, eq=False)
class Draft:
    """A path with what a person compares it with."""

    path: DrawnPath
    old: tuple[tuple[float, float, float], ...] = ()
    """What it was before a person edited it, for example the policy's own path: world points [m]."""
    what: str = ""
    """What was done to get it, for the person."""
    is_own: bool = False
    """Whether it is the policy's own, so that it follows what the policy says next."""
    repair: dict[str, Any] | None = None
    """What *Make it feasible* changed: ``before`` and ``notes``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-able part of the message that the stage draws from."""
        old = [[round(c, 4) for c in p] for p in self.old]
        return {"path": path_to_dict(self.path), "old": old, "what": self.what, "is_own": self.is_own, "repair": self.repair}


EMPTY: Final = Draft(DrawnPath(()))


@dataclass(eq=False)
class DraftLine:
    """Drafts with a present one; the desk's lock guards it."""

    _drafts: list[Draft] = field(default_factory=lambda: [EMPTY])
    _position: int = 0
    version: int = 0
    """Grows with every change."""

    @property
    def present(self) -> Draft:
        """The present draft."""
        return self._drafts[self._position]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier one."""
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Whether an undone one can come back."""
        return self._position < len(self._drafts) - 1

    def add(self, draft: Draft) -> None:
        """Make a draft the present one; what was undone is gone, and the oldest beyond :data:`MAX_UNDO`."""
        del self._drafts[self._position + 1 :]
        self._drafts.append(draft)
        del self._drafts[: max(0, len(self._drafts) - MAX_UNDO)]
        self._position = len(self._drafts) - 1
        self.version += 1

    def replace(self, draft: Draft) -> None:
        """Put a draft in the place of the present one, without an entry for undo."""
        self._drafts[self._position] = draft
        self.version += 1

    def move(self, offset: int) -> bool:
        """Go back (-1) or forth (+1); at either end nothing happens.

        Returns:
            Whether the present draft is another one now.
        """
        position = min(max(self._position + offset, 0), len(self._drafts) - 1)
        is_moved = position != self._position
        self._position = position
        self.version += int(is_moved)
        return is_moved
