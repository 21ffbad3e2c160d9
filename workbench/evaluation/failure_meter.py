"""What failure detectors say of a trial, at numbers of calls that are the same for every trial, and whether an alarm was raised."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

import numpy as np

from workbench.core.calls import PolicyCall
from workbench.core.errors import InvalidInput
from workbench.core.protocols import SteerablePolicy
from workbench.evaluation.watched_trials import CallKeeper
from workbench.failure.alarms import WatchKit
from workbench.failure.band import ALPHA, fit_band
from workbench.failure.detectors import score_calls
from workbench.steering.concepts import fingerprint
from workbench.steering.sites import as_module

DETECTORS: Final = ("lstm", "mlp", "mahalanobis", "neighbours", "disagreement", "entropy")
LANDMARKS: Final = (3, 5, 8, 12, 16, 24)
"""Numbers of calls after which trials are compared."""
SEEN: Final = "seen task"
ALARMED: Final = "alarm"
ALARM_AT: Final = "alarm at"
"""First alarm as a share of the trial; 1 without one."""
NUM_ALARMS: Final = "alarms"


def load_kit(name: str) -> WatchKit:
    """Import what loads detectors by its import string, and load them."""
    module, attribute = name.split(":")
    found: Callable[[], WatchKit] = getattr(import_module(module), attribute)
    return found()


def check_kit(kit: WatchKit, policy: SteerablePolicy) -> None:
    """Refuse detectors that were trained on other weights.

    Raises:
        InvalidInput: they were.
    """
    mine = fingerprint(as_module(policy.module))
    if kit.policy != mine:
        raise InvalidInput(
            "failure detector",
            expected=f"one trained on {mine}",
            found=f"one trained on {kit.policy}",
            fix="Train it anew: python app.py train detector",
        )


def score_name(detector: str, calls: int) -> str:
    """Return the measure of a detector's largest score within so many calls."""
    return f"{detector} by call {calls}"


class FailureMeter:
    """Keeps the calls of a trial, and scores them when it is over."""

    def __init__(self, policy: SteerablePolicy, kit: WatchKit, task: str) -> None:
        self._kit, self._task = kit, task
        self._calls: list[PolicyCall] = []
        self.policy = CallKeeper(policy, self._calls.append)
        """What acts in the trial."""

    def measures(self) -> dict[str, float]:
        """Return the scores at every landmark that the trial reached, and the alarms of the detector that is used on the page."""
        kit = self._kit
        found = {SEEN: float(self._task in kit.about.get("seen_tasks", ()))}
        curves = {name: score_calls(kit.make(name), self._calls) for name in dict.fromkeys((*DETECTORS, kit.best))}
        for name in DETECTORS:
            found |= {score_name(name, n): float(curves[name][:n].max()) for n in LANDMARKS if n <= len(self._calls)}
        if not self._calls:
            return found
        curve = curves[kit.best]
        band = fit_band(kit.curves_of(kit.best), ALPHA, np.random.default_rng(0))
        first = band.first_alarm(curve)
        at = 1.0 if first is None else (first + 1) / len(curve)
        return found | {ALARMED: float(first is not None), ALARM_AT: at, NUM_ALARMS: float(band.num_alarms(curve))}
