"""The comparison that runs behind the page: its episodes in another process, its results written by this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from panels.background_desk import BackgroundDesk, BackgroundStatus, Job
from sessions.steering_comparisons import begin_comparison, finish_comparison, keep_run
from sessions.store import Store
from workbench.evaluation.runners import IsCancelled
from workbench.evaluation.steering_compare import CompareJob, ComparePlan, CompareResult, RunOutcome, compare
from workbench.evaluation.worker import WorkerSetup

if TYPE_CHECKING:
    from workbench.evaluation.steering_runs import CompareProcess


@dataclass(frozen=True)
class CompareStatus(BackgroundStatus):
    """What the desk does."""

    comparison_id: str = ""
    """The one that runs, or ran last; empty before the first."""
    share: float = 0.0
    text: str = ""

    def tell(self) -> str:
        """Return one line for the page."""
        if not self.comparison_id:
            return "No comparison runs."
        if self.is_running:
            return f"Stopping: {self.text}" if self.is_cancelled else f"{100 * self.share:.0f} %: {self.text or 'starting a process'}"
        return self.error or "Done."


def open_process(setup: WorkerSetup, is_cancelled: IsCancelled) -> CompareProcess:
    """Return the process that runs the episodes; it loads torch, and the page's process, which only waits, does not need to."""
    from workbench.evaluation.steering_runs import CompareProcess

    return CompareProcess(setup, is_cancelled)


class CompareDesk(BackgroundDesk[CompareStatus]):
    """Runs one comparison at a time in the background; every method returns at once."""

    def __init__(self, store: Store, policies: str, opener: str) -> None:
        """Write to ``store``; the process imports its policies, and what opens them for steering, by these names."""
        super().__init__("comparison", CompareStatus())
        self._store, self._setup = store, WorkerSetup(policies, opener=opener)

    def start(self, plan: ComparePlan, title: str) -> str:
        """Begin a comparison and return its id.

        Raises:
            WrongMode: another one runs.
            StoreError: the database refuses.
        """

        def prepare() -> Job[CompareStatus]:
            comparison_id = begin_comparison(self._store, plan, title)
            results: list[CompareResult] = []

            def work() -> None:
                results.append(self._compare(comparison_id, plan))

            def finish(error: str) -> None:
                finish_comparison(self._store, comparison_id, results[0] if results else None, error)
                self._change(share=1.0)

            return Job(CompareStatus(is_running=True, comparison_id=comparison_id), work, finish)

        return self._begin(prepare).comparison_id

    def _compare(self, comparison_id: str, plan: ComparePlan) -> CompareResult:
        with open_process(self._setup, self._cancel.is_set) as process:
            return compare(
                plan,
                self._keeping(process.run),
                session_id=comparison_id,
                progress=lambda share, text: self._change(share=share, text=text),
            )

    def _keeping(self, run: Callable[[CompareJob], RunOutcome]) -> Callable[[CompareJob], RunOutcome]:
        """Return the same, keeping every episode before the next begins."""

        def run_and_keep(job: CompareJob) -> RunOutcome:
            outcome = run(job)
            keep_run(self._store, job.arm.name, outcome)
            return outcome

        return run_and_keep
