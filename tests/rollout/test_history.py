import threading

import numpy as np
import pytest

from workbench.core.errors import NotStored
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind, Outcome
from workbench.core.types import Actor, SimState, Step
from workbench.rollout.history import EpisodeHistory


def state(value):
    return SimState(np.array([float(value)]), np.zeros(0), b"")


def step(index):
    return Step(index, index / 20, state(index), np.zeros(7, dtype=np.float32), None, Actor.HOLD, False)


def history(num_steps=0, capacity=1000):
    result = EpisodeHistory(EpisodeStart("e", "s", {}, "", "hold"), capacity)
    for i in range(num_steps):
        result.on_step(step(i))
    return result


def test_steps_are_found_by_index():
    found = history(10)
    assert found.num_steps == 10
    assert [found.step(i).index for i in range(10)] == list(range(10))
    assert found.state(4).physics[0] == 4
    assert [s.index for s in found.steps(7)] == [7, 8, 9]


@pytest.mark.parametrize("index", [-1, 3, 99])
def test_a_step_that_is_not_there_is_refused(index):
    with pytest.raises(NotStored, match="3 steps"):
        history(3).step(index)


def test_the_present_state_is_the_one_after_the_last_step():
    found = history(3)
    found.set_present(state(77))
    assert found.state(3).physics[0] == 77
    found.on_step(step(3))
    with pytest.raises(NotStored):
        found.state(4)


def test_an_empty_episode_has_its_start_as_present():
    found = history()
    found.set_present(state(5))
    assert found.num_steps == 0
    assert found.state(0).physics[0] == 5


def test_memory_is_bounded_and_the_recent_half_stays_whole():
    capacity = 100
    found = history(5000, capacity)
    kept = [s.index for s in found.steps()]
    assert len(kept) <= capacity
    assert kept[0] == 0
    assert kept[-1] == 4999
    assert found.num_steps == 5000
    recent = kept[-capacity // 4 :]
    assert recent == list(range(recent[0], 5000))


def test_a_thinned_step_gives_the_newest_kept_one_before_it():
    found = history(5000, 100)
    kept = [s.index for s in found.steps()]
    for index in range(0, 5000, 7):
        assert found.step(index).index == max(k for k in kept if k <= index)


def test_events_are_kept_in_order_and_bounded():
    found = history(capacity=10)
    for i in range(25):
        found.on_event("e", Event(EventKind.NOTE, i, 0.0))
    assert [e.step for e in found.events()] == list(range(15, 25))
    assert [e.step for e in found.events(8)] == [23, 24]


def test_the_end_is_kept():
    found = history()
    assert found.end is None
    end = EpisodeEnd("e", Outcome.SUCCESS, 0, 0.0)
    found.on_end(end)
    assert found.end is end


def test_reading_while_steps_arrive_never_fails():
    found = history(capacity=64)
    errors = []
    is_over = threading.Event()

    def read():
        rng = np.random.default_rng(0)
        while not is_over.is_set():
            try:
                count = found.num_steps
                if count:
                    asked = int(rng.integers(count))
                    assert found.step(asked).index <= asked
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(20_000):
        found.on_step(step(i))
    is_over.set()
    for thread in threads:
        thread.join()
    assert not errors
