"""The database schema as append-only migrations: a migration that was released is never edited, only followed by another.

``docs/storage.md`` describes every table, column and view in words; a test compares it with what is made here.
"""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from sessions.first_schema import EPISODE_TABLES, VIEWS

APPLICATION_ID: Final = 0x564C4157
"""``VLAW`` in the file's header: tells our databases from other SQLite files."""

migrations: Final = Migrations("vla-workbench")


@migrations()
def m001_episodes(db: Database) -> None:
    """Sessions, episodes, steps, exact states, events and notes."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in EPISODE_TABLES:
        db.execute(statement)


@migrations()
def m002_search(db: Database) -> None:
    """Full-text search over instructions, names and notes, kept up to date by triggers."""
    for table, columns in (("episodes", ("instruction", "name", "task", "policy")), ("notes", ("text",))):
        names = ", ".join(columns)
        new = ", ".join(f"new.{c}" for c in columns)
        old = ", ".join(f"old.{c}" for c in columns)
        fts = f"{table}_fts"
        delete = f"INSERT INTO {fts} ({fts}, rowid, {names}) VALUES ('delete', old.num, {old})"
        insert = f"INSERT INTO {fts} (rowid, {names}) VALUES (new.num, {new})"
        db.execute(f"CREATE VIRTUAL TABLE {fts} USING fts5({names}, content='{table}', content_rowid='num')")
        db.execute(f"INSERT INTO {fts} ({fts}) VALUES ('rebuild')")
        db.execute(f"CREATE TRIGGER {table}_ai AFTER INSERT ON {table} BEGIN {insert}; END")
        db.execute(f"CREATE TRIGGER {table}_ad AFTER DELETE ON {table} BEGIN {delete}; END")
        db.execute(f"CREATE TRIGGER {table}_au AFTER UPDATE OF {names} ON {table} BEGIN {delete}; {insert}; END")


@migrations()
def m003_thumbnails(db: Database) -> None:
    """A small picture an episode."""
    db.execute(
        """
        CREATE TABLE thumbnails (
            episode INTEGER PRIMARY KEY REFERENCES episodes(num) ON DELETE CASCADE,
            jpeg BLOB NOT NULL
        )"""
    )


@migrations()
def m004_campaigns(db: Database) -> None:
    """Campaigns and their trials."""
    db.execute(
        """
        CREATE TABLE campaigns (
            num INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            config TEXT NOT NULL,
            report TEXT NOT NULL,
            started REAL NOT NULL,
            ended REAL NOT NULL
        )"""
    )
    db.execute(
        """
        CREATE TABLE trials (
            num INTEGER PRIMARY KEY,
            campaign INTEGER NOT NULL REFERENCES campaigns(num) ON DELETE CASCADE,
            policy TEXT NOT NULL,
            task TEXT NOT NULL,
            prompt TEXT NOT NULL DEFAULT '',
            edits TEXT NOT NULL DEFAULT '',
            seed INTEGER NOT NULL,
            is_success INTEGER NOT NULL,
            num_steps INTEGER NOT NULL DEFAULT 0,
            note TEXT NOT NULL DEFAULT '',
            UNIQUE (campaign, policy, task, prompt, edits, seed)
        )"""
    )


@migrations()
def m005_views(db: Database) -> None:
    """Views that read well in Datasette."""
    for name, query in VIEWS.items():
        db.execute(f"CREATE VIEW {name} AS {query}")


@migrations()
def m006_campaign_runs(db: Database) -> None:
    """Campaigns that are kept while they run; trials with perturbation, setting, measures and their stored episode."""
    for statement in _CAMPAIGN_RUNS:
        db.execute(statement)


_CAMPAIGN_RUNS: Final = (
    "DROP VIEW campaign_cells",
    "ALTER TABLE campaigns ADD COLUMN status TEXT NOT NULL DEFAULT 'done'",
    "ALTER TABLE campaigns ADD COLUMN digest TEXT NOT NULL DEFAULT ''",
    """
    CREATE TABLE new_trials (
        num INTEGER PRIMARY KEY,
        campaign INTEGER NOT NULL REFERENCES campaigns(num) ON DELETE CASCADE,
        policy TEXT NOT NULL,
        task TEXT NOT NULL,
        prompt TEXT NOT NULL DEFAULT '',
        edits TEXT NOT NULL DEFAULT '',
        perturbation TEXT NOT NULL DEFAULT '',
        setting TEXT NOT NULL DEFAULT '',
        seed INTEGER NOT NULL,
        is_success INTEGER NOT NULL,
        num_steps INTEGER NOT NULL DEFAULT 0,
        note TEXT NOT NULL DEFAULT '',
        measures TEXT NOT NULL DEFAULT '{}',
        policy_ms REAL NOT NULL DEFAULT 0,
        episode_id TEXT,
        UNIQUE (campaign, policy, task, prompt, edits, perturbation, setting, seed)
    )""",
    """
    INSERT INTO new_trials (num, campaign, policy, task, prompt, edits, seed, is_success, num_steps, note)
    SELECT num, campaign, policy, task, prompt, edits, seed, is_success, num_steps, note FROM trials""",
    "DROP TABLE trials",
    "ALTER TABLE new_trials RENAME TO trials",
    """
    CREATE VIEW campaign_cells AS
    SELECT c.name AS campaign, c.id AS campaign_id, t.policy, t.task, t.prompt, t.edits, t.perturbation, t.setting, count(*) AS n,
        sum(t.is_success) AS successes, round(100.0 * avg(t.is_success), 1) AS success_percent, round(avg(t.num_steps), 1) AS mean_steps
    FROM trials t JOIN campaigns c ON c.num = t.campaign
    GROUP BY c.num, t.policy, t.task, t.prompt, t.edits, t.perturbation, t.setting""",
)


@migrations()
def m007_trial_paths(db: Database) -> None:
    """Where the end-effector went in each trial, so that steering can be compared at equal length later on."""
    db.execute("ALTER TABLE trials ADD COLUMN path BLOB")


@migrations()
def m008_steering(db: Database) -> None:
    """Directions and the like, concepts, presets of the steering desk, and recorded activations."""
    for statement in _STEERING:
        db.execute(statement)


_STEERING: Final = (
    """
    CREATE TABLE steering_assets (
        num INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        policy TEXT NOT NULL,
        meta TEXT NOT NULL,
        arrays BLOB NOT NULL,
        made REAL NOT NULL,
        is_deleted INTEGER NOT NULL DEFAULT 0
    )""",
    """
    CREATE TABLE concepts (
        num INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        policy TEXT NOT NULL,
        version INTEGER NOT NULL,
        kind TEXT NOT NULL,
        document TEXT NOT NULL,
        made REAL NOT NULL,
        is_deleted INTEGER NOT NULL DEFAULT 0,
        UNIQUE (name, policy, version)
    )""",
    """
    CREATE TABLE steering_presets (
        num INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        policy TEXT NOT NULL,
        mix TEXT NOT NULL,
        made REAL NOT NULL,
        UNIQUE (name, policy)
    )""",
    """
    CREATE TABLE activation_shards (
        num INTEGER PRIMARY KEY,
        episode_id TEXT NOT NULL,
        file TEXT NOT NULL UNIQUE,
        policy TEXT NOT NULL,
        sites TEXT NOT NULL,
        first_step INTEGER NOT NULL,
        last_step INTEGER NOT NULL,
        num_calls INTEGER NOT NULL,
        num_bytes INTEGER NOT NULL,
        made REAL NOT NULL
    )""",
    "CREATE INDEX activation_shards_by_episode ON activation_shards(episode_id, first_step)",
)


@migrations()
def m009_comparisons(db: Database) -> None:
    """Comparisons of a moment lived again with and without steering: what was asked for, and what it came to."""
    db.execute(
        """
        CREATE TABLE comparisons (
            num INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            asked TEXT NOT NULL,
            found TEXT NOT NULL,
            status TEXT NOT NULL,
            started REAL NOT NULL
        )"""
    )


@migrations()
def m010_feedback(db: Database) -> None:
    """What raters say of episodes, and which of two they prefer."""
    for statement in _FEEDBACK:
        db.execute(statement)


_FEEDBACK: Final = (
    """
    CREATE TABLE ratings (
        num INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        episode INTEGER NOT NULL REFERENCES episodes(num) ON DELETE CASCADE,
        rater TEXT NOT NULL,
        is_success INTEGER,
        progress INTEGER CHECK (progress BETWEEN 0 AND 100),
        quality INTEGER CHECK (quality BETWEEN 1 AND 5),
        is_safe INTEGER,
        reasons TEXT NOT NULL DEFAULT '[]',
        text TEXT NOT NULL DEFAULT '',
        notes TEXT NOT NULL DEFAULT '[]',
        written REAL NOT NULL,
        UNIQUE (episode, rater)
    )""",
    """
    CREATE TABLE preferences (
        num INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        pair TEXT NOT NULL,
        rater TEXT NOT NULL,
        first INTEGER NOT NULL REFERENCES episodes(num) ON DELETE CASCADE,
        second INTEGER NOT NULL REFERENCES episodes(num) ON DELETE CASCADE,
        choice TEXT NOT NULL CHECK (choice IN ('a', 'b', 'tie', 'skip')),
        reason TEXT NOT NULL DEFAULT '',
        written REAL NOT NULL,
        UNIQUE (pair, rater)
    )""",
    "CREATE INDEX preferences_by_second ON preferences(second)",
    "CREATE INDEX preferences_by_first ON preferences(first)",
)


@migrations()
def m011_versions(db: Database) -> None:
    """Taught versions of the bench VLA, what each was compared with, and which was put to use when."""
    for statement in _VERSIONS:
        db.execute(statement)


_VERSIONS: Final = (
    """
    CREATE TABLE versions (
        num INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        parent TEXT NOT NULL,
        digest TEXT NOT NULL,
        lineage TEXT NOT NULL,
        made REAL NOT NULL
    )""",
    """
    CREATE TABLE version_comparisons (
        num INTEGER PRIMARY KEY,
        version TEXT NOT NULL,
        against TEXT NOT NULL,
        campaign_id TEXT NOT NULL,
        made REAL NOT NULL,
        UNIQUE (version, against, campaign_id)
    )""",
    "CREATE INDEX version_comparisons_by_version ON version_comparisons(version)",
    """
    CREATE TABLE version_choices (
        num INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        chosen REAL NOT NULL,
        undone REAL
    )""",
)


@migrations()
def m012_takeovers(db: Database) -> None:
    """Steps within which a person took over: from which slice on, and what was executed then."""
    db.execute("ALTER TABLE steps ADD COLUMN takeover_slice INTEGER")
    db.execute("ALTER TABLE steps ADD COLUMN takeover_action BLOB")
