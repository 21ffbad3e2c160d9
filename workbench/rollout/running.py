"""Runs an episode from its start to its end, in the calling thread, as fast as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from workbench.core.events import EpisodeStart, Outcome, new_id
from workbench.core.protocols import Policy, RolloutObserver, Simulator
from workbench.core.types import EpisodeConfig, Prompt, SimState, Step
from workbench.rollout.loop import LiveEpisode, begin_episode, finish_episode, follow_policy, tick
from workbench.rollout.observers import Fanout

OnTick = Callable[[LiveEpisode, Step], None]
"""Is called after every step, with the running episode."""


class EpisodeResult(NamedTuple):
    """What became of an episode."""

    episode_id: str
    outcome: Outcome
    is_success: bool
    num_steps: int
    time_s: float
    instruction: str
    scores: Mapping[str, float]
    """Of the last step: the task's and the policy's."""
    final_state: SimState


def run_episode(
    simulator: Simulator,
    policy: Policy,
    config: EpisodeConfig,
    prompt: Prompt | None = None,
    *,
    max_steps: int,
    observers: Sequence[RolloutObserver] = (),
    seed: int | None = None,
    stop_on_success: bool = True,
    on_tick: OnTick | None = None,
    session_id: str = "",
) -> EpisodeResult:
    """Run one episode from its start, in this thread, as fast as possible.

    The simulator is reset here; ``policy`` must accept a simulator that was reset after the policy was made.

    Args:
        simulator: Where the episode runs.
        policy: Who acts.
        config: The episode's start.
        prompt: What the policy is told; by default the instruction alone.
        max_steps: Control steps after which the episode counts as failed.
        observers: Told of everything; what they raise ends the episode.
        seed: Of the policy's random generators; by default the configuration's.
        stop_on_success: Stop at the first step after which the task is solved.
        on_tick: Called after every step, with the running episode: for perturbations and for stopping by ``is_done``.
        session_id: Written to the episode's head.

    Returns:
        What became of it: ``SUCCESS`` when the task was solved at the end or, with ``stop_on_success``, at any step.
    """
    instruction = simulator.reset(config)
    told = Prompt(text=instruction) if prompt is None else prompt
    start = EpisodeStart(new_id(), session_id, config.to_dict(), told.text, policy.spec.name)
    episode = begin_episode(simulator, policy, start, prompt=told, observer=Fanout(observers), seed=seed)
    try:
        _run(episode, max_steps, stop_on_success, on_tick)
    except BaseException:
        finish_episode(episode, Outcome.ERROR)
        raise
    outcome = Outcome.SUCCESS if episode.is_success else Outcome.FAILURE
    final = finish_episode(episode, outcome)
    return EpisodeResult(episode.id, outcome, episode.is_success, episode.index, episode.time_s, told.text, episode.scores, final)


def _run(episode: LiveEpisode, max_steps: int, stop_on_success: bool, on_tick: OnTick | None) -> None:
    oversee = follow_policy(episode)
    while episode.index < max_steps and not episode.is_done:
        step = tick(episode, oversee)
        if step is not None and on_tick is not None:
            on_tick(episode, step)
        if stop_on_success and episode.is_success:
            return
