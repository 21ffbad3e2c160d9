"""What a stored comparison says: lines for people, rows of the table, what the figures show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from panels.render.paths import EpisodePath
from sessions.steering_comparisons import StoredComparison
from workbench.core.types import ACTION_NAMES, ACTION_UNITS
from workbench.evaluation.steering_compare import BASELINE, OTHERS, QUANTITIES, STEERED, tell_difference
from workbench.steering.comparison import MATCHED
from workbench.steering.dose import Difference

HEADERS: Final = ("Arm", "What", "No edits", "With", "Change", "95 % interval", "p", "n", "Says")
MAX_DRAWN: Final = 8
_CONTROL_HZ: Final = 20.0


def difference_of(data: Mapping[str, Any]) -> Difference:
    """Return a stored difference; a bound that was not finite is infinite again."""
    numbers = {name: math.nan if data[name] is None else float(data[name]) for name in ("mean", "baseline", "change", "p_value")}
    low, high = (end if data[name] is None else float(data[name]) for name, end in (("low", -math.inf), ("high", math.inf)))
    return Difference(low=low, high=high, n=int(data["n"]), **numbers)


def effect_rows(stored: StoredComparison, quantity: str) -> list[dict[str, Any]]:
    """Return the effects of all arms on one quantity, for the figure."""
    found = {arm: difference_of(row[quantity]) for arm, row in stored.found["table"].items()}
    return [
        {"arm": arm, "change": d.change, "low": _finite(d.low), "high": _finite(d.high), "n": d.n, "is_clear": d.is_clear}
        for arm, d in found.items()
    ]


def verdict_lines(stored: StoredComparison) -> list[str]:
    """Say what came out: the meant quantity and success of each arm, and whether the edits did more than the random controls."""
    quantity = str(stored.asked["quantity"])
    table = {arm: {name: difference_of(d) for name, d in row.items()} for arm, row in stored.found["table"].items()}
    lines = [f"{arm}: {QUANTITIES[quantity]}, equal length: {tell_difference(row[quantity + MATCHED])}" for arm, row in table.items()]
    steered = table[STEERED]
    changes = [row[quantity + MATCHED].change for arm, row in table.items() if arm.startswith("random ")]
    if changes:
        low, high, found = min(changes), max(changes), steered[quantity + MATCHED]
        is_beyond = found.is_clear and (found.low > high or found.high < low)
        band = f"the {len(changes)} random controls ({low:+.3g} to {high:+.3g})"
        lines.append(f"The edits do {'more than' if is_beyond else 'no more than'} {band}.")
    success = steered["success"]
    lines.append(f"Solved: {100 * success.baseline:.0f} % without edits, {100 * success.mean:.0f} % with them, {success.n} starts.")
    lines.append(action_line(stored))
    notes = [f"{arm}: {run['note']}" for arm, runs in stored.found["arms"].items() for run in runs if run["note"]]
    return [*lines, *notes[:3]]


def action_line(stored: StoredComparison) -> str:
    """Say what the edits do to the very first action, mean over the starts."""
    steered, plain = (np.array([run["action"] for run in stored.found["arms"][arm]], dtype=float) for arm in (STEERED, BASELINE))
    change = (steered - plain).mean(axis=0)
    parts = [f"{name} {value:+.4f} {unit}".strip() for name, value, unit in zip(ACTION_NAMES, change, ACTION_UNITS, strict=True)]
    return f"First action, steered less no edits, {len(steered)} starts: {', '.join(parts)}"


def table_rows(stored: StoredComparison) -> list[list[Any]]:
    """Return a row for each arm and quantity."""
    quantity = str(stored.asked["quantity"])
    titles = {quantity: QUANTITIES[quantity], quantity + MATCHED: f"{QUANTITIES[quantity]}, equal length", **OTHERS}
    rows = []
    for arm, row in stored.found["table"].items():
        for name, title in titles.items():
            d = difference_of(row[name])
            if not d.n:
                rows.append([arm, title, "", "", "", "", "", 0, "not measured"])
                continue
            says = "one start: no interval" if d.n == 1 else "clear" if d.is_clear else "no effect"
            interval = f"{d.low:+.3g} to {d.high:+.3g}" if d.n > 1 else ""
            p_value = f"{d.p_value:.2g}" if d.n > 1 else ""
            rows.append([arm, title, f"{d.baseline:.3g}", f"{d.mean:.3g}", f"{d.change:+.3g}", interval, p_value, d.n, says])
    return rows


def run_choices(stored: StoredComparison) -> list[tuple[str, str]]:
    """Return every run as a title and its episode."""
    return [
        (f"{arm}, start {i + 1}: {'solved' if run['is_success'] else 'not solved'}", str(run["episode_id"]))
        for arm, runs in stored.found["arms"].items()
        for i, run in enumerate(runs)
    ]


def drawn_paths(stored: StoredComparison) -> list[EpisodePath]:
    """Return the paths of all arms from the first start, the moment itself."""
    found = []
    for arm, runs in list(stored.found["arms"].items())[:MAX_DRAWN]:
        path = np.array(runs[0]["path"], dtype=float).reshape(-1, 3)
        label = f"{arm} ({'solved' if runs[0]['is_success'] else 'not solved'})"
        found.append(EpisodePath(label, np.arange(len(path)) / _CONTROL_HZ, path))
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
