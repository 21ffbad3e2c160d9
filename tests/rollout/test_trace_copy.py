"""A copy of the scene in a thread of its own."""

import threading

import pytest

from tests.rollout.fakes import FakeSimulator, fake_config, simulators
from workbench.rollout.trace_copy import SceneCopy


@pytest.fixture
def copy():
    made = SceneCopy(simulators(FakeSimulator))
    yield made
    made.close()


def test_work_is_done_at_the_given_state_in_another_thread(copy):
    state = copy.run(fake_config(), None, lambda simulator: simulator.state()).result(10)
    again = copy.run(fake_config(), state, lambda simulator: (simulator.state(), threading.current_thread())).result(10)
    assert again[0].equals(state) and again[1] is not threading.current_thread()


def test_of_waiting_work_under_one_name_the_newest_wins(copy):
    gate = threading.Event()
    copy.run(fake_config(), None, lambda simulator: gate.wait(10))
    jobs = [copy.run(fake_config(), None, lambda simulator, i=i: i, slot="check") for i in range(3)]
    other = copy.run(fake_config(), None, lambda simulator: "other", slot="preview")
    gate.set()
    assert jobs[2].result(10) == 2 and other.result(10) == "other"
    assert jobs[0].cancelled() and jobs[1].cancelled()


def test_what_goes_wrong_reaches_whoever_asked_and_nobody_else(copy):
    broken = copy.run(fake_config(), None, lambda simulator: 1 / 0)
    assert isinstance(broken.exception(10), ZeroDivisionError)
    assert copy.run(fake_config(), None, lambda simulator: 5).result(10) == 5


def test_after_closing_nothing_is_done(copy):
    copy.close()
    assert copy.run(fake_config(), None, lambda simulator: 5).cancelled()
