"""What was corrected: the times at which a person drove, their parts and reasons, read from an episode's events and actors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from workbench.core.events import Event, EventKind

REASONS: Final = ("wrong object", "wrong place", "collision ahead", "missed grasp", "dropped it", "stuck", "too slow", "unsafe")
"""Reasons that a person can choose; others are typed."""


class SegmentKind(StrEnum):
    """What a step is good for when a policy learns from it."""

    NONE = "none"
    """A person did not act."""
    RECOVERY = "recovery"
    """The person brings the robot back to where the policy knows its way."""
    CORRECTION = "correction"
    """The person shows what should have been done."""
    DISCARDED = "discarded"
    """The person fumbled; nobody should learn from it."""


@dataclass(frozen=True)
class Segment:
    """Steps ``start <= step < stop`` in which a person drove for one purpose."""

    kind: SegmentKind
    start: int
    stop: int


@dataclass(frozen=True)
class Intervention:
    """One take-over until control was handed back, or the episode ended."""

    start: int
    """Step before which the person took over."""
    stop: int
    """Step before which control was handed back."""
    reason: str
    via: str
    """How it began: ``key``, ``handle``, ``gamepad`` and so on; empty when that is not known."""
    is_discarded: bool
    segments: tuple[Segment, ...]


def interventions_of(events: Iterable[Event], num_steps: int) -> tuple[Intervention, ...]:
    """Return the interventions of an episode in order.

    Args:
        events: of the episode, in order.
        num_steps: of the episode so far; where an intervention that was not handed back ends.
    """
    found: list[Intervention] = []
    taken: _Open | None = None
    for event in events:
        if event.kind is EventKind.TAKEOVER:
            taken = _Open(event)
        elif event.kind is EventKind.INTERVENTION and taken is not None:
            taken.note(event)
        elif event.kind is EventKind.INTERVENTION and found and "reason" in event.payload:
            found[-1] = _with_reason(found[-1], str(event.payload["reason"]))  # said after control was handed back
        elif event.kind in (EventKind.HANDBACK, EventKind.END) and taken is not None:
            found.append(taken.closed(event.step))
            taken = None
        elif event.kind is EventKind.DISCARD:
            begin = event.payload.get("start")
            found = [_discarded(i) if i.start == begin else i for i in found]
            if taken is not None and taken.start == begin:
                taken.is_discarded = True
    return tuple([*found, taken.closed(num_steps)] if taken is not None else found)


class _Open:
    """An intervention that goes on."""

    def __init__(self, event: Event) -> None:
        self.start = event.step
        self.reason, self.via = str(event.payload.get("reason", "")), str(event.payload.get("via", ""))
        self.is_discarded = False
        self.marks = [(event.step, SegmentKind.CORRECTION)]

    def note(self, event: Event) -> None:
        if "reason" in event.payload:
            self.reason = str(event.payload["reason"])
        if event.payload.get("segment") in (SegmentKind.RECOVERY, SegmentKind.CORRECTION):
            self.marks.append((event.step, SegmentKind(event.payload["segment"])))

    def closed(self, stop: int) -> Intervention:
        ends = [step for step, _ in self.marks[1:]] + [stop]
        segments = tuple(Segment(kind, first, end) for (first, kind), end in zip(self.marks, ends, strict=True) if end > first)
        whole = Intervention(self.start, stop, self.reason, self.via, False, segments)
        return _discarded(whole) if self.is_discarded else whole


def _discarded(intervention: Intervention) -> Intervention:
    parts = tuple(Segment(SegmentKind.DISCARDED, s.start, s.stop) for s in intervention.segments)
    return Intervention(intervention.start, intervention.stop, intervention.reason, intervention.via, True, parts)


def _with_reason(intervention: Intervention, reason: str) -> Intervention:
    i = intervention
    return Intervention(i.start, i.stop, reason, i.via, i.is_discarded, i.segments)


def kinds_of_steps(interventions: Iterable[Intervention], num_steps: int) -> list[SegmentKind]:
    """Return the segment kind of every step ``0 <= step < num_steps``."""
    kinds = [SegmentKind.NONE] * num_steps
    for segment in (s for i in interventions for s in i.segments):
        for step in range(max(0, segment.start), min(segment.stop, num_steps)):
            kinds[step] = segment.kind
    return kinds
