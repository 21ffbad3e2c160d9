"""The path that a person edits: points of the gripper in the world, with gripper events and speeds; to and from a prompt's trace.

A trace (:class:`workbench.core.types.Trace`) is what a policy is told: pixels of one camera, with depths. The edited path is the same
thing in metres, so that a point can be dragged in any camera, and its height beside the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, TooLarge
from workbench.core.events import new_id
from workbench.core.geometry import Pinhole
from workbench.core.types import Trace
from workbench.rollout.prompts import is_number
from workbench.trajectory.paths import SpacePath, project_path, speeds_of, with_speeds
from workbench.trajectory.trace_editing import smooth

Floats = NDArray[np.float64]

MAX_POINTS: Final = 200
"""Way points that a person can still handle; longer paths are thinned when they come in."""
THIN_M: Final = 0.001
"""Longer paths are thinned within this distance, or what it takes [m]."""
MAX_READ: Final = 10_000
"""Points that a document may have at all."""
SPEED: Final = 0.15
"""Speed where nobody set one [m/s]."""
SPEEDS: Final = (0.01, 0.6)
"""Slowest and fastest speed [m/s]."""
BOX_M: Final = 3.0
"""No coordinate may be farther from the origin of the world [m]."""
_POINT_FIELDS: Final = frozenset({"id", "position", "gripper", "speed"})


@dataclass(frozen=True)
class PathPoint:
    """One way point."""

    id: str
    """Stays with the point through every edit."""
    position: tuple[float, float, float]
    """Of the end-effector in the world [m]."""
    gripper: float | None = None
    """Opening 0..1 that is commanded on arrival; None: as before."""
    speed: float | None = None
    """Speed on the way here [m/s]; None: :data:`SPEED`."""


@dataclass(frozen=True)
class DrawnPath:
    """A path with where it comes from."""

    points: tuple[PathPoint, ...]
    source: str = "human"
    """``policy`` (its own trace), ``actions`` (its chunk of actions), ``sketch``, ``file``, ``episode``, ``plan``, ``repair`` or ``human``."""
    note: str = ""
    """What a person should know of how it came about, for example that its heights are guessed."""

    def positions(self) -> Floats:
        """Return ``(N, 3)`` world positions [m]."""
        return np.array([p.position for p in self.points], dtype=float).reshape(-1, 3)

    def openings(self, start: float) -> Floats:
        """Return ``(N,)`` openings 0..1 in force after each point, for a gripper that is at ``start``."""
        found, now = np.empty(len(self.points)), start
        for i, point in enumerate(self.points):
            now = now if point.gripper is None else point.gripper
            found[i] = now
        return found

    def speeds(self) -> Floats:
        """Return ``(N,)`` speeds on the way to each point [m/s]."""
        return np.array([SPEED if p.speed is None else p.speed for p in self.points], dtype=float)

    @property
    def length(self) -> float:
        """Length [m]."""
        return float(np.linalg.norm(np.diff(self.positions(), axis=0), axis=1).sum()) if self.points else 0.0


def path_to_dict(path: DrawnPath) -> dict[str, Any]:
    """Return a JSON-able dictionary; :func:`parse_path` gives an equal path, to a tenth of a millimetre."""
    return {
        "version": 1,
        "source": path.source,
        "note": path.note,
        "points": [
            {"id": p.id, "position": [round(c, 4) for c in p.position], "gripper": p.gripper, "speed": p.speed} for p in path.points
        ],
    }


def parse_path(data: object) -> DrawnPath:
    """Read what :func:`path_to_dict` wrote, or what the page sends.

    Raises:
        InvalidInput: it does not follow the format; the message names the point.
        TooLarge: more than :data:`MAX_READ` points.
    """
    if not isinstance(data, Mapping):
        raise InvalidInput("path", expected="an object", found=type(data).__name__)
    if data.get("version", 1) != 1:
        raise InvalidInput("path", expected="version 1", found=repr(data.get("version"))[:40])
    rows = data.get("points")
    if not isinstance(rows, list):
        raise InvalidInput("path, points", expected="a list", found=type(rows).__name__)
    if len(rows) > MAX_READ:
        raise TooLarge("path", limit=f"{MAX_READ} points", found=str(len(rows)), fix="Thin it out before you load it.")
    points = tuple(_point(row, i) for i, row in enumerate(rows))
    if len({p.id for p in points}) != len(points):
        raise InvalidInput("path, points", expected="an id of its own for each", found="two points with the same id")
    source, note = data.get("source", "human"), data.get("note", "")
    if not isinstance(source, str) or not isinstance(note, str) or len(source) > 40 or len(note) > 500:
        raise InvalidInput("path", expected="a short source and note", found=repr((source, note))[:60])
    return DrawnPath(points, source, note)


def _point(row: object, index: int) -> PathPoint:
    what = f"path, point {index + 1}"
    if not isinstance(row, Mapping) or not set(row) <= _POINT_FIELDS:
        raise InvalidInput(what, expected=f"fields {', '.join(sorted(_POINT_FIELDS))}", found=repr(row)[:60])
    position = row.get("position")
    if not isinstance(position, list | tuple) or len(position) != 3 or not all(is_number(c) and abs(c) <= BOX_M for c in position):
        raise InvalidInput(what, expected=f"three finite numbers within {BOX_M:g} m", found=repr(position)[:60])
    name = row.get("id", f"p{index}")
    if not isinstance(name, str) or not 1 <= len(name) <= 40:
        raise InvalidInput(what, expected="an id of 1 to 40 letters", found=repr(name)[:60])
    return PathPoint(
        name,
        (float(position[0]), float(position[1]), float(position[2])),
        _optional(what + ", gripper", row.get("gripper"), (0.0, 1.0)),
        _optional(what + ", speed", row.get("speed"), SPEEDS),
    )


def _optional(what: str, value: object, limits: tuple[float, float]) -> float | None:
    if value is None:
        return None
    if not is_number(value) or not limits[0] <= float(value) <= limits[1]:  # type: ignore[arg-type]
        raise InvalidInput(what, expected=f"{limits[0]:g} to {limits[1]:g}, or nothing", found=repr(value)[:40])
    return float(value)  # type: ignore[arg-type]


def with_start(path: DrawnPath, position: Floats, num_passed: int) -> DrawnPath:
    """Return what is left of a path behind its first ``num_passed`` points, from where the end-effector ``(3,)`` [m] is."""
    start = PathPoint("now", (float(position[0]), float(position[1]), float(position[2])))
    return replace(path, points=(start, *(p for p in path.points[num_passed:] if p.id != "now")))


def space_path(path: DrawnPath, opening: float) -> SpacePath:
    """Return a path as the trajectory domain takes it, timed by its speeds, for a gripper that is at ``opening`` 0..1 now.

    Raises:
        InvalidShape: it has no point.
    """
    return with_speeds(SpacePath(path.positions(), path.openings(float(opening > 0.5))), path.speeds())


def drawn_path(path: SpacePath, *, source: str, note: str = "", like: DrawnPath | None = None) -> DrawnPath:
    """Return a path of the trajectory domain as one that a person can edit; points keep the ids of ``like`` when it has as many."""
    ids = [p.id for p in like.points] if like is not None and len(like.points) == path.num_points else [None] * path.num_points
    speeds = speeds_of(path)
    points = []
    for i, position in enumerate(path.positions):
        is_event = i in path.events and path.gripper is not None
        opening = float(path.gripper[i] > 0.5) if is_event and path.gripper is not None else None
        speed = None if np.isnan(speeds[i]) else float(np.clip(speeds[i], *SPEEDS))
        name = ids[i] or new_id()[-12:]
        points.append(PathPoint(name, (float(position[0]), float(position[1]), float(position[2])), opening, speed))
    return DrawnPath(tuple(points), source, note)


def thinned(path: DrawnPath, opening: float) -> DrawnPath:
    """Return a path with at most :data:`MAX_POINTS` points, and a note that says so when it had more."""
    if len(path.points) <= MAX_POINTS:
        return path
    space, tolerance = space_path(path, opening), THIN_M
    thin = smooth(space, tolerance)
    while thin.num_points > MAX_POINTS:
        tolerance *= 1.6
        thin = smooth(space, tolerance)
    note = f"{len(path.points)} points were thinned to {thin.num_points}, within {1e3 * tolerance:.1f} mm."
    return drawn_path(thin, source=path.source, note=f"{path.note} {note}".strip())


def trace_of(path: DrawnPath, pinhole: Pinhole, *, opening: float, weight: float = 1.0) -> Trace:
    """Return a path as a trace on a camera's picture.

    Args:
        path: at least one point.
        pinhole: the camera, in the size of the trace's frame.
        opening: of the gripper now, 0..1.
        weight: how much the trace counts beside the policy's own wish, 0..1.

    Raises:
        Unreachable: a point lies outside the picture; the message names it.
    """
    return replace(project_path(space_path(path, opening), pinhole), weight=weight)
