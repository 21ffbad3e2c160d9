"""Trials whose policy calls are kept as a failure detector sees them: what detectors are trained on, and measured by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from workbench.core.calls import PolicyCall
from workbench.core.protocols import PolicySpec, SteerablePolicy
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.evaluation.episodes import run_trial
from workbench.evaluation.perturbing import happenings_of, options_of
from workbench.simulation.simulator import BenchSimulator
from workbench.steering.hooks import recorded
from workbench.steering.outlet import outlet_of, read_outlet
from workbench.steering.sites import as_module

WORDS: Final = "words"
OnCall = Callable[[PolicyCall], None]


@dataclass(frozen=True)
class WatchedTrial:
    """One seeded episode that is to be watched."""

    task: str
    perturbation: str
    seed: int

    @property
    def name(self) -> str:
        """Name of the trial, fit for a file."""
        return f"{self.task}-{self.perturbation.replace('=', '') or 'clean'}-{self.seed}"


@dataclass(frozen=True, eq=False)
class WatchedEpisode:
    """A watched episode that has ended."""

    trial: WatchedTrial
    is_failure: bool
    calls: tuple[PolicyCall, ...]


class CallKeeper:
    """A policy whose calls are shown to somebody, with the hidden states that they went through."""

    def __init__(self, policy: SteerablePolicy, on_call: OnCall) -> None:
        self._policy, self._on_call = policy, on_call
        self._module, self._anatomy = as_module(policy.module), policy.sites
        self._outlet = outlet_of(policy.sites)

    @property
    def spec(self) -> PolicySpec:
        """That of the policy."""
        return self._policy.spec

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._policy.reset(rng)

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the policy's actions."""
        with recorded(self._module, self._anatomy, (self._outlet.site,)) as found:
            chunk = self._policy.act(observation, prompt, rng)
        tokens = read_outlet(self._anatomy, self._outlet, found[self._outlet.site])
        self._on_call(PolicyCall(observation.step, tokens, chunk))
        return chunk


def watch_trial(policy: SteerablePolicy, simulator: BenchSimulator, trial: WatchedTrial) -> WatchedEpisode:
    """Run an episode told in words until it is solved or its time is over, and keep its calls; errors as :func:`run_trial`."""
    calls: list[PolicyCall] = []
    result = run_trial(
        simulator,
        CallKeeper(policy, calls.append),
        trial.task,
        trial.seed,
        WORDS,
        options=options_of(trial.perturbation, trial.seed),
        on_tick=happenings_of(trial.perturbation, simulator, trial.seed),
    )
    return WatchedEpisode(trial, not result.is_success, tuple(calls))


def plan_trials(tasks: Sequence[str], perturbations: Sequence[str], *, episodes: int, first_seed: int) -> tuple[WatchedTrial, ...]:
    """Return trials, every task under every perturbation, the first seed of all before the second of any."""
    return tuple(WatchedTrial(t, p, first_seed + i) for i in range(episodes) for t in tasks for p in perturbations)
