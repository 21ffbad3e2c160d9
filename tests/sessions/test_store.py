import numpy as np
import pytest

from sessions.recorder import Recorder
from sessions.records import EpisodeQuery
from sessions.store import Store
from tests.sessions.recordings import record, start
from workbench.core.errors import InvalidInput, NotStored, StoreError, TooLarge
from workbench.core.events import Event, EventKind, Outcome

JPEG = b"\xff\xd8\xff\xe0 small picture \xff\xd9"


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "deep" / "folder" / "workbench.db", clock=lambda: 1.8e9) as opened:
        yield opened


def fill(store, *heads, num_steps=3, outcome=Outcome.SUCCESS):
    with Recorder(store) as recorder:
        for head in heads:
            record(recorder, head, num_steps, outcome=outcome)
    return [head.episode_id for head in heads]


def test_every_step_comes_back_as_it_was_recorded(store):
    with Recorder(store) as recorder:
        head = start()
        steps = record(recorder, head, 150)
    found = list(store.steps(head.episode_id))
    assert len(found) == 150
    for before, after in zip(steps, found, strict=True):
        assert before.state.equals(after.state)
        assert before.action.tobytes() == after.action.tobytes()
        assert before.proposal.tobytes() == after.proposal.tobytes()
        assert (before.index, before.time_s, before.actor, before.is_success) == (after.index, after.time_s, after.actor, after.is_success)
        assert before.scores == after.scores
        assert after.wall_time == pytest.approx(before.wall_time, abs=1e-3)
    assert [s.index for s in store.steps(head.episode_id, 60, 70)] == list(range(60, 70))


def test_any_state_is_found_by_its_index_and_the_final_one_by_the_number_of_steps(store):
    with Recorder(store) as recorder:
        head = start()
        steps = record(recorder, head, 130)
    for index in (0, 1, 63, 64, 65, 127, 128, 129):
        assert store.state_at(head.episode_id, index).equals(steps[index].state)
    assert store.state_at(head.episode_id, 130).physics[0] == pytest.approx(6.5)
    for outside in (-1, 131, 2**40):
        with pytest.raises(NotStored, match="130 steps"):
            store.state_at(head.episode_id, outside)


def test_columns_give_the_path_of_the_end_effector(store):
    with Recorder(store) as recorder:
        head = start()
        steps = record(recorder, head, 5)
    columns = store.columns(head.episode_id)
    np.testing.assert_allclose(columns.ee, [s.proprio[7:10] for s in steps], atol=1e-6)
    np.testing.assert_array_equal(columns.actions, [s.action for s in steps])
    assert columns.actors == ("policy",) * 5


def test_episodes_are_listed_newest_first_in_pages(store):
    ids = fill(store, *(start(wall_time=1.7e9 + k) for k in range(7)))
    first = store.episodes(EpisodeQuery(limit=3))
    assert (first.total, [e.id for e in first.episodes]) == (7, ids[:3:-1])
    assert [e.id for e in store.episodes(EpisodeQuery(limit=3, offset=6)).episodes] == ids[:1]


def test_filters_and_words_narrow_the_listing(store):
    pick, place = fill(store, start("pick"), start("place_on_plate", policy="sketch", session_id="other"))
    (failed,) = fill(store, start("pick", wall_time=1.75e9), outcome=Outcome.FAILURE)
    store.rate(pick, 4)
    store.rename(place, "Überraschung auf dem Teller")
    store.add_note(failed, "slipped at the rim")

    def found(**query):
        return {e.id for e in store.episodes(EpisodeQuery(**query)).episodes}

    assert found(task="pick") == {pick, failed}
    assert found(outcome="failure") == {failed}
    assert found(policy="sketch") == found(session_id="other") == {place}
    assert found(rating=3) == {pick}
    assert found(since=1.74e9) == {failed}
    assert found(until=1.74e9) == {pick, place}
    assert found(text="red cub") == {pick, place, failed}
    assert found(text="überra") == {place}
    assert found(text="cube SLIPPED") == {failed}, "one word in the instruction, one in a note"
    assert found(text="nowhere") == found(text="!?") == set()
    assert store.facets().tasks == {"pick": 2, "place_on_plate": 1}
    assert store.facets().outcomes == {"failure": 1, "success": 2}


@pytest.mark.parametrize(
    "text", ["${1+1}", '"', "'; DROP TABLE episodes; --", "a OR", "NEAR(", "*", "<img onerror=x>", "\U0001f916", "(", "col:"]
)
def test_hostile_search_text_finds_nothing_and_breaks_nothing(store, text):
    fill(store, start())
    store.episodes(EpisodeQuery(text=text))
    assert store.episodes().total == 1


def test_a_search_follows_renaming_and_edited_notes(store):
    (episode,) = fill(store, start())
    store.rename(episode, "alpha")
    note = store.add_note(episode, "beta", step=2)
    store.rename(episode, "gamma")
    store.edit_note(note.id, "delta")
    assert [store.episodes(EpisodeQuery(text=word)).total for word in ("alpha", "beta", "gamma", "delta")] == [0, 0, 1, 1]
    store.edit_note(note.id, "")
    assert (store.notes(episode), store.episodes(EpisodeQuery(text="delta")).total) == ((), 0)


def test_a_deleted_episode_is_hidden_restored_and_purged_for_ever(store):
    keep, drop = fill(store, start(), start())
    store.delete(drop)
    assert [e.id for e in store.episodes().episodes] == [keep]
    assert [e.id for e in store.episodes(EpisodeQuery(is_deleted=True)).episodes] == [drop]
    store.restore(drop)
    assert store.purge() == 0
    store.delete(drop)
    assert store.storage().num_deleted == 1
    assert store.purge(deleted_before=1.0) == 0
    assert store.purge() == 1
    with pytest.raises(NotStored):
        store.episode(drop)
    with store.reading() as connection:
        left = [connection.execute(f"SELECT count(*) FROM {t} WHERE episode NOT IN (SELECT num FROM episodes)").fetchone()[0]
                for t in ("steps", "state_chunks", "events", "notes", "thumbnails")]  # fmt: skip
    assert left == [0] * 5


def test_purging_gives_disk_space_back(store):
    ids = fill(store, start(), start(), num_steps=1500)
    before = store.storage().file_bytes
    for episode in ids:
        store.delete(episode)
    store.purge()
    assert store.storage().file_bytes < before / 3


def test_branches_know_their_parent_and_stay_when_it_is_purged(store):
    (parent,) = fill(store, start(), num_steps=9)
    state = store.state_at(parent, 4)
    (child,) = fill(store, start(parent_id=parent, branch_step=4, start_state=state.to_bytes()))
    assert [e.id for e in store.branches(parent)] == [child]
    assert store.episode(parent).num_branches == 1
    store.delete(parent)
    store.purge()
    assert store.start_state(child).equals(state)
    assert store.episode(child).parent_id == parent


def test_events_keep_order_and_payload(store):
    with Recorder(store) as recorder:
        head = start()
        record(recorder, head, 4)
        sketch = {"sketch": {"strokes": [[0.5, 1e-9]], "text": "grüße"}}
        recorder.on_event(head.episode_id, Event(EventKind.SKETCH, 4, 0.2, sketch))
        recorder.on_event(head.episode_id, Event(EventKind.RATING, 4, 0.2, {"bad": float("nan"), "array": np.arange(2)}))
    events = store.events(head.episode_id)
    assert [e.kind for e in events] == [EventKind.START, EventKind.SKETCH, EventKind.RATING]
    assert events[1].payload == sketch
    assert events[2].payload == {"bad": None, "array": [0, 1]}


def test_sessions_are_listed_with_their_sums_and_can_be_named(store):
    fill(store, start(session_id="a"), start(session_id="a"), start(session_id="b", wall_time=1.72e9))
    store.rename_session("a", "Monday")
    assert [(s.id, s.name, s.num_episodes, s.num_steps) for s in store.sessions()] == [("b", "", 1, 3), ("a", "Monday", 2, 6)]
    assert store.session("a").num_bytes > 0
    with pytest.raises(NotStored):
        store.session("c")


def test_thumbnails_are_kept_and_anything_but_a_small_jpeg_is_refused(store):
    (episode,) = fill(store, start())
    assert store.thumbnail(episode) is None
    store.set_thumbnail(episode, JPEG)
    assert store.thumbnail(episode) == JPEG
    assert store.episode(episode).has_thumbnail
    with pytest.raises(InvalidInput, match="JPEG"):
        store.set_thumbnail(episode, b"GIF89a")
    with pytest.raises(TooLarge):
        store.set_thumbnail(episode, b"\xff\xd8" * 2**19)


def test_unknown_ids_and_wrong_values_are_refused_with_a_message(store):
    (episode,) = fill(store, start())
    for call in (store.episode, store.events, store.columns, store.delete, store.restore, store.notes, store.start_state, store.thumbnail):
        with pytest.raises(NotStored, match="nobody"):
            call("nobody")
    for call in (lambda: store.rename("nobody", "x"), lambda: store.add_note("nobody", "x"), lambda: store.set_thumbnail("nobody", JPEG)):
        with pytest.raises(NotStored, match="nobody"):
            call()
    for rating in (0, 6, 2.5, "5"):
        with pytest.raises(InvalidInput):
            store.rate(episode, rating)
    for text in ("a\0b", "\ud800", 7):
        with pytest.raises(InvalidInput):
            store.rename(episode, text)
    with pytest.raises(TooLarge):
        store.add_note(episode, "x" * 20_001)


def test_a_closed_store_says_so(store):
    store.close()
    store.close()
    for call in (store.episodes, lambda: store.rename("x", "y")):
        with pytest.raises(StoreError, match="closed"):
            call()


def test_a_file_is_never_named_outside_of_its_folder(store):
    for task in ("../../evil", "/etc/evil", "a\\b", "${1+1}", "x" * 500):
        (episode,) = fill(store, start(task))
        stem = store.episode(episode).file_stem
        assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
        assert 1 < len(stem) <= 120
