import contextlib
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.archive import export_episodes, export_session, import_archive
from sessions.recorder import Recorder
from sessions.records import EpisodeQuery
from sessions.store import Store
from tests.sessions.recordings import record, start, step
from workbench.core.errors import InvalidInput, NotStored, StoreError, TooLarge, WorkbenchError
from workbench.core.events import EpisodeEnd, Event, EventKind, Outcome
from workbench.core.types import Actor, Takeover

JPEG = b"\xff\xd8\xff\xe0 small picture \xff\xd9"
ODD = np.array([-0.0, np.inf, np.nan, 3e38, 1e-42, 0.1, 1.0], dtype=np.float32)


def fill(store):
    """Record a session with three episodes: a long one, a branch of it with odd values, and one without steps."""
    rng = np.random.default_rng(3)
    with Recorder(store) as recorder:
        parent = start(episode_id="parent", session_id="monday")
        record(recorder, parent, 150)
        recorder.on_event("parent", Event(EventKind.SKETCH, 7, 0.35, {"sketch": {"text": "größer"}}, id="sketch"))
        recorder.flush()
        state = store.state_at("parent", 40)
        child = start("stack", episode_id="child", session_id="monday", parent_id="parent", branch_step=40, start_state=state.to_bytes())
        recorder.on_start(child)
        recorder.on_step(
            step(rng, 0, action=ODD, proposal=ODD[::-1], actor=Actor.HUMAN, halt_slice=2, prompt_id="sketch", takeover=Takeover(1, ODD))
        )
        recorder.on_step(step(rng, 1, proposal=None, proprio=None, scores={}))
        recorder.on_step(step(rng, 2, scores={"value": float("nan"), "far": 1e20}))
        recorder.on_end(EpisodeEnd("child", Outcome.FAILURE, 3, 0.15))
        record(recorder, start(episode_id="empty", session_id="monday"), 0, outcome=None)
    store.rename_session("monday", "Monday, with 漢字")
    store.rename("child", "a branch")
    store.rate("parent", 4)
    store.add_note("parent", "a remark", step=3)
    store.set_thumbnail("parent", JPEG)


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A folder with a filled database and the archive of its session."""
    folder = tmp_path_factory.mktemp("origin")
    with Store.open(folder / "workbench.db") as store:
        fill(store)
        report = export_session(store, "monday", folder / "monday.vlaw.zip")
    assert (report.num_episodes, report.num_steps) == (3, 153)
    assert report.num_bytes == (folder / "monday.vlaw.zip").stat().st_size
    return folder


def everything(store, episode_id):
    """Return all that is stored of an episode, in a form that can be compared."""
    info = store.episode(episode_id)
    with store.reading() as connection:
        rows = connection.execute(
            """SELECT s.*, p.id AS prompt_id FROM steps s LEFT JOIN prompts p ON p.num = s.prompt
            WHERE episode = (SELECT num FROM episodes WHERE id = ?) ORDER BY step""",
            [episode_id],
        ).fetchall()
    steps = [{k: row[k] for k in row.keys() if k not in ("episode", "prompt")} for row in rows]  # noqa: SIM118
    states = [store.state_at(episode_id, i).to_bytes() for i in range(info.num_steps)]
    ends = [s and s.to_bytes() for s in (store.start_state(episode_id), store.final_state(episode_id))]
    events = [event.to_dict() for event in store.events(episode_id)]
    return info, steps, states, ends, events, store.notes(episode_id), store.thumbnail(episode_id)


def test_an_archive_gives_another_workbench_equal_episodes(origin, tmp_path):
    with Store.open(tmp_path / "workbench.db") as there, Store.open(origin / "workbench.db", read_only=True) as here:
        report = import_archive(there, origin / "monday.vlaw.zip")
        assert (set(report.imported), report.skipped, report.session_ids) == ({"parent", "child", "empty"}, (), ("monday",))
        for episode in ("parent", "child", "empty"):
            before, after = everything(here, episode), everything(there, episode)
            assert before[0].__class__(**{**before[0].__dict__, "num_bytes": 0}) == after[0].__class__(
                **{**after[0].__dict__, "num_bytes": 0}
            )
            assert before[1:] == after[1:]
        assert there.session("monday").name == "Monday, with 漢字"
        assert there.episodes(EpisodeQuery(text="remark")).total == 1
        first = next(there.steps("child"))
        assert (first.action.tobytes(), first.proposal.tobytes()) == (ODD.tobytes(), ODD[::-1].tobytes())


def test_importing_again_skips_what_is_there_or_makes_copies(origin, tmp_path):
    with Store.open(tmp_path / "workbench.db") as store:
        import_archive(store, origin / "monday.vlaw.zip")
        again = import_archive(store, origin / "monday.vlaw.zip")
        assert (again.imported, set(again.skipped)) == ((), {"parent", "child", "empty"})
        copies = import_archive(store, origin / "monday.vlaw.zip", existing="copy")
        assert len(copies.imported) == 3
        assert store.episodes().total == 6
        copied = {store.episode(e).num_steps: e for e in copies.imported}
        assert store.episode(copied[3]).parent_id == copied[150], "a copied branch follows its copied parent"
        assert len(store.session(copies.session_ids[0]).name) > 0
        prompt = next(store.steps(copied[3])).prompt_id
        assert prompt in [event.id for event in store.events(copied[150])] + ["sketch"]
        assert [e.payload for e in store.events(copied[150])] == [e.payload for e in store.events("parent")]


def test_an_archive_from_before_take_overs_within_steps_is_read(origin, tmp_path):
    def as_it_was(members, manifest):
        manifest.update(version=1)
        for name in [name for name in members if name.endswith("steps.jsonl")]:
            rows = [json.loads(line)[:23] for line in members[name].splitlines()]
            members[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    with Store.open(tmp_path / "workbench.db") as store:
        report = import_archive(store, changed(origin / "monday.vlaw.zip", tmp_path / "old.zip", as_it_was))
        assert len(report.imported) == 3
        assert [(step.halt_slice, step.takeover) for step in store.steps("child")] == [(2, None), (None, None), (None, None)]


def test_chosen_episodes_can_be_exported_and_unknown_ones_not(origin, tmp_path):
    with Store.open(origin / "workbench.db", read_only=True) as store:
        export_episodes(store, ["child"], tmp_path / "one.zip")
        with pytest.raises(NotStored):
            export_episodes(store, ["nobody"], tmp_path / "none.zip")
        with pytest.raises(NotStored):
            export_session(store, "nobody", tmp_path / "none.zip")
        with pytest.raises(StoreError):
            export_episodes(store, ["child"], tmp_path / "one.zip" / "below a file.zip")
    assert [p.name for p in tmp_path.iterdir()] == ["one.zip"]
    with Store.open(tmp_path / "workbench.db") as store:
        assert import_archive(store, tmp_path / "one.zip").imported == ("child",)


def changed(source, target, change, *, sign=True):
    """Copy an archive with its members changed by a function, and the manifest made to fit."""
    with zipfile.ZipFile(source) as file:
        members = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    if sign:
        from hashlib import sha256

        manifest["members"] = {n: {"bytes": len(c), "sha256": sha256(c).hexdigest()} for n, c in members.items()}
    with zipfile.ZipFile(target, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
        file.writestr("manifest.json", json.dumps(manifest))
    return target


def edit(name, **changes):
    def change(members, manifest):
        members[name] = json.dumps(json.loads(members[name]) | changes).encode()

    return change


def put(name, content):
    return lambda members, manifest: members.__setitem__(name, content)


def first_step(position, value):
    def change(members, manifest):
        lines = members["e000001/steps.jsonl"].splitlines()
        row = json.loads(lines[0])
        row[position] = value
        members["e000001/steps.jsonl"] = b"\n".join([json.dumps(row).encode(), *lines[1:]])

    return change


HOSTILE = {
    "path traversal": put("../../evil.txt", b"x"),
    "absolute path": put("/etc/evil", b"x"),
    "unknown member": put("e000001/run.pkl", b"\x80\x04."),
    "not our id": edit("e000001/episode.json", id="../x"),
    "config is no object": edit("e000001/episode.json", config=[]),
    "unknown field of the config": edit("e000001/episode.json", config={"task": "pick", "seed": 1, "evil": 1}),
    "task that is a path": edit("e000001/episode.json", config={"task": "../../evil", "seed": 1}),
    "task that is an absolute path": edit("e000001/episode.json", config={"task": "/tmp/evil", "seed": 1}),
    "unknown outcome": edit("e000001/episode.json", outcome="${1+1}"),
    "rating out of range": edit("e000001/episode.json", rating=6),
    "steps fewer than told": edit("e000001/episode.json", num_steps=-1),
    "session is missing": edit("e000001/episode.json", session_id="tuesday"),
    "endless time": edit("e000001/episode.json", duration_s=1e999),
    "sessions is no list": put("sessions.json", b"{}"),
    "sessions is no JSON": put("sessions.json", b"{"),
    "deep JSON": put("sessions.json", b"[" * 100_000),
    "huge number": put("sessions.json", b"9" * 100_000),
    "not UTF-8": put("sessions.json", b'"\xff"'),
    "thumbnail is no JPEG": put("e000001/thumbnail.jpg", b"GIF89a"),
    "state is none": put("e000001/final.state", b"\x80\x04pickle"),
    "states are damaged": put("e000001/states.bin", b"\0" * 100),
    "states are missing": put("e000001/states.bin", b""),
    "steps are missing": put("e000001/steps.jsonl", b""),
    "events are no objects": put("e000001/events.jsonl", b"[]\n"),
    "notes are no list": put("e000001/notes.json", b"7"),
    "take-over without an action": first_step(23, 2),
    "step index": first_step(0, 5),
    "step time": first_step(1, "now"),
    "actor": first_step(2, "ghost"),
    "halt slice": first_step(4, -1),
    "action": first_step(9, 1e300),
    "exact action": first_step(16, "AAAA"),
    "proposal": first_step(17, "no base64!"),
    "scores": first_step(19, "[]"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_changes_nothing(origin, tmp_path, name):
    path = changed(origin / "monday.vlaw.zip", tmp_path / "hostile.zip", HOSTILE[name])
    with Store.open(tmp_path / "workbench.db") as store:
        with pytest.raises(InvalidInput):
            import_archive(store, path)
        assert store.episodes().total == 0
        assert store.sessions() == ()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hostile.zip", "workbench.db", "workbench.db.lock"]


def test_a_changed_member_a_newer_version_and_a_stranger_are_told_apart(origin, tmp_path):
    source, target = origin / "monday.vlaw.zip", tmp_path / "changed.zip"
    cases = {
        "check sum": put("sessions.json", b'[{"id": "monday", "name": "Mondax, with \\u6f22\\u5b57", "started": 1700000000.0}]'),
        "at most 2, found 3": lambda members, manifest: manifest.update(version=3),
        "format": lambda members, manifest: manifest.update(format="other"),
        "version": lambda members, manifest: manifest.update(version="1"),
        "exactly the members": lambda members, manifest: members.pop("sessions.json"),
    }
    with Store.open(tmp_path / "workbench.db") as store:
        for message, change in cases.items():
            with pytest.raises(InvalidInput, match=message if message != "check sum" else "check sum|bytes"):
                import_archive(store, changed(source, target, change, sign=False))


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_archive_says_so(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with Store.open(tmp_path / "workbench.db") as store:
        with pytest.raises(InvalidInput, match="archive"):
            import_archive(store, tmp_path / "a.zip")
        with pytest.raises(InvalidInput, match="archive"):
            import_archive(store, tmp_path / "nothing.zip")


def test_zip_bombs_are_too_large_and_are_not_unpacked(origin, tmp_path):
    with Store.open(tmp_path / "workbench.db") as store:
        with pytest.raises(TooLarge, match="MB"):
            import_archive(store, origin / "monday.vlaw.zip", max_bytes=10_000)
        bomb = tmp_path / "bomb.zip"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("sessions.json", b"0" * 50_000_000)
            manifest = {"format": "vla-workbench-archive", "version": 1, "members": {"sessions.json": {"bytes": 3, "sha256": ""}}}
            file.writestr("manifest.json", json.dumps(manifest))
        bomb.write_bytes(packed.getvalue())
        assert bomb.stat().st_size < 1_000_000
        with pytest.raises(InvalidInput, match="3 bytes, found more"):
            import_archive(store, bomb)


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_archive_with_flipped_or_missing_bytes_is_refused_or_whole(origin, tmp_path_factory, data):
    content = bytearray((origin / "monday.vlaw.zip").read_bytes())
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    folder = tmp_path_factory.mktemp("flipped")
    (folder / "a.zip").write_bytes(content)
    with Store.open(folder / "workbench.db") as store:
        with contextlib.suppress(WorkbenchError):
            assert len(import_archive(store, folder / "a.zip").imported) == 3
        assert store.episodes().total in (0, 3)
    shutil.rmtree(folder)


@given(st.binary(max_size=400))
@settings(max_examples=30, deadline=None)
def test_random_json_in_place_of_a_member_never_gives_anything_but_our_errors(origin, tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("random")
    name = ("e000001/episode.json", "e000001/steps.jsonl", "e000002/states.bin", "sessions.json", "e000002/notes.json")[len(content) % 5]
    path = changed(origin / "monday.vlaw.zip", folder / "a.zip", put(name, content))
    with Store.open(folder / "workbench.db") as store, pytest.raises(WorkbenchError):
        import_archive(store, path)
    shutil.rmtree(folder)
