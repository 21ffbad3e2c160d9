"""Versions of the bench VLA that were taught: what each was made from, what it was compared with, which one is in use."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from sessions.reading import decoding
from sessions.store import Store
from sessions.writing import json_text
from workbench.core.errors import InvalidInput, NotStored

FIRST: Final = "bench-vla"
"""The version that comes with the project; it needs no row."""


@dataclass(frozen=True)
class StoredVersion:
    """One taught version."""

    name: str
    parent: str
    digest: str
    """SHA-256 of its weights."""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    """What it was made from and how: episodes, counts, settings, shares, losses, the parent's digest; JSON values."""
    made: float = 0.0
    """Unix time [s]."""


@dataclass(frozen=True)
class VersionComparison:
    """A campaign in which a version was run beside another one, on the same seeds."""

    version: str
    against: str
    campaign_id: str
    is_done: bool
    made: float
    """Unix time [s]."""


def next_name(store: Store, taken: Collection[str] = ()) -> str:
    """Return the name that the next version gets; never one that is ``taken``."""
    with store.reading() as connection:
        (last,) = connection.execute("SELECT coalesce(max(num), 1) FROM versions").fetchone()
    return next(name for number in count(int(last) + 1) if (name := f"{FIRST}-{number}") not in taken)


def keep_version(store: Store, version: StoredVersion) -> None:
    """Keep one more version; its number is the one in its name.

    Raises:
        InvalidInput: there is one of that name.
    """
    number = int(version.name.removeprefix(f"{FIRST}-"))
    row = [number, version.name, version.parent, version.digest, json_text(dict(version.lineage)), version.made or time.time()]
    with store.transaction() as connection:
        if connection.execute("SELECT 1 FROM versions WHERE num = ? OR name = ?", row[:2]).fetchone():
            raise InvalidInput("version", expected="a new name", found=version.name)
        connection.execute("INSERT INTO versions (num, name, parent, digest, lineage, made) VALUES (?, ?, ?, ?, ?, ?)", row)


def list_versions(store: Store) -> tuple[StoredVersion, ...]:
    """List the taught versions, newest first."""
    with store.reading() as connection:
        rows = connection.execute("SELECT * FROM versions ORDER BY num DESC").fetchall()
    return tuple(_version(row) for row in rows)


def find_version(store: Store, name: str) -> StoredVersion:
    """Return one taught version; raises NotStored when there is none of that name."""
    found = next((v for v in list_versions(store) if v.name == name), None)
    if found is None:
        raise NotStored(f"Version {name}", reason="nothing was taught under that name")
    return found


def keep_comparison(store: Store, version: str, against: str, campaign_id: str) -> None:
    """Note that a campaign runs a version beside another one; noting it again changes nothing."""
    row = [version, against, campaign_id, time.time()]
    with store.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO version_comparisons (version, against, campaign_id, made) VALUES (?, ?, ?, ?)", row)


def comparisons_of(store: Store, version: str) -> tuple[VersionComparison, ...]:
    """Return what a version was compared with, newest first; campaigns that were removed do not count."""
    query = """
        SELECT v.*, c.status FROM version_comparisons v JOIN campaigns c ON c.id = v.campaign_id
        WHERE v.version = ? ORDER BY v.num DESC"""
    with store.reading() as connection:
        rows = connection.execute(query, [version]).fetchall()
    with decoding("Stored comparison"):
        return tuple(
            VersionComparison(str(r["version"]), str(r["against"]), str(r["campaign_id"]), r["status"] == "done", float(r["made"]))
            for r in rows
        )


def is_compared(store: Store, name: str) -> bool:
    """Tell whether a version may be used: the first one, or one with a comparison that was run to its end."""
    return name == FIRST or any(c.is_done for c in comparisons_of(store, name))


def version_in_use(store: Store) -> str:
    """Return the version that is in use; the first one until somebody chose another."""
    with store.reading() as connection:
        row = connection.execute("SELECT name FROM version_choices WHERE undone IS NULL ORDER BY num DESC LIMIT 1").fetchone()
    return FIRST if row is None else str(row["name"])


def use_version(store: Store, name: str) -> None:
    """Make a version the one in use.

    Raises:
        NotStored: there is none of that name.
        InvalidInput: it was never compared with another one to the end.
    """
    if name != FIRST:
        find_version(store, name)
    if not is_compared(store, name):
        raise InvalidInput(
            f"version {name}",
            expected="one that was compared with its parent to the end",
            found="one that was not",
            fix="Compare it first: nobody knows yet whether it is better.",
        )
    if name == version_in_use(store):
        return
    with store.transaction() as connection:
        connection.execute("INSERT INTO version_choices (name, chosen) VALUES (?, ?)", [name, time.time()])


def roll_back(store: Store) -> str:
    """Undo the last choice, and return the version that is in use now.

    Raises:
        InvalidInput: nothing was chosen.
    """
    with store.transaction() as connection:
        changed = connection.execute(
            """UPDATE version_choices SET undone = ? WHERE num = (SELECT max(num) FROM version_choices WHERE undone IS NULL)""",
            [time.time()],
        ).rowcount
    if not changed:
        raise InvalidInput("roll back", expected="a version that was put to use", found="none", fix="The first version is in use.")
    return version_in_use(store)


def _version(row: sqlite3.Row) -> StoredVersion:
    with decoding("Stored version"):
        lineage = dict(json.loads(row["lineage"]))
        return StoredVersion(str(row["name"]), str(row["parent"]), str(row["digest"]), lineage, float(row["made"]))
