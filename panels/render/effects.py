"""Figures of comparisons under steering: all paths over the picture of the moment, effects with intervals, dose and response."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from panels.render.colours import GRID, INK
from panels.render.paths import COLOURS

NOTHING: Final = "#9aa3b2"
"""Of effects whose interval holds 0."""


def effects_figure(rows: Sequence[Mapping[str, Any]], title: str) -> go.Figure:
    """Return the change of one quantity by arm with its 95 % interval; ``rows`` have ``arm``, ``change``, ``low``, ``high``, ``n``."""
    figure = go.Figure(
        go.Scatter(
            x=[row["change"] for row in rows],
            y=[html.escape(str(row["arm"])) for row in rows],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [_gap(row["high"], row["change"]) for row in rows],
                "arrayminus": [_gap(row["change"], row["low"]) for row in rows],
            },
            customdata=[f"n = {row['n']}" for row in rows],
            hovertemplate="%{y}: %{x:+.3g}, %{customdata}<extra></extra>",
            mode="markers",
            marker={"color": [COLOURS[0] if row["is_clear"] else NOTHING for row in rows], "size": 10},
        )
    )
    figure.add_vline(x=0, line={"dash": "dot", "width": 1})
    figure.update_xaxes(title=f"{html.escape(title)}, less that without edits; grey: no effect found")
    figure.update_yaxes(autorange="reversed")
    return _styled(figure, height=90 + 30 * len(rows))


def sweep_figure(points: Sequence[Mapping[str, Any]], title: str) -> go.Figure:
    """Return change and success over the dose, steered and random, on one plot; ``points`` have ``dose``, ``kind``, ``change``, ``success``."""
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    for i, kind in enumerate(dict.fromkeys(str(p["kind"]) for p in points)):
        mine = [p for p in points if p["kind"] == kind]
        doses = [p["dose"] for p in mine]
        change = [p["change"]["change"] for p in mine]
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [_gap(p["change"]["high"], c) for p, c in zip(mine, change, strict=True)],
            "arrayminus": [_gap(c, p["change"]["low"]) for p, c in zip(mine, change, strict=True)],
        }
        line = {"color": COLOURS[i % len(COLOURS)]}
        figure.add_trace(go.Scatter(x=doses, y=change, error_y=bars, line=line, mode="lines+markers", name=f"{kind}: change"))
        solved = [100 * p["success"]["mean"] for p in mine]
        dashed = {**line, "dash": "dash"}
        figure.add_trace(go.Scatter(x=doses, y=solved, line=dashed, mode="lines+markers", name=f"{kind}: solved [%]"), secondary_y=True)
    figure.update_xaxes(
        title="Dose, as a multiple of what is on the desk", type="log", tickvals=sorted({float(p["dose"]) for p in points}), tickformat="g"
    )
    figure.update_yaxes(title=html.escape(f"{title}, change"), secondary_y=False)
    figure.update_yaxes(title="Solved [%]", range=[-3, 103], showgrid=False, secondary_y=True)
    return _styled(figure, height=300)


def _gap(high: float | None, low: float | None) -> float:
    """Return the length of one side of an interval; none for an unbounded one."""
    return 0.0 if high is None or low is None else max(0.0, high - low)


def _styled(figure: go.Figure, *, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 44, "r": 8, "t": 16, "b": 30},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 11, "color": INK},
        legend={"orientation": "h", "y": -0.3, "x": 0},
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
