"""Corrections by a script instead of a person: the expert takes over where a policy goes wrong, by the hand that a person would use.

What is recorded is what a person's correction leaves: the same events, who acted in every step, and what the policy wanted meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.events import EpisodeStart, EventKind, Outcome, new_id
from workbench.core.protocols import Policy, RolloutObserver
from workbench.core.types import Actor, EpisodeConfig, Observation, Prompt, Step
from workbench.evaluation.episodes import CONTROL_HZ
from workbench.rollout.loop import Choice, LiveEpisode, begin_episode, drop_plans, emit, finish_episode, tick
from workbench.rollout.modes import RolloutMode
from workbench.rollout.observers import Fanout
from workbench.rollout.overseer import Oversight
from workbench.simulation.expert import ExpertAction, expert_action
from workbench.simulation.manner import MANNERS, PLAIN
from workbench.simulation.simulator import BenchSimulator

WATCHED_STEPS: Final = 40
"""How long the watcher looks before it judges [control steps]."""
LEAST_AGREEMENT: Final = 0.25
"""Mean agreement over that time below which it takes over: 1 is the expert's own motion, 0 none, -1 the opposite."""
PATIENCE: Final = 0.7
"""Share of the task's time after which it takes over an episode that is not solved, whatever the policy does."""
EXTRA_S: Final = 12.0
"""What a correction may take beyond the task's own time [s]."""
_LEVER: Final = 0.08
"""Turns count as the way of a point this far from the axis [m]."""
_LEAST_MOVE: Final = 0.002
"""Where the expert moves less, only the gripper tells agreement [m]."""
REASON: Final = "wrong place"


class Supervised(NamedTuple):
    """What became of one episode under the watcher's eyes."""

    episode_id: str
    is_success: bool
    was_corrected: bool
    num_steps: int
    num_human_steps: int


def agreement(proposal: NDArray[np.float32], wanted: NDArray[np.float64]) -> float:
    """Return how much a policy's action ``(7,)`` goes where the expert's goes, -1..1.

    The part of its motion along the expert's, in parts of the expert's; where the expert does not move, whether the fingers agree.
    """
    moves = [np.concatenate([a[:3], _LEVER * a[3:6]]) for a in (np.asarray(proposal, dtype=np.float64), wanted)]
    length = float(np.linalg.norm(moves[1]))
    if length < _LEAST_MOVE:
        return 1.0 if abs(float(proposal[6]) - float(wanted[6])) < 0.5 else -1.0
    return float(np.clip(moves[0] @ moves[1] / length**2, -1.0, 1.0))


@dataclass
class Watcher:
    """Decides in every step who acts: the policy until it goes wrong, then the expert's hand until the task is solved."""

    simulator: BenchSimulator
    oversight: Oversight
    limit_steps: int
    is_driving: bool = False
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=WATCHED_STEPS))

    def expert(self) -> ExpertAction:
        """Return what the expert would do now."""
        simulator = self.simulator
        return expert_action(simulator.task.name, simulator.world, simulator.instance, MANNERS[PLAIN], CONTROL_HZ)

    def oversee(self, episode: LiveEpisode, observation: Observation, proposal: NDArray[np.float32] | None) -> Choice | None:
        """Choose as the live rollout does; begins the correction by itself."""
        found = self.expert()
        if not self.is_driving and proposal is not None:
            self.recent.append(agreement(proposal, found.action))
            if self.has_gone_wrong(episode):
                self.is_driving = True
                emit(episode, EventKind.TAKEOVER, {"via": "script", "reason": REASON})
        if self.is_driving:
            self.oversight.hand.jog(found.action.astype(np.float32))
        mode = RolloutMode.CORRECTING if self.is_driving else RolloutMode.AUTONOMOUS
        return self.oversight.choose(mode, episode, observation, proposal)

    def has_gone_wrong(self, episode: LiveEpisode) -> bool:
        """Tell whether a watcher would take over now: wrong way, no way, or no end in time."""
        if episode.is_done or episode.index >= PATIENCE * self.limit_steps:
            return True
        return len(self.recent) == WATCHED_STEPS and float(np.mean(self.recent)) < LEAST_AGREEMENT


def supervise(
    simulator: BenchSimulator,
    policy: Policy,
    task: str,
    seed: int,
    *,
    options: Mapping[str, Any] | None = None,
    observers: Sequence[RolloutObserver] = (),
    session_id: str = "",
    name: str = "",
) -> Supervised:
    """Run one episode until it is solved: by the policy, or by the hand that takes over when it goes wrong.

    Args:
        simulator: where it runs; it is reset here.
        policy: who acts first.
        task: of the bench.
        seed: of the scene.
        options: of the episode's configuration.
        observers: told of everything, for example to record it.
        session_id: written to the episode's head.
        name: of the policy in the episode's head; by default its own.
    """
    config = EpisodeConfig(task, seed, control_hz=CONTROL_HZ, options=options or {})
    text = simulator.reset(config)
    start = EpisodeStart(new_id(), session_id, config.to_dict(), text, name or policy.spec.name)
    limit = round(CONTROL_HZ * simulator.task.time_limit_s)
    clock = _StepClock()
    oversight = Oversight(clock)
    watcher = Watcher(simulator, oversight, limit)
    episode = begin_episode(simulator, policy, start, prompt=Prompt(text=text), observer=Fanout(observers))
    oversight.begin_episode(episode)
    steps: list[Step] = []
    while not episode.is_success and episode.index < limit + round(EXTRA_S * CONTROL_HZ):
        step = tick(episode, lambda observation, proposal: watcher.oversee(episode, observation, proposal))
        assert step is not None, "somebody always acts"
        oversight.note_step(step)
        clock.time_s += 1.0 / CONTROL_HZ
        steps.append(step)
    if watcher.is_driving:
        drop_plans(episode)
        emit(episode, EventKind.HANDBACK)
    finish_episode(episode, Outcome.SUCCESS if episode.is_success else Outcome.FAILURE)
    num_human = sum(s.actor is Actor.HUMAN for s in steps)
    return Supervised(start.episode_id, episode.is_success, watcher.is_driving, len(steps), num_human)


@dataclass
class _StepClock:
    """Time as the episode's steps count it."""

    time_s: float = 0.0

    def __call__(self) -> float:
        return self.time_s
