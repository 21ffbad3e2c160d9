import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.lerobot_check import check_dataset
from sessions.lerobot_export import Cancelled, DatasetOptions, ExportWatch, export_dataset, export_zip
from sessions.lerobot_import import import_dataset, is_dataset
from sessions.lerobot_layout import Feature
from sessions.lerobot_pictures import open_pictures
from sessions.lerobot_reader import open_dataset, read_table
from sessions.lerobot_video import FilmReader
from sessions.lerobot_writer import DatasetSetup, new_dataset
from sessions.recorded import RECORDED, with_recordings
from sessions.replay import render_step, replay
from sessions.store import Store
from tests.sessions.lerobot_recordings import NUM_STEPS, record_session
from workbench.core.errors import InvalidInput, NotStored, StoreError, WorkbenchError
from workbench.core.events import EventKind, Outcome
from workbench.core.types import Actor, CameraRequest
from workbench.simulation.simulators import SIMULATORS

OPTIONS = DatasetOptions(side_px=48)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A recorded session, and the dataset that was made of it."""
    folder = tmp_path_factory.mktemp("lerobot")
    record_session(folder / "workbench.db")
    with Store.open(folder / "workbench.db") as store:
        report = export_dataset(store, "monday", folder / "monday", SIMULATORS.load, options=OPTIONS)
        export_zip(store, "monday", folder / "monday.zip", SIMULATORS.load, options=DatasetOptions(cameras=("top",), side_px=32))
        yield folder, store, report


@pytest.fixture
def dataset(made, tmp_path):
    """A copy of the dataset to spoil."""
    return shutil.copytree(made[0] / "monday", tmp_path / "copy")


@pytest.fixture
def other(tmp_path):
    with Store.open(tmp_path / "other" / "workbench.db") as store:
        yield store


def columns_of(root):
    return pq.read_table(root / "data/chunk-000/file-000.parquet").to_pydict()


def change(root, name, edit):
    """Write a table of a dataset anew with some of its columns changed."""
    table = pq.read_table(root / name).to_pydict()
    edit(table)
    pq.write_table(pa.table(table), root / name)


EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"


def test_what_is_written_follows_the_layout_in_every_field(made):
    folder, _, report = made
    found = check_dataset(folder / "monday")
    assert (found.num_episodes, found.num_frames, found.problems) == (3, 3 * NUM_STEPS, ())
    assert (report.num_episodes, report.num_frames, report.fps, report.cameras, report.left_out) == (3, 24, 20, ("front", "wrist"), ())
    info = json.loads((folder / "monday/meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0" and info["splits"] == {"train": "0:3"}
    assert info["features"]["observation.images.front"]["shape"] == [48, 48, 3]
    assert info["features"]["intervention"] == {"dtype": "bool", "shape": [1], "names": None}


def test_who_acted_and_why_is_told_of_every_frame(made):
    rows = columns_of(made[0] / "monday")
    corrected = slice(NUM_STEPS, 2 * NUM_STEPS)
    assert rows["intervention"][corrected] == [False, False, False, True, True, True, False, False]
    assert rows["segment_kind"][corrected] == ["none"] * 3 + ["recovery", "recovery", "correction"] + ["none"] * 2
    assert rows["control_mode"][corrected] == [-10, -10, -10, 1, 1, 1, 0, 0]
    assert rows["control_mode"][:NUM_STEPS] == [0] * NUM_STEPS
    assert rows["next.done"] == ([False] * (NUM_STEPS - 1) + [True]) * 3
    assert [any(rows["next.success"][i * NUM_STEPS : (i + 1) * NUM_STEPS]) for i in range(3)] == [True, False, False]


def test_states_actions_and_proposals_are_those_of_the_simulator(made):
    folder, store, _ = made
    rows = columns_of(folder / "monday")
    simulator = SIMULATORS.load("bench")
    simulator.reset(store.episode("corrected").config)
    for step in store.steps("corrected"):
        row = NUM_STEPS + step.index
        simulator.restore(step.state)
        assert rows["observation.state"][row] == simulator.observe(()).proprio.tolist()
        assert rows["action"][row] == step.action.tolist()
        assert rows["policy_action_is_known"][row] == (step.proposal is not None)
    simulator.close()


def test_links_lead_to_the_events_that_were_in_force(made):
    folder, store, _ = made
    numbers = columns_of(folder / "monday")["trace_id"][NUM_STEPS : 2 * NUM_STEPS]
    links = json.loads((folder / "monday/workbench/links.json").read_text())
    assert numbers[:2] == [-1, -1] and len(set(numbers[2:])) == 1
    link = links[str(numbers[2])]
    event = next(e for e in store.events("corrected") if e.id == link["event_id"])
    assert (event.kind, event.step, link["episode_id"]) == (EventKind.TRACE, 2, "corrected")


def test_pictures_are_those_of_the_stored_states_in_order(made):
    folder, store, _ = made
    found = open_dataset(folder / "monday")
    film = open_pictures(found, 1, "observation.images.front")
    for frame in (7, 0, 3, 4):
        drawn = render_step(store, "corrected", frame, SIMULATORS.load, CameraRequest("front", 48, 48)).astype(int)
        assert np.abs(film.at(frame).astype(int) - drawn).mean() < 12
    film.close()
    names = pq.read_table(folder / "monday" / EPISODES_FILE).to_pylist()[1]
    assert names["workbench/episode_id"] == "corrected"
    assert (names["videos/observation.images.front/from_timestamp"], names["videos/observation.images.front/to_timestamp"]) == (0.4, 0.8)


def test_a_dataset_of_ours_comes_back_exactly_from_folder_and_zip(made, other, tmp_path):
    folder, store, _ = made
    report = import_dataset(other, folder / "monday.zip", tmp_path / "datasets")
    assert report.exact == ("first", "corrected", "third") and not report.recorded and not report.remarks
    assert replay(other, "corrected", SIMULATORS.load).is_equal
    assert [e.id for e in other.events("corrected")] == [e.id for e in store.events("corrected")]
    again = import_dataset(other, folder / "monday", tmp_path / "datasets")
    assert again.skipped == ("first", "corrected", "third") and not again.exact


def test_episodes_that_were_edited_since_are_not_taken_for_exact(dataset, other, tmp_path):
    change(dataset, "data/chunk-000/file-000.parquet", lambda rows: rows["action"][2].__setitem__(0, 0.5))
    report = import_dataset(other, dataset, tmp_path / "datasets")
    assert report.exact == ("corrected", "third") and len(report.recorded) == 1
    assert other.episode(report.recorded[0]).config.simulator == RECORDED


def test_a_dataset_without_states_shows_what_was_recorded_and_says_so(dataset, other, tmp_path):
    shutil.rmtree(dataset / "workbench")
    report = import_dataset(other, dataset, tmp_path / "other" / "datasets")
    assert len(report.recorded) == 3 and "cannot be continued" in report.remarks[-1]
    shutil.rmtree(dataset)  # what is needed was copied
    info = other.episode(report.recorded[1])
    assert (info.num_steps, info.outcome, info.policy, info.config.control_hz) == (NUM_STEPS, Outcome.FAILURE, "recorded elsewhere", 20.0)
    assert "Recorded elsewhere" in other.notes(info.id)[0].text
    steps = list(other.steps(info.id))
    assert [s.actor for s in steps] == [Actor.POLICY] * 3 + [Actor.HUMAN] * 3 + [Actor.POLICY] * 2
    assert np.isfinite(steps[0].action).all() and steps[0].scores["action.dx"] == pytest.approx(steps[0].action[0], rel=1e-5)
    simulators = with_recordings(SIMULATORS, tmp_path / "other")
    pictures = [render_step(other, info.id, i, simulators.load, CameraRequest("front", 96, 96)) for i in (0, NUM_STEPS)]
    assert pictures[0].shape == (96, 96, 3) and pictures[0].std() > 20
    with pytest.raises(InvalidInput, match="recording from elsewhere"):
        replay(other, info.id, simulators.load)
    with pytest.raises(InvalidInput, match="export the dataset that it came from"):
        export_dataset(other, info.session_id, tmp_path / "again", simulators.load)
    shutil.rmtree(tmp_path / "other" / "datasets")
    with pytest.raises(NotStored, match="Import that dataset again"):
        render_step(other, info.id, 0, simulators.load, CameraRequest("front", 96, 96))


def foreign(root, **changes):
    """A dataset as another robot writes it: six joints, pictures in the table, no word of who acted."""
    features = {
        "observation.state": Feature("float32", (6,), tuple("abcdef")),
        "action": Feature("float32", (6,), tuple("abcdef")),
        **changes,
    }
    with new_dataset(root, DatasetSetup(features, 10, "so100")) as writer:
        for episode in range(2):
            writer.begin_episode(5)
            for i in range(5):
                values = {name: np.full(f.shape, i + 10 * episode) for name, f in features.items()}
                writer.add_frame("fold the cloth", values, {})
            writer.save_episode({})
    return root


def test_a_foreign_dataset_is_taken_in_without_false_claims(other, tmp_path):
    report = import_dataset(other, foreign(tmp_path / "so100"), tmp_path / "datasets")
    info = other.episode(report.recorded[1])
    steps = list(other.steps(info.id))
    assert info.outcome is Outcome.STOPPED and info.instruction == "fold the cloth"
    assert {s.actor for s in steps} == {Actor.HOLD}
    assert np.isnan(steps[2].action).all(), "six joints are no action of this robot"
    assert steps[2].scores["action.a"] == 12.0 and steps[2].state.physics[1:].tolist() == [12.0] * 12
    text = other.notes(info.id)[0].text
    assert all(word in text for word in ("who acted", "whether it succeeded", "so100"))
    picture = render_step(other, info.id, 0, with_recordings(SIMULATORS, tmp_path).load, CameraRequest("front", 64, 64))
    assert picture.shape == (64, 64, 3)


@pytest.mark.parametrize("name", ["meta/tasks.parquet", "meta/stats.json", "videos"])
def test_a_dataset_with_parts_missing_is_taken_in_with_a_remark(dataset, other, tmp_path, name):
    shutil.rmtree(dataset / "workbench")
    path = dataset / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    report = import_dataset(other, dataset, tmp_path / "datasets")
    assert len(report.recorded) == 3 and any("departs from its layout" in remark for remark in report.remarks)


SPOILED = {
    "no info": (lambda root: (root / "meta/info.json").unlink(), "meta/info.json"),
    "another version": (lambda root: edit_info(root, codebase_version="v2.1"), "codebase_version.*v3.0.*v2.1"),
    "no rate": (lambda root: edit_info(root, fps=0), "fps"),
    "a path outside": (lambda root: edit_info(root, data_path="../../{chunk_index}/{file_index}"), "inside the dataset"),
    "no table of episodes": (lambda root: shutil.rmtree(root / "meta/episodes"), "meta/episodes"),
    "no data": (lambda root: shutil.rmtree(root / "data"), "data/chunk-000/file-000.parquet"),
    "no footer": (lambda root: cut(root / "data/chunk-000/file-000.parquet"), "never finished"),
    "too few rows": (lambda root: change(root, EPISODES_FILE, lambda t: t["length"].__setitem__(0, 9)), "9 as meta/episodes says"),
    "an odd row": (lambda root: change(root, EPISODES_FILE, lambda t: t["data/file_index"].__setitem__(0, -1)), "data/file_index"),
}


def edit_info(root, **changes):
    path = root / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("how", SPOILED)
def test_a_bad_dataset_is_refused_by_name_and_nothing_is_stored(dataset, other, tmp_path, how):
    spoil, said = SPOILED[how]
    shutil.rmtree(dataset / "workbench")
    spoil(dataset)
    with pytest.raises(InvalidInput, match=said):
        import_dataset(other, dataset, tmp_path / "datasets")
    assert other.episodes().total == 0
    assert check_dataset(dataset).problems


def test_the_check_finds_what_other_writers_got_wrong(dataset):
    """Faults of issues #1919, #2401 and #3522 of lerobot, and of cut films."""
    faults = {
        "dataset_from_index": lambda root: change(root, EPISODES_FILE, lambda t: t["dataset_from_index"].__setitem__(1, 9)),
        "frames": lambda root: change(root, EPISODES_FILE, lambda t: t.__setitem__(TO, [0.4, 0.8, 1.3])),
        "timestamp": lambda root: change(root, "data/chunk-000/file-000.parquet", lambda t: t["timestamp"].__setitem__(1, 0.06)),
        "total_frames": lambda root: edit_info(root, total_frames=1),
        "observation.state": lambda root: edit_stats(root),
    }
    TO = "videos/observation.images.front/to_timestamp"
    for said, spoil in faults.items():
        copy = shutil.copytree(dataset, dataset.with_name("spoiled"))
        spoil(copy)
        assert any(said in problem for problem in check_dataset(copy).problems), said
        shutil.rmtree(copy)


def edit_stats(root):
    path = root / "meta/stats.json"
    stats = json.loads(path.read_text())
    stats["observation.state"]["mean"][0] = float("nan")
    path.write_text(json.dumps(stats))


def test_a_film_in_an_unknown_code_is_named(made, tmp_path):
    root = shutil.copytree(made[0] / "monday", tmp_path / "strange")
    film = next(root.rglob("*.mp4"))
    content = film.read_bytes()
    assert b"avc1" in content
    film.write_bytes(content.replace(b"avc1", b"zzz1"))
    assert any("a code that is not known" in problem for problem in check_dataset(root).problems)
    held = len(os.listdir("/proc/self/fd"))
    with pytest.raises(InvalidInput, match="a code that is not known") as refused:
        FilmReader(film)
    assert len(os.listdir("/proc/self/fd")) == held, f"the film was let go of, while the error is at hand: {refused.value}"


def test_a_table_whose_texts_are_no_texts_is_named(tmp_path):
    text = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\x80\x81"))
    pq.write_table(pa.table({"task": text}), tmp_path / "broken.parquet")
    with pytest.raises(InvalidInput, match="damaged"):
        read_table(tmp_path, "broken.parquet")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_bytes_lead_to_a_message_or_to_no_harm(made, other, tmp_path, data):
    root = shutil.copytree(made[0] / "monday", tmp_path / "fuzz", dirs_exist_ok=True)
    files = sorted(p for p in root.rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        check_dataset(root)
        import_dataset(other, root, tmp_path / "datasets")
    except WorkbenchError as error:
        assert str(error)


def test_a_zip_that_leads_elsewhere_writes_nothing_there(other, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("meta/info.json", "{}")
        file.writestr("meta/../../outside.txt", "x")
        file.writestr("/data/absolute.txt", "x")
    assert is_dataset(tmp_path / "evil.zip") and not is_dataset(tmp_path)
    with pytest.raises(InvalidInput, match="codebase_version"):
        import_dataset(other, tmp_path / "evil.zip", tmp_path / "deep" / "datasets")
    assert not list(tmp_path.rglob("outside.txt")) and not list(tmp_path.rglob("absolute.txt"))


def test_what_is_at_the_place_already_is_never_replaced(made, tmp_path):
    _, store, _ = made
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("x")
    with pytest.raises(InvalidInput, match="Choose another"):
        export_dataset(store, "monday", tmp_path / "there", SIMULATORS.load, options=OPTIONS)
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


def test_a_cancelled_export_leaves_nothing(made, tmp_path):
    _, store, _ = made
    done = []
    watch = ExportWatch(lambda n, total: done.append((n, total)), is_cancelled=lambda: len(done) >= 5)
    with pytest.raises(Cancelled):
        export_zip(store, "monday", tmp_path / "a.zip", SIMULATORS.load, options=OPTIONS, watch=watch)
    assert done[-1] == (5, 24) and not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
from sessions.lerobot_export import ExportWatch, export_dataset, DatasetOptions
from sessions.store import Store
from workbench.simulation.simulators import SIMULATORS
def die(done, total):
    if done == 12:
        os.kill(os.getpid(), signal.SIGKILL)
with Store.open(Path(sys.argv[1]), read_only=True) as store:
    export_dataset(store, "monday", Path(sys.argv[2]), SIMULATORS.load, options=DatasetOptions(side_px=32), watch=ExportWatch(die))
"""


def test_an_export_that_is_killed_leaves_no_dataset_and_the_next_one_succeeds(made, tmp_path):
    folder, store, _ = made
    process = subprocess.run([sys.executable, "-c", KILLED, str(folder / "workbench.db"), str(tmp_path / "out")], check=False)
    assert process.returncode == -9
    assert not (tmp_path / "out").exists() and (tmp_path / ".out.part").exists()
    export_dataset(store, "monday", tmp_path / "out", SIMULATORS.load, options=DatasetOptions(side_px=32))
    assert not check_dataset(tmp_path / "out").problems
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_large_files_are_followed_by_others_and_episodes_stay_whole(tmp_path):
    rng = np.random.default_rng(0)
    features = {"x": Feature("float32", (3,)), "observation.images.a": Feature("video", (32, 32, 3))}
    setup = DatasetSetup(features, 10, "", data_file_mb=0.003, video_file_mb=0.02)
    with new_dataset(tmp_path / "many", setup) as writer:
        for _ in range(4):
            writer.begin_episode(12)
            for _ in range(12):
                picture = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
                writer.add_frame("a", {"x": rng.normal(size=3)}, {"observation.images.a": picture})
            writer.save_episode({})
    found = check_dataset(tmp_path / "many")
    assert (found.num_episodes, found.num_frames, found.problems) == (4, 48, ())
    assert len(list((tmp_path / "many/data").rglob("*.parquet"))) > 1
    assert len(list((tmp_path / "many/videos").rglob("*.mp4"))) > 1


def test_what_cannot_share_a_dataset_is_left_out_with_its_reason(made, tmp_path):
    record_session(tmp_path / "workbench.db", control_hz=10.0)
    with Store.open(tmp_path / "workbench.db") as store:
        with store.transaction() as connection:
            connection.execute("UPDATE episodes SET config = replace(config, '10.0', '20.0') WHERE id = 'third'")
            connection.execute("DELETE FROM steps WHERE step = 2 AND episode = (SELECT num FROM episodes WHERE id = 'corrected')")
        report = export_dataset(store, "monday", tmp_path / "out", SIMULATORS.load, options=DatasetOptions(cameras=("top",), side_px=32))
        assert report.num_episodes == 1
        reasons = {left.episode_id: left.reason for left in report.left_out}
        assert "lost" in reasons["corrected"] and "Hz" in reasons[next(i for i in reasons if i != "corrected")]
        with pytest.raises(InvalidInput, match="even number"):
            DatasetOptions(side_px=33)
        with pytest.raises(NotStored):
            export_dataset(store, "tuesday", tmp_path / "none", SIMULATORS.load)


def test_a_full_disk_is_told(made, tmp_path, monkeypatch):
    _, store, _ = made
    monkeypatch.setattr("sessions.lerobot_writer.os.fsync", full_disk)
    with pytest.raises(StoreError, match="No space"):
        export_dataset(store, "monday", tmp_path / "out", SIMULATORS.load, options=DatasetOptions(side_px=32))
    assert not list(tmp_path.iterdir())


def full_disk(_):
    raise OSError(28, "No space left on device")
