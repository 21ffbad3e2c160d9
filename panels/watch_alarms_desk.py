"""The alarms' side of one live tab: what watches the policy, and what follows an alarm. No weights, no disk of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from workbench.core.events import Event, EventKind
from workbench.core.types import Step
from workbench.failure.alarms import AlarmAction, WatchKit
from workbench.failure.watching import Reading
from workbench.rollout.watch import BOUND, SCORE, LiveWatch, WatchSettings

if TYPE_CHECKING:
    from panels.live import LiveSession

DETECTORS: Final = "models.failure.checkpoint:load_kit"
"""Where other processes find what the policy can be watched by."""
ANSWER_TIMEOUT_S: Final = 60.0
"""Longest wait for the stepping thread, which may be loading a policy."""
AHEAD_CALLS: Final = 25
"""Calls for which the bound is shown before they are made."""
TELLING: Final = frozenset({EventKind.START, EventKind.POLICY, EventKind.ALARM, EventKind.HANDBACK})
"""Events after which the page shows this side anew."""


def open_kit() -> WatchKit:
    """Load what the policy can be watched by; raises NotStored or InvalidInput when there is nothing."""
    from models.failure.checkpoint import load_kit

    return load_kit()


def risk_points(scores: Iterable[tuple[int, Mapping[str, float]]]) -> list[list[float]]:
    """Return step, score and bound where they changed: of stored steps, each with what was scored at it."""
    points: list[list[float]] = []
    for step, found in scores:
        if SCORE in found and BOUND in found:
            point = [round(found[SCORE], 5), round(found[BOUND], 5)]
            if not points or points[-1][1:] != point:
                points.append([step, *point])
    return points


class AlarmDesk:
    """Every method is thread-safe."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._told: Reading | None = None

    @property
    def watch(self) -> LiveWatch:
        """What scores the calls."""
        return self._session.controller.steering.watch

    def set(self, **changes: Any) -> None:
        """Watch by other settings; what the episode has shown so far is scored anew.

        Raises:
            UnknownName: there is no such detector; the old settings stay.
            InvalidInput: a value is out of range, or there is too little calibration for it; the old settings stay.
        """
        watch = self.watch
        settings: WatchSettings = replace(watch.settings, **changes)
        self._session.controller.call(lambda _: watch.set(settings)).result(ANSWER_TIMEOUT_S)
        self._session.changed("watch")

    def state(self) -> dict[str, Any]:
        """Return everything that the part shows, as JSON values."""
        watch, settings = self.watch, self.watch.settings
        kit, band = watch.kit, watch.band
        readings = watch.readings
        events = self._session.controller.history().events()
        return {
            "is_on": settings.is_on,
            "is_watching": watch.is_watching,
            "has_inside": self._session.controller.steering.policy is not None,
            "trouble": watch.trouble,
            "detector": watch.detector,
            "alpha": settings.alpha,
            "action": settings.action.value,
            "actions": [action.value for action in AlarmAction],
            "detectors": [] if kit is None else [_facts(kit, name) for name in kit.detectors],
            "num_curves": 0 if band is None else band.num_curves,
            "seen_tasks": [] if kit is None else list(kit.about.get("seen_tasks", [])),
            "readings": [_point(reading) for reading in readings],
            "ahead": [] if band is None else [round(band.upper_at(len(readings) + i), 5) for i in range(AHEAD_CALLS)],
            "alarms": [{"step": e.step, **e.payload} for e in events if e.kind is EventKind.ALARM],
        }

    # --- told by the rollout, in the stepping thread ---

    def on_step(self, step: Step) -> None:
        """Send the newest score to the page."""
        readings = self.watch.readings
        newest = readings[-1] if readings else None
        if newest is not None and newest is not self._told:
            self._told = newest
            self._session.push({"type": "risk", "point": _point(newest), "count": len(readings)})

    def on_event(self, event: Event) -> None:
        """Tell the page that this side looks different now."""
        if event.kind in TELLING:
            self._session.changed("watch")


def _point(reading: Reading) -> list[float]:
    return [reading.step, round(reading.score, 5), round(reading.upper, 5)]


def _facts(kit: WatchKit, name: str) -> dict[str, Any]:
    aucs = kit.about.get("auc", {}).get(name, {})
    return {"name": name, "about": kit.detectors[name], "seen": aucs.get("seen"), "unseen": aucs.get("unseen")}
