"""The tables and views of the first release, in SQL. They are released: what differs now, later migrations changed."""

from __future__ import annotations

from typing import Final

EPISODE_TABLES: Final = (
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL DEFAULT '',
        started REAL NOT NULL
    )""",
    """
    CREATE TABLE episodes (
        num INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
        parent_id TEXT,
        branch_step INTEGER,
        task TEXT NOT NULL,
        seed INTEGER,
        config TEXT NOT NULL,
        instruction TEXT NOT NULL,
        policy TEXT NOT NULL,
        name TEXT NOT NULL DEFAULT '',
        rating INTEGER CHECK (rating BETWEEN 1 AND 5),
        outcome TEXT NOT NULL DEFAULT 'running',
        num_steps INTEGER NOT NULL DEFAULT 0,
        duration_s REAL NOT NULL DEFAULT 0,
        started REAL NOT NULL,
        ended REAL,
        deleted_at REAL,
        num_bytes INTEGER NOT NULL DEFAULT 0,
        start_state BLOB,
        final_state BLOB
    )""",
    "CREATE INDEX episodes_by_session ON episodes(session_id, started)",
    "CREATE INDEX episodes_by_parent ON episodes(parent_id)",
    "CREATE INDEX episodes_by_time ON episodes(started)",
    "CREATE TABLE prompts (num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)",
    """
    CREATE TABLE steps (
        episode INTEGER NOT NULL REFERENCES episodes(num) ON DELETE CASCADE,
        step INTEGER NOT NULL,
        time_s REAL NOT NULL,
        actor TEXT NOT NULL,
        is_success INTEGER NOT NULL,
        halt_slice INTEGER,
        ee_x_um INTEGER, ee_y_um INTEGER, ee_z_um INTEGER, gripper_permille INTEGER,
        dx REAL, dy REAL, dz REAL, droll REAL, dpitch REAL, dyaw REAL, gripper_target REAL,
        exact_action BLOB,
        proposal BLOB,
        prompt INTEGER REFERENCES prompts(num),
        scores TEXT,
        policy_us INTEGER, step_us INTEGER, wall_ms INTEGER,
        PRIMARY KEY (episode, step)
    ) WITHOUT ROWID""",
    """
    CREATE TABLE state_chunks (
        num INTEGER PRIMARY KEY,
        episode INTEGER NOT NULL REFERENCES episodes(num) ON DELETE CASCADE,
        first_step INTEGER NOT NULL,
        num_steps INTEGER NOT NULL,
        data BLOB NOT NULL,
        UNIQUE (episode, first_step)
    )""",
    """
    CREATE TABLE events (
        num INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        episode INTEGER NOT NULL REFERENCES episodes(num) ON DELETE CASCADE,
        step INTEGER NOT NULL,
        time_s REAL NOT NULL,
        kind TEXT NOT NULL,
        actor TEXT NOT NULL,
        wall_time REAL NOT NULL,
        payload TEXT NOT NULL
    )""",
    "CREATE INDEX events_by_episode ON events(episode, num)",
    """
    CREATE TABLE notes (
        num INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        episode INTEGER NOT NULL REFERENCES episodes(num) ON DELETE CASCADE,
        step INTEGER,
        text TEXT NOT NULL,
        written REAL NOT NULL
    )""",
    "CREATE INDEX notes_by_episode ON notes(episode)",
)
"""Sessions, episodes, steps, exact states, events and notes."""

VIEWS: Final = {
    "session_overview": """
        SELECT s.id, s.name, datetime(s.started, 'unixepoch') AS started, count(e.num) AS episodes,
            total(e.outcome = 'success') AS successes, total(e.num_steps) AS steps,
            round(total(e.num_bytes) / 1e6, 3) AS state_mb
        FROM sessions s LEFT JOIN episodes e ON e.session_id = s.id AND e.deleted_at IS NULL
        GROUP BY s.id ORDER BY s.started DESC""",
    "episode_overview": """
        SELECT e.id, e.name, e.task, e.instruction, e.policy, e.outcome, e.rating, e.num_steps AS steps,
            round(e.duration_s, 2) AS duration_s, datetime(e.started, 'unixepoch') AS started,
            (SELECT count(*) FROM events v WHERE v.episode = e.num AND v.kind = 'takeover') AS takeovers,
            (SELECT count(*) FROM events v WHERE v.episode = e.num AND v.kind = 'halt') AS halts,
            (SELECT count(*) FROM events v WHERE v.episode = e.num AND v.kind IN ('sketch', 'plan')) AS sketches,
            (SELECT group_concat(n.text, char(10)) FROM notes n WHERE n.episode = e.num) AS notes,
            e.seed, json_extract(e.config, '$.simulator') AS simulator, json_extract(e.config, '$.control_hz') AS control_hz,
            e.parent_id, e.branch_step, e.session_id, e.deleted_at IS NOT NULL AS is_deleted
        FROM episodes e ORDER BY e.started DESC""",
    "event_timeline": """
        SELECT e.id AS episode_id, v.step, round(v.time_s, 3) AS time_s, v.kind, v.actor, v.payload,
            datetime(v.wall_time, 'unixepoch') AS at, e.session_id, e.task
        FROM events v JOIN episodes e ON e.num = v.episode ORDER BY v.episode, v.num""",
    "step_table": """
        SELECT e.id AS episode_id, s.step, round(s.time_s, 3) AS time_s, s.actor, s.is_success, s.halt_slice,
            s.ee_x_um / 1e6 AS ee_x, s.ee_y_um / 1e6 AS ee_y, s.ee_z_um / 1e6 AS ee_z, s.gripper_permille / 1e3 AS gripper,
            round(s.dx * 1000, 2) AS dx_mm, round(s.dy * 1000, 2) AS dy_mm, round(s.dz * 1000, 2) AS dz_mm,
            round(s.droll * 57.29577951308232, 2) AS droll_deg, round(s.dpitch * 57.29577951308232, 2) AS dpitch_deg,
            round(s.dyaw * 57.29577951308232, 2) AS dyaw_deg, round(s.gripper_target, 3) AS gripper_target,
            s.proposal IS NOT NULL AND length(s.proposal) > 0 AS is_overridden, p.id AS prompt_id, s.scores,
            s.policy_us / 1e3 AS policy_ms, s.step_us / 1e3 AS step_ms,
            strftime('%Y-%m-%d %H:%M:%f', e.started + s.wall_ms / 1e3, 'unixepoch') AS at
        FROM steps s JOIN episodes e ON e.num = s.episode LEFT JOIN prompts p ON p.num = s.prompt""",
    "branch_tree": """
        SELECT c.parent_id, c.branch_step, c.id AS episode_id, p.outcome AS parent_outcome, c.outcome, c.policy, c.instruction
        FROM episodes c JOIN episodes p ON p.id = c.parent_id ORDER BY c.parent_id, c.branch_step""",
    "campaign_cells": """
        SELECT c.name AS campaign, t.policy, t.task, t.prompt, t.edits, count(*) AS n, sum(t.is_success) AS successes,
            round(100.0 * avg(t.is_success), 1) AS success_percent, round(avg(t.num_steps), 1) AS mean_steps
        FROM trials t JOIN campaigns c ON c.num = t.campaign GROUP BY c.num, t.policy, t.task, t.prompt, t.edits""",
}
"""Name -> query, for those who read the database with other tools."""
