"""The objects that a person has masked, with undo and redo of single prompts: plain data, shared by threads through a board."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from workbench.core.errors import InvalidInput, TooLarge, UnknownName
from workbench.core.masks import Candidate, MaskPrompt
from workbench.segmentation.masks import Pixels

MAX_OBJECTS: Final = 12
MAX_UNDO: Final = 100
MAX_NAME: Final = 60
NUM_COLOURS: Final = 8
SURE: Final = 0.6
"""From this confidence on an object counts as seen well."""


class Sight(StrEnum):
    """How well an object is seen."""

    VISIBLE = "visible"
    LOW = "low"
    """Seen badly, or hidden for a moment."""
    LOST = "lost"
    """Not seen for so long that a person is asked."""


class Moment(NamedTuple):
    """A frame of a rollout."""

    episode_id: str
    step: int


NEVER: Final = Moment("", 0)


@dataclass(frozen=True, eq=False)
class MaskedObject:
    """One object of a picture."""

    id: str
    name: str
    colour: int
    """Place in the page's table of colours."""
    camera: str
    segmenter: str
    mask: Pixels
    """``(H, W) bool``, where it is now, or was seen last."""
    confidence: float
    sight: Sight = Sight.VISIBLE
    prompt: MaskPrompt = field(default_factory=MaskPrompt)
    """What was said about it on the frame of ``asked_at``; a mask in it is what it was before."""
    asked_at: Moment = NEVER
    candidates: tuple[Candidate, ...] = ()
    """What one click may mean; empty when there is nothing to choose."""
    choice: int = 0
    is_locked: bool = False
    """No click changes a locked object."""
    is_hidden: bool = False
    """Not drawn; it is tracked all the same."""


@dataclass(frozen=True, eq=False)
class BoardState:
    """All objects at one moment."""

    objects: tuple[MaskedObject, ...] = ()
    selected: str | None = None
    """The object that the next click is about; None begins a new one."""

    def find(self, object_id: str) -> MaskedObject:
        """Return an object.

        Raises:
            UnknownName: there is none of that id.
        """
        for found in self.objects:
            if found.id == object_id:
                return found
        raise UnknownName("object", object_id, (o.id for o in self.objects))

    def replaced(self, changed: MaskedObject) -> BoardState:
        """Return the state with one object in place of the one of its id, or added."""
        if any(o.id == changed.id for o in self.objects):
            return replace(self, objects=tuple(changed if o.id == changed.id else o for o in self.objects))
        return replace(self, objects=(*self.objects, changed))

    def without(self, object_id: str) -> BoardState:
        """Return the state without an object."""
        kept = tuple(o for o in self.objects if o.id != object_id)
        return BoardState(kept, None if self.selected == object_id else self.selected)


class ObjectBoard:
    """The present objects and what they were before; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._states = [BoardState()]
        self._position = 0
        self._version = 0

    @property
    def state(self) -> BoardState:
        """The present objects."""
        with self._lock:
            return self._states[self._position]

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._version

    @property
    def can_undo(self) -> bool:
        """Whether something can be taken back."""
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Whether something that was taken back can come again."""
        return self._position < len(self._states) - 1

    def remember(self, state: BoardState) -> None:
        """Make a state the present one; what was undone before is gone.

        Raises:
            TooLarge: it holds too many objects.
        """
        if len(state.objects) > MAX_OBJECTS:
            raise TooLarge("objects", limit=str(MAX_OBJECTS), found=str(len(state.objects)), fix="Remove one first.")
        with self._lock:
            del self._states[self._position + 1 :]
            self._states.append(state)
            del self._states[: max(0, len(self._states) - MAX_UNDO)]
            self._position = len(self._states) - 1
            self._version += 1

    def update(self, change: Callable[[BoardState], BoardState]) -> BoardState:
        """Change the present state without an entry for undo: where things are, what is selected."""
        with self._lock:
            self._states[self._position] = state = change(self._states[self._position])
            self._version += 1
            return state

    def move(self, offset: int) -> BoardState | None:
        """Go back (-1) or forth (+1): what was said about each object, and the masks as they are now where it still exists.

        Returns:
            The present state before the move, or None at either end.
        """
        with self._lock:
            position = self._position + offset
            if not 0 <= position < len(self._states):
                return None
            before, wanted = self._states[self._position], self._states[position]
            self._states[position] = replace(wanted, objects=tuple(_where_it_is(o, before) for o in wanted.objects))
            self._position = position
            self._version += 1
            return before

    def clear(self) -> None:
        """Forget everything, also what could be undone."""
        with self._lock:
            self._states, self._position = [BoardState()], 0
            self._version += 1

    def next_colour(self) -> int:
        """Return the first colour that no object has."""
        used = {o.colour for o in self.state.objects}
        return next((c for c in range(NUM_COLOURS) if c not in used), len(used) % NUM_COLOURS)


def _where_it_is(wanted: MaskedObject, present: BoardState) -> MaskedObject:
    """Return an earlier state of an object; where the world has moved on since it was asked about, its mask is the present one."""
    now = next((o for o in present.objects if o.id == wanted.id), None)
    if now is None or now.asked_at == wanted.asked_at:
        return wanted
    return replace(wanted, mask=now.mask, confidence=now.confidence, sight=now.sight)


def changed_object(found: MaskedObject, changes: Mapping[str, Any]) -> MaskedObject:
    """Return an object with another name, colour, lock or visibility.

    Raises:
        InvalidInput: the name is empty or too long.
    """
    name = changes.get("name", found.name)
    if not name.strip() or len(name) > MAX_NAME:
        raise InvalidInput("name of an object", expected=f"1 to {MAX_NAME} letters", found=repr(name)[:80])
    return replace(found, **{**changes, "name": name.strip()})


def prompt_with(
    base: MaskPrompt,
    points: tuple[tuple[float, float], ...] = (),
    labels: tuple[int, ...] = (),
    box: tuple[float, float, float, float] | None = None,
) -> MaskPrompt:
    """Return a prompt with something more said; a new box takes the place of the old one."""
    return MaskPrompt((*base.points, *points), (*base.labels, *labels), box or base.box, base.mask)


def chosen(found: MaskedObject, index: int) -> MaskedObject:
    """Return an object whose click means another of its candidates.

    Raises:
        InvalidInput: it has no such candidate.
    """
    if not 0 <= index < len(found.candidates):
        raise InvalidInput("choice", expected=f"one of {len(found.candidates)} masks", found=str(index + 1))
    return replace(found, mask=found.candidates[index].pixels, confidence=found.candidates[index].score, choice=index)


def sight_of(confidence: float, unseen_s: float, lost_after_s: float) -> Sight:
    """Return how well an object is seen that was last seen some time ago [s]."""
    if confidence >= SURE:
        return Sight.VISIBLE
    return Sight.LOST if confidence <= 0 and unseen_s > lost_after_s else Sight.LOW
