"""What runs trials in any process: a simulator, and one policy of each name, made from names that every process can import."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from workbench.core.candidates import VerifierFactory
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import EpisodeEnd, EpisodeStart, Event
from workbench.core.protocols import Policy, PolicyFactory, Segmenter, SteerablePolicy
from workbench.core.types import EpisodeConfig, Step
from workbench.evaluation.campaign import ERROR, Trial, TrialResult
from workbench.evaluation.episodes import run_trial
from workbench.evaluation.perturbing import happenings_of, options_of
from workbench.evaluation.settings import FAILURE, Setting, parse_setting
from workbench.evaluation.telling import parse_telling
from workbench.evaluation.weighing import Weighing
from workbench.failure.alarms import WatchKit
from workbench.rollout.chunking import ChunkHandling
from workbench.segmentation.pool import UNPRIVILEGED, SegmenterPool
from workbench.simulation.simulator import BenchSimulator

if TYPE_CHECKING:
    from workbench.evaluation.failure_meter import FailureMeter
    from workbench.evaluation.steering_finding import Finder

log: Final = logging.getLogger(__name__)

ATTEMPTS: Final = 2
"""How often a trial is tried that ends in an error which is no policy's refusal."""


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs: plain data, so that it can be sent anywhere."""

    policies: str
    """Import string of the catalogue of policies, for example ``models.catalog:POLICIES``."""
    has_tape: bool = False
    """Whether trials come back with everything that their episode told, to be stored."""
    session_id: str = ""
    """Of the episodes that are recorded."""
    opener: str = ""
    """Import string of what opens a policy for steering, for example ``models.steering:as_steerable``; empty: nothing can be steered."""
    segmenters: str = ""
    """Import string of the catalogue of segmenters; empty: masks that are pointed at are made by the classical one."""
    verifiers: str = ""
    """Import string of the catalogue of verifiers, for example ``models.catalog:VERIFIERS``; empty: none is offered but the likelihood."""
    detectors: str = ""
    """Import string of what loads failure detectors, for example ``models.failure.checkpoint:load_kit``; empty: nothing is watched."""
    saved: Mapping[str, Any] = field(default_factory=dict)
    """Documents of saved concepts by name, see :mod:`workbench.evaluation.steering_bundles`."""


@dataclass
class EpisodeTape:
    """Keeps everything that an episode tells, in order, so that somebody else can record it."""

    entries: list[EpisodeStart | Step | Event | EpisodeEnd] = field(default_factory=list)

    def on_start(self, start: EpisodeStart) -> None:
        """Keep the head."""
        self.entries.append(start)

    def on_step(self, step: Step) -> None:
        """Keep a step."""
        self.entries.append(step)

    def on_event(self, episode_id: str, event: Event) -> None:
        """Keep an event."""
        self.entries.append(event)

    def on_end(self, end: EpisodeEnd) -> None:
        """Keep the tail."""
        self.entries.append(end)


@dataclass(frozen=True)
class TrialOutcome:
    """A trial that was run."""

    trial: Trial
    result: TrialResult
    tape: EpisodeTape | None = None
    refusal: str = ""
    """Why no trial of this policy can be run, for example for want of weights; empty when it can."""


class TrialWorker:
    """Runs trials one after the other; made, used and closed in one thread."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._simulator = BenchSimulator()
        self._policies: dict[str, Policy] = {}
        self._pool: SegmenterPool | None = None
        self._finders: dict[str, Finder] = {}
        self._kit: WatchKit | None = None

    def run(self, trial: Trial) -> TrialOutcome:
        """Run a trial; one that ends in an unexpected error is tried again, and named when that does not help."""
        try:
            self._steered(trial)
            if parse_setting(trial.setting).watched == FAILURE:
                self._watched(trial)
        except WorkbenchError as error:
            return TrialOutcome(trial, TrialResult(trial.seed, False, 0, str(error)), refusal=str(error))
        for attempt in range(1, ATTEMPTS + 1):
            tape = EpisodeTape() if self._setup.has_tape else None
            try:
                return TrialOutcome(trial, self._run(trial, tape), tape)
            except InvalidInput as error:  # for example a drawing that cannot be read, in this scene as again in the next attempt
                return TrialOutcome(trial, TrialResult(trial.seed, False, 0, str(error)))
            except Exception as error:
                log.exception("Trial %s failed, attempt %d of %d", trial, attempt, ATTEMPTS)
                self._policies.pop(trial.policy, None)
                self._finders.pop(trial.policy, None)
                note = f"{ERROR}{type(error).__name__}: {error}"
        return TrialOutcome(trial, TrialResult(trial.seed, False, 0, note))

    def close(self) -> None:
        """Release the simulator."""
        self._simulator.close()

    def _run(self, trial: Trial, tape: EpisodeTape | None) -> TrialResult:
        policy, meter = self._steered(trial), self._meter(trial)
        result = self._play(trial, policy if meter is None else meter.policy, tape)
        return result if meter is None else replace(result, measures={**result.measures, **meter.measures()})

    def _play(self, trial: Trial, policy: Policy, tape: EpisodeTape | None) -> TrialResult:
        setting = parse_setting(trial.setting)
        return run_trial(
            self._simulator,
            policy,
            trial.task,
            trial.seed,
            trial.prompt,
            setting=setting,
            options=options_of(trial.perturbation, trial.seed),
            on_tick=happenings_of(trial.perturbation, self._simulator, trial.seed),
            observers=() if tape is None else (tape,),
            session_id=self._setup.session_id,
            segmenter=self._segmenter(trial),
            weighing=self._weighing(setting),
        )

    def _weighing(self, setting: Setting) -> Weighing | None:
        """Return what weighs answers and puts chunks together, where a setting asks for it."""
        if setting.candidates is None and setting.handling == ChunkHandling():
            return None
        return Weighing(setting.candidates, setting.handling, load_verifiers(self._setup.verifiers) if self._setup.verifiers else None)

    def _meter(self, trial: Trial) -> FailureMeter | None:
        """Return what scores the trial's calls, where its setting asks for it; errors as :meth:`_watched`."""
        if parse_setting(trial.setting).watched != FAILURE:
            return None
        from workbench.evaluation.failure_meter import FailureMeter  # loads torch, which other trials may not need

        return FailureMeter(*self._watched(trial), trial.task)

    def _watched(self, trial: Trial) -> tuple[SteerablePolicy, WatchKit]:
        """Return the policy, opened, and what was trained to watch it.

        Raises:
            InvalidInput: nothing watches this policy.
            NotStored: there is no detector.
        """
        from workbench.evaluation.failure_meter import check_kit, load_kit

        if not self._setup.detectors or trial.edits:
            found = "steering edits" if trial.edits else "no detectors"
            raise InvalidInput("setting watch=failure", expected="detectors, and a policy without edits", found=found)
        opened = open_policy(self._setup.opener, self._policy(trial))
        self._kit = self._kit or load_kit(self._setup.detectors)
        check_kit(self._kit, opened)
        return opened, self._kit

    def _segmenter(self, trial: Trial) -> Segmenter | None:
        """Return what makes masks of what is pointed at: the first that there is of those that are preferred."""
        if not self._setup.segmenters or not parse_telling(trial.prompt).mask_option:
            return None
        if self._pool is None:
            module, attribute = self._setup.segmenters.split(":")
            self._pool = SegmenterPool(getattr(import_module(module), attribute))
        return self._pool.first(UNPRIVILEGED)

    def _steered(self, trial: Trial) -> Policy:
        """Return the trial's policy under its edits."""
        policy = self._policy(trial)
        if not trial.edits:
            return policy
        from workbench.evaluation.steering_finding import Finder  # loads torch, which other trials may not need
        from workbench.evaluation.steering_trials import steer_policy

        if trial.policy not in self._finders:
            self._finders[trial.policy] = Finder(open_policy(self._setup.opener, policy), self._simulator)
        return steer_policy(self._finders[trial.policy], trial.edits, self._setup.saved)

    def _policy(self, trial: Trial) -> Policy:
        if trial.policy not in self._policies:
            # A policy is made for a simulator that stands at an episode's start.
            self._simulator.reset(EpisodeConfig(trial.task, trial.seed))
            make: PolicyFactory = load_policies(self._setup.policies).load(trial.policy)
            self._policies[trial.policy] = make(self._simulator)
        return self._policies[trial.policy]


def open_policy(name: str, policy: Policy) -> SteerablePolicy:
    """Return a policy that can be steered, by the import string of what opens it.

    Raises:
        InvalidInput: it does not show its inside, or nothing opens it.
    """
    if not name:
        raise InvalidInput("edits", expected="a worker that can open policies", found="none")
    module, attribute = name.split(":")
    opener: Callable[[Policy], SteerablePolicy] = getattr(import_module(module), attribute)
    return opener(policy)


def load_verifiers(name: str) -> Catalog[VerifierFactory]:
    """Import a catalogue of verifiers by its import string."""
    module, attribute = name.split(":")
    found: Catalog[VerifierFactory] = getattr(import_module(module), attribute)
    return found


def load_policies(name: str) -> Catalog[PolicyFactory]:
    """Import a catalogue of policies by its import string."""
    module, attribute = name.split(":")
    found: Catalog[PolicyFactory] = getattr(import_module(module), attribute)
    return found
