"""The part of the Teach tab on versions: what each was made from, how it compares to its parent, which one is in use."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from panels.errors import bind
from panels.events import QUIET
from panels.facts import fact_lines
from panels.stage import Stage
from panels.state import AppState
from panels.teach_improve import SHOWN_AFTER, version_choices
from sessions.campaigns import load_cells
from sessions.versions import (
    FIRST,
    StoredVersion,
    comparisons_of,
    find_version,
    keep_comparison,
    list_versions,
    roll_back,
    use_version,
    version_in_use,
)
from workbench.core.errors import InvalidInput
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.conditions import ALL_TASKS, TaskComparison, compare_conditions, tell_comparison
from workbench.evaluation.driver import Campaign
from workbench.evaluation.requests import Request
from workbench.learning.weighting import Weighting

NAME: Final = "versions"
TITLE: Final = "Versions"

HEADERS: Final = ("Version", "From", "Taught on", "Against it", "In use")
WIDTHS: Final = ("22%", "18%", "28%", "22%", "10%")
ONE: Final = "There is one version, the bench VLA as it comes with the workbench. Improve it, and the next one is listed here."
UNTAUGHT: Final = ("touch", "place_on_plate")
"""Tasks that are run besides those that were corrected, to see whether something was forgotten."""
FIRST_SEED: Final = 800_000
"""Of comparisons: scenes that no demonstration was drawn from."""
EPISODES: Final = 20
POLL_S: Final = 2.0
_SHOWN: Final = {"human": "by hand", "policy": "by the policy", "before": "just before a correction"}


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place this part in the present Gradio layout."""
    table = gr.Dataframe(
        version_rows(app),
        headers=list(HEADERS),
        interactive=False,
        column_widths=list(WIDTHS),
        wrap=True,
        elem_id="teach-versions-table",
        max_height=240,
    )
    with gr.Row(elem_classes="tight"):
        version = gr.Dropdown(version_choices(app), value=version_in_use(app.store), label="Version", elem_id="teach-version", scale=3)
        episodes = gr.Number(EPISODES, label="Episodes a task", precision=0, minimum=1, elem_id="teach-episodes", min_width=90, scale=1)
    with gr.Row(elem_classes="tight"):
        compare = gr.Button("Compare", elem_id="teach-compare", min_width=90)
        use = gr.Button("Use it", elem_id="teach-use", min_width=70)
        back = gr.Button("Roll back", elem_id="teach-back", min_width=80)
    about = fact_lines("teach-about")
    clock = gr.Timer(POLL_S, active=False)

    shown = [table, version, about, clock]
    version.input(bind(describe, app), [version], [about], **QUIET)
    compare.click(bind(on_compare, app), [version, episodes], shown, **QUIET)
    use.click(bind(on_use, app), [version], shown, **QUIET)
    back.click(bind(on_back, app), [version], shown, **QUIET)
    clock.tick(bind(show, app), [version], shown, **QUIET)
    stage.on_changed(bind(on_changed, app), [version], shown)


def version_rows(app: AppState) -> list[list[Any]]:
    """Return the rows of the table, newest first; the version that comes with the project is the last."""
    used = version_in_use(app.store)
    rows = [_row(app, v, used) for v in list_versions(app.store)]
    return [*rows, [FIRST, "", "as it comes", "", "yes" if used == FIRST else ""]]


def _row(app: AppState, version: StoredVersion, used: str) -> list[Any]:
    lineage = version.lineage
    verdict = whole_of(compared_cells(app, version.name))
    change = "not compared" if verdict is None else f"{100 * verdict.comparison.difference:+.0f} points, n = {verdict.comparison.n}"
    num = int(lineage.get("num_corrections", 0))
    learnt = f"{num} correction{'s' * (num != 1)}, {lineage.get('settings', {}).get('weighting', '')}"
    return [version.name, version.parent, learnt, change, "yes" if version.name == used else ""]


def compared_cells(app: AppState, name: str) -> tuple[str, list[CellResult], list[CellResult]] | None:
    """Return what the newest finished comparison of a version was with, and the cells of both; None without one."""
    for comparison in comparisons_of(app.store, name):
        if comparison.is_done:
            cells = load_cells(app.store, comparison.campaign_id)
            old, new = ([c for c in cells if c.cell.policy == side] for side in (comparison.against, name))
            return comparison.against, old, new
    return None


def whole_of(found: tuple[str, Sequence[CellResult], Sequence[CellResult]] | None) -> TaskComparison | None:
    """Return the comparison over all tasks together, or None without one."""
    return None if found is None else compare_conditions(found[1], found[2])[-1]


def describe(app: AppState, name: str) -> dict[str, list[str]]:
    """Say what a version was made from, and how it did beside its parent."""
    if name == FIRST:
        return {"lines": [f"{FIRST}: as it comes with the workbench." if list_versions(app.store) else ONE]}
    version = find_version(app.store, name)
    return {"lines": [*lineage_lines(version), *comparison_lines(app, name)]}


def lineage_lines(version: StoredVersion) -> list[str]:
    """Say what a version was made from and how."""
    lineage = version.lineage
    settings, num = lineage.get("settings", {}), int(lineage.get("num_corrections", 0))
    tasks = ", ".join(str(t).replace("_", " ") for t in lineage.get("tasks", ()))
    made = time.strftime("%d %b %H:%M", time.localtime(version.made))
    shown = ", ".join(f"{100 * float(part):.0f} % {_SHOWN.get(kind, kind)}" for kind, part in lineage.get("shares", {}).items())
    return [
        f"{version.name}, {made}, taught from {version.parent} on {num} correction{'s' * (num != 1)} with "
        f"{lineage.get('num_human_steps', '?')} steps by hand, in {len(lineage.get('episodes', ()))} episodes ({tasks}).",
        f"{Weighting(settings.get('weighting', Weighting.UNIFORM)).words}. {settings.get('num_steps', '?')} steps of learning in "
        f"{float(lineage.get('seconds', 0)):.0f} s; it was shown: {shown}.",
        f"Weights {version.digest[:12]}, parent's {str(lineage.get('parent_digest', ''))[:12]} (SHA-256).",
        *map(str, lineage.get("left_out", ())),
    ]


def comparison_lines(app: AppState, name: str) -> list[str]:
    """Say how a version did beside its parent, task by task."""
    found = compared_cells(app, name)
    if found is None:
        return ["Not compared yet. A comparison runs both on the same scenes; only then can it be used."]
    against, *sides = found
    parts = compare_conditions(*sides)
    whole = parts[-1].comparison
    verdict = "No clear difference from" if whole.low <= 0 <= whole.high else "Better than" if whole.difference > 0 else "Worse than"
    lines = [f"{verdict} {against} on {whole.n} common scenes: {whole.tell()}."]
    return lines + [tell_comparison(p) for p in parts if p.task != ALL_TASKS]


def comparison_of(app: AppState, name: str, episodes: int) -> Request:
    """Return the campaign that compares a version with its parent, on the tasks that were corrected and on some that were not.

    Raises:
        InvalidInput: the version has no parent.
        NotStored: there is no such version.
    """
    if name == FIRST:
        raise InvalidInput("version to compare", expected="one that was taught", found=name, fix="Improve it first.")
    version = find_version(app.store, name)
    tasks = dict.fromkeys([*map(str, version.lineage.get("tasks", ())), *UNTAUGHT])
    seeds = draw_seeds(episodes, FIRST_SEED)
    cells = tuple(Cell(policy, task, "words", seeds) for task in tasks for policy in (version.parent, name))
    return Request(Campaign(f"{name} against {version.parent}", cells), None)


def show(app: AppState, name: str) -> tuple[Any, Any, Any, Any]:
    """Return the updates of table, list, description and clock."""
    status = app.campaigns.status()
    lines = describe(app, name)
    if status.is_running and name in status.name.split():
        lines = {"lines": [status.tell(), *lines["lines"]]}
    return version_rows(app), gr.Dropdown(choices=version_choices(app)), lines, gr.Timer(active=status.is_running)


def on_compare(app: AppState, name: str, episodes: float) -> tuple[Any, ...]:
    """Run a version beside its parent in the background, or go on with that."""
    request = comparison_of(app, name, int(episodes or 0))
    keep_comparison(app.store, name, find_version(app.store, name).parent, app.campaigns.start(request))
    return show(app, name)


def on_use(app: AppState, name: str) -> tuple[Any, ...]:
    """Put a version to use: it drives first in new tabs, and the next improvement begins with it."""
    use_version(app.store, name)
    return show(app, name)


def on_back(app: AppState, name: str) -> tuple[Any, ...]:
    """Go back to the version that was in use before."""
    roll_back(app.store)
    return show(app, name)


def on_changed(app: AppState, name: str, event: gr.EventData) -> tuple[Any, ...]:
    """Look again after a version has come."""
    return show(app, name) if getattr(event, "what", "") in SHOWN_AFTER else (gr.skip(),) * 4
