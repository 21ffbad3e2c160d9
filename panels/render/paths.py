"""Paths of the end-effector of several episodes in one figure: seen from above, and height over time."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from panels.render.colours import GRID, INK

COLOURS: Final = ("#0b8d78", "#d97706", "#6d5bd0", "#d6336c", "#2b7bd4", "#7a8b00", "#8a5a44", "#4c5567")
"""Distinct also for most colour-blind people; each path has its own dash as well."""
DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MAX_POINTS: Final = 1500
"""Points drawn of one path; more cannot be told apart."""


@dataclass(frozen=True, eq=False)
class EpisodePath:
    """What the figure shows of one episode."""

    label: str
    times_s: NDArray[np.float64]
    """``(N,)`` simulated time [s]."""
    ee: NDArray[np.float64]
    """``(N, 3)`` end-effector position in the world [m]; NaN where unknown."""


def paths_figure(paths: Sequence[EpisodePath]) -> go.Figure:
    """Return the figure: left the table from above (as one stands behind the robot), right height over time."""
    figure = make_subplots(rows=1, cols=2, column_widths=[0.5, 0.5], subplot_titles=("From above [m]", "Height [m] over time [s]"))
    for i, path in enumerate(paths):
        keep = slice(None, None, max(1, len(path.times_s) // MAX_POINTS))
        ee, times = np.round(path.ee[keep], 4), np.round(path.times_s[keep], 3)
        line = {"color": COLOURS[i % len(COLOURS)], "dash": DASHES[i % len(DASHES)], "width": 2}
        shared = {"name": html.escape(path.label), "legendgroup": str(i), "line": line, "mode": "lines"}
        figure.add_trace(go.Scatter(x=ee[:, 1], y=ee[:, 0], hovertemplate="y %{x:.3f} m, x %{y:.3f} m", **shared), 1, 1)
        figure.add_trace(go.Scatter(x=times, y=ee[:, 2], showlegend=False, hovertemplate="%{x:.2f} s, %{y:.3f} m", **shared), 1, 2)
        if len(ee):
            mark = {"color": line["color"], "size": 9, "symbol": "circle"}
            end = go.Scatter(
                x=ee[-1:, 1], y=ee[-1:, 0], mode="markers", marker=mark, showlegend=False, legendgroup=str(i), hoverinfo="skip"
            )
            figure.add_trace(end, 1, 1)
    figure.update_layout(
        height=300,
        margin={"l": 36, "r": 8, "t": 30, "b": 30},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 11, "color": INK},
        legend={"orientation": "h", "y": -0.18, "x": 0},
    )
    figure.update_annotations(font_size=12)
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    # World +Y is to the left seen from the robot, and +X away from it: as one stands behind the robot.
    figure.update_xaxes(autorange="reversed", row=1, col=1)
    figure.update_yaxes(scaleanchor="x", scaleratio=1, row=1, col=1)
    return figure
