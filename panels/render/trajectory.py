"""The edited path in space: old against new, what was driven, obstacles, and the arm's reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEW, OLD, DRIVEN, BOX, REACH = "#d97706", "#97a0b0", "#0b8d78", "#c98a2b", "#6d5bd0"
REACH_M: Final = 0.80
"""Distance from the shoulder up to which the built-in arm reaches with its gripper pointing down [m]."""
SHOULDER: Final = (0.0, 0.0, 0.333)


@dataclass(frozen=True, eq=False)
class PathInSpace:
    """What the figure shows; positions in the world [m]."""

    path: Floats
    """``(N, 3)``"""
    old: Floats
    driven: Floats
    openings: tuple[float | None, ...]
    """Gripper event at each point of the path."""
    problems: Floats
    """``(K, 3)`` where something is in the way."""
    obstacles: tuple[dict[str, float], ...]


def path_figure(space: PathInSpace) -> go.Figure:
    """Return the figure; it can be turned with the mouse."""
    figure = go.Figure()
    figure.add_trace(_reach())
    for index, box in enumerate(space.obstacles):
        figure.add_trace(_box(box, index))
    _add_line(figure, space.old, "before", OLD, dash="dash")
    _add_line(figure, space.driven, "driven", DRIVEN)
    _add_line(figure, space.path, "path", NEW, marks=True)
    events = [(p, o) for p, o in zip(space.path, space.openings, strict=True) if o is not None]
    if events:
        places = np.array([p for p, _ in events])
        words = ["open" if o is not None and o > 0.5 else "close" for _, o in events]
        figure.add_trace(_points(places, "gripper", "#2b7bd4", "diamond", text=words))
    if len(space.problems):
        figure.add_trace(_points(space.problems, "in the way", "#e5383b", "x"))
    axis = {"backgroundcolor": "rgba(0,0,0,0)", "gridcolor": "rgba(128,136,150,0.35)", "color": "#7a8496"}
    figure.update_layout(
        height=380,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 11, "color": "#7a8496"},
        legend={"orientation": "h", "y": 1.0, "x": 0},
        uirevision="path",
        scene={
            "aspectmode": "data",
            "xaxis": {**axis, "title": "x [m]"},
            "yaxis": {**axis, "title": "y [m]"},
            "zaxis": {**axis, "title": "height [m]", "range": [0, 0.7]},
            "camera": {"eye": {"x": 1.5, "y": -1.1, "z": 0.7}},
        },
    )
    return figure


def _add_line(figure: go.Figure, points: Floats, name: str, colour: str, *, dash: str = "solid", marks: bool = False) -> None:
    if len(points) < 2:
        return
    x, y, z = np.round(points, 4).T
    mode = "lines+markers" if marks else "lines"
    line = {"color": colour, "width": 5 if marks else 3, "dash": dash}
    figure.add_trace(go.Scatter3d(x=x, y=y, z=z, name=name, mode=mode, line=line, marker={"size": 4, "color": colour}))


def _points(places: Floats, name: str, colour: str, symbol: str, text: list[str] | None = None) -> Any:
    x, y, z = np.round(places, 4).T
    marker = {"size": 6, "color": colour, "symbol": symbol}
    return go.Scatter3d(x=x, y=y, z=z, name=name, mode="markers+text" if text else "markers", text=text, marker=marker)


def _box(box: dict[str, float], index: int) -> Any:
    """Return an obstacle as a solid."""
    half = np.array([box["depth"] / 2, box["width"] / 2])
    corners = np.array([[sx, sy, z] for z in (0.0, box["height"]) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    corners[:, :2] = corners[:, :2] * half + (box["x"], box["y"])
    x, y, z = corners.T
    i, j, k = (0, 0, 4, 4, 0, 0, 1, 1, 2, 2, 3, 3), (1, 2, 5, 6, 1, 5, 2, 6, 3, 7, 0, 4), (2, 3, 6, 7, 5, 4, 6, 5, 7, 6, 4, 7)
    return go.Mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, color=BOX, opacity=0.55, name=f"obstacle {index + 1}", showlegend=index == 0)


def _reach() -> Any:
    """Return the part of the arm's reach that lies over the table."""
    azimuth, elevation = np.meshgrid(np.linspace(-np.pi / 2, np.pi / 2, 25), np.linspace(-0.4, 1.0, 13))
    level = REACH_M * np.cos(elevation)
    x, y, z = level * np.cos(azimuth), level * np.sin(azimuth), SHOULDER[2] + REACH_M * np.sin(elevation)
    colours = [[0, REACH], [1, REACH]]
    return go.Surface(
        x=x, y=y, z=np.clip(z, 0, None), name="reach", opacity=0.10, showscale=False, showlegend=True, colorscale=colours, hoverinfo="skip"
    )
