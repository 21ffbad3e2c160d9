"""Who acts in a control step of a live rollout: the policy, a person, or nobody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.core.types import Actor, Observation
from workbench.intervention.driving import Hand
from workbench.intervention.handover import Handover, StepLimits
from workbench.rollout.hold import HoldPolicy, hold_action
from workbench.rollout.loop import Choice, LiveEpisode
from workbench.rollout.modes import RolloutMode
from workbench.rollout.pacing import Clock
from workbench.simulation.controllers import MAX_ANGULAR_SPEED, MAX_LINEAR_SPEED


class Oversight:
    """Decides for the stepping thread, and hands control over without a jump. ``hand`` and ``position`` are shared with other threads."""

    def __init__(self, clock: Clock) -> None:
        self.hand = Hand(clock)
        self.handover = Handover()
        self.position: tuple[float, float, float] | None = None
        """Where the end-effector is, in the base frame [m]."""

    def begin_episode(self) -> None:
        """Forget the episode before."""
        self.hand.let_go()
        self.handover.forget_actor()
        self.position = None

    def note_position(self, observation: Observation) -> None:
        """Note where the end-effector is."""
        x, y, z = (float(c) for c in observation.part("ee_position"))
        self.position = (x, y, z)

    def choose(
        self, mode: RolloutMode, episode: LiveEpisode, observation: Observation, proposal: NDArray[np.float32] | None
    ) -> Choice | None:
        """Return whose action is executed now, or None when nobody acts."""
        self.note_position(observation)
        period_s = 1.0 / episode.config.control_hz
        limits = StepLimits(MAX_LINEAR_SPEED * period_s, MAX_ANGULAR_SPEED * period_s)
        if mode is RolloutMode.CORRECTING:
            wanted = self.hand.action(observation, period_s, limits)
            choice = Choice(hold_action(observation) if wanted is None else wanted, Actor.HUMAN)
        elif proposal is None:
            return None
        else:
            choice = Choice(proposal, Actor.HOLD if isinstance(episode.policy, HoldPolicy) else Actor.POLICY)
        return choice._replace(action=self.handover.pass_on(choice.action, choice.actor, limits))
