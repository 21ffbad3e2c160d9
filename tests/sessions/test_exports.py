import json

import pytest

from sessions.exports import export_files, import_file
from sessions.recorder import Recorder
from sessions.store import Store
from tests.sessions.recordings import record, start
from workbench.core.errors import NotStored, UnknownName


def no_simulator(name):
    raise AssertionError("a simulator was made without need")


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "workbench.db") as opened:
        with Recorder(opened) as recorder:
            record(recorder, start(episode_id="a", session_id="monday"), 12)
            record(recorder, start(episode_id="b", session_id="monday"), 3)
        yield opened


def test_an_exported_session_comes_back_in_another_store(store, tmp_path):
    written = export_files(store, "monday", form="archive", out=tmp_path / "monday.zip", make_simulator=no_simulator)
    with Store.open(tmp_path / "other.db") as other:
        report = import_file(other, tmp_path / "monday.zip")
        assert report["imported"] == ("a", "b")
        assert other.episode("a").num_steps == 12
        assert other.state_at("a", 5).equals(store.state_at("a", 5))
    assert written["num_steps"] == 15


def test_json_export_writes_one_readable_file_an_episode(store, tmp_path):
    written = export_files(store, "monday", form="json", out=tmp_path / "json", make_simulator=no_simulator)
    documents = [json.loads((tmp_path / "json" / name.split("/")[-1]).read_text()) for name in written["files"]]
    assert {d["id"] for d in documents} == {"a", "b"}


def test_unknown_formats_and_sessions_are_named(store, tmp_path):
    with pytest.raises(UnknownName, match="archive, json, lerobot, mp4"):
        export_files(store, "monday", form="avi", out=tmp_path / "x", make_simulator=no_simulator)
    with pytest.raises(NotStored, match="tuesday"):
        export_files(store, "tuesday", form="json", out=tmp_path / "x", make_simulator=no_simulator)
    assert not (tmp_path / "x").exists()
