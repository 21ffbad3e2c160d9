"""A thread beside the loop: it does what it is asked, in order, and in between whatever it keeps up with."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class SideThread:
    """Runs jobs and, after each time that it was woken, ``keep_up``."""

    def __init__(self, name: str, keep_up: Callable[[], None], close: Callable[[], None]) -> None:
        """Start it; ``close`` is called in the thread when it ends."""
        self._keep_up, self._close = keep_up, close
        self._jobs: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self.is_closing = False
        """Whether the thread is to end."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Let it look again."""
        self._wake.set()

    def rest(self, seconds: float) -> bool:
        """Wait, in the thread; tells whether somebody woke it before the time was over."""
        return self._wake.wait(seconds)

    def ask(self, work: Callable[[], T]) -> Future[T]:
        """Run ``work()`` in the thread; what it raises, the future raises."""
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)

        if self.is_closing:
            future.cancel()
            return future
        self._jobs.append(job)
        self._wake.set()
        return future

    def close(self) -> None:
        """End it and wait for that; again is harmless."""
        self.is_closing = True
        self._wake.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self.is_closing:
                self._wake.wait()
                self._wake.clear()
                while self._jobs and not self.is_closing:
                    self._jobs.popleft()()
                self._keep_up()
        finally:
            self._close()
