"""The comparison that runs behind the page: its episodes in another process, its results written by this one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from panels.errors import bug_message
from sessions.steering_comparisons import begin_comparison, finish_comparison, keep_run
from sessions.store import Store
from workbench.core.errors import WorkbenchError, WrongMode
from workbench.evaluation.runners import IsCancelled
from workbench.evaluation.steering_compare import CompareJob, ComparePlan, RunOutcome, compare
from workbench.evaluation.worker import WorkerSetup

if TYPE_CHECKING:
    from workbench.evaluation.steering_runs import CompareProcess

log: Final = logging.getLogger(__name__)

CLOSE_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True)
class CompareStatus:
    """What the desk does."""

    comparison_id: str = ""
    """The one that runs, or ran last; empty before the first."""
    is_running: bool = False
    is_cancelled: bool = False
    share: float = 0.0
    text: str = ""
    error: str = ""

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


class CompareDesk:
    """Runs one comparison at a time in the background; every method returns at once."""

    def __init__(self, store: Store, policies: str, opener: str) -> None:
        """Write to ``store``; the process imports its policies, and what opens them for steering, by these names."""
        self._store, self._setup = store, WorkerSetup(policies, opener=opener)
        self._lock, self._cancel = threading.Lock(), threading.Event()
        self._status = CompareStatus()
        self._thread: threading.Thread | None = None

    def start(self, plan: ComparePlan, title: str) -> str:
        """Begin a comparison and return its id.

        Raises:
            WrongMode: another one runs.
            StoreError: the database refuses.
        """
        with self._lock:
            if self._status.is_running:
                raise WrongMode("start a comparison", mode="one runs", allowed=("no comparison running",))
            comparison_id = begin_comparison(self._store, plan, title)
            self._cancel.clear()
            self._status = CompareStatus(comparison_id, is_running=True)
        self._thread = threading.Thread(target=self._run, args=(comparison_id, plan), name="comparison", daemon=True)
        self._thread.start()
        return comparison_id

    def cancel(self) -> None:
        """Stop the running comparison; the episodes that it made stay. Without one, nothing happens."""
        self._cancel.set()
        self._change(is_cancelled=True)

    def status(self) -> CompareStatus:
        """Return what the desk does."""
        with self._lock:
            return self._status

    def close(self) -> None:
        """Stop and wait; before the store is closed. Again is harmless."""
        self._cancel.set()
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self, comparison_id: str, plan: ComparePlan) -> None:
        error, document = "", None
        try:
            with open_process(self._setup, self._cancel.is_set) as process:
                result = compare(
                    plan,
                    self._keeping(process.run),
                    session_id=comparison_id,
                    progress=lambda share, text: self._change(share=share, text=text),
                )
            document = result
        except WorkbenchError as problem:
            error = str(problem)
        except Exception as problem:
            error = bug_message(problem)
        try:
            finish_comparison(self._store, comparison_id, document, error)
        except WorkbenchError as problem:
            error = error or str(problem)
        self._change(is_running=False, error=error, share=1.0)

    def _keeping(self, run: Callable[[CompareJob], RunOutcome]) -> Callable[[CompareJob], RunOutcome]:
        """Return the same, keeping every episode before the next begins."""

        def run_and_keep(job: CompareJob) -> RunOutcome:
            outcome = run(job)
            keep_run(self._store, job.arm.name, outcome)
            return outcome

        return run_and_keep

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)
