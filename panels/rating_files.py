"""Judgements as numbers and files: agreement, ranking, tables, preference pairs for reward learning."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from sessions.feedback import SKIP, StoredPreference, StoredRating, load_preferences, load_ratings
from sessions.files import new_file
from sessions.store import Store
from workbench.core.errors import MissingDependency, UnknownName
from workbench.feedback.agreement import Level, cohen_kappa, fleiss_kappa, krippendorff_alpha
from workbench.feedback.pairing import pair_id
from workbench.feedback.ranking import Comparison, bradley_terry

MEASURED: Final[Mapping[str, Level]] = {
    "is_success": Level.NOMINAL,
    "progress": Level.INTERVAL,
    "quality": Level.ORDINAL,
    "is_safe": Level.NOMINAL,
}
"""What raters answer, and what differences between answers mean."""


def rating_table(store: Store) -> pd.DataFrame:
    """Return one row a rating."""
    columns = ["episode_id", "rater", *MEASURED, "reasons", "text", "notes", "written", "task", "policy", "instruction"]
    rows = [
        {
            **{name: getattr(r, name) for name in ("episode_id", "rater", "written", "task", "policy", "instruction")},
            **{name: getattr(r.rating, name) for name in MEASURED},
            "reasons": "; ".join(r.rating.reasons),
            "text": r.rating.text,
            "notes": "; ".join(f"{n.time_s:.1f} s: {n.text}" for n in r.rating.notes),
        }
        for r in load_ratings(store)
    ]
    table = pd.DataFrame(rows, columns=columns)
    kinds = {"is_success": "boolean", "is_safe": "boolean", "progress": "Int64", "quality": "Int64"}
    return table.astype(kinds)


def preference_pairs(store: Store) -> list[dict[str, Any]]:
    """Return what reward learning reads: chosen and rejected episode of each preference; ties with weight 0.5 both ways are marked."""
    return [
        {
            "chosen": p.first if p.choice != "b" else p.second,
            "rejected": p.second if p.choice != "b" else p.first,
            "is_tie": p.choice == "tie",
            "task": p.task,
            "instruction": p.instruction,
            "rater": p.rater,
            "reason": p.reason,
            "written": p.written,
        }
        for p in load_preferences(store)
        if p.choice != SKIP
    ]


def summary(store: Store) -> dict[str, Any]:
    """Return everything that the Judge tab shows, as JSON values."""
    ratings, preferences = load_ratings(store), load_preferences(store)
    raters = sorted({r.rater for r in ratings} | {p.rater for p in preferences})
    return {
        "raters": [
            {
                "name": name,
                "num_ratings": sum(r.rater == name for r in ratings),
                "num_preferences": sum(p.rater == name for p in preferences),
            }
            for name in raters
        ],
        "num_episodes": len({r.episode_id for r in ratings}),
        "num_pairs": len({pair_id(p.first, p.second) for p in preferences if p.choice != SKIP}),
        "agreement": [*(rating_agreement(ratings, name) for name in MEASURED), preference_agreement(preferences)],
        "ranking": ranking(preferences),
        "quality": quality_by_policy(ratings),
    }


def rating_agreement(ratings: tuple[StoredRating, ...], name: str) -> dict[str, Any]:
    """Return how well raters agree on one answer."""
    found = [(r.rater, r.episode_id, float(value)) for r in ratings if (value := getattr(r.rating, name)) is not None]
    return agreement_of(name, found, MEASURED[name])


def preference_agreement(preferences: tuple[StoredPreference, ...]) -> dict[str, Any]:
    """Return how well raters agree on which episode is better, whatever order they saw."""
    found = []
    for p in preferences:
        if p.choice != SKIP:
            low = min(p.first, p.second)
            found.append((p.rater, pair_id(p.first, p.second), 0.0 if p.winner is None else 1.0 if p.winner == low else -1.0))
    return agreement_of("preference", found, Level.NOMINAL)


def agreement_of(name: str, judged: list[tuple[str, str, float]], level: Level) -> dict[str, Any]:
    """Return alpha, and kappa where its assumptions hold, of ``(rater, item, value)``."""
    raters, items = sorted({r for r, _, _ in judged}), sorted({i for _, i, _ in judged})
    values = np.full((len(raters), len(items)), np.nan)
    for rater, item, value in judged:
        values[raters.index(rater), items.index(item)] = value
    num_shared = int((np.sum(~np.isnan(values), axis=0) >= 2).sum()) if items else 0
    document: dict[str, Any] = {"name": name, "num_items": num_shared, "num_raters": len(raters), "level": level.value}
    if not num_shared:
        return {**document, "alpha": None, "cohen": None, "fleiss": None}
    whole = values[:, ~np.isnan(values).any(axis=0)]
    cohen = cohen_kappa(whole[0].tolist(), whole[1].tolist()) if len(raters) == 2 and whole.size else None
    fleiss = None
    if len(raters) > 2 and whole.size:
        kinds = np.unique(whole)
        fleiss = fleiss_kappa((whole[None] == kinds[:, None, None]).sum(axis=1).T)
    alpha = krippendorff_alpha(values, level)
    return {**document, **{n: _number(v) for n, v in (("alpha", alpha), ("cohen", cohen), ("fleiss", fleiss))}}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def ranking(preferences: tuple[StoredPreference, ...]) -> list[dict[str, Any]]:
    """Return the Bradley-Terry ranking of the policies; comparisons within one policy say nothing about it."""
    games = []
    for p in preferences:
        if p.choice != SKIP and p.first_policy != p.second_policy:
            pair = (p.first_policy, p.second_policy) if p.choice != "b" else (p.second_policy, p.first_policy)
            games.append(Comparison(*pair, is_tie=p.choice == "tie"))
    return [vars(r) for r in bradley_terry(games)]


def quality_by_policy(ratings: tuple[StoredRating, ...]) -> list[dict[str, Any]]:
    """Return the mean quality and the share of successes that raters saw, for each policy."""
    rows = []
    for policy in sorted({r.policy for r in ratings}):
        mine = [r.rating for r in ratings if r.policy == policy]
        stars, successes = [m.quality for m in mine if m.quality], [m.is_success for m in mine if m.is_success is not None]
        rows.append(
            {
                "policy": policy,
                "num_ratings": len(mine),
                "quality": round(float(np.mean(stars)), 2) if stars else None,
                "success": round(float(np.mean(successes)), 3) if successes else None,
            }
        )
    return rows


def _write_csv(store: Store, path: Path) -> None:
    rating_table(store).to_csv(path, index=False)


def _write_parquet(store: Store, path: Path) -> None:
    try:
        import pyarrow  # noqa: F401 - pandas writes Parquet by it
    except ImportError as error:
        raise MissingDependency("Parquet files", needs="the package pyarrow", install="pip install pyarrow") from error
    rating_table(store).to_parquet(path, index=False)


def _write_json(store: Store, path: Path) -> None:
    ratings = [
        {"episode_id": r.episode_id, "rater": r.rater, "written": r.written, "task": r.task, "policy": r.policy, **r.rating.to_dict()}
        for r in load_ratings(store)
    ]
    preferences = [vars(p) for p in load_preferences(store)]
    path.write_text(json.dumps({"ratings": ratings, "preferences": preferences}, indent=1, ensure_ascii=False), encoding="utf-8")


def _write_pairs(store: Store, path: Path) -> None:
    path.write_text("".join(json.dumps(p, ensure_ascii=False) + "\n" for p in preference_pairs(store)), encoding="utf-8")


WRITERS: Final[Mapping[str, tuple[str, Callable[[Store, Path], None]]]] = {
    "csv": ("ratings.csv", _write_csv),
    "parquet": ("ratings.parquet", _write_parquet),
    "json": ("judgements.json", _write_json),
    "preferences": ("preferences.jsonl", _write_pairs),
}
"""What can be exported: name of the file, and who writes it."""


def export_judgements(store: Store, form: str, folder: Path) -> Path:
    """Write judgements to a file and return its path; raises UnknownName for another form, MissingDependency without pyarrow."""
    if form not in WRITERS:
        raise UnknownName("form of an export", form, WRITERS)
    folder.mkdir(parents=True, exist_ok=True)
    name, write = WRITERS[form]
    with new_file(folder / name) as part:
        write(store, part)
    return folder / name
