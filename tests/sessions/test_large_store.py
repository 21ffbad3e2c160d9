import time
from dataclasses import replace

import numpy as np
import pytest

from sessions.recorder import Recorder
from sessions.records import EpisodeQuery
from sessions.store import Store
from tests.sessions.recordings import start, step
from workbench.core.events import EpisodeEnd, Event, EventKind, Outcome

NUM_STEPS = 100_000


def timed(call, *args):
    begun = time.perf_counter()
    result = call(*args)
    return time.perf_counter() - begun, result


@pytest.mark.slow
def test_a_session_of_a_hundred_thousand_steps_lists_and_opens_within_a_second(tmp_path):
    path = tmp_path / "workbench.db"
    rng = np.random.default_rng(0)
    some = [step(rng, index) for index in range(500)]
    with Store.open(path) as store, Recorder(store, max_pending=10**9) as recorder:
        lengths = [NUM_STEPS // 2] + [200] * (NUM_STEPS // 400)
        for number, length in enumerate(lengths):
            recorder.on_start(start(episode_id=f"episode-{number:04d}", wall_time=1.7e9 + number))
            for index in range(length):
                if index % 50 == 0:
                    recorder.on_event(f"episode-{number:04d}", Event(EventKind.PLAN_STEP, index, 0.05 * index, {"plan_step": 1}))
                recorder.on_step(replace(some[index % 500], index=index, time_s=0.05 * index))
            recorder.on_end(EpisodeEnd(f"episode-{number:04d}", Outcome.SUCCESS, length, 0.05 * length))
            recorder.flush(60.0)
    opening, store = timed(Store.open, path)
    with store:
        assert store.session("sitting").num_steps == NUM_STEPS
        times = {
            "open": opening,
            "sessions": timed(store.sessions)[0],
            "episodes": timed(store.episodes, EpisodeQuery(session_id="sitting", text="red", limit=500))[0],
            "episode": timed(store.episode, "episode-0000")[0],
            "events": timed(store.events, "episode-0000")[0],
            "storage": timed(store.storage)[0],
        }
        assert sum(times.values()) < 1.0, times
        seeks = [timed(store.state_at, "episode-0000", int(index)) for index in rng.integers(NUM_STEPS // 2, size=200)]
        assert np.median([seconds for seconds, _ in seeks]) < 5e-3
        assert store.storage().file_bytes < NUM_STEPS * 1000


def test_a_long_listing_is_read_page_by_page(tmp_path):
    with Store.open(tmp_path / "workbench.db") as store:
        with Recorder(store) as recorder:
            for number in range(300):
                recorder.on_start(start(wall_time=1.7e9 + number))
        seen = [e.id for page in range(0, 300, 70) for e in store.episodes(EpisodeQuery(limit=70, offset=page)).episodes]
        assert len(set(seen)) == len(seen) == 300
