"""Several edits at once, as a mixing desk: each can be muted or played solo; a whole desk is saved as a preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from workbench.core.errors import InvalidInput, TooLarge
from workbench.steering.controller import ControlLoop
from workbench.steering.edits import SteeringEdit, edit_to_dict, parse_edit, with_strength
from workbench.steering.records import from_json, to_json

MAX_SLOTS: Final = 32


@dataclass(frozen=True)
class Slot:
    """One edit on the desk."""

    name: str
    edit: SteeringEdit
    is_muted: bool = False
    is_solo: bool = False
    loop: ControlLoop | None = None
    """What sets its strength instead of the slider."""


@dataclass(frozen=True)
class Mix:
    """All edits on the desk, in the order in which they act."""

    slots: tuple[Slot, ...] = ()

    def __post_init__(self) -> None:
        names = [s.name for s in self.slots]
        if len(names) > MAX_SLOTS:
            raise TooLarge("steering edits at once", limit=str(MAX_SLOTS), found=str(len(names)))
        if len(set(names)) < len(names):
            raise InvalidInput("names of edits", expected="each one once", found="one twice")

    @property
    def heard(self) -> tuple[Slot, ...]:
        """The slots that act: those on solo if there are any, without the muted ones."""
        chosen = [s for s in self.slots if s.is_solo] or self.slots
        return tuple(s for s in chosen if not s.is_muted)

    @property
    def active(self) -> tuple[SteeringEdit, ...]:
        """The edits that act."""
        return tuple(s.edit for s in self.heard)

    @property
    def is_steering(self) -> bool:
        """Whether anything acts: the page's badge."""
        return bool(self.active)

    def put(self, slot: Slot) -> Mix:
        """Return the desk with a slot added, or replaced where it is when one of that name is there."""
        if any(s.name == slot.name for s in self.slots):
            return Mix(tuple(slot if s.name == slot.name else s for s in self.slots))
        return Mix((*self.slots, slot))

    def without(self, name: str) -> Mix:
        """Return the desk without a slot."""
        return Mix(tuple(s for s in self.slots if s.name != name))

    def turned(self, name: str, strength: float) -> Mix:
        """Return the desk with one slider moved.

        Raises:
            InvalidInput: the strength is absurd, the edit has none, or there is no such slot.
        """
        return self.put(replace(self._slot(name), edit=with_strength(self._slot(name).edit, strength)))

    def muted(self, name: str, is_muted: bool = True) -> Mix:
        """Return the desk with one slot muted or not; errors as :meth:`turned`."""
        return self.put(replace(self._slot(name), is_muted=is_muted))

    def soloed(self, name: str, is_solo: bool = True) -> Mix:
        """Return the desk with one slot on solo or not; errors as :meth:`turned`."""
        return self.put(replace(self._slot(name), is_solo=is_solo))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able dictionary: a preset, and the payload of a steering event."""
        return {"version": 1, "slots": [to_json(s) | {"edit": edit_to_dict(s.edit)} for s in self.slots]}

    def _slot(self, name: str) -> Slot:
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise InvalidInput("edit", expected=f"one of {', '.join(s.name for s in self.slots) or 'none'}", found=repr(name))


def parse_mix(data: object) -> Mix:
    """Read what :meth:`Mix.to_dict` wrote.

    Raises:
        InvalidInput: the document is not a mix; the message names the field.
    """
    if not isinstance(data, Mapping) or data.get("version") != 1 or not isinstance(data.get("slots"), list):
        raise InvalidInput("steering preset", expected="version 1 with a list of slots", found=type(data).__name__)
    return Mix(tuple(_parse_slot(item, i) for i, item in enumerate(data["slots"][: MAX_SLOTS + 1])))


def _parse_slot(item: object, index: int) -> Slot:
    what = f"slot {index}"
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str) or not 1 <= len(item["name"]) <= 100:
        raise InvalidInput(what, expected="an object with a name of 1 to 100 characters", found=type(item).__name__)
    flags = {key: item.get(key, False) for key in ("is_muted", "is_solo")}
    if not all(isinstance(v, bool) for v in flags.values()):
        raise InvalidInput(what, expected="is_muted and is_solo to be true or false", found=str(flags)[:60])
    loop = item.get("loop")
    parsed = None if loop is None else from_json(ControlLoop, loop, f"{what}, loop")
    return Slot(item["name"], parse_edit(item.get("edit"), f"{what}, edit"), loop=parsed, **flags)
