"""Who acts in a control step of a live rollout: the policy, a person, or nobody."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.events import EventKind
from workbench.core.types import Actor, Observation, Step
from workbench.intervention.driving import Hand
from workbench.intervention.handover import Handover, StepLimits, shortened
from workbench.intervention.rules import Gate, Question, Situation
from workbench.rollout.candidates import Selection
from workbench.rollout.hold import HoldPolicy, hold_action
from workbench.rollout.loop import Choice, LiveEpisode, emit
from workbench.rollout.modes import RolloutMode
from workbench.rollout.pacing import Clock
from workbench.rollout.pilot import Pilot
from workbench.rollout.places import places_of
from workbench.rollout.watch import LiveWatch
from workbench.simulation.controllers import MAX_ANGULAR_SPEED, MAX_LINEAR_SPEED

MAX_ASIDE_MS: Final = 150.0
"""While a person drives, a policy whose calls take longer [ms] is not asked what it would do: the hand never waits for a model."""


class Oversight:
    """Decides for the stepping thread, and hands control over without a jump.

    ``hand``, ``position`` and the rules of ``gate`` are shared with other threads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.hand = Hand(clock)
        self.gate = Gate()
        self.pilot, self.selection, self.watch = Pilot(), Selection(), LiveWatch()
        self.handover = Handover()
        self.position: tuple[float, float, float] | None = None
        """Where the end-effector is, in the base frame [m]."""
        self.is_policy_slow = False
        """Whether the policy's latest call took too long to be asked beside a person who drives."""

    def begin_episode(self, episode: LiveEpisode) -> None:
        """Forget the episode before."""
        self.pilot.begin(episode.config.digest())
        episode.pilot = self.pilot
        self.selection.begin(episode)
        self.watch.begin_episode(episode)
        self.hand.let_go()
        self.handover.forget_actor()
        self.gate.restart()
        self.position, self.is_policy_slow = None, False

    def note_position(self, observation: Observation) -> None:
        """Note where the end-effector is."""
        x, y, z = (float(c) for c in observation.part("ee_position"))
        self.position = (x, y, z)

    def note_step(self, step: Step) -> None:
        """Take note of a step that was executed."""
        if step.policy_ms > 0:
            self.is_policy_slow = step.policy_ms > MAX_ASIDE_MS
        if step.halt_slice is not None:
            self.handover.restart()  # the brakes stopped the arm

    def question(self, episode: LiveEpisode, observation: Observation, proposal: NDArray[np.float32] | None) -> Question | None:
        """Return what an alarm or a rule asks before the policy's step is executed, a plan that has failed, or who shall pick a candidate."""
        now_s = self._clock()
        asked = self.watch.question(episode, observation, now_s) or self.pilot.question(now_s) or self.selection.question(now_s)
        if asked is not None:
            self.gate.question = asked
            return asked
        if not self.gate.rules or proposal is None:
            return None
        period_s = 1.0 / episode.config.control_hz
        move = shortened(proposal[:3], MAX_LINEAR_SPEED * period_s)
        intention = episode.chunk.intention
        confidences = None if intention is None else intention.confidences
        situation = Situation(
            position=observation.ee_position + move,
            speed=float(np.linalg.norm(move)) / period_s,
            confidence=None if confidences is None else float(np.mean(confidences)),
            places=places_of(episode.simulator) if self.gate.needs_places else {},
        )
        return self.gate.check(situation, self._clock())

    def ask(self, episode: LiveEpisode, question: Question) -> None:
        """Put on the timeline what the robot asks before it goes on."""
        emit(episode, EventKind.CONFIRM, {"id": question.id, "text": question.text, "rule": question.rule}, actor="policy")
        emit(episode, EventKind.PAUSE, {"reason": "asks"}, actor="policy")

    def answer(self, episode: LiveEpisode, is_allowed: bool, reason: str) -> bool:
        """Answer what the robot asks, and tell whether it may go on; ``reason`` says why when no person answered."""
        question = self.gate.answer(is_allowed)
        if question is None:
            return False
        self.pilot.follower.answer(question, is_allowed, is_human=not reason)
        told = {"is_allowed": is_allowed, "text": question.text, "reason": reason}
        emit(episode, EventKind.CONFIRM, told, actor="system" if reason else "human")
        return is_allowed

    def take_over(self, episode: LiveEpisode, observation: Observation, done: float = 1.0) -> NDArray[np.float32]:
        """Return what the person who drives lets the arm do, ``(7,) float32``; ``done`` is what is over of a step that has begun."""
        self.note_position(observation)
        self.watch.note_human()
        period_s, limits = _limits(episode)
        wanted = self.hand.action(observation, period_s, limits)
        return self.handover.pass_on(hold_action(observation) if wanted is None else wanted, Actor.HUMAN, limits, done=done)

    def choose(
        self, mode: RolloutMode, episode: LiveEpisode, observation: Observation, proposal: NDArray[np.float32] | None
    ) -> Choice | None:
        """Return whose action is executed now, or None when nobody acts."""
        if mode is RolloutMode.CORRECTING:
            return Choice(self.take_over(episode, observation), Actor.HUMAN)
        self.note_position(observation)
        if (lifted := self.watch.lead(mode, episode, observation)) is not None:
            choice = Choice(lifted, Actor.HOLD)
        elif proposal is None or episode.chunk.is_empty:
            return None  # an alarm has dropped what was proposed
        else:
            choice = Choice(proposal, Actor.HOLD if isinstance(episode.policy, HoldPolicy) else Actor.POLICY)
        return choice._replace(action=self.handover.pass_on(choice.action, choice.actor, _limits(episode)[1]))


def _limits(episode: LiveEpisode) -> tuple[float, StepLimits]:
    """Return the control period of an episode [s], and how far the hand may go in it."""
    period_s = 1.0 / episode.config.control_hz
    return period_s, StepLimits(MAX_LINEAR_SPEED * period_s, MAX_ANGULAR_SPEED * period_s)
