"""Making a path one that the arm can go along, with the smallest change that is found.

- A path that starts elsewhere gets the gripper's place as its first point.
- What is out of reach is drawn to the nearest place that the arm gets to.
- What is too fast is given the time that it needs, and no more.
- What runs into something is bent around it: the stretch is shifted up, to the sides, or out of the thing by the shortest way, whichever
  moves it least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.polylines import simplify_indices
from workbench.trajectory.feasibility import PathProblem, PathProblemKind, PathReport
from workbench.trajectory.paths import Floats, SpacePath, cut_path
from workbench.trajectory.timing import slow_down
from workbench.trajectory.trace_editing import add_point

MAX_ROUNDS: Final = 12
ROOM_M: Final = (0.02, 0.06)
"""How far before and behind a stretch the path is shifted as well; each is tried."""
FIRST_SHIFT_M: Final = 0.02
LAST_SHIFT_M: Final = 0.33
"""No stretch is shifted farther."""
FINEST_M: Final = 0.006
"""To this the shortest shift is found."""
INWARD_M: Final = 0.004
"""What is out of reach is drawn in so much farther than to the brink."""
BEND_SPACING_M: Final = 0.02
"""A bent stretch has points at most this far apart, before those that make no difference are taken out."""
_FLAT_M: Final = 0.002

Check = Callable[[SpacePath], PathReport]


@dataclass(frozen=True, eq=False)
class Repair:
    """A path that was made feasible."""

    path: SpacePath
    before: SpacePath
    report: PathReport
    """Of the repaired path: without problems."""
    notes: tuple[str, ...]
    """What was changed, for the person."""

    @property
    def moved_m(self) -> Floats:
        """``(N,)`` how far each point of the repaired path lies from the path as it was [m]."""
        gaps = [float(np.linalg.norm(p - self.before.at(self.before.nearest_arc(p))[0])) for p in self.path.positions]
        return np.array(gaps)


def make_feasible(path: SpacePath, check: Check, quick_check: Check | None = None) -> Repair:
    """Return a path without problems, changed as little as was found to be enough.

    Args:
        path: what a person drew.
        check: says what is wrong with a path.
        quick_check: the same for the search among many paths, where speeds do not matter; by default ``check``.

    Raises:
        Unreachable: no change that was tried helps; the message says what is left.
    """
    notes: list[str] = []
    now, report = path, check(path)
    for _ in range(MAX_ROUNDS):
        if report.is_feasible:
            return Repair(now, path, report, tuple(dict.fromkeys(notes)))
        changed = _mend(now, report, (quick_check or check, check), notes)
        if changed is None:
            break
        now, report = changed, check(changed)
    if report.is_feasible:
        return Repair(now, path, report, tuple(dict.fromkeys(notes)))
    left = next(p for kind in _MENDS for p in report.of_kind(kind))
    raise Unreachable("the drawn path", reason=f"no small change mends this: {left.message.rstrip('.')}", fix="Move it away from there.")


def _mend(path: SpacePath, report: PathReport, checks: tuple[Check, Check], notes: list[str]) -> SpacePath | None:
    """Return the path with the first kind of trouble that it has mended, or None when nothing helps."""
    for kind, mend in _MENDS.items():
        problems = report.of_kind(kind)
        if problems:
            return mend(path, report, problems, checks, notes)
    return None


def _lead_in(
    path: SpacePath, report: PathReport, problems: tuple[PathProblem, ...], checks: tuple[Check, Check], notes: list[str]
) -> SpacePath | None:
    notes.append(f"The path now begins at the gripper, {100 * problems[0].amount:.0f} cm earlier.")
    return add_point(path, path.positions[0] + problems[0].push, at_start=True)


def _draw_in(
    path: SpacePath, report: PathReport, problems: tuple[PathProblem, ...], checks: tuple[Check, Check], notes: list[str]
) -> SpacePath | None:
    """Draw what is out of reach to where the arm gets to."""
    positions, arcs = path.positions.copy(), path.arcs
    is_moved = False
    for problem in problems:
        for index in np.flatnonzero((arcs >= problem.start_m - 1e-6) & (arcs <= problem.stop_m + 1e-6)):
            nearest = int(np.argmin(np.abs(report.arcs_m - arcs[index])))
            offset = _offset_into_reach(problem, positions[index], report.reached[nearest])
            positions[index] += offset
            is_moved = is_moved or bool(np.any(offset))
    if not is_moved:  # only places between two points: the worst of them becomes a point of its own
        worst = max(problems, key=lambda p: p.amount)
        cut = cut_path(path, np.union1d(arcs, [worst.arc_m])) if _is_between(path, worst.arc_m) else None
        return cut
    notes.append(f"{_stretches(problems)} out of reach: drawn in to where the arm gets to.")
    return SpacePath(positions, path.gripper, path.times_s)


def _offset_into_reach(problem: PathProblem, position: Floats, reached: Floats) -> Floats:
    """Return how a point ``(3,)`` is moved to a place that is reached for sure [m]."""
    offset = problem.push if np.allclose(position, problem.position) else reached - position
    length = float(np.linalg.norm(offset))
    return np.zeros(3) if length < 1e-9 else offset * (1.0 + INWARD_M / length)


def _is_between(path: SpacePath, arc_m: float) -> bool:
    return bool(np.abs(path.arcs - arc_m).min() > 1e-4)


def _give_time(
    path: SpacePath, report: PathReport, problems: tuple[PathProblem, ...], checks: tuple[Check, Check], notes: list[str]
) -> SpacePath | None:
    if path.times_s is None:
        return None
    slower = slow_down(path, report.arcs_m, report.fastest_s)
    longer = float(slower.times_s[-1] - slower.times_s[0] - path.times_s[-1] + path.times_s[0]) if slower.times_s is not None else 0.0
    if longer < 1e-6:
        return None
    notes.append(f"{_stretches(problems)} too fast: the path takes {longer:.2f} s longer.")
    return slower


# --- Around things -------------------------------------------------------------------------------------------------------------------


def _go_around(
    path: SpacePath, report: PathReport, problems: tuple[PathProblem, ...], checks: tuple[Check, Check], notes: list[str]
) -> SpacePath | None:
    """Bend the path around the first thing in its way, by the direction that moves it least."""
    problem, num_before = problems[0], _num_spatial(report)
    quick, thorough = checks
    # What only a close look finds, only a close look can say to be gone.
    check = quick if _num_spatial(quick(path)) == num_before else thorough
    best: SpacePath | None = None
    best_m = LAST_SHIFT_M
    for direction in _directions(path, problem):
        for room in ROOM_M:
            bent = _shortest_shift(_Bend(path, problem, direction, room), lambda p: _num_spatial(check(p)) < num_before, best_m)
            if bent is not None and bent[1] < best_m:
                best, best_m = bent
    if best is not None:
        notes.append(f"{problem.message.rstrip('.')}: bent by {100 * best_m:.1f} cm to go around.")
    return best


def _directions(path: SpacePath, problem: PathProblem) -> list[Floats]:
    """Return unit vectors ``(3,)`` in which a stretch may be shifted: up, to both sides of its way, and out of the thing."""
    start, stop = path.at([problem.start_m - 0.01, problem.stop_m + 0.01])
    along = stop[:2] - start[:2]
    length = float(np.hypot(*along))
    side = np.array([0.0, 1.0, 0.0]) if length < 1e-6 else np.array([-along[1], along[0], 0.0]) / length
    found = [np.array([0.0, 0.0, 1.0]), side, -side]
    depth = float(np.linalg.norm(problem.push))
    return [problem.push / depth, *found] if depth > 1e-9 else found


@dataclass(frozen=True, eq=False)
class _Bend:
    """A stretch of a path that is to be shifted."""

    path: SpacePath
    problem: PathProblem
    direction: Floats
    """``(3,)`` unit vector."""
    room: float
    """How far before and behind the stretch the path is shifted as well [m]."""


def _shortest_shift(bend: _Bend, is_mended: Callable[[SpacePath], bool], at_most_m: float) -> tuple[SpacePath, float] | None:
    """Return the path shifted just far enough, and how far [m]; None when less than ``at_most_m`` does not do."""
    low, high = 0.0, FIRST_SHIFT_M
    found: SpacePath | None = None
    while high < at_most_m:
        bent = _bend(bend, high)
        if is_mended(bent):
            found = bent
            break
        low, high = high, 2 * high
    if found is None:
        return None
    while high - low > FINEST_M:
        middle = 0.5 * (low + high)
        bent = _bend(bend, middle)
        if is_mended(bent):
            found, high = bent, middle
        else:
            low = middle
    return found, high


def _bend(bend: _Bend, by_m: float) -> SpacePath:
    """Return the path with the stretch shifted [m]; its ends and events stay."""
    path, problem, room = bend.path, bend.problem, bend.room
    slope = max(0.02, 0.5 * by_m)
    borders = np.array([problem.start_m - room - slope, problem.start_m - room, problem.stop_m + room, problem.stop_m + room + slope])
    stretch = np.clip(borders, 0.0, path.length)
    inner = np.linspace(stretch[1], stretch[2], max(2, int(np.ceil((stretch[2] - stretch[1]) / BEND_SPACING_M)) + 1))
    added = np.unique(np.concatenate([stretch, inner]).round(5))
    added = np.clip(added[~_are_at(added, path.arcs)], 0.0, path.length)
    cut = cut_path(path, np.sort(np.concatenate([path.arcs, added])))
    shares = np.interp(cut.arcs, borders, [0.0, 1.0, 1.0, 0.0])
    shares[0] = 0.0  # where the gripper is now cannot be moved
    # Where the gripper acts, and the end, are what the person wants: they stay, unless they are in the trouble themselves.
    is_own = _are_at(cut.arcs, path.arcs)
    is_fixed = _are_at(cut.arcs, path.arcs[list(path.events)]) | (np.arange(cut.num_points) == cut.num_points - 1)
    shares[is_fixed & ((cut.arcs < problem.start_m - 1e-6) | (cut.arcs > problem.stop_m + 1e-6))] = 0.0
    moved = SpacePath(cut.positions + shares[:, None] * by_m * bend.direction, cut.gripper, cut.times_s)
    fixed = tuple(sorted({*moved.events, *np.flatnonzero(is_own).tolist()}))
    kept = simplify_indices(moved.positions, _FLAT_M, fixed=fixed)
    return SpacePath(
        moved.positions[kept],
        None if moved.gripper is None else moved.gripper[kept],
        None if moved.times_s is None else moved.times_s[kept],
    )


def _are_at(arcs: Floats, wanted: Floats) -> NDArray[np.bool_]:
    """Return which lengths ``(K,)`` are one of the wanted ones."""
    return np.asarray(np.abs(arcs[:, None] - wanted[None]).min(axis=1, initial=np.inf) < 1e-5)


def _num_spatial(report: PathReport) -> int:
    """Return how many stretches the arm cannot pass, at whatever speed."""
    return sum(p.kind in (PathProblemKind.COLLISION, PathProblemKind.REACH, PathProblemKind.JOINT_LIMIT) for p in report.problems)


def _stretches(problems: tuple[PathProblem, ...]) -> str:
    points = ", ".join(str(p.point + 1) for p in problems[:3])
    return f"At point {points}{' ...' if len(problems) > 3 else ''}"


_MENDS: Final[dict[PathProblemKind, Callable[..., SpacePath | None]]] = {
    PathProblemKind.FAR_FROM_GRIPPER: _lead_in,
    PathProblemKind.REACH: _draw_in,
    PathProblemKind.JOINT_LIMIT: _draw_in,
    PathProblemKind.COLLISION: _go_around,
    PathProblemKind.SPEED: _give_time,
    PathProblemKind.ACCELERATION: _give_time,
}
"""In the order in which they are mended: first where the path is, then how fast."""
