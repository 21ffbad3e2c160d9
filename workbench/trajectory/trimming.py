"""A trace that is told to a policy, trimmed to what still lies ahead while the robot goes along it.

Source of the need: MolmoAct (arXiv:2508.07917) draws a person's trace unchanged at every step, also when most of it was travelled.
Here the end-effector is projected into the picture that the trace was drawn on, and only the path from there on is told.

- Progress never goes back. At each step it is the nearest point of the path at or after the last one, within a window, so that a
  path that crosses or retraces itself is travelled in order.
- A gripper event (another opening is wanted) holds progress back until the gripper was commanded so near the event's point; what was
  not yet done stays in what lies ahead.
- A robot that was pushed off finds the path again farther ahead, up to the next gripper event; when it is near to none of it, the trace
  leads from where it is back to the path, and :attr:`Progress.trouble` says so.

What is remembered is a :class:`Progress`: a function of the trace and of the observations since it was given, so it is the same when
those steps are seen again. Distances are shares of the frame's larger side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.polylines import points_at
from workbench.core.types import Observation, Trace

WINDOW: Final = 0.15
"""How far progress may go in one step."""
LOST: Final = 0.2
"""An end-effector farther than this from the path ahead has left it: a path drawn on the table lies this far below a carrying hand."""
PUSHED: Final = 0.1
"""One that is farther than this from the path nearby is looked for farther ahead."""
FOUND: Final = 0.05
"""It is found where it is nearer than this."""
REACH: Final = 0.08
"""A gripper event counts as done when it is commanded with less than this of the path left to its point."""
NEAR: Final = 0.02
"""Nearer than this the end-effector counts as on the path."""
HASTE: Final = 0.3
"""Price of each bit of progress, in distance from the path: on a path that retraces itself the earlier part is taken."""
SAMPLE: Final = 0.004
"""Distance of the points among which the nearest is sought."""
OTHER: Final = 0.3
"""Openings that differ by more are not the same: half open, as for a push, is neither open nor shut."""
_SAME: Final = 1e-9


class GripperEvent(NamedTuple):
    """Where along a trace another opening of the gripper is wanted."""

    point: int
    """Index of the trace's point."""
    arc: float
    """Length of the path up to that point."""
    opening: float
    """What is wanted from there on, 0 shut .. 1 open."""


@dataclass(frozen=True, eq=False)
class Path:
    """A trace measured along its length."""

    points: NDArray[np.float64]
    """``(N, 2)``, shares of the frame's larger side."""
    arcs: NDArray[np.float64]
    """``(N,)`` length up to each point."""
    events: tuple[GripperEvent, ...]

    @property
    def length(self) -> float:
        """Length of the whole path."""
        return float(self.arcs[-1])

    def at(self, arcs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points ``(K, 2)`` at lengths ``(K,)``."""
        return points_at(self.points, self.arcs, arcs)


@dataclass(frozen=True, eq=False)
class Sight:
    """Where the end-effector is on a trace's picture."""

    step: int
    """Of the observation; the same one never counts twice."""
    place: NDArray[np.float64] | None
    """``(2,)``, shares of the frame's larger side; None when the camera does not show it."""
    depth_m: float
    opening: float
    """What the gripper is commanded, 0 shut .. 1 open."""
    blindness: str = ""
    """Why there is no place, for the person."""


@dataclass(frozen=True)
class Progress:
    """How far a trace was travelled."""

    arc: float = 0.0
    """Length of the path that lies behind."""
    num_events: int = 0
    """Gripper events that were done."""
    gap: float = 0.0
    """Distance of the end-effector from the path."""
    step: int = -1
    """Of the last observation that was taken into account."""
    trouble: str = ""
    """Why the robot cannot be followed along the trace now; empty when it can."""


@lru_cache(maxsize=64)
def measure(trace: Trace) -> Path:
    """Measure a trace along its length; a trace without points gives a path of length 0 at the frame's origin."""
    points = np.asarray(trace.points or ((0.0, 0.0),), dtype=float) / max(trace.width, trace.height)
    arcs = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    events: list[GripperEvent] = []
    for i, opening in enumerate(trace.gripper or ()):
        if not events or _differ(opening, events[-1].opening):
            events.append(GripperEvent(i, float(arcs[i]), opening))
    return Path(points, arcs, tuple(events))


def sight_of(observation: Observation, trace: Trace) -> Sight:
    """Project the end-effector of an observation into the picture of a trace; the camera may have another size there."""
    opening = observation.gripper_command
    if trace.camera not in observation.cameras:
        return Sight(observation.step, None, 0.0, opening, f"the camera {trace.camera!r} is not observed")
    pinhole = observation.cameras[trace.camera].resized(trace.width, trace.height)
    pixels, depths = pinhole.project(observation.ee_position)
    u, v, depth = float(pixels[0, 0]), float(pixels[0, 1]), float(depths[0])
    if depth <= 0 or not (0 <= u <= trace.width and 0 <= v <= trace.height):
        return Sight(observation.step, None, depth, opening, f"the gripper is outside the picture of {trace.camera!r}")
    return Sight(observation.step, np.array([u, v]) / max(trace.width, trace.height), depth, opening)


def advance(trace: Trace, progress: Progress, sight: Sight) -> Progress:
    """Return the progress after one more observation; the same observation again changes nothing."""
    if sight.step == progress.step:
        return progress
    if sight.place is None:
        return replace(progress, step=sight.step, trouble=sight.blindness)
    path = measure(trace)
    stop = _stop(path, progress)
    arc, gap = _nearest(path, sight.place, progress.arc, min(stop, progress.arc + WINDOW))
    if gap > PUSHED:
        far_arc, far_gap = _nearest(path, sight.place, arc, stop)
        if far_gap <= FOUND:
            arc, gap = far_arc, far_gap
    trouble = f"the gripper is off the trace by {100 * gap:.0f} % of the picture" if gap > LOST else ""
    num_events = progress.num_events
    for event in path.events[num_events:]:
        if _differ(event.opening, sight.opening) or event.arc - arc > REACH:
            break
        arc, num_events = max(arc, event.arc), num_events + 1
    return Progress(arc, num_events, gap, sight.step, trouble)


def what_lies_ahead(trace: Trace, progress: Progress, sight: Sight) -> Trace:
    """Return the part of a trace that was not travelled; it starts at the end-effector, or on the path while that cannot be seen.

    From an end-effector beside the path it leads back to the path in a slant, never past a gripper event that is still to be done.
    Times and depths are interpolated. At the end of the path one point is left.
    """
    if not trace.points:
        return trace
    path = measure(trace)
    gap = progress.gap if sight.place is not None and progress.gap > NEAR else 0.0
    join = min(progress.arc + gap, _stop(path, progress))
    first = int(np.searchsorted(path.arcs, join + _SAME, side="right"))
    if progress.num_events < len(path.events):
        first = min(first, path.events[progress.num_events].point)
    to_next = path.arcs[first] if first < len(path.arcs) else np.inf
    arcs = [progress.arc] if gap == 0.0 or join > to_next - _SAME else [progress.arc, join]
    if sight.place is None and to_next <= progress.arc + _SAME:
        arcs = []  # it starts at a point of the trace
    places = path.at(np.array(arcs, dtype=float))
    depths = _cut(path, trace.depths_m, arcs, first)
    if sight.place is not None:
        places[0] = sight.place
        depths = depths and (sight.depth_m, *depths[1:])
    gripper = None
    if trace.gripper is not None:
        opening = path.events[progress.num_events - 1].opening if progress.num_events else sight.opening
        gripper = (opening,) * len(arcs) + trace.gripper[first:]
    points = tuple((float(u), float(v)) for u, v in max(trace.width, trace.height) * places) + trace.points[first:]
    return replace(trace, points=points, times_s=_cut(path, trace.times_s, arcs, first), depths_m=depths, gripper=gripper)


class TraceTrimmer:
    """Follows one robot along the trace that it is told; for the control loop, campaigns and data makers alike.

    Call :meth:`trim` once a control step, also in steps in which the policy is not asked. A trace that is not equal to the one before
    starts anew. It is for traces of episodes that are run step by step; for single moments use the functions.
    """

    def __init__(self) -> None:
        self.trace: Trace | None = None
        """The trace that is followed."""
        self.ahead: Trace | None = None
        """What was left of it at the last call."""
        self.progress = Progress()

    def trim(self, trace: Trace | None, observation: Observation) -> Trace | None:
        """Take an observation into account, and return what lies ahead of a trace; nothing of none."""
        if trace != self.trace:
            self.trace, self.progress = trace, Progress()
        if trace is None:
            self.ahead = None
            return None
        sight = sight_of(observation, trace)
        self.progress = advance(trace, self.progress, sight)
        self.ahead = what_lies_ahead(trace, self.progress, sight)
        return self.ahead

    @property
    def share(self) -> float:
        """Share of the path that lies behind, 0..1."""
        length = measure(self.trace).length if self.trace else 0.0
        return min(1.0, self.progress.arc / length) if length > 0 else 1.0


def _differ(a: float, b: float) -> bool:
    return abs(a - b) > OTHER


def _stop(path: Path, progress: Progress) -> float:
    """Return how far progress may go: to the next gripper event that is to be done, or to the end."""
    waiting = path.events[progress.num_events :]
    return max(progress.arc, waiting[0].arc if waiting else path.length)


def _nearest(path: Path, place: NDArray[np.float64], start: float, stop: float) -> tuple[float, float]:
    """Return length and distance of the point of a stretch of the path that is nearest, earlier ones preferred."""
    arcs = np.append(np.arange(start, stop, SAMPLE), stop)
    gaps = np.hypot(*(path.at(arcs) - place).T)
    best = int(np.argmin(gaps + HASTE * (arcs - start)))
    return float(arcs[best]), float(gaps[best])


def _cut(path: Path, values: tuple[float, ...] | None, arcs: list[float], first: int) -> tuple[float, ...] | None:
    """Return what a trace holds beside its points, interpolated at some lengths and then from point ``first`` on."""
    if values is None:
        return None
    return tuple(float(v) for v in np.interp(arcs, path.arcs, values)) + values[first:]
