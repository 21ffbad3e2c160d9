"""Commands on their way from any thread to the stepping thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, NamedTuple, TypeVar

from workbench.core.errors import WrongMode
from workbench.rollout.modes import STEERING_COMMANDS, TRANSITIONS, Command, RolloutMode, next_mode

T = TypeVar("T")
Work = Callable[[RolloutMode, RolloutMode], None]
"""``work(mode_before, mode_after)``, run in the stepping thread between control steps."""


@dataclass(frozen=True, eq=False)
class Job:
    """What a command asks the stepping thread to do."""

    work: Work
    before: RolloutMode
    after: RolloutMode
    future: Future[Any] | None


class Ticket(NamedTuple):
    """The wishes known at one moment; compare with a later one to see what came in between."""

    mode: RolloutMode
    steering: int
    """Commands so far that say what shall happen next."""
    halts: int


class Inbox:
    """The present mode and the jobs that wait.

    A command changes the mode at once, in the caller's thread, and queues its work; so commands can follow each other without
    waiting, a wrong one is refused on the spot, and HALT acts before any queued work is done. ``wake`` is set at every change.
    """

    def __init__(self) -> None:
        self.wake = Event()
        self._lock = Lock()
        self._jobs: deque[Job] = deque()
        self._ticket = Ticket(RolloutMode.IDLE, 0, 0)
        self._is_closed = False

    @property
    def ticket(self) -> Ticket:
        """The present wishes, read without a lock."""
        return self._ticket

    @property
    def mode(self) -> RolloutMode:
        """The present mode."""
        return self._ticket.mode

    @property
    def is_closed(self) -> bool:
        """Whether no more commands are taken."""
        return self._is_closed

    def post(self, command: Command, work: Work | None = None, future: Future[Any] | None = None) -> None:
        """Take a command.

        Raises:
            WrongMode: it is not allowed in the present mode, or the controller is closed.
        """
        with self._lock:
            if self._is_closed:
                raise WrongMode(command.value, mode="closed", allowed=[m.value for m in TRANSITIONS[command]])
            mode, steering, halts = self._ticket
            after = next_mode(mode, command)
            is_steering, is_halt = command in STEERING_COMMANDS, command is Command.HALT
            self._ticket = Ticket(after, steering + is_steering, halts + is_halt)
            if work is not None:
                self._jobs.append(Job(work, mode, after, future))
        self.wake.set()

    def settle_paused(self, ticket: Ticket) -> bool:
        """Pause from within the stepping thread, unless somebody steered since the ticket was read; tell whether it is paused now."""
        with self._lock:
            if self._ticket.steering != ticket.steering:
                return False
            if self._ticket.mode in (RolloutMode.AUTONOMOUS, RolloutMode.CORRECTING):
                self._ticket = self._ticket._replace(mode=RolloutMode.PAUSED)
            return self._ticket.mode is RolloutMode.PAUSED

    def settle_idle(self) -> None:
        """Note that there is no episode, unless a job that may bring one still waits."""
        with self._lock:
            if not self._jobs:
                self._ticket = self._ticket._replace(mode=RolloutMode.IDLE)

    def take(self) -> Job | None:
        """Return the oldest job and forget it."""
        with self._lock:
            return self._jobs.popleft() if self._jobs else None

    def close(self) -> None:
        """Take no more commands."""
        with self._lock:
            self._is_closed = True
        self.wake.set()


def promised(work: Callable[[], T], *, is_shown: bool = False) -> tuple[Future[T], Work]:
    """Return a future, and the job that fulfils it with what ``work`` returns or raises; ``is_shown``: the stepping thread hears of it too."""
    future: Future[T] = Future()

    def job(before: RolloutMode, after: RolloutMode) -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
            if is_shown:
                raise

    return future, job
