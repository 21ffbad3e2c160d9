"""Figures of campaigns: success with intervals, how far episodes came, two conditions compared."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from panels.render.colours import GRID, INK
from panels.render.paths import COLOURS
from workbench.evaluation.campaign import CellResult
from workbench.evaluation.conditions import TaskComparison, by_condition
from workbench.evaluation.statistics import mean_interval, wilson_interval

STAGES: Final[Mapping[str, str]] = {
    "near": "came near",
    "went": "went there first",
    "held": "had it",
    "reached": "brought it",
}
"""Measures of the funnel, in their order; success comes last."""
SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "x", "star", "cross", "hexagon")


def success_figure(results: Sequence[CellResult]) -> go.Figure:
    """Return success by task with 95 % Wilson intervals, one mark a condition."""
    figure = go.Figure()
    for i, (condition, cells) in enumerate(by_condition(results).items()):
        rows = [(r.cell.task, r.num_successes, len(r.trials)) for r in cells if r.trials]
        intervals = [wilson_interval(k, n) for _, k, n in rows]
        rates = [k / n for _, k, n in rows]
        figure.add_trace(
            go.Scatter(
                x=[task for task, _, _ in rows],
                y=[100 * rate for rate in rates],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [100 * (high - rate) for rate, (_, high) in zip(rates, intervals, strict=True)],
                    "arrayminus": [100 * (rate - low) for rate, (low, _) in zip(rates, intervals, strict=True)],
                },
                customdata=[f"{k} of {n}" for _, k, n in rows],
                hovertemplate="%{x}: %{y:.0f} %, %{customdata}",
                mode="markers",
                marker={"color": COLOURS[i % len(COLOURS)], "symbol": SYMBOLS[i % len(SYMBOLS)], "size": 9},
                name=html.escape(condition.label),
                offsetgroup=str(i),
            )
        )
    figure.update_layout(scattermode="group", scattergap=0.4)
    figure.update_yaxes(title="Success [%], 95 % interval", range=[-3, 103])
    return _styled(figure)


def funnel_figure(results: Sequence[CellResult]) -> go.Figure:
    """Return which share of the episodes of each condition came how far."""
    figure = go.Figure()
    for i, (condition, cells) in enumerate(by_condition(results).items()):
        trials = [t for r in cells for t in r.trials]
        stages = {title: [t.measures[name] for t in trials if name in t.measures] for name, title in STAGES.items()}
        stages["solved"] = [float(t.is_success) for t in trials]
        shares = {title: mean_interval(values) for title, values in stages.items() if values}
        figure.add_trace(
            go.Scatter(
                x=list(shares),
                y=[100 * s.mean for s in shares.values()],
                customdata=[s.n for s in shares.values()],
                hovertemplate="%{x}: %{y:.0f} % of %{customdata}",
                mode="lines+markers",
                line={"color": COLOURS[i % len(COLOURS)]},
                marker={"symbol": SYMBOLS[i % len(SYMBOLS)], "size": 8},
                name=html.escape(condition.label),
            )
        )
    figure.update_yaxes(title="Episodes [%]", range=[-3, 103])
    return _styled(figure)


def comparison_figure(found: Sequence[TaskComparison]) -> go.Figure:
    """Return the difference of two conditions by task, in points of success, with its 95 % interval."""
    values = [100 * c.difference for _, c in found]
    figure = go.Figure(
        go.Scatter(
            x=values,
            y=[task for task, _ in found],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * (c.high - c.difference) for _, c in found],
                "arrayminus": [100 * (c.difference - c.low) for _, c in found],
            },
            customdata=[f"{c.n} episodes, McNemar p = {c.p_value:.3g}" for _, c in found],
            hovertemplate="%{y}: %{x:+.0f} points, %{customdata}<extra></extra>",
            mode="markers",
            marker={"color": COLOURS[0], "size": 9},
        )
    )
    figure.add_vline(x=0, line={"dash": "dot", "width": 1})
    figure.update_xaxes(title="Success, second less first [points], 95 % interval")
    figure.update_yaxes(autorange="reversed")
    return _styled(figure, height=90 + 26 * len(found))


def _styled(figure: go.Figure, **layout: Any) -> go.Figure:
    figure.update_layout(
        **{"height": 320, **layout},
        margin={"l": 44, "r": 8, "t": 16, "b": 30},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 11, "color": INK},
        legend={"orientation": "h", "y": -0.35, "x": 0},
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
