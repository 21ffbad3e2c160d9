import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sessions.store import Store
from tests.sessions.recordings import step
from workbench.core.errors import StoreLocked
from workbench.core.events import Outcome

ROOT = Path(__file__).parent.parent.parent

RECORD = """
import sys, time
import numpy as np
from sessions.recorder import Recorder
from sessions.store import Store
from tests.sessions.recordings import start, step
store = Store.open(sys.argv[1])
recorder = Recorder(store)
rng = np.random.default_rng(7)
head = start(episode_id="killed", wall_time=time.time())
recorder.on_start(head)
begun = time.monotonic()
for index in range(100000):
    recorder.on_step(step(rng, index, wall_time=time.time()))
    print(index, flush=True)
    time.sleep(float(sys.argv[2]))
"""


def start_recording(path, period_s):
    command = [sys.executable, "-c", RECORD, str(path), str(period_s)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("period_s", "after_s"), [(0.05, 1.3), (0.05, 2.05), (0.002, 1.7)])
def test_a_killed_process_loses_at_most_the_last_second(tmp_path, period_s, after_s):
    path = tmp_path / "workbench.db"
    process = start_recording(path, period_s)
    assert process.stdout.readline() == "0\n"
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    killed = time.time()
    told = int(process.communicate()[0].split()[-1])
    with Store.open(path) as store:
        info = store.episode("killed")
        steps = list(store.steps("killed"))
        with store.reading() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert info.outcome is Outcome.INTERRUPTED
    assert [s.index for s in steps] == list(range(info.num_steps))
    assert info.num_steps <= told + 2
    assert steps[-1].wall_time > killed - 1.0
    rng = np.random.default_rng(7)
    assert all(step(rng, s.index).state.equals(s.state) for s in steps)


def test_a_second_process_is_told_who_writes_and_may_read_what_is_recorded(tmp_path):
    path = tmp_path / "workbench.db"
    process = start_recording(path, 0.01)
    try:
        process.stdout.readline()
        time.sleep(0.8)
        with pytest.raises(StoreLocked, match=f"process {process.pid} is using it.*read-only"):
            Store.open(path)
        with Store.open(path, read_only=True) as store:
            first = store.episode("killed")
            assert first.outcome is Outcome.RUNNING, "nobody but the writer may say that it was interrupted"
            time.sleep(0.8)
            second = store.episode("killed")
            assert second.num_steps > first.num_steps > 0
            store.state_at("killed", second.num_steps - 1)
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()
    with Store.open(path, read_only=True) as store:
        assert store.episode("killed").outcome is Outcome.RUNNING
    with Store.open(path) as store:
        assert store.episode("killed").outcome is Outcome.INTERRUPTED


def test_another_program_may_read_the_database_while_it_is_recorded(tmp_path):
    path = tmp_path / "workbench.db"
    process = start_recording(path, 0.01)
    try:
        process.stdout.readline()
        time.sleep(0.8)
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        for _ in range(20):
            assert connection.execute("SELECT count(*) FROM step_table").fetchone()[0] > 0
        connection.close()
    finally:
        process.kill()
        process.communicate()
