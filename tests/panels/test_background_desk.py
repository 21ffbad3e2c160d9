"""One job at a time behind the page."""

import threading
from dataclasses import dataclass

import pytest

from panels.background_desk import BackgroundDesk, BackgroundStatus, Job
from workbench.core.errors import InvalidInput, WrongMode

WAIT_S = 10


@dataclass(frozen=True)
class Counted(BackgroundStatus):
    number: int = 0


class CountingDesk(BackgroundDesk[Counted]):
    def __init__(self):
        super().__init__("count", Counted())
        self.told = []

    def start(self, number, work=lambda desk: None, finish=lambda error: None):

        def end(error):
            self.told.append(error)
            finish(error)

        return self._begin(lambda: Job(Counted(is_running=True, number=number), lambda: work(self), end))

    def wait(self):
        self._thread.join(WAIT_S)
        return self.status()


def fail(error):
    def work(*_):
        raise error

    return work


def test_a_second_job_is_refused_while_one_runs_and_welcome_afterwards():
    desk, go_on = CountingDesk(), threading.Event()
    assert desk.start(1, lambda desk: go_on.wait(WAIT_S)).number == 1
    with pytest.raises(WrongMode):
        desk.start(2)
    assert desk.status() == Counted(is_running=True, number=1)
    go_on.set()
    assert desk.wait() == Counted(number=1)
    desk.start(2)
    assert desk.wait() == Counted(number=2)


def test_a_job_that_was_cancelled_does_not_cancel_the_next():
    desk, seen = CountingDesk(), []
    desk.start(1, lambda desk: desk._cancel.wait(WAIT_S))
    desk.cancel()
    assert desk.wait().is_cancelled
    desk.start(2, lambda desk: seen.append(desk._cancel.is_set()))
    assert not desk.wait().is_cancelled and seen == [False]


@pytest.mark.parametrize("error", [InvalidInput("number", expected="one", found="two"), RuntimeError("a bug")])
def test_what_goes_wrong_is_told_to_the_end_of_the_job_and_to_the_page(error):
    desk = CountingDesk()
    desk.start(1, fail(error))
    status = desk.wait()
    assert not status.is_running and status.error and desk.told == [status.error]
    desk.start(2, finish=fail(error))
    assert desk.wait().error and desk.told[1] == ""


def test_what_cannot_be_prepared_leaves_the_desk_free():
    desk = CountingDesk()
    with pytest.raises(InvalidInput):
        desk._begin(fail(InvalidInput("job", expected="one", found="none")))
    assert desk.status() == Counted()
    desk.start(1)
    assert desk.wait().number == 1
