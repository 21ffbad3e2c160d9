"""Files made of stored campaigns: tables of trials, the whole as JSON, and a report for people who were not there."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from panels.render.campaigns import funnel_figure, success_figure
from sessions.campaigns import find_campaign, load_cells, load_trials, trial_episodes
from sessions.files import new_file
from sessions.records import StoredCampaign
from sessions.store import Store
from workbench.core.errors import MissingDependency, UnknownName
from workbench.evaluation.campaign import CellResult
from workbench.evaluation.cards import STUDIES
from workbench.evaluation.conditions import condition_of
from workbench.evaluation.finding_figure import findings_svg
from workbench.evaluation.funnel import MEASURES
from workbench.evaluation.pages import study_page
from workbench.evaluation.statistics import wilson_interval

MAX_FAILURES: Final = 200
"""Failed trials that a report lists; the tables have all."""


def trial_table(store: Store, campaign_id: str) -> pd.DataFrame:
    """Return one row a trial: condition, seed, outcome, every measure (empty where it does not apply), its episode."""
    name, episodes = find_campaign(store, campaign_id).name, trial_episodes(store, campaign_id)
    rows = [
        {
            "campaign": name,
            **vars(trial),
            "is_success": result.is_success,
            "num_steps": result.num_steps,
            "note": result.note,
            "policy_ms": result.policy_ms,
            "episode_id": episodes.get(trial, ""),
            **{measure: result.measures.get(measure) for measure in MEASURES},
        }
        for trial, result in load_trials(store, campaign_id).items()
    ]
    return pd.DataFrame(rows)


def write_campaign(store: Store, campaign_id: str, path: Path) -> Path:
    """Write a campaign to a file; its ending says which: ``.csv``, ``.parquet``, ``.json``, ``.html``, or ``.md`` for a study's page.

    Beside a study's page lies its figure, under the same name with the ending ``.svg``.

    Raises:
        UnknownName: another ending.
        NotStored: there is no such campaign.
        MissingDependency: Parquet without pyarrow.
        StoreError: the file cannot be written.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in WRITERS:
        raise UnknownName("ending of a campaign's file", suffix, WRITERS)
    campaign = find_campaign(store, campaign_id)
    with new_file(path) as part:
        WRITERS[suffix](store, campaign_id, part)
    if suffix == "md":
        with new_file(path.with_suffix(".svg")) as part:
            part.write_text(findings_svg(campaign.report.get("findings", ())), encoding="utf-8")
    return path


def _write_csv(store: Store, campaign_id: str, path: Path) -> None:
    trial_table(store, campaign_id).to_csv(path, index=False)


def _write_parquet(store: Store, campaign_id: str, path: Path) -> None:
    try:
        import pyarrow  # noqa: F401 - pandas writes Parquet by it
    except ImportError as error:
        raise MissingDependency("Parquet files", needs="the package pyarrow", install="pip install pyarrow") from error
    trial_table(store, campaign_id).to_parquet(path, index=False)


def _write_json(store: Store, campaign_id: str, path: Path) -> None:
    campaign = find_campaign(store, campaign_id)
    path.write_text(json.dumps({"config": dict(campaign.config), **campaign.report}, indent=1))


def _write_html(store: Store, campaign_id: str, path: Path) -> None:
    path.write_text(report_page(find_campaign(store, campaign_id), load_cells(store, campaign_id)), encoding="utf-8")


def _write_markdown(store: Store, campaign_id: str, path: Path) -> None:
    campaign = find_campaign(store, campaign_id)
    study = STUDIES.load(str(campaign.report.get("study", "")))
    page = study_page(study, campaign.report, when=campaign.ended, figure=f"{study.name}.svg")
    path.write_text(page, encoding="utf-8")


WRITERS: Final[Mapping[str, Callable[[Store, str, Path], None]]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "json": _write_json,
    "html": _write_html,
    "md": _write_markdown,
}


# --- The report --------------------------------------------------------------------------------------------------------------------------

_STYLE: Final = """body { font: 15px/1.5 system-ui, sans-serif; color: #222834; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } p.sub { color: #6b7588; margin-top: 0; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #dde1e8; } th { color: #4c5567; font-weight: 600; }
td.number { text-align: right; } .met { color: #0b8d78; } .missed { color: #b42318; font-weight: 600; }
details { margin-top: 1rem; } pre { overflow-x: auto; background: #f6f7f9; padding: .8rem; font-size: .78rem; }"""


def report_page(campaign: StoredCampaign, results: Sequence[CellResult]) -> str:
    """Return a page that works without any network: findings, figures that can be pointed at, tables, how it was measured."""
    report = campaign.report
    title = html.escape(str(report.get("title") or campaign.name))
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(campaign.started))
    num_trials = sum(len(r.trials) for r in results)
    state = "" if campaign.status == "done" else f" <b>This campaign is not complete ({html.escape(campaign.status)}).</b>"
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="sub">{when}, {num_trials} episodes in {len(results)} conditions.{state}</p>',
        f"<p>{html.escape(str(report['source']))}</p>" if report.get("source") else "",
        _findings(report.get("findings") or ()),
        "<h2>Success</h2>",
        _figure(success_figure(results), plotlyjs=True),
        "<h2>How far the episodes came</h2>",
        _figure(funnel_figure(results), plotlyjs=False),
        "<h2>Every condition</h2>",
        _cells(results),
        _failures(results),
        _method(campaign),
    ]
    body = "\n".join(parts)
    head = f'<head><meta charset="utf-8"><title>{title}</title><meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
    return f'<!doctype html><html lang="en">{head}<body>{body}</body></html>'


def _figure(figure: Any, *, plotlyjs: bool) -> str:
    text: str = figure.to_html(full_html=False, include_plotlyjs=plotlyjs, config={"displaylogo": False})
    return text


def _findings(findings: Sequence[Mapping[str, Any]]) -> str:
    if not findings:
        return ""
    marks = {True: '<td class="met">met</td>', False: '<td class="missed">not met</td>', None: "<td></td>"}
    rows = "".join(f"<tr><td>{html.escape(str(f['text']))}</td>{marks[f.get('is_met')]}</tr>" for f in findings)
    return f"<h2>Findings</h2><table>{rows}</table>"


def _cells(results: Sequence[CellResult]) -> str:
    head = "<tr><th>Task</th><th>Condition</th><th>Solved</th><th>Success</th><th>95 % interval</th></tr>"
    rows = []
    for result in results:
        k, n = result.num_successes, len(result.trials)
        low, high = wilson_interval(k, n)
        condition = html.escape(condition_of(result.cell).label)
        rate = f"{100 * k / n:.0f} %" if n else "not run yet"
        rows.append(
            f'<tr><td>{html.escape(result.cell.task)}</td><td>{condition}</td><td class="number">{k} of {n}</td>'
            f'<td class="number">{rate}</td><td class="number">{100 * low:.0f} to {100 * high:.0f} %</td></tr>'
        )
    return f"<table>{head}{''.join(rows)}</table>"


def _failures(results: Sequence[CellResult]) -> str:
    failed = [(r.cell, t) for r in results for t in r.trials if not t.is_success]
    if not failed:
        return ""
    rows = "".join(
        f"<tr><td>{html.escape(cell.task)}</td><td>{html.escape(condition_of(cell).label)}</td>"
        f'<td class="number">{trial.seed}</td><td>{html.escape(trial.note[:300])}</td></tr>'
        for cell, trial in failed[:MAX_FAILURES]
    )
    more = f"<p>{len(failed) - MAX_FAILURES} more are in the tables of trials.</p>" if len(failed) > MAX_FAILURES else ""
    head = "<tr><th>Task</th><th>Condition</th><th>Seed</th><th>At the end</th></tr>"
    return f"<details><summary>{len(failed)} episodes that were not solved</summary><table>{head}{rows}</table>{more}</details>"


def _method(campaign: StoredCampaign) -> str:
    measures = "".join(f"<li><b>{html.escape(name)}</b>: {html.escape(text)}</li>" for name, text in MEASURES.items())
    asked = html.escape(json.dumps({k: v for k, v in campaign.config.items() if k != "cells"} or {"name": campaign.name}))
    return (
        "<h2>How it was measured</h2><p>Each episode is a seeded scene in the simulator, played until the task is solved or its time is over; "
        "an episode counts as solved when the goal has held for the task's number of control steps. Intervals of rates are Wilson's, those of "
        "paired differences and ratios come from resampling seeds; comparisons use the same seeds for both sides and McNemar's exact test.</p>"
        f"<ul>{measures}</ul><details><summary>What was asked for</summary><pre>{asked}</pre></details>"
    )
