"""Telling several observers, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from workbench.core.events import EpisodeEnd, EpisodeStart, Event
from workbench.core.protocols import RolloutObserver
from workbench.core.types import Step

OnFailure = Callable[[RolloutObserver, Exception], None]


class Fanout:
    """One observer that tells many.

    With ``on_failure`` an observer that raises does not keep the others from hearing; without, its error goes to the caller.
    """

    def __init__(self, observers: Iterable[RolloutObserver] = (), *, on_failure: OnFailure | None = None) -> None:
        self._observers = tuple(observers)
        self._on_failure = on_failure

    def add(self, observer: RolloutObserver) -> None:
        """Tell one more, from now on."""
        self._observers = (*self._observers, observer)

    def remove(self, observer: RolloutObserver) -> None:
        """Tell one less; nothing happens when it was not told anyway."""
        self._observers = tuple(o for o in self._observers if o is not observer)

    def on_start(self, start: EpisodeStart) -> None:
        """Pass on."""
        self._tell(lambda observer: observer.on_start(start))

    def on_step(self, step: Step) -> None:
        """Pass on."""
        self._tell(lambda observer: observer.on_step(step))

    def on_event(self, episode_id: str, event: Event) -> None:
        """Pass on."""
        self._tell(lambda observer: observer.on_event(episode_id, event))

    def on_end(self, end: EpisodeEnd) -> None:
        """Pass on."""
        self._tell(lambda observer: observer.on_end(end))

    def _tell(self, call: Callable[[RolloutObserver], None]) -> None:
        for observer in self._observers:
            try:
                call(observer)
            except Exception as error:
                if self._on_failure is None:
                    raise
                self._on_failure(observer, error)
