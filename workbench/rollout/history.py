"""What happened so far in the present episode, in memory, for seeking and branching while it runs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from threading import Lock
from typing import Final

from workbench.core.errors import NotStored
from workbench.core.events import EpisodeEnd, EpisodeStart, Event
from workbench.core.types import SimState, Step
from workbench.rollout.branching import MAX_LEAD, Lineage, Standing
from workbench.rollout.steering_marks import SteeringMark, joined, settled

CAPACITY: Final = 10_000
"""Steps kept; at about 4 kB each some 40 MB, and eight minutes at 20 Hz before anything is thinned."""


class EpisodeHistory:
    """Steps and events of one episode. Written by the stepping thread, read by any.

    Memory is bounded. When ``capacity`` is reached, every second step of the older half is dropped, so that the recent half stays
    whole and the past gets coarser with age; the first step always stays. :meth:`step` and :meth:`state` then give the newest
    kept step at or before the one that was asked for, and ``Step.index`` says which it is. Events are thinned never, but the
    oldest go beyond ``capacity``. The store on disk keeps everything.
    """

    def __init__(self, start: EpisodeStart, capacity: int = CAPACITY, *, lineage: Lineage | None = None) -> None:
        assert capacity >= 4, capacity
        self._inherited: tuple[SimState, ...] = tuple(lineage.lead) if lineage else ()
        self._inherited_steering: tuple[SteeringMark, ...] = tuple(lineage.steering) if lineage else ()
        self.start = start
        self._capacity = capacity
        self._lock = Lock()
        self._steps: list[Step] = []
        self._indices: list[int] = []
        self._events: list[Event] = []
        self._present: SimState | None = None
        self._end: EpisodeEnd | None = None

    @property
    def episode_id(self) -> str:
        """Id of the episode."""
        return self.start.episode_id

    @property
    def num_steps(self) -> int:
        """Steps so far, thinned ones included."""
        with self._lock:
            return self._indices[-1] + 1 if self._indices else 0

    @property
    def end(self) -> EpisodeEnd | None:
        """The episode's tail, once it has ended."""
        return self._end

    def step(self, index: int) -> Step:
        """Return step ``index``, or the newest kept one before it.

        Raises:
            NotStored: the episode has no such step.
        """
        with self._lock:
            count = self._indices[-1] + 1 if self._indices else 0
            if not 0 <= index < count:
                raise NotStored(f"Step {index}", reason=f"the episode has {count} steps")
            return self._steps[bisect_right(self._indices, index) - 1]

    def state(self, index: int) -> SimState:
        """Return the state before step ``index``; ``num_steps`` gives the present state, once the rollout stands still.

        Raises:
            NotStored: the episode has no such step.
        """
        with self._lock:
            if self._present is not None and index == (self._indices[-1] + 1 if self._indices else 0):
                return self._present
        return self.step(index).state

    def lead(self, standing: Standing, stop: int) -> tuple[SimState, ...]:
        """Return the states that a policy has to see again to stand where it stood before step ``stop``.

        Empty when they are too many, or some were thinned away.
        """
        first = standing.lead_start
        with self._lock:
            found = self._steps[bisect_left(self._indices, first) : bisect_left(self._indices, stop)]
        states = (self._inherited if standing.is_inherited else ()) + tuple(step.state for step in found)
        return states if len(found) == stop - first and len(states) <= MAX_LEAD else ()

    def steering(self, standing: Standing, lead: Sequence[SimState]) -> tuple[SteeringMark, ...]:
        """Return the edits that were in force during a lead of :meth:`lead`, and are in the end."""
        inherited = self._inherited_steering if standing.is_inherited else ()
        marks = joined(inherited, len(self._inherited) if standing.is_inherited else 0, standing.steering)
        return marks if lead else settled(marks)

    def steps(self, first: int = 0) -> tuple[Step, ...]:
        """Return the kept steps from ``first`` on, in order."""
        with self._lock:
            return tuple(self._steps[bisect_right(self._indices, first - 1) :])

    def events(self, first: int = 0) -> tuple[Event, ...]:
        """Return the events in order, without the first ``first`` of them."""
        with self._lock:
            return tuple(self._events[first:])

    def set_present(self, state: SimState) -> None:
        """Note the state after the last step."""
        self._present = state

    def on_start(self, start: EpisodeStart) -> None:
        """Do nothing: a history is made for one start."""

    def on_step(self, step: Step) -> None:
        """Keep a step."""
        with self._lock:
            self._present = None
            self._steps.append(step)
            self._indices.append(step.index)
            if len(self._steps) > self._capacity:
                self._thin()

    def on_event(self, episode_id: str, event: Event) -> None:
        """Keep an event."""
        with self._lock:
            self._events.append(event)
            if len(self._events) > self._capacity:
                del self._events[0]

    def on_end(self, end: EpisodeEnd) -> None:
        """Keep the tail."""
        self._end = end

    def _thin(self) -> None:
        half = len(self._steps) // 2
        self._steps = self._steps[:half:2] + self._steps[half:]
        self._indices = self._indices[:half:2] + self._indices[half:]
