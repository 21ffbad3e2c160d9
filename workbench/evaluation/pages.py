"""The page of a study in docs/cards: its question, how it is run, and what it came to, written from a report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from workbench.evaluation.bench_vla import STUDY as BENCH_VLA
from workbench.evaluation.studies import Study

NOT_YET: Final = "Not measured yet: run the command above."


def study_page(study: Study, report: Mapping[str, Any] | None = None, *, when: float | None = None, figure: str = "") -> str:
    """Return the page in Markdown.

    Args:
        study: whose page it is.
        report: the document of a complete campaign of the study; None for a page without figures.
        when: Unix time at which it was measured [s].
        figure: name of the picture that lies beside the page, if any.
    """
    name = study.name if study.name == BENCH_VLA.name else f"card:{study.name}"
    command = f".venv/bin/python app.py campaign {name} --episodes 100 --out docs/cards/{study.name}.md"
    parts = [f"# {study.title}", study.question, study.source, f"```\n{command}\n```"]
    if report is None or not report.get("findings"):
        return "\n\n".join([*parts, NOT_YET]) + "\n"
    cells = report["cells"]
    count = sum(int(cell["n"]) for cell in cells)
    policies = ", ".join(dict.fromkeys(f"`{cell['policy']}`" for cell in cells))
    date = "" if when is None else f", {time.strftime('%Y-%m-%d', time.gmtime(when))}"
    parts += [f"{count} episodes in {len(cells)} conditions, policies {policies}{date}.", _findings(report["findings"])]
    if figure:
        parts.append(f"![the findings with their intervals]({figure})")
    parts.append(_cells(cells))
    return "\n\n".join(parts) + "\n"


def _findings(findings: Sequence[Mapping[str, Any]]) -> str:
    head = "## Findings\n\n| | value | 95 % interval | n | wanted |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *(_finding(f) for f in findings)])


def _finding(found: Mapping[str, Any]) -> str:
    scale = 100.0 if found["unit"] == "%" else 1.0
    unit = f" {found['unit']}" if found["unit"] else ""
    digits = 0 if found["unit"] == "%" else 3 if abs(found["value"]) < 1 else 2
    value, low, high = (f"{scale * found[key]:.{digits}f}" for key in ("value", "low", "high"))
    p_value = "" if found.get("p_value") is None else f" ({found.get('test', 'McNemar')} p = {found['p_value']:.3g})"
    if found.get("is_clear") is False:
        p_value += ", no clear effect"
    wanted = ""
    if found.get("target") is not None:
        wanted = f"{found['goal']} {scale * found['target']:.{digits}f}{unit}: {'met' if found['is_met'] else '**not met**'}"
    interval = f"{low} to {high}" if found.get("has_interval", True) else "too few"
    return f"| {found['name']} | {value}{unit}{p_value} | {interval} | {found['n']} | {wanted} |"


def _cells(cells: Sequence[Mapping[str, Any]]) -> str:
    head = (
        "## Every condition\n\n| policy | task | told by | edits | changed | setting | solved | 95 % interval | went to the right thing first |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    return "\n".join([head, *(_cell(cell) for cell in cells)])


def _cell(cell: Mapping[str, Any]) -> str:
    went = cell.get("measures", {}).get("went")
    share = "" if went is None else f"{100 * went['mean']:.0f} %"
    errors = f" ({cell['num_errors']} ended in an error)" if cell.get("num_errors") else ""
    return (
        f"| {cell['policy']} | {cell['task']} | {cell['prompt']} | {cell.get('edits', '')} | {cell.get('perturbation', '')} | {cell.get('setting', '')} "
        f"| {cell['success']} of {cell['n']}{errors} | {100 * cell['low']:.0f} to {100 * cell['high']:.0f} % | {share} |"
    )
