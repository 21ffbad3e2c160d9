"""Runs the jobs of comparisons: a simulator and one policy of each name, here or in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from types import TracebackType

import numpy as np

from workbench.core.errors import InvalidInput, ServiceFailed, WorkbenchError
from workbench.core.events import EpisodeStart, EventKind, Outcome, new_id
from workbench.core.protocols import Policy, PolicyFactory, SteerablePolicy
from workbench.core.types import Prompt
from workbench.evaluation.runners import NICENESS, POLL_S, IsCancelled, never
from workbench.evaluation.steering_compare import Cancelled, CompareArm, CompareJob, RunOutcome
from workbench.evaluation.steering_finding import Finder
from workbench.evaluation.steering_trials import desk_of
from workbench.evaluation.worker import EpisodeTape, WorkerSetup, load_policies, open_policy
from workbench.rollout.loop import LiveEpisode, announce_episode, catch_up, emit, finish_episode, follow_policy, make_episode, tick
from workbench.simulation.manner import PLAIN, say, strip_manner
from workbench.simulation.simulator import BenchSimulator
from workbench.steering.assets import Asset
from workbench.steering.concepts import fingerprint
from workbench.steering.controls import Control
from workbench.steering.dose import ArmKind
from workbench.steering.edits import ClampReading, strength_of, with_strength
from workbench.steering.mix import Mix, parse_mix
from workbench.steering.policy import SteeredPolicy, setting_of
from workbench.steering.sites import as_module


class CompareWorker:
    """Runs one job after the other; made, used and closed in one thread."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup, self._simulator = setup, BenchSimulator()
        self._policies: dict[str, tuple[SteeredPolicy, str]] = {}
        self._finders: dict[str, Finder] = {}

    def run(self, job: CompareJob) -> RunOutcome:
        """Put the robot where the run begins, and let the arm act until the task is solved or its time is over.

        Raises:
            InvalidInput: the policy cannot be steered, or not by these edits.
            UnknownName: the edits name something that is not there.
        """
        start, simulator = job.start, self._simulator
        if start.config.simulator != "bench" or start.config.robot:
            raise InvalidInput("comparison", expected="an episode of the bench with the built-in arm", found="another one")
        instruction = simulator.reset(start.config)
        policy, weights = self._policy(job.policy)
        mix, assets = self._edits(job, policy)
        prompt = start.prompt or Prompt(text=instruction)
        policy.set(setting_of(Mix()))
        tape = EpisodeTape()
        head = EpisodeStart(
            new_id(),
            job.session_id,
            start.config.to_dict(),
            prompt.text,
            job.policy,
            start.parent_id or None,
            start.step if start.parent_id else None,
            start.state.to_bytes() if start.state is not None else None,
        )
        episode = make_episode(simulator, policy, head, prompt=prompt, observer=tape)
        if start.lead:
            catch_up(episode, start.lead)
        if start.state is not None:
            simulator.restore(start.state)
        if job.arm.kind is not None:
            episode.chunk.clear()
        if job.arm.manner != PLAIN:
            text = say(strip_manner(prompt.text), job.arm.manner, np.random.default_rng(start.config.seed))
            episode.prompt = replace(prompt, text=text)
        policy.set(setting_of(mix, assets))
        announce_episode(episode)
        if mix.is_steering:
            emit(episode, EventKind.STEERING, {**mix.to_dict(), "policy": weights, "is_start": True})
        return _drive(episode, tape, assets, job.limit_s)

    def close(self) -> None:
        """Release the simulator."""
        self._simulator.close()

    def _edits(self, job: CompareJob, policy: SteeredPolicy) -> tuple[Mix, dict[str, Asset]]:
        """Return the desk of a job's arm; what its text names is found with the simulator, which is put back."""
        if job.arm.kind not in (ArmKind.STEERED, ArmKind.RANDOM) or job.arm.dose == 0:
            return Mix(), {}
        if not job.text:
            return _edits_of(job.arm, parse_mix(job.mix), dict(job.assets), policy)
        policy.set(setting_of(Mix()))
        finder = self._finders.setdefault(job.policy, Finder(policy.policy, self._simulator))
        mix, assets = desk_of(finder, job.text)
        self._simulator.reset(job.start.config)
        return _edits_of(job.arm, mix, assets, policy)

    def _policy(self, name: str) -> tuple[SteeredPolicy, str]:
        """Return a policy and the fingerprint of its weights."""
        if name not in self._policies:
            make: PolicyFactory = load_policies(self._setup.policies).load(name)
            found: Policy = make(self._simulator)
            opened: SteerablePolicy = open_policy(self._setup.opener, found)
            self._policies[name] = (SteeredPolicy(opened), fingerprint(as_module(opened.module)))
        return self._policies[name]


def _edits_of(arm: CompareArm, mix: Mix, assets: dict[str, Asset], policy: SteeredPolicy) -> tuple[Mix, dict[str, Asset]]:
    """Return the desk of an arm, and what it names."""
    control = None if arm.draw is None else Control(policy.policy.sites, assets, np.random.default_rng((arm.draw, 17)))
    slots = []
    for slot in mix.heard:
        edit = slot.edit
        if arm.dose != 1.0:
            if isinstance(edit, ClampReading) or slot.loop is not None:
                fix = "Compare it at one strength."
                raise InvalidInput("dose sweep", expected="edits with a strength of their own", found=slot.name, fix=fix)
            edit = with_strength(edit, arm.dose * strength_of(edit))
        slots.append(replace(slot, edit=edit if control is None else control.of(edit), is_solo=False))
    return Mix(tuple(slots)), assets if control is None else dict(control.assets)


def _drive(episode: LiveEpisode, tape: EpisodeTape, assets: dict[str, Asset], limit_s: float | None) -> RunOutcome:
    simulator = episode.simulator
    assert isinstance(simulator, BenchSimulator)
    oversee, path = follow_policy(episode), [simulator.world.ee_position]
    seconds = simulator.task.time_limit_s if limit_s is None else min(limit_s, simulator.task.time_limit_s)
    max_steps, note, action = round(seconds * episode.config.control_hz), "", np.zeros(7)
    try:
        while episode.index < max_steps and not episode.is_success:
            step = tick(episode, oversee)
            assert step is not None, "a policy that acts alone always acts"
            if episode.index == 1:
                action = np.asarray(step.action, dtype=float)
            path.append(simulator.world.ee_position)
    except WorkbenchError as error:
        note = str(error)
    finish_episode(episode, Outcome.ERROR if note else Outcome.SUCCESS if episode.is_success else Outcome.FAILURE)
    places = tuple((float(x), float(y), float(z)) for x, y, z in np.round(np.array(path), 4))
    return RunOutcome(places, episode.is_success, tuple(float(a) for a in action), tape, assets, note)


class CompareProcess:
    """A worker in a process of its own, so that a page beside it stays quick; ``with CompareProcess(setup) as process:``."""

    def __init__(self, setup: WorkerSetup, is_cancelled: IsCancelled = never) -> None:
        self._is_cancelled = is_cancelled
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve_jobs, args=(setup, theirs), daemon=True, name="comparison")
        self._theirs = theirs

    def __enter__(self) -> CompareProcess:
        """Start it."""
        self._process.start()
        self._theirs.close()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it, whatever it does."""
        self._pipe.close()
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()

    def run(self, job: CompareJob) -> RunOutcome:
        """Run a job and wait for it.

        Raises:
            Cancelled: it was cancelled meanwhile.
            ServiceFailed: the process ended.
            WorkbenchError: the job cannot be run.
        """
        try:
            self._pipe.send(job)
            while not self._pipe.poll(POLL_S):
                if self._is_cancelled():
                    raise Cancelled("The comparison was cancelled.")
            found = self._pipe.recv()
        except (EOFError, OSError) as error:
            reason = f"its process ended with status {self._process.exitcode}"
            raise ServiceFailed("Comparison", reason=reason, fix="Try again; the server's log tells more.") from error
        if isinstance(found, str):
            raise WorkbenchError(found)
        outcome: RunOutcome = found
        return outcome


def serve_jobs(setup: WorkerSetup, pipe: Connection, make: Callable[[WorkerSetup], CompareWorker] = CompareWorker) -> None:
    """Run the jobs that come through a pipe until it is closed; the main function of the process."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    worker = make(setup)
    try:
        while True:
            job = pipe.recv()
            try:
                pipe.send(worker.run(job))
            except WorkbenchError as error:
                pipe.send(str(error))
    except (EOFError, OSError):
        return  # whoever asked is gone
    finally:
        worker.close()
