"""Work on a policy's inside that takes longer than a click: one job at a time in the background, with progress and cancel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from panels.errors import bug_message
from workbench.core.errors import WorkbenchError, WrongMode
from workbench.core.events import new_id

CLOSE_TIMEOUT_S: Final = 10.0


class Cancelled(Exception):
    """Raised within a job at its next report when it was cancelled."""


@dataclass(frozen=True)
class JobStatus:
    """How the present or last job goes."""

    id: str = ""
    """Empty before the first."""
    title: str = ""
    is_running: bool = False
    share: float = 0.0
    """Of the work that is done, 0..1."""
    note: str = ""
    error: str = ""
    is_cancelled: bool = False


Report = Callable[[float, str], None]
"""Told the share that is done and what is being done; raises :class:`Cancelled` to end the job."""
Work = Callable[[Report], dict[str, Any]]
"""A job: returns JSON values for the page."""
Done = Callable[[JobStatus, dict[str, Any] | None], None]


class SteeringJobs:
    """Runs one job at a time; every method returns at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status = JobStatus()
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> JobStatus:
        """How the present or last job goes."""
        return self._status

    def start(self, title: str, work: Work, tell: Done) -> str:
        """Begin a job and return its id; ``tell`` hears of every change, and of the result in the end.

        Raises:
            WrongMode: another one runs.
        """
        with self._lock:
            if self._status.is_running:
                raise WrongMode("start this", mode=f"another job runs ({self._status.title})", allowed=("no job running",))
            self._cancel.clear()
            self._status = JobStatus(new_id(), title, is_running=True, note="starting")
        self._thread = threading.Thread(target=self._run, args=(work, tell), name="steering-job", daemon=True)
        self._thread.start()
        return self._status.id

    def cancel(self) -> None:
        """End the running job at its next report; without one, nothing happens."""
        self._cancel.set()

    def close(self) -> None:
        """End the running job and wait; again is harmless."""
        self._cancel.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self, work: Work, tell: Done) -> None:
        def report(share: float, note: str = "") -> None:
            if self._cancel.is_set():
                raise Cancelled
            self._change(tell, share=round(share, 3), note=note or self._status.note)

        result = None
        try:
            report(0.0, "starting")
            result = work(report)
            ending: dict[str, Any] = {"share": 1.0, "note": "done"}
        except Cancelled:
            ending = {"is_cancelled": True, "note": "cancelled"}
        except WorkbenchError as error:
            ending = {"error": str(error)}
        except Exception as error:
            ending = {"error": bug_message(error)}
        with self._lock:
            self._status = replace(self._status, is_running=False, **ending)
        tell(self._status, result)

    def _change(self, tell: Done, **changes: Any) -> None:
        with self._lock:
            before, self._status = self._status, replace(self._status, **changes)
        is_news = int(100 * before.share) != int(100 * self._status.share) or before.note != self._status.note
        if is_news:
            tell(self._status, None)


def job_message(status: JobStatus, result: dict[str, Any] | None) -> dict[str, Any]:
    """Return the message that a tab hears of a job."""
    return {"type": "steering_job", **asdict(status), "result": result}
