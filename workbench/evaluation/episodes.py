"""One trial: a seeded episode in which a policy is told something in one way, and what is measured of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from shapely import LineString, Point

from workbench.core.errors import WorkbenchError
from workbench.core.geometry import Pinhole
from workbench.core.protocols import Policy, PolicySpec, RolloutObserver
from workbench.core.types import PROPRIO, ActionChunk, CameraRequest, EpisodeConfig, Intention, Observation, Prompt, Step
from workbench.evaluation.campaign import TrialResult
from workbench.evaluation.funnel import FunnelMeter
from workbench.evaluation.planned import TRACE_PX
from workbench.evaluation.telling import Teller, Telling, parse_telling
from workbench.rollout.loop import DONE, LiveEpisode, run_episode
from workbench.simulation.simulator import BenchSimulator

CONTROL_HZ: Final = 20.0

Floats = NDArray[np.float64]


class ToldPolicy:
    """A policy that is told the present mask at each call, and whose calls are counted.

    It never says that it is done: a trial ends when the task is solved or its time is over.
    """

    def __init__(self, policy: Policy, teller: Teller, *, horizon: int | None = None) -> None:
        """Wrap a policy; execute ``horizon`` actions of each chunk instead of what the policy asks for."""
        self._policy, self._teller = policy, teller
        self.spec: PolicySpec = policy.spec if horizon is None else replace(policy.spec, action_horizon=horizon)
        self.num_calls, self.seconds = 0, 0.0
        self.intention: Intention | None = None
        """Of the first call."""

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._policy.reset(rng)

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the next actions."""
        told = self._teller.refresh(prompt)
        begun = time.perf_counter()
        chunk = self._policy.act(observation, told, rng)
        self.seconds += time.perf_counter() - begun
        if self.num_calls == 0:
            self.intention = chunk.intention
        self.num_calls += 1
        return replace(chunk, scores={name: value for name, value in chunk.scores.items() if name != DONE})


def run_trial(
    simulator: BenchSimulator,
    policy: Policy,
    task: str,
    seed: int,
    telling: Telling | str,
    *,
    horizon: int | None = None,
    options: Mapping[str, Any] | None = None,
    observers: Sequence[RolloutObserver] = (),
) -> TrialResult:
    """Run one seeded episode until it is solved or the task's time is over, and measure it.

    Args:
        simulator: where it runs; it is reset here.
        policy: who acts; it was made for this simulator.
        task: name of the task.
        seed: of the scene, the wording and the policy's random generators.
        telling: how the policy is told what to do, see :mod:`workbench.evaluation.telling`.
        horizon: actions of each chunk that are executed; by default what the policy asks for.
        options: of the episode's configuration.
        observers: told of everything, for example to record it.

    Raises:
        UnknownName: there is no such task or way of telling.
        InvalidInput: the task cannot be told in this way.
    """
    config = EpisodeConfig(task, seed, control_hz=CONTROL_HZ, options=options or {})
    instruction = simulator.reset(config)
    how = parse_telling(telling) if isinstance(telling, str) else telling
    teller = Teller(simulator, how, instruction, seed=seed)
    told = ToldPolicy(policy, teller, horizon=horizon)
    watch = TrialWatch(simulator)
    max_steps = round(simulator.task.time_limit_s * CONTROL_HZ)
    try:
        result = run_episode(simulator, told, config, teller.first, max_steps=max_steps, observers=observers, on_tick=watch)
    except WorkbenchError as error:
        return TrialResult(seed, False, watch.num_steps, f"{type(error).__name__}: {error}", watch.measures(told), watch.path)
    scores = ", ".join(f"{name} {value:.3f}" for name, value in result.scores.items())
    note = "" if result.is_success else scores
    return TrialResult(
        seed, result.is_success, result.num_steps, note, watch.measures(told), watch.path, 1e3 * told.seconds / max(told.num_calls, 1)
    )


class TrialWatch:
    """Starts to measure at the first step: the episode's world is made anew when it begins."""

    def __init__(self, simulator: BenchSimulator) -> None:
        self._simulator = simulator
        self._meter: FunnelMeter | None = None
        self.num_steps = 0

    def __call__(self, episode: LiveEpisode, step: Step) -> None:
        """Look at the world after a step."""
        if self._meter is None:
            assert step.proprio is not None, "the bench always tells its proprioception"
            self._meter = FunnelMeter(self._simulator, step.proprio[PROPRIO["ee_position"]].astype(float))
        self._meter.look(step)
        self.num_steps += 1

    @property
    def path(self) -> tuple[tuple[float, float, float], ...]:
        """The end-effector's way [m], to a tenth of a millimetre."""
        if self._meter is None:
            return ()
        return tuple((float(x), float(y), float(z)) for x, y, z in np.round(self._meter.path, 4))

    def measures(self, told: ToldPolicy) -> dict[str, float]:
        """Return what was measured, see :data:`workbench.evaluation.funnel.MEASURES`."""
        if self._meter is None:
            return {}
        found = self._meter.measures() | {"policy_calls": float(told.num_calls)}
        trace = told.intention.trace if told.intention else None
        if trace is not None and trace.points:
            request = CameraRequest(trace.camera, TRACE_PX, TRACE_PX)
            pinhole = self._simulator.observe((request,)).cameras[trace.camera]
            points = np.array(trace.points) * TRACE_PX / (trace.width, trace.height)
            found["trace_px"] = trace_gap(points, self._meter.path, pinhole)
        return found


def trace_gap(points: Floats, path: Floats, pinhole: Pinhole) -> float:
    """Return the mean distance [px] of predicted pixels ``(M, 2)`` to a driven path ``(N, 3)`` [m] on the picture."""
    driven = LineString(pinhole.project(path)[0])
    return float(np.mean([driven.distance(Point(p)) for p in points]))
