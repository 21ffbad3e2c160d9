"""The figure of a study: every finding as a point with its interval, one row each, findings of a unit on one axis; as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np

WIDTH: Final = 900
_LABELS: Final = 470
"""Width of the column of names [px]."""
_ROW: Final = 20
_HEAD: Final = 34
_CLEAR, _UNCLEAR, _INK, _GRID = "#0b8d78", "#9aa3b2", "#363d4c", "#dde1e8"


def findings_svg(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return the figure of the findings of a report, see :meth:`workbench.evaluation.studies.Finding.to_dict`.

    A finding whose interval holds the value that means no effect is grey; a dashed line marks that value, a short one what was wanted.
    """
    units = dict.fromkeys(str(f["unit"]) for f in findings)
    parts, top = [], 8
    for unit in units:
        rows = [f for f in findings if str(f["unit"]) == unit]
        parts.append(_panel(rows, unit, top))
        top += _HEAD + _ROW * len(rows) + 12
    style = f'font-family="system-ui, sans-serif" font-size="12" fill="{_INK}"'
    body = "\n".join(parts) or f'<text x="12" y="24" {style}>Nothing measured yet.</text>'
    height = max(top, 40)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n<g {style}>\n{body}\n</g>\n</svg>\n'
    )


def _panel(rows: Sequence[Mapping[str, Any]], unit: str, top: int) -> str:
    scale = 100.0 if unit == "%" else 1.0
    values = [scale * float(f[key]) for f in rows for key in ("value", "low", "high") if np.isfinite(f[key])]
    nulls = [scale * float(f["null"]) for f in rows if f.get("null") is not None]
    low, high = min([*values, *nulls], default=0.0), max([*values, *nulls], default=1.0)
    margin = 0.06 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return _LABELS + (WIDTH - _LABELS - 20) * (min(max(value, low), high) - low) / (high - low)

    bottom = top + _HEAD + _ROW * len(rows)
    parts = [f'<text x="{_LABELS}" y="{top + 14}" font-weight="600">{escape(f"[{unit}]" if unit else "")}</text>']
    for tick in _ticks(low, high):
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top + _HEAD - 4}" y2="{bottom}" stroke="{_GRID}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{top + _HEAD - 8}" text-anchor="middle" font-size="10">{tick:g}</text>')
    for null in dict.fromkeys(nulls):
        parts.append(
            f'<line x1="{x(null):.1f}" x2="{x(null):.1f}" y1="{top + _HEAD - 4}" y2="{bottom}" stroke="{_INK}" stroke-dasharray="4 3"/>'
        )
    for i, found in enumerate(rows):
        parts.append(_row(found, scale, x, top + _HEAD + _ROW * i + _ROW // 2))
    return "\n".join(parts)


def _row(found: Mapping[str, Any], scale: float, x: Any, y: int) -> str:
    colour = _UNCLEAR if found.get("is_clear") is False else _CLEAR
    name = str(found["name"])
    shown = name if len(name) <= 72 else name[:71] + "…"
    parts = [f'<text x="12" y="{y + 4}">{escape(shown)} <tspan fill="#6b7588">(n = {int(found["n"])})</tspan></text>']
    ends = [x(scale * float(v)) if np.isfinite(v) else x(end) for v, end in ((found["low"], -np.inf), (found["high"], np.inf))]
    parts.append(f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>')
    parts.append(f'<circle cx="{x(scale * float(found["value"])):.1f}" cy="{y}" r="4" fill="{colour}"/>')
    if found.get("target") is not None:
        at = x(scale * float(found["target"]))
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y - 8}" y2="{y + 8}" stroke="#d97706" stroke-width="2"/>')
    return "\n".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Return four to nine round numbers within a range."""
    raw = (high - low) / 6
    size = 10 ** np.floor(np.log10(raw))
    step = float(size * next(n for n in (1, 2, 5, 10) if n * size >= raw))
    return [round(float(v), 10) for v in np.arange(np.ceil(low / step) * step, high, step)]
