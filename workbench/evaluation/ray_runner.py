"""Trials run by Ray: in workers of this machine, or of a running cluster. Ray is imported only when it is asked for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workbench.core.errors import InvalidInput, MissingDependency, ServiceFailed
from workbench.evaluation.campaign import ERROR, Trial, TrialResult
from workbench.evaluation.runners import POLL_S, IsCancelled, never
from workbench.evaluation.worker import ATTEMPTS, TrialOutcome, TrialWorker, WorkerSetup

LOCAL: Final = "local"
"""Start workers on this machine for this campaign only."""
ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RayRunner:
    """Runs trials in Ray actors, one processor each; one that dies is replaced, and its trial tried again, then named."""

    setup: WorkerSetup
    address: str = LOCAL
    """``local``, ``auto``, or the address of a running cluster, whose machines have this project at the same place."""
    workers: int | None = None
    """How many actors; by default one for each processor."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InvalidInput("workers", expected="at least 1", found=str(self.workers))

    def run(self, trials: Sequence[Trial], is_cancelled: IsCancelled = never) -> Generator[TrialOutcome, None, None]:
        """Yield the outcome of each trial as it ends.

        Raises:
            MissingDependency: Ray is not installed.
            ServiceFailed: there is no cluster at the address.
        """
        ray = import_ray()
        was_connected = ray.is_initialized()
        if not was_connected:
            connect(ray, self.address, self.workers)
        try:
            yield from self._run(ray, trials, is_cancelled)
        finally:
            if not was_connected:
                ray.shutdown()

    def _run(self, ray: Any, trials: Sequence[Trial], is_cancelled: IsCancelled) -> Generator[TrialOutcome, None, None]:
        actor = ray.remote(num_cpus=1)(TrialWorker)
        count = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        idle = [actor.remote(self.setup) for _ in range(min(count, len(trials)))]
        waiting, deaths = deque(trials), dict.fromkeys(trials, 0)
        running: dict[Any, tuple[Trial, Any]] = {}
        try:
            while waiting or running:
                if is_cancelled():
                    return
                while idle and waiting:
                    worker, trial = idle.pop(), waiting.popleft()
                    running[worker.run.remote(trial)] = (trial, worker)
                ready, _ = ray.wait(list(running), timeout=POLL_S)
                for future in ready:
                    trial, worker = running.pop(future)
                    try:
                        outcome = ray.get(future)
                    except ray.exceptions.RayActorError as error:
                        idle.append(actor.remote(self.setup))
                        deaths[trial] += 1
                        if deaths[trial] < ATTEMPTS:
                            waiting.appendleft(trial)
                            continue
                        note = f"{ERROR}the worker died {deaths[trial]} times: {error}"
                        outcome = TrialOutcome(trial, TrialResult(trial.seed, False, 0, note))
                    else:
                        idle.append(worker)
                    yield outcome
        finally:
            for worker in [*idle, *(worker for _, worker in running.values())]:
                ray.kill(worker)


def import_ray() -> Any:
    """Return the module ``ray``.

    Raises:
        MissingDependency: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependency("Running trials with Ray", needs="the package ray", install="pip install 'ray>=2.40,<3'") from error
    return ray


def connect(ray: Any, address: str, workers: int | None = None) -> None:
    """Connect to a cluster, or start one for this process.

    Raises:
        ServiceFailed: there is no cluster at the address.
    """
    environment = {"env_vars": {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}}
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "runtime_env": environment}
    try:
        if address == LOCAL:
            ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ServiceFailed(
            f"Ray cluster {address!r}", reason=str(error).splitlines()[0], fix="Start one with `ray start --head`, or use --ray local."
        ) from error
