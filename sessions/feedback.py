"""What raters said of stored episodes, and which episodes they judge next."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sessions.store import Store
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.events import new_id
from workbench.core.types import EpisodeConfig
from workbench.feedback.judgements import Choice, Rating, parse_choice, parse_rater, parse_rating
from workbench.feedback.pairing import Candidate, Pair, next_pair, order_for, pair_id, pairs_of

MIN_STEPS: Final = 5
"""Shorter episodes are not judged: nothing happens in them."""
MAX_CANDIDATES: Final = 500
"""Newest episodes that are judged."""
SKIP: Final = "skip"
"""Kept in place of a choice when a rater could not say; counts for nothing, and the pair does not come again for him."""


@dataclass(frozen=True)
class StoredRating:
    """A rating with its episode."""

    episode_id: str
    rater: str
    rating: Rating
    written: float
    """Unix time [s]."""
    task: str
    policy: str
    instruction: str


@dataclass(frozen=True)
class StoredPreference:
    """A preference with its episodes, in the order in which the rater saw them."""

    rater: str
    first: str
    second: str
    choice: str
    """``a``: the first, ``b``: the second, ``tie`` or ``skip``."""
    reason: str
    written: float
    """Unix time [s]."""
    first_policy: str
    second_policy: str
    task: str
    instruction: str

    @property
    def winner(self) -> str | None:
        """The preferred episode, or None."""
        return {Choice.A.value: self.first, Choice.B.value: self.second}.get(self.choice)


@dataclass(frozen=True)
class Progress:
    """How far a rater has come."""

    num_done: int
    num_all: int


def candidates(store: Store, session_id: str = "") -> tuple[Candidate, ...]:
    """Return the newest ended episodes that can be compared: by start, one of a branch is where it leaves its parent."""
    where = "AND e.session_id = ?" if session_id else ""
    query = f"""
        SELECT e.id, e.config, e.policy, e.parent_id, e.branch_step FROM episodes e
        WHERE e.deleted_at IS NULL AND e.ended IS NOT NULL AND e.num_steps >= ? {where} ORDER BY e.num DESC LIMIT ?"""
    values = [MIN_STEPS, *([session_id] if session_id else []), MAX_CANDIDATES]
    with store.reading() as connection:
        rows = connection.execute(query, values).fetchall()
    return tuple(Candidate(row[0], _start_of(row[1], row[3], row[4]), row[2]) for row in rows)


def _start_of(config: str, parent_id: str | None, branch_step: int | None) -> str:
    return f"{parent_id}@{branch_step}" if parent_id else EpisodeConfig.from_dict(json.loads(config)).digest()


# Ratings


def save_rating(store: Store, episode_id: str, rater: str, rating: Rating, *, now: float | None = None) -> None:
    """Keep what a rater says of an episode; what he said of it before is replaced.

    Raises:
        NotStored: there is no such episode.
        InvalidInput: the rater has no name.
    """
    data = rating.to_dict()
    with store.transaction() as connection:
        row = connection.execute("SELECT num FROM episodes WHERE id = ?", [episode_id]).fetchone()
        if row is None:
            raise NotStored(f"Episode {episode_id}", reason="there is none of that id")
        connection.execute(
            """
            INSERT INTO ratings (id, episode, rater, is_success, progress, quality, is_safe, reasons, text, notes, written)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (episode, rater) DO UPDATE SET is_success = excluded.is_success, progress = excluded.progress,
                quality = excluded.quality, is_safe = excluded.is_safe, reasons = excluded.reasons, text = excluded.text,
                notes = excluded.notes, written = excluded.written""",
            [
                new_id(),
                row[0],
                parse_rater(rater),
                rating.is_success,
                rating.progress,
                rating.quality,
                rating.is_safe,
                json.dumps(data["reasons"], ensure_ascii=False),
                rating.text,
                json.dumps(data["notes"], ensure_ascii=False),
                time.time() if now is None else now,
            ],
        )


def load_ratings(store: Store) -> tuple[StoredRating, ...]:
    """Return all ratings of episodes that are not deleted, oldest first."""
    query = """
        SELECT e.id AS episode_id, r.*, e.task, e.policy, e.instruction FROM ratings r JOIN episodes e ON e.num = r.episode
        WHERE e.deleted_at IS NULL ORDER BY r.num"""
    with store.reading() as connection:
        return tuple(_rating(row) for row in connection.execute(query))


def _rating(row: Mapping[str, Any]) -> StoredRating:
    flags = {name: None if row[name] is None else bool(row[name]) for name in ("is_success", "is_safe")}
    lists = {name: json.loads(row[name]) for name in ("reasons", "notes")}
    rating = parse_rating({**flags, **lists, "progress": row["progress"], "quality": row["quality"], "text": row["text"]})
    return StoredRating(row["episode_id"], row["rater"], rating, row["written"], row["task"], row["policy"], row["instruction"])


def next_episode(store: Store, rater: str, session_id: str = "") -> tuple[str | None, Progress]:
    """Return the episode that a rater rates next, the least rated first, and how far he has come."""
    ids = [c.episode_id for c in candidates(store, session_id)]
    with store.reading() as connection:
        rows = connection.execute("SELECT e.id, r.rater FROM ratings r JOIN episodes e ON e.num = r.episode").fetchall()
    counts: dict[str, int] = {}
    mine: set[str] = set()
    for episode_id, name in rows:
        counts[episode_id] = counts.get(episode_id, 0) + 1
        if name == rater:
            mine.add(episode_id)
    left = sorted((counts.get(i, 0), n, i) for n, i in enumerate(ids) if i not in mine)
    return (left[0][2] if left else None), Progress(len(ids) - len(left), len(ids))


# Preferences


def next_comparison(store: Store, rater: str, session_id: str = "") -> tuple[Pair | None, Progress]:
    """Return the pair that a rater compares next, and how far he has come."""
    pairs = pairs_of(candidates(store, session_id))
    with store.reading() as connection:
        rows = connection.execute("SELECT pair, rater, choice FROM preferences").fetchall()
    counts: dict[str, int] = {}
    for pair, _, choice in rows:
        counts[pair] = counts.get(pair, 0) + (choice != SKIP)
    mine = {pair for pair, name, _ in rows if name == rater}
    num_done = sum(pair_id(a, b) in mine for a, b in pairs)
    return next_pair(rater, pairs, mine, counts), Progress(num_done, len(pairs))


def find_pair(store: Store, rater: str, wanted: str) -> Pair:
    """Return a pair by its id, in the order in which this rater sees it; raises NotStored."""
    for a, b in pairs_of(candidates(store)):
        if pair_id(a, b) == wanted:
            return order_for(rater, a, b)
    for a, b in _judged_pairs(store, wanted):
        return order_for(rater, a, b)
    raise NotStored(f"Pair {wanted}", reason="its episodes are not there any more")


def _judged_pairs(store: Store, wanted: str) -> Sequence[tuple[str, str]]:
    query = """
        SELECT a.id, b.id FROM preferences p JOIN episodes a ON a.num = p.first JOIN episodes b ON b.num = p.second
        WHERE p.pair = ? LIMIT 1"""
    with store.reading() as connection:
        return [(str(row[0]), str(row[1])) for row in connection.execute(query, [wanted])]


def save_preference(store: Store, pair: Pair, rater: str, choice: object, reason: str = "", *, now: float | None = None) -> None:
    """Keep which of two episodes a rater prefers (``a``, ``b``, ``tie`` or ``skip``); what he said before is replaced.

    Raises:
        NotStored: an episode is gone.
        InvalidInput: it is no choice, or the rater has no name.
    """
    said = SKIP if choice == SKIP else parse_choice(choice).value
    if len(reason) > 1000:
        raise InvalidInput("reason", expected="at most 1000 letters", found=f"{len(reason)}")
    with store.transaction() as connection:
        nums = []
        for episode_id in (pair.first, pair.second):
            row = connection.execute("SELECT num FROM episodes WHERE id = ?", [episode_id]).fetchone()
            if row is None:
                raise NotStored(f"Episode {episode_id}", reason="there is none of that id")
            nums.append(row[0])
        connection.execute(
            """
            INSERT INTO preferences (id, pair, rater, first, second, choice, reason, written) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (pair, rater) DO UPDATE SET first = excluded.first, second = excluded.second, choice = excluded.choice,
                reason = excluded.reason, written = excluded.written""",
            [new_id(), pair.id, parse_rater(rater), *nums, said, reason.strip(), time.time() if now is None else now],
        )


def load_preferences(store: Store) -> tuple[StoredPreference, ...]:
    """Return all preferences between episodes that are not deleted, skipped ones included, oldest first."""
    query = """
        SELECT p.rater, a.id AS first, b.id AS second, p.choice, p.reason, p.written, a.policy AS first_policy, b.policy AS second_policy,
            a.task, a.instruction
        FROM preferences p JOIN episodes a ON a.num = p.first JOIN episodes b ON b.num = p.second
        WHERE a.deleted_at IS NULL AND b.deleted_at IS NULL ORDER BY p.num"""
    with store.reading() as connection:
        return tuple(StoredPreference(**dict(row)) for row in connection.execute(query))
