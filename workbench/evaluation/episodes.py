"""One trial: a seeded episode in which a policy is told something in one way, and what is measured of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from shapely import LineString, Point

from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import EpisodeStart, Outcome, new_id
from workbench.core.geometry import Pinhole
from workbench.core.protocols import Policy, PolicySpec, RolloutObserver, Segmenter
from workbench.core.types import ActionChunk, CameraRequest, EpisodeConfig, Intention, Observation, Prompt, Step, Trace
from workbench.evaluation.action_meter import ActionMeter
from workbench.evaluation.bumps import BumpMeter
from workbench.evaluation.campaign import TrialResult
from workbench.evaluation.funnel import FunnelMeter
from workbench.evaluation.piloted import PilotedTrial
from workbench.evaluation.planned import TRACE_PX
from workbench.evaluation.settings import ACTIONS, BY_TOKEN, Setting
from workbench.evaluation.telling import Teller, Telling, parse_telling
from workbench.evaluation.weighing import CANDIDATES, Weighing
from workbench.rollout.loop import DONE, LiveEpisode, begin_episode, finish_episode, follow_policy, tick
from workbench.rollout.observers import Fanout
from workbench.rollout.running import OnTick
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.compare import score_path
from workbench.trajectory.paths import lift_trace
from workbench.trajectory.trace_pictures import draw_overlay

CONTROL_HZ: Final = 20.0
SCORED: Final = ("agreement", "planning_s", "planning_tries", "sae_explained", "sae_general", "sae_dead", "strength")
"""Measures that a policy tells with its chunks, as scores; a trial has their mean."""

Act = Callable[[Observation, Prompt, np.random.Generator], ActionChunk]

Floats = NDArray[np.float64]


class ToldPolicy:
    """A policy that is told the present mask at each call, and whose calls are counted.

    It says that it is done only where the trial goes on until then: others end when the task is solved or their time is over.
    """

    def __init__(self, policy: Policy, teller: Teller, setting: Setting) -> None:
        self._policy, self._teller, self._setting = policy, teller, setting
        horizon = setting.horizon
        self.spec: PolicySpec = policy.spec if horizon is None else replace(policy.spec, action_horizon=horizon)
        self._act = policy.act if setting.decoding != BY_TOKEN else token_decoder(policy)
        self.num_calls, self.seconds = 0, 0.0
        self.scored: dict[str, list[float]] = {}
        """Of each call, what it says of the measures :data:`SCORED`."""
        self.intention: Intention | None = None
        """Of the first call."""

    @property
    def drawn(self) -> Trace | None:
        """The trace that was told at the start."""
        return self._teller.first.trace

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._policy.reset(rng)

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the next actions."""
        told = self._teller.refresh(prompt)
        if self._teller.telling.is_overlaid:
            observation, told = overlay_trace(observation, told)
        begun = time.perf_counter()
        chunk = self._act(observation, told, rng)
        self.seconds += time.perf_counter() - begun
        if self.num_calls == 0:
            self.intention = chunk.intention
        self.num_calls += 1
        for name in SCORED:
            if name in chunk.scores:
                self.scored.setdefault(name, []).append(chunk.scores[name])
        actions = np.repeat(chunk.actions[:1], self.spec.action_horizon, axis=0) if self._setting.is_held else chunk.actions
        hidden = () if self._setting.is_until_done or self._setting.goals else (DONE,)
        return replace(chunk, actions=actions, scores={name: value for name, value in chunk.scores.items() if name not in hidden})


def overlay_trace(observation: Observation, prompt: Prompt) -> tuple[Observation, Prompt]:
    """Return an observation with the prompt's trace drawn on its camera's picture, and the prompt without it."""
    trace = prompt.trace
    if trace is None or trace.camera not in observation.images or len(trace.points) < 2:
        return observation, replace(prompt, trace=None)
    drawn = draw_overlay(observation.images[trace.camera], trace, "hamster")
    return replace(observation, images={**observation.images, trace.camera: drawn}), replace(prompt, trace=None)


def token_decoder(policy: Policy) -> Act:
    """Return how a policy acts when it decodes its tokens one after the other: its method ``act_by_token``.

    Raises:
        InvalidInput: it has none.
    """
    found: Act | None = getattr(policy, "act_by_token", None)
    if found is None:
        raise InvalidInput("setting decoding=token", expected="a policy that can decode token by token", found=repr(policy.spec.name))
    return found


def run_trial(
    simulator: BenchSimulator,
    policy: Policy,
    task: str,
    seed: int,
    telling: Telling | str,
    *,
    setting: Setting | None = None,
    options: Mapping[str, Any] | None = None,
    on_tick: Sequence[OnTick] = (),
    observers: Sequence[RolloutObserver] = (),
    session_id: str = "",
    segmenter: Segmenter | None = None,
    weighing: Weighing | None = None,
) -> TrialResult:
    """Run one seeded episode until it is solved or its time is over, and measure it.

    Args:
        simulator: where it runs; it is reset here.
        policy: who acts; it was made for this simulator.
        task: name of the task.
        seed: of the scene, the wording and the policy's random generators.
        telling: how the policy is told what to do, see :mod:`workbench.evaluation.telling`.
        setting: how chunks are executed, and when the episode ends; by default as the policy asks, and when the task is solved.
        options: of the episode's configuration.
        on_tick: called after each step, in this order.
        observers: told of everything, for example to record it.
        session_id: written to the episode's head.
        segmenter: of masks that are pointed at now and then.
        weighing: chooses among several answers of the policy, and puts chunks together; measured where the setting says so.

    Raises:
        UnknownName: there is no such task or way of telling.
        InvalidInput: the task cannot be told in this way.
    """
    how = parse_telling(telling) if isinstance(telling, str) else telling
    config = EpisodeConfig(task, seed, control_hz=CONTROL_HZ, options=options or {})
    teller = Teller(simulator, how, simulator.reset(config), seed=seed, segmenter=segmenter)
    setting = setting or Setting()
    told = ToldPolicy(policy, teller, setting)
    piloted = PilotedTrial(simulator, setting, teller.first, seed=seed) if setting.is_piloted else None
    first = teller.first if piloted is None else piloted.first
    start = EpisodeStart(new_id(), session_id, config.to_dict(), first.text, policy.spec.name)
    watch = TrialWatch(simulator)
    meter = ActionMeter(simulator, teller.first.text) if setting.watched == ACTIONS else None
    on_tick = on_tick if meter is None else (*on_tick, lambda _, step: meter.look(step))
    episode = begin_episode(simulator, told, start, prompt=first, observer=Fanout(observers))
    if piloted is not None:
        piloted.begin(episode)
    if weighing is not None:
        weighing.begin(episode, simulator, is_watched=setting.watched == CANDIDATES)
    note = _drive(episode, watch, setting, on_tick, piloted)
    is_success = episode.is_success if piloted is None else piloted.is_success(episode)
    finish_episode(episode, Outcome.ERROR if note else Outcome.SUCCESS if is_success else Outcome.FAILURE)
    if not note and not is_success:
        note = ", ".join(f"{name} {value:.3f}" for name, value in episode.scores.items())
    policy_ms = 1e3 * told.seconds / max(told.num_calls, 1)
    measures = watch.measures(told) | (meter.measures() if meter else {}) | (piloted.measures(episode) if piloted else {})
    measures |= weighing.measures() if weighing else {}
    return TrialResult(seed, is_success, episode.index, note, measures, watch.path, policy_ms)


def _drive(episode: LiveEpisode, watch: TrialWatch, setting: Setting, on_tick: Sequence[OnTick], piloted: PilotedTrial | None) -> str:
    """Run an episode to its end; return what the policy could not do, or nothing."""
    oversee = follow_policy(episode)
    try:
        while episode.index < _max_steps(watch, setting, piloted) and not _is_over(episode, setting, piloted):
            step = tick(episode, oversee)
            assert step is not None, "a policy that acts alone always acts"
            watch.look(step)
            if piloted is not None:
                piloted.look(episode, step)
            for happen in on_tick:
                happen(episode, step)
    except WorkbenchError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _max_steps(watch: TrialWatch, setting: Setting, piloted: PilotedTrial | None) -> int:
    limit_s = watch.simulator.task.time_limit_s if piloted is None else piloted.limit_s
    return round(CONTROL_HZ * min(limit_s, limit_s if setting.limit_s is None else setting.limit_s))


def _is_over(episode: LiveEpisode, setting: Setting, piloted: PilotedTrial | None) -> bool:
    """Tell whether an episode ends before its time is over."""
    if setting.is_until_done or (episode.pilot is not None and episode.pilot.plan.goals):
        return episode.is_done
    return episode.is_success if piloted is None else piloted.is_success(episode)


class TrialWatch:
    """Measures an episode that runs on a simulator."""

    def __init__(self, simulator: BenchSimulator) -> None:
        self.simulator = simulator
        self._meter = FunnelMeter(simulator)
        self._bumps = BumpMeter(simulator.world)

    def look(self, step: Step) -> None:
        """Look at the world after a step."""
        self._meter.look(step)
        self._bumps.look()

    @property
    def path(self) -> tuple[tuple[float, float, float], ...]:
        """The end-effector's way [m], to a tenth of a millimetre."""
        return tuple((float(x), float(y), float(z)) for x, y, z in np.round(self._meter.path, 4))

    def measures(self, told: ToldPolicy) -> dict[str, float]:
        """Return what was measured, see :data:`workbench.evaluation.funnel.MEASURES`."""
        found = self._meter.measures() | {"policy_calls": float(told.num_calls)}
        found |= {name: float(np.mean(values)) for name, values in told.scored.items()} | self._bumps.measures()
        if told.drawn is not None and told.drawn.depths_m is not None:
            pinhole = self.simulator.observe((CameraRequest(told.drawn.camera, TRACE_PX, TRACE_PX),)).cameras[told.drawn.camera]
            found["frechet_m"] = score_path(lift_trace(told.drawn, pinhole).positions, self._meter.path).frechet_m
        trace = told.intention.trace if told.intention else None
        if trace is not None and trace.points:
            request = CameraRequest(trace.camera, TRACE_PX, TRACE_PX)
            pinhole = self.simulator.observe((request,)).cameras[trace.camera]
            points = np.array(trace.points) * TRACE_PX / (trace.width, trace.height)
            found["trace_px"] = trace_gap(points, self._meter.path, pinhole)
        return found


def trace_gap(points: Floats, path: Floats, pinhole: Pinhole) -> float:
    """Return the mean distance [px] of predicted pixels ``(M, 2)`` to a driven path ``(N, 3)`` [m] on the picture."""
    driven = LineString(pinhole.project(path)[0])
    return float(np.mean([driven.distance(Point(p)) for p in points]))
