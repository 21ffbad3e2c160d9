"""A desk that runs one job at a time behind the page: in a thread, with a status that anybody may read, and a way to stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

import gradio as gr

from panels.errors import bug_message
from workbench.core.errors import WorkbenchError, WrongMode

CLOSE_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True)
class BackgroundStatus:
    """What a desk does."""

    is_running: bool = False
    is_cancelled: bool = False
    """Whether the job was asked to stop; it may take a while."""
    error: str = ""
    """Why the last job ended, where it did not end well."""

    def tell(self) -> str:
        """Return one line for the page; empty when there is nothing to say."""
        return self.error


S = TypeVar("S", bound=BackgroundStatus)


@dataclass(frozen=True)
class Job(Generic[S]):
    """What a desk shall do."""

    status: S
    """What the desk says at first: that it runs."""
    work: Callable[[], None]
    """Done in a thread of its own; looks at the desk's wish to cancel now and then."""
    finish: Callable[[str], None] = lambda error: None
    """Told in the end why the work failed; empty when it did not."""


class BackgroundDesk(Generic[S]):
    """Runs one job at a time; every method returns at once."""

    def __init__(self, what: str, idle: S) -> None:
        """Have nothing to do; ``what`` a job is, for messages."""
        self._what, self._status = what, idle
        self._lock, self._cancel = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def status(self) -> S:
        """Return what the desk does."""
        with self._lock:
            return self._status

    def updates(self) -> tuple[Any, Any, Any, Any]:
        """Return the updates of state line, clock, run and cancel button of the part of the page that shows the desk."""
        status = self.status()
        line = status.tell()
        return (
            {"lines": [line] if line else []},
            gr.Timer(active=status.is_running),
            gr.Button(interactive=not status.is_running),
            gr.Button(interactive=status.is_running and not status.is_cancelled),
        )

    def cancel(self) -> None:
        """Ask the running job to stop; what it has done stays. Without one, nothing happens."""
        self._cancel.set()
        self._change(is_cancelled=True)

    def close(self) -> None:
        """Stop and wait; before the store is closed. Again is harmless."""
        self._cancel.set()
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _begin(self, prepare: Callable[[], Job[S]]) -> S:
        """Begin a job and return its first status; ``prepare`` is asked for the job only when none runs.

        Raises:
            WrongMode: another one runs.
        """
        with self._lock:
            if self._status.is_running:
                raise WrongMode(f"start a {self._what}", mode="one runs", allowed=(f"no {self._what} running",))
            job = prepare()
            self._status = job.status
            self._cancel.clear()
        self._thread = threading.Thread(target=self._run, args=(job,), name=self._what, daemon=True)
        self._thread.start()
        return job.status

    def _run(self, job: Job[S]) -> None:
        error = _trouble_of(job.work)
        trouble = _trouble_of(lambda: job.finish(error))
        self._change(is_running=False, error=error or trouble)

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)


def _trouble_of(work: Callable[[], None]) -> str:
    """Do something, and return why it failed, in words for a person; empty when it did not."""
    try:
        work()
    except WorkbenchError as problem:
        return str(problem)
    except Exception as problem:
        return bug_message(problem)
    return ""
