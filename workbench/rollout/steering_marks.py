"""Which edits were in force at which step of an episode, read from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from workbench.core.events import Event
from workbench.steering.assets import Library
from workbench.steering.mix import Mix, parse_mix

NO_ASSETS: Final[Library] = MappingProxyType({})


class SteeringMark(NamedTuple):
    """Edits that were in force from a step of a lead on."""

    at: int
    """Index of the first step in the lead."""
    mix: Mix
    is_change: bool
    """Whether they were changed there; what was left of the chunk was dropped then."""
    policy: str = ""
    """Fingerprint of the weights that they were made for; empty when not known."""


def mark_of(event: Event, first: int) -> SteeringMark:
    """Return the mark of a steering event in a lead that starts with step ``first`` of its episode.

    Raises:
        InvalidInput: the stored edits do not follow their format.
    """
    is_change = event.step >= first and not event.payload.get("is_start", False)
    return SteeringMark(max(0, event.step - first), parse_mix(event.payload), is_change, str(event.payload.get("policy", "")))


def marks_since(events: Iterable[Event], first: int) -> tuple[SteeringMark, ...]:
    """Return the marks of a lead from an episode's steering events in order: what was in force at its start, then every change."""
    marks = [mark_of(event, first) for event in events]
    num_before = sum(event.step < first for event in events)
    return tuple(marks[max(0, num_before - 1) :])


def joined(inherited: Sequence[SteeringMark], num_inherited: int, own: Sequence[SteeringMark]) -> tuple[SteeringMark, ...]:
    """Return the marks of a lead that is put together from a parent's lead and the own steps after it."""
    return (*inherited, *(mark._replace(at=mark.at + num_inherited) for mark in own))


def settled(marks: Sequence[SteeringMark]) -> tuple[SteeringMark, ...]:
    """Return what is in force in the end, for a policy that starts afresh there."""
    return tuple(mark._replace(at=0, is_change=False) for mark in marks[-1:])


def assets_in(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the directions, probes, autoencoders and conceptors that the edits of a steering event name."""
    edits = [slot.get("edit", {}) for slot in payload.get("slots", ()) if isinstance(slot, Mapping)]
    found = (edit.get(name) for edit in edits if isinstance(edit, Mapping) for name in ("direction", "probe", "sae", "conceptor"))
    return tuple(dict.fromkeys(str(id) for id in found if id))
