import sqlite3
from hashlib import sha256

import pytest
import sqlite_utils

from sessions.first_schema import VIEWS
from sessions.migrations import migrations
from sessions.records import EpisodeQuery
from sessions.store import Store
from workbench.core.errors import StoreError

NAMES = [migration.name for migration in migrations.pending(sqlite_utils.Database(memory=True))]

SCHEMA_AFTER = {
    "m001_episodes": "79c2ab65509d022e",
    "m002_search": "2927fc7e733982bf",
    "m003_thumbnails": "81da6e3b0b10ba86",
    "m004_campaigns": "87f937e3536bf479",
    "m005_views": "b00d4d21e064b846",
    "m006_campaign_runs": "8e56714d396c1fbd",
    "m007_trial_paths": "bc2bda53f2a1db7b",
    "m008_steering": "c09d429ffcfb08c3",
    "m009_comparisons": "e72c8dc3e6eb31d0",
    "m010_feedback": "00e0c0b50ef0828d",
    "m011_versions": "c8e654b87b23fbaa",
    "m012_takeovers": "fae3a31d3e138b27",
}
"""Digest of the schema that each released migration leads to: one that was released is never edited, a new one gets a line here."""

EPISODE = """INSERT INTO episodes (id, session_id, task, seed, config, instruction, policy, started, num_steps, outcome)
    VALUES ('old', 'sitting', 'pick', 1, '{"task": "pick", "seed": 1}', 'pick the purple cube', 'expert', 1.7e9, 0, 'success')"""


def make(path, *, stop_before=None):
    """Make a database of an earlier version, with an episode in it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    migrations.apply(sqlite_utils.Database(connection), stop_before=stop_before)
    connection.execute("INSERT INTO sessions (id, started) VALUES ('sitting', 1.7e9)")
    connection.execute(EPISODE)
    connection.execute("INSERT INTO notes (id, episode, text, written) VALUES ('note', 1, 'slipped', 1.7e9)")
    connection.commit()
    return connection


def schema(path):
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    connection.close()
    return rows


def digest(connection):
    """Return a digest of what we wrote: without white space, and without what SQLite makes of it."""
    query = "SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE '%#_fts#_%' ESCAPE '#' ORDER BY type, name"
    rows = connection.execute(query).fetchall()
    return sha256(" ".join(" ".join(row) for row in rows).encode().translate(None, b" \n")).hexdigest()[:16]


@pytest.mark.parametrize("next_name", [*NAMES[1:], None])
def test_a_database_of_every_earlier_version_is_brought_up_to_date_with_its_data(tmp_path, next_name):
    make(tmp_path / "old.db", stop_before=next_name).close()
    Store.open(tmp_path / "new.db").close()
    with Store.open(tmp_path / "old.db") as store:
        info = store.episode("old")
        assert (info.task, info.instruction, info.config.seed) == ("pick", "pick the purple cube", 1)
        assert store.episodes(EpisodeQuery(text="purple slipped")).total == 1, "the index covers what was there before it"
        assert [note.text for note in store.notes("old")] == ["slipped"]
        store.rename("old", "renamed")
        assert store.episodes(EpisodeQuery(text="renamed")).total == 1
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")


@pytest.mark.parametrize("next_name", NAMES[1:])
def test_an_earlier_version_cannot_be_opened_read_only_and_says_what_to_do(tmp_path, next_name):
    make(tmp_path / "old.db", stop_before=next_name).close()
    before = schema(tmp_path / "old.db")
    with pytest.raises(StoreError, match=r"older version.*Open it once for writing"):
        Store.open(tmp_path / "old.db", read_only=True)
    assert schema(tmp_path / "old.db") == before


def test_each_migration_leads_where_it_led_when_it_was_released(tmp_path):
    assert list(SCHEMA_AFTER) == NAMES
    for name, following in zip(NAMES, [*NAMES[1:], None], strict=True):
        connection = make(tmp_path / f"{name}.db", stop_before=following)
        assert digest(connection) == SCHEMA_AFTER[name], name
        connection.close()


def test_a_migration_that_fails_half_way_leaves_the_database_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "old.db"
    make(path, stop_before="m004_campaigns").close()
    before = schema(path)
    monkeypatch.setitem(VIEWS, "broken", "SELECT FROM nothing")
    with pytest.raises(StoreError):
        Store.open(path)
    monkeypatch.undo()
    assert {row[1] for row in schema(path)} >= {row[1] for row in before}
    with Store.open(path) as store:
        assert store.episode("old").task == "pick"


def test_every_view_can_be_read(tmp_path):
    make(tmp_path / "workbench.db").close()
    with Store.open(tmp_path / "workbench.db") as store, store.reading() as connection:
        views = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
        assert len(views) == 6
        found = {view: [dict(row) for row in connection.execute(f"SELECT * FROM {view}")] for view in views}
    assert found["episode_overview"][0]["notes"] == "slipped"
    assert found["session_overview"][0]["episodes"] == 1
