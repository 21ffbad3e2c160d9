"""The control loop, the only place where the order of one tick is written.

    observe -> prompt (its trace trimmed to what lies ahead) -> policy (or what is left of its chunk) -> who acts -> simulator -> observers

A tick is a function on an explicit :class:`LiveEpisode`. The live controller calls it from its stepping thread, campaigns and
:mod:`workbench.rollout.running` in a row; all run the same code.

Counterfactuals: the policy's random generator of a step is made from the episode's seed and the simulator's own step counter,
which is part of the restored state. So an episode that is branched from step N with the same prompt continues bit-equal to its
parent when the policy is a function of observation, prompt and generator. A policy that remembers more is shown the steps again
that its parent took since prompt and policy were last set (:func:`catch_up`); it has then seen what the parent had seen. Where those
steps are not given, it starts afresh, and what is left of a chunk is not carried over. How far a trace was travelled follows from the
same steps; when something else is told on the way, what is left of the trace is told (and recorded) anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind, Outcome
from workbench.core.protocols import Interruptible, OnSlice, Policy, RolloutObserver, Simulator
from workbench.core.sketches import plan_to_dict, sketch_to_dict
from workbench.core.types import Actor, CameraRequest, EpisodeConfig, Observation, Prompt, SimState, Step, Trace
from workbench.rollout.chunking import ChunkQueue
from workbench.rollout.hold import HoldPolicy
from workbench.rollout.present import present_prompt, trace_left, with_newest_mask
from workbench.rollout.prompts import TRACKED, mask_to_dict, trace_to_dict
from workbench.trajectory.trimming import TraceTrimmer

if TYPE_CHECKING:
    from workbench.rollout.candidates import Selection
    from workbench.rollout.pilot import Pilot

DONE: Final = "done"
"""Score by which a policy says that it is finished (1.0)."""
PLAN_STEP: Final = "plan_step"
"""Score by which a policy says which step of its plan it drives."""
TRACE_PROGRESS: Final = "trace_progress"
"""Score: share of the prompt's trace that lies behind the robot."""


class Choice(NamedTuple):
    """Whose action is executed."""

    action: NDArray[np.float32]
    """``(7,) float32``."""
    actor: Actor


Overseer = Callable[[Observation, NDArray[np.float32] | None], Choice | None]
"""``(observation, proposal) -> choice``; None executes nothing. The proposal is None when the policy is out of order."""


@dataclass
class LiveEpisode:
    """The state of one episode while it runs; owned by the thread that steps it."""

    simulator: Simulator
    policy: Policy
    prompt: Prompt
    start: EpisodeStart
    config: EpisodeConfig
    observer: RolloutObserver
    seed: int
    """Of the policy's random generators."""
    index: int = 0
    """Steps so far; also the index of the next step. Counts from 0 in every episode, branches included."""
    time_s: float = 0.0
    """Simulated time [s]."""
    chunk: ChunkQueue = field(default_factory=ChunkQueue)
    trimmer: TraceTrimmer = field(default_factory=TraceTrimmer)
    """How far the trace of the prompt was travelled."""
    given_trace: Trace | None = None
    """The trace as it was given, also after what is left of it was told anew: what a fresh start begins with."""
    scores: Mapping[str, float] = field(default_factory=dict)
    plan_step: int | None = None
    policy_ms: float = 0.0
    is_success: bool = False
    """Whether the task is solved now."""
    has_succeeded: bool = False
    """Whether the task was solved at any step."""
    is_done: bool = False
    """Whether the policy says that it is finished."""
    is_policy_down: bool = False
    """Whether the policy failed; it is not asked again until this is cleared."""
    pilot: Pilot | None = None
    """Asked before the policy in each step, and told of each."""
    selection: Selection | None = None
    """Weighs the policy's answers, and says how chunks are executed."""

    @property
    def id(self) -> str:
        """Id of the episode."""
        return self.start.episode_id

    @property
    def is_tracing(self) -> bool:
        """Whether the policy is told a trace that it understands."""
        return self.prompt.trace is not None and "trace" in self.policy.spec.prompts


def policy_rng(seed: int, step: int) -> np.random.Generator:
    """Return the generator that a policy gets at one step: a function of seed and step alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((abs(seed), step))))


def make_episode(
    simulator: Simulator, policy: Policy, start: EpisodeStart, *, prompt: Prompt, observer: RolloutObserver, seed: int | None = None
) -> LiveEpisode:
    """Return an episode on a simulator that stands at its start; nobody is told yet."""
    config = EpisodeConfig.from_dict(start.config)
    episode = LiveEpisode(simulator, policy, prompt, start, config, observer, config.seed if seed is None else seed)
    episode.given_trace = prompt.trace
    policy.reset(policy_rng(episode.seed, 0))
    episode.time_s = simulator.observe(()).time_s
    return episode


def announce_episode(episode: LiveEpisode) -> None:
    """Tell the observer the head of an episode, and what it begins with."""
    start = episode.start
    episode.observer.on_start(start)
    emit(episode, EventKind.START, {"task": episode.config.task, "seed": episode.config.seed, "policy": start.policy}, actor="system")
    if start.parent_id is not None:
        emit(episode, EventKind.BRANCH, {"parent_id": start.parent_id, "step": start.branch_step})
    emit_prompt(episode, Prompt(text=episode.prompt.text))


def catch_up(episode: LiveEpisode, lead: Iterable[SimState]) -> None:
    """Ask the policy for the steps that led to a branch, without executing them, so that it remembers what its parent remembered.

    Args:
        episode: not begun yet; its prompt and policy were in force during the lead.
        lead: the state before each of those steps, in order.
    """
    for state in lead:
        episode.simulator.restore(state)
        _propose(episode, _observe(episode))
        episode.chunk.advance()
    score = episode.chunk.scores.get(PLAN_STEP)
    episode.plan_step = None if score is None else int(score)


def begin_episode(
    simulator: Simulator, policy: Policy, start: EpisodeStart, *, prompt: Prompt, observer: RolloutObserver, seed: int | None = None
) -> LiveEpisode:
    """Return a running episode on a simulator that stands at its start, and tell the observer."""
    episode = make_episode(simulator, policy, start, prompt=prompt, observer=observer, seed=seed)
    announce_episode(episode)
    return episode


def emit(episode: LiveEpisode, kind: EventKind, payload: Mapping[str, Any] | None = None, *, actor: str = "human") -> Event:
    """Put an event on the episode's timeline, before its next step."""
    event = Event(kind, episode.index, episode.time_s, dict(payload or {}), actor)
    episode.observer.on_event(episode.id, event)
    return event


def change_prompt(episode: LiveEpisode, changes: Mapping[str, Any]) -> None:
    """Tell the policy something else from the next step on; ``changes`` are fields of :class:`Prompt`.

    One event is recorded for each part that changed, and the prompt takes the id of the last of them. A trace that is not changed goes
    on as what is left of it.

    Raises:
        TypeError: a change is no field of a prompt.
    """
    before = episode.prompt
    episode.prompt = replace(before, **{"trace": trace_left(episode), **changes})
    if "trace" in changes:
        episode.given_trace = episode.prompt.trace
    episode.chunk.clear()
    if episode.prompt.plan is not before.plan:
        episode.plan_step = None
    episode.is_done = episode.is_policy_down = False
    last = emit_prompt(episode, before)
    if last is not None:
        episode.prompt = replace(episode.prompt, id=last.id)


def emit_prompt(episode: LiveEpisode, before: Prompt) -> Event | None:
    """Record the parts of the present prompt that differ from ``before``; return the last event."""
    now, last = episode.prompt, None
    if now.text != before.text:
        last = emit(episode, EventKind.INSTRUCTION, {"text": now.text})
    if now.sketch is not before.sketch:
        last = emit(episode, EventKind.SKETCH, {"sketch": sketch_to_dict(now.sketch) if now.sketch else None})
    if now.plan is not before.plan:
        last = emit(episode, EventKind.PLAN, {"plan": plan_to_dict(now.plan) if now.plan else None})
    if now.trace != before.trace:
        last = emit(episode, EventKind.TRACE, {"trace": trace_to_dict(now.trace) if now.trace else None})
    if now.mask is not before.mask or now.interaction != before.interaction:
        interaction = now.interaction.value if now.interaction else None
        last = emit(episode, EventKind.MASK, {"mask": mask_to_dict(now.mask) if now.mask else None, "interaction": interaction})
    return last


def drop_plans(episode: LiveEpisode) -> None:
    """Forget what the policy had in mind: it was made for a state that a person or a HALT has left."""
    episode.chunk.clear()
    if isinstance(episode.policy, Interruptible):
        episode.policy.interrupt()


def follow_policy(episode: LiveEpisode) -> Overseer:
    """Return the overseer that always lets the policy act."""
    actor = Actor.HOLD if isinstance(episode.policy, HoldPolicy) else Actor.POLICY
    return lambda observation, proposal: None if proposal is None else Choice(proposal, actor)


def tick(episode: LiveEpisode, oversee: Overseer, *, on_slice: OnSlice | None = None) -> Step | None:
    """Run one control step; return None, with the world untouched, when the overseer chose nothing.

    Whatever the policy or the simulator raises goes to the caller; no step is recorded then.
    """
    simulator = episode.simulator
    observation = _observe(episode)
    episode.time_s = observation.time_s
    proposal = _propose(episode, observation)
    choice = oversee(observation, proposal)
    if choice is None:
        return None
    _tell_plan_step(episode)
    state, wall_time, begun = simulator.state(), time.time(), time.perf_counter()
    result = simulator.step(choice.action, on_slice=on_slice)
    step_ms = 1e3 * (time.perf_counter() - begun)
    episode.is_done = proposal is not None and episode.chunk.is_last and episode.chunk.scores.get(DONE, 0.0) >= 1.0
    told = {TRACE_PROGRESS: episode.trimmer.share} if episode.is_tracing else {}
    episode.scores = {**(episode.chunk.scores if proposal is not None else {}), **told, **result.scores}
    step = Step(
        index=episode.index,
        time_s=observation.time_s,
        state=state,
        action=choice.action,
        proposal=proposal,
        actor=choice.actor,
        is_success=result.is_success,
        halt_slice=result.halt_slice,
        takeover=result.takeover,
        prompt_id=episode.prompt.id,
        scores=episode.scores,
        policy_ms=episode.policy_ms,
        step_ms=step_ms,
        wall_time=wall_time,
        proprio=observation.proprio,
    )
    if proposal is not None:
        episode.chunk.advance()
    episode.index += 1
    episode.time_s = observation.time_s + 1.0 / episode.config.control_hz
    episode.is_success = result.is_success
    episode.observer.on_step(step)
    if result.is_success and not episode.has_succeeded:
        episode.has_succeeded = True
        emit(episode, EventKind.SUCCESS, {"scores": dict(result.scores)}, actor="system")
    if episode.pilot is not None:
        episode.pilot.look(episode, step)
    return step


def finish_episode(episode: LiveEpisode, outcome: Outcome) -> SimState:
    """Close an episode: END event, then the observer's ``on_end``; return the state after the last step."""
    final = episode.simulator.state()
    emit(episode, EventKind.END, {"outcome": outcome.value, "num_steps": episode.index}, actor="system")
    episode.observer.on_end(EpisodeEnd(episode.id, outcome, episode.index, episode.time_s, final.to_bytes()))
    return final


def look_ahead(episode: LiveEpisode) -> None:
    """Ask the policy what it would do now, if it has no plan for the next step; nothing moves.

    The answer is what the next tick executes, so asking changes nothing of what follows.
    """
    _propose(episode, _observe(episode))


def _observe(episode: LiveEpisode) -> Observation:
    """Return the present observation: the policy's cameras, and the one that a trace was drawn on."""
    cameras, trace = episode.policy.spec.cameras, episode.prompt.trace
    if trace is not None and episode.is_tracing and trace.camera not in (c.name for c in cameras):
        cameras = (*cameras, CameraRequest(trace.camera, trace.width, trace.height))
    return episode.simulator.observe(cameras)


def _propose(episode: LiveEpisode, observation: Observation) -> NDArray[np.float32] | None:
    """Return the policy's next action ``(7,) float32``, asking it only when its chunk is used up."""
    led = None if episode.pilot is None or episode.is_policy_down else episode.pilot.propose(episode, observation)
    prompt = present_prompt(episode, observation)
    if episode.is_policy_down:
        return None
    if led is not None:
        episode.policy_ms = 0.0
        episode.chunk.put(led, 1)
        return episode.chunk.peek()
    if not episode.chunk.is_empty:
        episode.policy_ms = 0.0
        return episode.chunk.peek()
    told, prompt = prompt.mask, with_newest_mask(prompt)
    if prompt.mask is not told and prompt.mask is not None:
        interaction = prompt.interaction.value if prompt.interaction else None
        emit(episode, EventKind.MASK, {"mask": mask_to_dict(prompt.mask), "interaction": interaction, TRACKED: True}, actor="system")
        episode.prompt = replace(episode.prompt, mask=prompt.mask)  # told once; the prompt keeps its id
    begun = time.perf_counter()
    try:
        chunk = episode.policy.act(observation, prompt, policy_rng(episode.seed, observation.step))
        if episode.selection is None:
            episode.chunk.put(chunk, episode.policy.spec.action_horizon)
        else:
            episode.selection.answer(episode, observation, prompt, chunk)
    except Exception:
        episode.is_policy_down = True
        raise
    episode.policy_ms = 1e3 * (time.perf_counter() - begun)
    return episode.chunk.peek()


def _tell_plan_step(episode: LiveEpisode) -> None:
    score = episode.chunk.scores.get(PLAN_STEP)
    if score is not None and int(score) != episode.plan_step:
        episode.plan_step = int(score)
        emit(episode, EventKind.PLAN_STEP, {"plan_step": episode.plan_step}, actor="policy")
