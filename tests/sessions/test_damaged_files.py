import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.connection import set_aside
from sessions.recorder import Recorder
from sessions.store import Store
from tests.sessions.recordings import record, start
from workbench.core.errors import StoreCorrupt, StoreError, StoreLocked, WorkbenchError

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a database with two episodes, and their ids."""
    path = tmp_path_factory.mktemp("whole") / "workbench.db"
    heads = [start(), start("push_to_zone")]
    with Store.open(path) as store:
        with Recorder(store) as recorder:
            for head in heads:
                record(recorder, head, 100)
        store.add_note(heads[0].episode_id, "a remark")
    return path.read_bytes(), [head.episode_id for head in heads]


def use_everything(path, ids):
    """Do with a database what the page does; whatever goes wrong must be an error of ours."""
    with Store.open(path, read_only=True) as store:
        for read in (store.sessions, store.episodes, store.facets, store.storage):
            with contextlib.suppress(WorkbenchError):
                read()
        for episode in ids:
            for read in (store.episode, store.events, store.notes, store.columns, store.branches, store.thumbnail, store.start_state):
                with contextlib.suppress(WorkbenchError):
                    read(episode)
            with contextlib.suppress(WorkbenchError):
                list(store.steps(episode))
            with contextlib.suppress(WorkbenchError):
                store.state_at(episode, 70)
    with Store.open(path) as store:
        with contextlib.suppress(WorkbenchError):
            store.rename(ids[0], "new")
        with contextlib.suppress(WorkbenchError):
            store.add_note(ids[0], "new")
        with contextlib.suppress(WorkbenchError):
            store.delete(ids[1])
            store.purge()


@pytest.mark.parametrize(
    "content",
    [b"hello, this is a text file and no database at all", b"SQLite format 3\0" + b"\x07" * 500, b"SQLite format 3\0", b"\0" * 4096, b"x"],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, content, read_only):
    path = tmp_path / "workbench.db"
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"workbench\.db.*left as it was"):
        Store.open(path, read_only=read_only)
    assert path.read_bytes() == content
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".lock") == ["workbench.db"]


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="belongs to another program"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "workbench.db"
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('vla-workbench', 'm999_future', '')")
    connection.commit()
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"newer version.*m999_future.*Update"):
            Store.open(path, read_only=read_only)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_database_is_refused_kept_and_can_be_set_aside(tmp_path, whole, share):
    path = tmp_path / "workbench.db"
    content = whole[0][: int(share * len(whole[0]))]
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="left as it was"):
        Store.open(path)
    assert path.read_bytes() == content
    aside = set_aside(path)
    assert aside.read_bytes() == content
    assert "damaged" in aside.name
    with Store.open(path) as store:
        assert store.episodes().total == 0
    assert aside.exists()


def test_setting_aside_twice_keeps_both_files(tmp_path):
    path = tmp_path / "workbench.db"
    kept = []
    for content in (b"one", b"two", b"three"):
        path.write_bytes(content)
        kept.append(set_aside(path))
    assert [p.read_bytes() for p in kept] == [b"one", b"two", b"three"]


def test_a_database_in_use_cannot_be_set_aside(tmp_path):
    path = tmp_path / "workbench.db"
    with Store.open(path), pytest.raises(StoreLocked):
        set_aside(path)


@given(content=st.binary(max_size=3000), is_headed=st.booleans())
@settings(max_examples=60, deadline=None)
def test_random_bytes_are_refused_and_left_alone(tmp_path_factory, content, is_headed):
    path = tmp_path_factory.mktemp("random") / "workbench.db"
    content = (b"SQLite format 3\0" if is_headed else b"") + content
    if not content:
        return
    path.write_bytes(content)
    for read_only in (True, False):
        with pytest.raises(StoreError):
            Store.open(path, read_only=read_only)
    assert path.read_bytes() == content
    shutil.rmtree(path.parent)


@given(data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_database_with_flipped_bytes_never_gives_anything_but_our_errors(tmp_path_factory, whole, data):
    content, ids = whole
    damaged = bytearray(content)
    # Half of the damage goes where rows and pages begin; a spot chosen evenly mostly hits state chunks.
    spots = st.one_of(st.integers(0, len(content) - 1), st.integers(0, len(content) // 4096 - 1).map(lambda page: page * 4096))
    for _ in range(data.draw(st.integers(1, 12))):
        spot = min(data.draw(spots) + data.draw(st.integers(0, 130)), len(content) - 1)
        damaged[spot] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flipped") / "workbench.db"
    path.write_bytes(damaged)
    with contextlib.suppress(WorkbenchError):
        use_everything(path, ids)
    shutil.rmtree(path.parent)


def in_subprocess(code, *args, limit=None):
    """Run code that must print OK, with a limit on the size of files."""

    def prepare():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-B", "-c", code, *map(str, args)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, preexec_fn=prepare, check=False)
    assert done.stdout.strip().endswith("OK"), done.stdout + done.stderr


FULL = """
import signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from sessions.recorder import Recorder
from sessions.store import Store
from tests.sessions.recordings import record, start
from workbench.core.errors import StoreError
alarms = []
with Store.open(sys.argv[1]) as store:
    with Recorder(store, on_alarm=alarms.append) as recorder:
        record(recorder, start(episode_id="first"), 200)
        assert recorder.flush()
        record(recorder, start(episode_id="second"), 4000)
        assert not recorder.flush(1.0)
        assert alarms[0].is_failing, alarms
    try:
        for _ in range(1000):
            store.add_note("first", "x" * 5000)
    except StoreError as error:
        assert "disk" in str(error), error
        print("OK")
"""


def test_on_a_disk_that_is_full_what_was_stored_stays_and_the_next_start_is_clean(tmp_path):
    path = tmp_path / "workbench.db"
    in_subprocess(FULL, path, limit=800_000)
    with Store.open(path) as store:
        assert len(list(store.steps("first"))) == 200
        with store.reading() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


READ_ONLY = """
import os, sys
from sessions.store import Store
from workbench.core.errors import StoreError
if os.getuid() == 0:
    os.setuid(65534)  # nobody: the rights of a file do not bind root
try:
    Store.open(sys.argv[1])
except StoreError as error:
    assert "read-only" in str(error) or "ermission" in str(error), error
with Store.open(sys.argv[1], read_only=True) as store:
    assert store.episodes().total == 2
    try:
        store.rename("x", "y")
    except StoreError as error:
        assert "read-only" in str(error), error
        print("OK")
"""


@pytest.mark.parametrize("is_folder_writable", [True, False])
def test_a_read_only_file_says_so_and_opens_for_reading(tmp_path, whole, is_folder_writable):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "workbench.db"
    path.write_bytes(whole[0])
    path.chmod(0o444)
    folder.chmod(0o777 if is_folder_writable else 0o555)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    in_subprocess(READ_ONLY, path)
    assert path.read_bytes() == whole[0]


def test_a_path_that_cannot_be_a_database_gives_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "workbench.db", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(StoreError):
            Store.open(path)
    with pytest.raises(StoreError, match="no such file"):
        Store.open(tmp_path / "nothing.db", read_only=True)


def test_opening_leaves_no_lock_or_connection_behind_when_it_fails(tmp_path):
    path = tmp_path / "workbench.db"
    path.write_bytes(b"no database")
    for _ in range(3):
        with pytest.raises(StoreCorrupt):
            Store.open(path)
    path.unlink()
    with Store.open(path) as store:
        assert store.episodes().total == 0
