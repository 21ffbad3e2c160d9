"""Watching the policy of a live rollout: every call is scored beside its band, and an alarm is followed by what a person chose.

The scores are those of :mod:`workbench.failure`; here they meet the episode. A call that leaves the band is an ALARM event before the step
that it was made for; then the robot pauses and asks, draws another chunk, or lifts the hand, or nothing more. What is tried without a
person is tried a few times only, and then a person is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from workbench.core.calls import PolicyCall
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import EventKind, new_id
from workbench.core.types import Observation
from workbench.failure.alarms import AlarmAction, WatchKit
from workbench.failure.band import ALPHA, ALPHA_RANGE, Band, fit_band
from workbench.failure.watching import EpisodeWatch, Reading
from workbench.intervention.rules import Question
from workbench.rollout.hold import hold_action
from workbench.rollout.loop import LiveEpisode, drop_plans, emit
from workbench.rollout.modes import RolloutMode

if TYPE_CHECKING:
    from workbench.steering.policy import SteeredPolicy

OpenKit: TypeAlias = Callable[[], WatchKit]
"""Loads what a policy can be watched by; raises a WorkbenchError that says why there is nothing."""

SCORE: Final = "failure"
"""Score of a step: how much its call looked like one of a failing episode."""
BOUND: Final = "failure_bound"
"""Score of a step: where the alarm is raised."""
ALARM_RULE: Final = -3
"""Stands for the rule of a question that no rule of a person asks."""
COOLDOWN_CALLS: Final = 6
"""Calls between two tries while the score stays outside the band."""
MAX_TRIES: Final = 3
"""Tries without a person in an episode; then the robot asks."""
LIFT_M: Final = 0.08
LIFT_SPEED: Final = 0.12
"""[m/s]"""
LIFT_LIMIT_S: Final = 1.5


@dataclass(frozen=True)
class WatchSettings:
    """What a person chooses."""

    is_on: bool = True
    detector: str = ""
    """Empty for the one that was best on held-out episodes."""
    alpha: float = ALPHA
    action: AlarmAction = AlarmAction.NOTE

    def __post_init__(self) -> None:
        low, high = ALPHA_RANGE
        if not low <= self.alpha <= high:
            raise InvalidInput("share of false alarms", expected=f"{low} to {high}", found=str(self.alpha))


@dataclass
class _Lift:
    """A retreat that is under way."""

    goal_z: float
    until_s: float


class LiveWatch:
    """Watches all episodes of one rollout.

    ``settings``, ``readings``, ``kit`` and ``trouble`` are replaced as a whole and read by any thread; the rest belongs to the stepping thread.
    """

    def __init__(self, open_kit: OpenKit | None = None) -> None:
        self.open_kit = open_kit
        self.settings = WatchSettings()
        self.readings: tuple[Reading, ...] = ()
        """Of the present episode; steps count from its start."""
        self.kit: WatchKit | None = None
        self.trouble = ""
        """Why nothing is watched, for the person; empty while something is, or nothing could be."""
        self._policy: SteeredPolicy | None = None
        self._fingerprint = ""
        self._watch: EpisodeWatch | None = None
        self._calls: list[PolicyCall] = []
        self._first_step = 0
        self._is_led_by_human = False
        self._raised_at: int | None = None
        self._tries = self._quiet = 0
        self._lift: _Lift | None = None

    @property
    def is_watching(self) -> bool:
        """Whether the calls of the policy that drives are scored."""
        return self._watch is not None

    @property
    def band(self) -> Band | None:
        """What the scores are judged by; None while nothing is watched."""
        watch = self._watch
        return None if watch is None else watch.band

    @property
    def detector(self) -> str:
        """Name of the detector in use, or of the one that would be."""
        return self.settings.detector or (self.kit.best if self.kit else "")

    # --- the policy ---

    def open(self, policy: SteeredPolicy | None, fingerprint: str) -> None:
        """Watch a policy that was just made; None is one that does not show its inside."""
        self._policy, self._fingerprint = policy, fingerprint
        self._calls, self._is_led_by_human = [], False
        self._prepare()

    def set(self, settings: WatchSettings) -> None:
        """Watch by this from now on; what the episode has shown so far is scored anew.

        Raises:
            UnknownName: there is no such detector; the old settings stay.
            InvalidInput: there are too few calibration episodes for that share of false alarms; the old settings stay.
        """
        before, self.settings = self.settings, settings
        try:
            self._prepare(is_strict=True)
        except WorkbenchError:
            self.settings = before
            self._prepare()
            raise

    def _prepare(self, *, is_strict: bool = False) -> None:
        """Make detector and band, and show them the calls so far."""
        self._watch, self.trouble = None, ""
        if self._policy is not None:
            try:
                self._watch = self._make_watch(self._fingerprint) if self.settings.is_on else None
            except WorkbenchError as error:
                if is_strict and self.kit is not None and self.kit.policy == self._fingerprint:
                    raise
                self.trouble = str(error)
            self._policy.hear(None if self._watch is None else self._on_call)
        if self._watch is None:
            self._calls = []
        else:
            for call in self._calls:
                self._watch.look(call)
        self._publish()

    def _make_watch(self, fingerprint: str) -> EpisodeWatch | None:
        if self.open_kit is None:
            return None
        if self.kit is None:
            self.kit = self.open_kit()
        kit = self.kit
        if kit.policy != fingerprint:
            raise InvalidInput(
                "failure detector",
                expected=f"one trained on the weights that drive ({fingerprint})",
                found=f"one trained on {kit.policy}",
                fix="Train it anew: python app.py train detector",
            )
        name = self.detector
        band = fit_band(kit.curves_of(name), self.settings.alpha, np.random.default_rng(0))
        return EpisodeWatch(kit.make(name), band)

    def _on_call(self, call: PolicyCall) -> Mapping[str, float]:
        """Score a call of the policy; told in the stepping thread, within the call."""
        watch = self._watch
        if watch is None or self._policy is None:
            return {}
        if self._calls and self._calls[-1].step == call.step:
            self._calls.pop()
        self._calls.append(call)
        reading = watch.look(call)
        self._policy.note({"alarm": float(reading.is_above)})
        self._publish()
        return {SCORE: reading.score, BOUND: reading.upper}

    def _publish(self) -> None:
        found = self._watch.readings if self._watch else ()
        self.readings = tuple(replace(r, step=r.step - self._first_step) for r in found)

    # --- the episode ---

    def begin_episode(self, episode: LiveEpisode) -> None:
        """Take note of an episode that begins; calls that led to a branch stay."""
        self._first_step = episode.simulator.observe(()).step
        self._raised_at, self._lift, self._tries, self._quiet = None, None, 0, 0
        self._publish()

    def note_human(self) -> None:
        """Take note that a person drives: what the policy does afterwards is another attempt."""
        self._is_led_by_human, self._lift = True, None

    def question(self, episode: LiveEpisode, observation: Observation, now_s: float) -> Question | None:
        """Raise the alarm if there is one, do what is chosen, and return what a person is asked before the step."""
        reading = self.note(episode, observation)
        if reading is None or self.settings.action is AlarmAction.NOTE:
            return None
        if self.settings.action is not AlarmAction.ASK and self._tries < MAX_TRIES:
            self._tries += 1
            self._act(episode, observation)
            return None
        tried = f", also after {self._tries} tries" if self._tries else ""
        text = f"This looks like an attempt that fails{tried} (score {reading.score:.2f}, alarm from {reading.upper:.2f}). The robot would go on."
        return Question(new_id(), text, ALARM_RULE, now_s)

    def note(self, episode: LiveEpisode, observation: Observation) -> Reading | None:
        """Put an alarm of the present call on the timeline, and return it; once for each call."""
        if self._is_led_by_human:
            self._begin_anew(keeps_last=True)
        reading = self._watch.readings[-1] if self._watch and self._watch.readings else None
        if reading is None or reading.step != observation.step or self._raised_at == reading.step:
            return None
        self._quiet += 1
        is_again = self.settings.action in (AlarmAction.RESAMPLE, AlarmAction.RETREAT) and self._quiet >= COOLDOWN_CALLS
        if self._lift is not None or not (reading.is_alarm or (reading.is_above and is_again)):
            return None
        self._raised_at, self._quiet = reading.step, 0
        emit(episode, EventKind.ALARM, self._payload(reading), actor="system")
        return reading

    def lead(self, mode: RolloutMode, episode: LiveEpisode, observation: Observation) -> NDArray[np.float32] | None:
        """Return the action ``(7,)`` of a retreat that is under way; at its end the policy looks again, as if for the first time."""
        if mode is RolloutMode.PAUSED:  # single steps raise alarms, and ask nobody
            self.note(episode, observation)
        lift = self._lift
        if lift is None:
            return None
        period_s = 1.0 / episode.config.control_hz
        left = lift.goal_z - float(observation.ee_position[2])
        if left < 0.005 or observation.time_s >= lift.until_s:
            self._lift = None
            drop_plans(episode)
            self._begin_anew(keeps_last=False)
            return None
        action = hold_action(observation)
        action[2] = min(left, LIFT_SPEED * period_s)
        return action

    def _act(self, episode: LiveEpisode, observation: Observation) -> None:
        if self.settings.action is AlarmAction.RETREAT:
            z = float(observation.ee_position[2])
            self._lift = _Lift(z + LIFT_M, observation.time_s + LIFT_LIMIT_S)
        elif episode.selection is not None:
            episode.selection.ask_once()

    def _begin_anew(self, *, keeps_last: bool) -> None:
        self._is_led_by_human, self._raised_at = False, None
        self._calls = self._calls[-1:] if keeps_last else []
        if self._watch is None:
            return
        self._watch.restart()
        for call in self._calls:
            self._watch.look(call)
        self._publish()

    def _payload(self, reading: Reading) -> dict[str, Any]:
        return {
            "score": round(reading.score, 4),
            "upper": round(reading.upper, 4),
            "detector": self.detector,
            "alpha": self.settings.alpha,
            "action": self.settings.action.value if self._tries < MAX_TRIES else AlarmAction.ASK.value,
        }
