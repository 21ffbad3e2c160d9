"""Watching one episode: score after score beside the band, and the moment at which a person should know."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.calls import Detector, PolicyCall
from workbench.failure.band import Band


@dataclass(frozen=True)
class Reading:
    """What one call of the policy came to."""

    step: int
    score: float
    upper: float
    """Where the alarm is raised."""
    is_above: bool
    is_alarm: bool
    """Whether the score has just left the band."""


class EpisodeWatch:
    """Scores the calls of one episode; belongs to one thread. A call that is made again at the same step replaces the first."""

    def __init__(self, detector: Detector, band: Band) -> None:
        self._detector, self.band = detector, band
        self._calls: list[PolicyCall] = []
        self.readings: list[Reading] = []
        detector.reset()

    def restart(self) -> None:
        """Begin anew: what follows is another attempt."""
        self._calls.clear()
        self.readings.clear()
        self._detector.reset()

    def look(self, call: PolicyCall) -> Reading:
        """Score one more call."""
        if self._calls and self._calls[-1].step == call.step:
            self._take_back()
        self._calls.append(call)
        score, upper = self._detector.score(call), self.band.upper_at(len(self.readings))
        is_above, was_above = score >= upper, bool(self.readings) and self.readings[-1].is_above
        reading = Reading(call.step, score, upper, is_above, is_above and not was_above)
        self.readings.append(reading)
        return reading

    def _take_back(self) -> None:
        """Go back to before the last call; the detector hears the others again."""
        calls = self._calls[:-1]
        self.restart()
        for call in calls:
            self.look(call)
