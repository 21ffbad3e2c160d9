import threading
import time

import numpy as np
import pytest

from sessions.recorder import Recorder
from sessions.records import EpisodeQuery
from sessions.store import Store
from tests.sessions.recordings import record, start, state, step
from workbench.core.events import EpisodeEnd, Event, EventKind, Outcome
from workbench.core.protocols import RolloutObserver
from workbench.core.types import Actor, Takeover


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "workbench.db") as opened:
        yield opened


def test_what_was_told_is_on_disk_within_a_second_without_asking(store):
    with Recorder(store) as recorder:
        head = start()
        record(recorder, head, 10, outcome=None)
        time.sleep(0.9)
        assert store.episode(head.episode_id).num_steps == 10
        assert store.episode(head.episode_id).outcome is Outcome.RUNNING
        assert len(list(store.steps(head.episode_id))) == 10


def test_recording_piece_by_piece_equals_recording_at_once(store):
    rng = np.random.default_rng(1)
    head = start()
    steps = [step(rng, index) for index in range(140)]
    with Recorder(store) as recorder:
        recorder.on_start(head)
        for index, one in enumerate(steps):
            recorder.on_step(one)
            if index in (0, 1, 30, 63, 64, 100, 127):
                assert recorder.flush()
        recorder.on_end(EpisodeEnd(head.episode_id, Outcome.SUCCESS, 140, 7.0))
    assert all(a.state.equals(b.state) for a, b in zip(steps, store.steps(head.episode_id), strict=True))
    with store.reading() as connection:
        chunks = [tuple(row) for row in connection.execute("SELECT first_step, num_steps FROM state_chunks ORDER BY first_step")]
    assert chunks == [(0, 64), (64, 64), (128, 12)]


def test_actions_that_sqlite_numbers_would_change_are_exact(store):
    rng = np.random.default_rng(1)
    odd = np.array([-0.0, 0.0, 1e-42, -1.0, 0.1, 3e38, 1.0], dtype=np.float32)
    wrong = np.array([np.nan, np.inf, -np.inf, 0, 0, 0, 0], dtype=np.float32)
    head = start()
    with Recorder(store) as recorder:
        recorder.on_start(head)
        recorder.on_step(
            step(
                rng,
                0,
                action=odd,
                proposal=wrong,
                actor=Actor.HUMAN,
                halt_slice=3,
                scores={"value": float("inf")},
                takeover=Takeover(2, odd),
            )
        )
        recorder.on_step(step(rng, 1, action=wrong, proposal=None, proprio=None))
    first, second = store.steps(head.episode_id)
    assert (first.action.tobytes(), first.proposal.tobytes()) == (odd.tobytes(), wrong.tobytes())
    assert (first.actor, first.halt_slice, first.takeover.slice) == (Actor.HUMAN, 3, 2)
    assert first.takeover.action.tobytes() == odd.tobytes()
    assert second.takeover is None
    assert np.isnan(first.scores["value"])
    assert (second.action.tobytes(), second.proposal) == (wrong.tobytes(), None)
    assert np.isnan(store.columns(head.episode_id).ee[1]).all()


def test_states_may_change_their_length_and_steps_may_be_missing(store):
    rng = np.random.default_rng(1)
    head = start()
    states = [state(rng, 0), state(rng, 1), state(rng, 2)]
    longer = states[1].__class__(np.arange(3.0), np.arange(2.0), b"")
    with Recorder(store) as recorder:
        recorder.on_start(head)
        for index, one in ((0, states[0]), (1, longer), (5, states[2])):
            recorder.on_step(step(rng, index, state=one))
    assert [s.index for s in store.steps(head.episode_id)] == [0, 1, 5]
    assert store.state_at(head.episode_id, 1).equals(longer)
    assert store.state_at(head.episode_id, 5).equals(states[2])


def test_prompts_are_kept_by_step(store):
    rng = np.random.default_rng(1)
    head = start()
    with Recorder(store) as recorder:
        recorder.on_start(head)
        for index, prompt in enumerate(["", "a" * 32, "a" * 32, "b" * 32, ""]):
            recorder.on_step(step(rng, index, prompt_id=prompt))
    assert [s.prompt_id[:1] for s in store.steps(head.episode_id)] == ["", "a", "a", "b", ""]


def test_one_recorder_keeps_the_rollouts_of_many_threads_apart(store):
    with Recorder(store) as recorder:
        heads = [start(session_id=f"tab {k}") for k in range(8)]
        threads = [threading.Thread(target=record, args=(recorder, head, 120), kwargs={"seed": k}) for k, head in enumerate(heads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for k, head in enumerate(heads):
        rng = np.random.default_rng(k)
        assert [s.action.tobytes() for s in store.steps(head.episode_id)] == [step(rng, i).action.tobytes() for i in range(120)]


def test_an_event_may_follow_the_end_and_an_entry_that_cannot_be_kept_harms_no_other(store):
    alarms = []
    with Recorder(store, on_alarm=alarms.append) as recorder:
        head = start()
        record(recorder, head, 3)
        recorder.on_event("nobody", Event(EventKind.NOTE, 0, 0.0))
        recorder.on_start(head)  # the same id again
        recorder.on_event(head.episode_id, Event(EventKind.RATING, 3, 0.15, {"rating": 5}))
        second = start(instruction="half a pair \ud800")
        record(recorder, second, 2)
    assert [e.kind for e in store.events(head.episode_id)] == [EventKind.START, EventKind.RATING]
    assert store.episode(second.episode_id).instruction == "half a pair ?"
    assert alarms[0].num_lost == 2
    assert not alarms[0].is_failing
    assert "log has the reason" in alarms[0].message


def test_closing_marks_what_did_not_end_as_interrupted(store):
    head = start()
    with Recorder(store) as recorder:
        record(recorder, head, 20, outcome=None)
    info = store.episode(head.episode_id)
    assert (info.outcome, info.num_steps) == (Outcome.INTERRUPTED, 20)
    assert info.duration_s == pytest.approx(1.0)


def test_while_the_disk_is_full_nothing_blocks_or_is_lost_and_an_alarm_is_raised(store):
    alarms = []
    rng = np.random.default_rng(0)
    with Recorder(store, on_alarm=alarms.append, period_s=0.02) as recorder:
        head = start()
        recorder.on_start(head)
        recorder.on_step(step(rng, 0))
        assert recorder.flush()
        with store.transaction() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        longest = 0.0
        for index in range(1, 400):
            one = step(rng, index)
            begun = time.perf_counter()
            recorder.on_step(one)
            longest = max(longest, time.perf_counter() - begun)
        assert not recorder.flush(0.5)
        assert longest < 0.1
        assert recorder.status().is_failing
        assert recorder.status().num_pending >= 399
        assert "disk is full" in recorder.status().message
        with store.transaction() as connection:
            connection.execute("PRAGMA max_page_count = 1073741823")
        assert recorder.flush(10.0)
        recorder.on_end(EpisodeEnd(head.episode_id, Outcome.SUCCESS, 400, 20.0))
    rng = np.random.default_rng(0)
    assert all(step(rng, i).state.equals(s.state) for i, s in zip(range(400), store.steps(head.episode_id), strict=True))
    assert [(a.is_failing, a.num_lost) for a in alarms] == [(True, 0), (False, 0)]


def test_memory_is_bounded_while_the_disk_refuses_and_the_loss_is_told(store):
    alarms = []
    rng = np.random.default_rng(0)
    with Recorder(store, on_alarm=alarms.append, period_s=0.02, max_pending=50) as recorder:
        head = start()
        recorder.on_start(head)
        assert recorder.flush()
        with store.transaction() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        for index in range(200):
            recorder.on_step(step(rng, index))
        assert recorder.status().num_pending <= 51
        with store.transaction() as connection:
            connection.execute("PRAGMA max_page_count = 1073741823")
        assert recorder.flush(10.0)
        recorder.on_step(step(rng, 200))
        assert recorder.flush(10.0)
    assert sum(1 for _ in store.steps(head.episode_id)) + recorder.status().num_lost == 201
    assert recorder.status().num_lost >= 149
    assert "memory was full" in " ".join(a.message for a in alarms)


def test_a_store_that_was_closed_too_early_raises_an_alarm_and_stops_nothing(store):
    alarms = []
    head = start()
    recorder = Recorder(store, on_alarm=alarms.append, period_s=0.02)
    record(recorder, head, 3, outcome=None)
    assert recorder.flush()
    store.close()
    recorder.on_step(step(np.random.default_rng(0), 3))
    recorder.close()
    assert not recorder._thread.is_alive()
    assert alarms[-1].is_failing
    assert "closed" in alarms[-1].message
    with Store.open(store.path) as again:
        assert again.episode(head.episode_id).outcome is Outcome.INTERRUPTED
        assert again.episode(head.episode_id).num_steps == 3


def test_readers_and_writers_of_many_threads_do_not_disturb_the_recording(store):
    errors, stop = [], threading.Event()
    heads = [start(episode_id=f"episode-{k}") for k in range(4)]

    def look(number):
        try:
            while not stop.is_set():
                for info in store.episodes().episodes:
                    found = list(store.steps(info.id))
                    assert [s.index for s in found] == list(range(len(found)))
                    store.rename(info.id, f"name {number}")
                    store.add_note(info.id, "seen")
        except Exception as error:
            errors.append(error)

    with Recorder(store, period_s=0.02) as recorder:
        watchers = [threading.Thread(target=look, args=(k,)) for k in range(3)]
        tellers = [threading.Thread(target=record, args=(recorder, head, 600)) for head in heads]
        for thread in (*watchers, *tellers):
            thread.start()
        for thread in tellers:
            thread.join()
        assert recorder.flush(20.0)
        stop.set()
        for thread in watchers:
            thread.join()
    assert errors == []
    assert [store.episode(head.episode_id).num_steps for head in heads] == [600] * 4


def test_an_alarm_that_fails_does_not_stop_the_recording(store):
    def fail(status):
        raise RuntimeError("the page is gone")

    with Recorder(store, on_alarm=fail) as recorder:
        recorder.on_event("nobody", Event(EventKind.NOTE, 0, 0.0))
        assert recorder.flush()
        head = start()
        record(recorder, head, 2)
    assert store.episode(head.episode_id).num_steps == 2


def test_the_recorder_is_a_rollout_observer(store):
    with Recorder(store) as recorder:
        observer: RolloutObserver = recorder
        assert {name for name in dir(RolloutObserver) if name.startswith("on_")} <= set(dir(observer))


def test_a_live_rating_and_note_are_found_in_the_listing(store):
    with Recorder(store) as recorder:
        head = start()
        record(recorder, head, 3)
        recorder.on_event(head.episode_id, Event(EventKind.RATING, 3, 0.15, {"stars": 4}))
        recorder.on_event(head.episode_id, Event(EventKind.RATING, 3, 0.15, {"is_success": True}))
        recorder.on_event(head.episode_id, Event(EventKind.NOTE, 3, 0.15, {"text": "wobbles", "shown_step": 1}))
    assert store.episode(head.episode_id).rating == 4
    assert [(n.text, n.step) for n in store.notes(head.episode_id)] == [("wobbles", 1)]
    assert store.episodes(EpisodeQuery(text="wobb")).total == 1
