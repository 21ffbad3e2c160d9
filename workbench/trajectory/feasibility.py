"""Whether the arm can go along a path: reach, joint limits, speed, acceleration, collision, where the gripper is; each at its place.

The robot and its world are passed in as functions, so that the same checks serve a copy of the simulator, a test and another robot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from workbench.trajectory.paths import Floats, SpacePath, sample_arcs
from workbench.trajectory.timing import MotionLimits, Timing, fastest_timing, time_samples

SAMPLE_M: Final = 0.01
"""Checked places of a path are at most this far apart."""
QUICK_SAMPLE_M: Final = 0.02
"""The same where many paths are looked at."""
MAX_SAMPLES: Final = 400
"""A long path is checked at wider steps instead of at more places than this."""
REACH_M: Final = 0.01
"""A place is reached when the arm comes this near to it."""
REACH_RAD: Final = 0.15
FAR_M: Final = 0.05
"""A path that starts farther than this from the gripper is one that the robot must first go to."""
LIMIT_RAD: Final = 0.02
"""A joint nearer than this to its limit is at it."""
SPEED_SLACK: Final = 1.02
"""Speeds over the limit by less than this factor do not count."""
RAMP_S: Final = 0.1
"""A path that is drawn with constant speeds leaves out how long it takes to get moving and to stop: so much is not held against it [s]."""
SAFE_M: Final = 0.004
"""Things that come nearer to each other than this are in the way of each other."""
JUMP_RAD: Final = 0.35
"""Joints that turn farther than this between two places of a path a centimetre apart do not follow it in one sweep."""


class PathProblemKind(StrEnum):
    """Why the robot cannot go along a path as it is."""

    REACH = "reach"
    JOINT_LIMIT = "joint limit"
    SPEED = "speed"
    ACCELERATION = "acceleration"
    COLLISION = "collision"
    FAR_FROM_GRIPPER = "far from the gripper"


@dataclass(frozen=True, eq=False)
class PathProblem:
    """One thing that is wrong with one stretch of a path."""

    kind: PathProblemKind
    point: int
    """Index of the path's point at or before which the worst place lies; 0 is the first."""
    arc_m: float
    """Where the worst place lies, as length along the path [m]."""
    start_m: float
    """Where the stretch begins, as length along the path [m]."""
    stop_m: float
    position: Floats
    """``(3,)`` the worst place in the world [m]."""
    message: str
    """For the person."""
    amount: float
    """How bad: metres short, radians short, times the limit, metres deep, metres away."""
    push: Floats = field(default_factory=lambda: np.zeros(3))
    """``(3,)`` shortest way of that place out of the trouble [m]; zero where there is none."""


@dataclass(frozen=True, eq=False)
class PathReport:
    """What was found of a path."""

    problems: tuple[PathProblem, ...]
    arcs_m: Floats
    """``(M,)`` the places that were looked at, as lengths along the path [m]."""
    joints: Floats
    """``(M, n)`` joint angles there [rad]."""
    times_s: Floats
    """``(M,)`` when the gripper is there: the path's own times, or the fastest that the limits allow [s]."""
    fastest_s: Floats
    """``(M,)`` when it can be there at the earliest, from rest to rest [s]."""
    reached: Floats
    """``(M, 3)`` where the gripper gets to there [m]."""

    @property
    def is_feasible(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def duration_s(self) -> float:
        """How long it takes [s]."""
        return float(self.times_s[-1] - self.times_s[0])

    def of_kind(self, kind: PathProblemKind) -> tuple[PathProblem, ...]:
        """Return the problems of one kind."""
        return tuple(p for p in self.problems if p.kind is kind)


class ArmPath(NamedTuple):
    """What inverse kinematics found along a path of ``M`` places."""

    joints: Floats
    """``(M, n)`` [rad]"""
    positions: Floats
    """``(M, 3)`` where the gripper gets to [m]."""
    angle_errors_rad: Floats
    """``(M,)``"""


class Touch(NamedTuple):
    """What is in the way at one place of a path."""

    what: str
    """Names for the person, for example ``the hand and the red cube``."""
    depth_m: float
    """How deep they are in each other; negative while they are apart but nearer than is safe."""
    push: Floats
    """``(3,)`` unit vector in which the arm gets out of it."""


CollisionCheck = Callable[[Floats, Floats], Sequence[Touch | None]]
"""``(joints (M, n), openings (M,)) -> touches (M,)``: places in the order in which they are passed."""


@dataclass(frozen=True, eq=False)
class Arm:
    """What the checks need to know of an arm."""

    solve: Callable[[Floats], ArmPath]
    """Joints for positions ``(M, 3)`` [m], from where the arm is, each from the one before."""
    lower: Floats
    """``(n,)`` [rad]"""
    upper: Floats
    limits: MotionLimits
    workspace: tuple[Floats, Floats]
    """Least and greatest x, y, z that the controller goes to, ``(3,)`` each [m]."""


def check_path(
    path: SpacePath, arm: Arm, collides: CollisionCheck | None = None, *, gripper_position: ArrayLike | None = None, is_quick: bool = False
) -> PathReport:
    """Look at a path from its start to its end, and return everything that is wrong with it, in the order of the path.

    Args:
        path: with times its own speed is checked, without them the fastest that the limits allow is told.
        arm: who shall go along it.
        collides: what is in the way; None leaves collisions out.
        gripper_position: ``(3,)`` where the gripper is now; None leaves its distance out.
        is_quick: look at fewer places, and leave speeds and times out: for a search among many paths.
    """
    arcs = sample_arcs(path, max(QUICK_SAMPLE_M if is_quick else SAMPLE_M, path.length / MAX_SAMPLES))
    wanted = path.at(arcs)
    places = _Places(path, arcs, wanted)
    solved = arm.solve(wanted)
    problems = _off_reach(places, arm, solved) + _at_limits(places, arm, solved)
    timing = Timing(np.zeros(len(arcs)), False) if is_quick else fastest_timing(arcs, solved.joints, arm.limits)
    if path.times_s is None or is_quick:
        times_s = timing.times_s
    else:
        times_s = time_samples(path, arcs)
        problems += _too_fast(places, _Motion(times_s, timing.times_s, solved.joints), arm.limits)
    if collides is not None:
        problems += _in_the_way(places, collides(solved.joints, path.opening_at(arcs)))
    if gripper_position is not None:
        problems += _far_away(path, np.asarray(gripper_position, dtype=float))
    in_order = tuple(sorted(problems, key=lambda p: p.arc_m))
    return PathReport(in_order, arcs, solved.joints, times_s, timing.times_s, solved.positions)


@dataclass(frozen=True, eq=False)
class _Places:
    """The places of a path that are looked at."""

    path: SpacePath
    arcs: Floats
    """``(M,)`` [m]"""
    positions: Floats
    """``(M, 3)`` [m]"""

    def problems(
        self, kind: PathProblemKind, amounts: Floats, tell: Callable[[int], str], pushes: Floats | None = None
    ) -> list[PathProblem]:
        """Return one problem for each stretch of places with an amount above 0, at its worst place."""
        is_bad = np.concatenate([[False], amounts > 0, [False]])
        starts, stops = np.flatnonzero(~is_bad[:-1] & is_bad[1:]), np.flatnonzero(is_bad[:-1] & ~is_bad[1:])
        found = []
        for start, stop in zip(starts, stops, strict=True):
            worst = int(start + np.argmax(amounts[start:stop]))
            arc = float(self.arcs[worst])
            point = int(np.searchsorted(self.path.arcs, arc - 1e-9))
            push = np.zeros(3) if pushes is None else pushes[worst]
            stretch = float(self.arcs[start]), float(self.arcs[stop - 1])
            found.append(PathProblem(kind, point, arc, *stretch, self.positions[worst], tell(worst), float(amounts[worst]), push))
        return found


class _Motion(NamedTuple):
    """How a path is gone along."""

    times_s: Floats
    """``(M,)`` the path's own times [s]."""
    fastest_s: Floats
    """``(M,)`` the fastest that the limits allow [s]."""
    joints: Floats
    """``(M, n)`` [rad]"""


def _off_reach(places: _Places, arm: Arm, solved: ArmPath) -> list[PathProblem]:
    """Name the stretches that the arm does not get to, or not with its gripper turned down."""
    low, high = arm.workspace
    inside = np.clip(places.positions, low, high)
    beyond = np.linalg.norm(places.positions - inside, axis=1)
    short = np.linalg.norm(places.positions - solved.positions, axis=1)
    gaps = np.maximum(beyond, np.where(short > REACH_M, short, 0.0))

    def tell(index: int) -> str:
        if beyond[index] > 1e-6:
            return f"The path leaves the working space by {100 * beyond[index]:.1f} cm."
        return f"The arm stays {100 * short[index]:.1f} cm short of the path."

    aims = np.where((beyond > 1e-6)[:, None], inside, solved.positions)
    return places.problems(PathProblemKind.REACH, np.where(gaps > 1e-6, gaps, 0.0), tell, aims - places.positions)


def _at_limits(places: _Places, arm: Arm, solved: ArmPath) -> list[PathProblem]:
    """Name the stretches where a joint at its limit keeps the gripper from its turn, or where the arm has to swing over."""
    short = np.linalg.norm(places.positions - solved.positions, axis=1)
    is_reached = short <= REACH_M
    room = np.minimum(solved.joints - arm.lower, arm.upper - solved.joints)
    tightest = room.argmin(axis=1)
    turned_off = np.where(is_reached & (solved.angle_errors_rad > REACH_RAD), solved.angle_errors_rad, 0.0)
    jumps = np.concatenate([[0.0], np.abs(np.diff(solved.joints, axis=0)).max(axis=1)])
    is_near = np.concatenate([[False], np.diff(places.arcs) <= 2 * SAMPLE_M])
    swings = np.where(is_reached & is_near & (jumps > JUMP_RAD), jumps, 0.0)

    def tell(index: int) -> str:
        if turned_off[index] > 0:
            joint = f": joint {tightest[index] + 1} is at its limit" if room[index].min() < LIMIT_RAD else ""
            return f"The gripper is turned off by {np.rad2deg(turned_off[index]):.0f}°{joint}."
        return f"The arm has to swing over by {np.rad2deg(swings[index]):.0f}° within a centimetre of the path."

    return places.problems(PathProblemKind.JOINT_LIMIT, np.maximum(turned_off, swings), tell)


def _too_fast(places: _Places, motion: _Motion, limits: MotionLimits) -> list[PathProblem]:
    """Name the stretches where the path's own times ask for more speed, or for quicker starts and stops, than the arm has."""
    lasts, steps = np.diff(motion.times_s), np.abs(np.diff(motion.joints, axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        turning = np.where(steps > 1e-6, steps / lasts[:, None], 0.0) / limits.joint_speeds
        going = np.where(np.diff(places.arcs) > 1e-6, np.diff(places.arcs) / lasts, 0.0) / limits.speed
    ratios = np.concatenate([[0.0], np.maximum(turning.max(axis=1), going)]) if len(lasts) else np.zeros(1)
    excess = np.where(ratios > SPEED_SLACK, ratios, 0.0)

    def tell_speed(index: int) -> str:
        what = "the gripper" if going[index - 1] >= turning[index - 1].max() else f"joint {int(turning[index - 1].argmax()) + 1}"
        return f"The path asks {what} for {ratios[index]:.1f} times its greatest speed."

    found = places.problems(PathProblemKind.SPEED, excess, tell_speed)
    is_told = {p.point for p in found}
    corners = np.searchsorted(places.arcs, places.path.arcs - 1e-9)
    for point, (first, last) in enumerate(pairwise(corners), start=1):
        least = float(motion.fastest_s[last] - motion.fastest_s[first])
        given = float(motion.times_s[last] - motion.times_s[first])
        if least - given > RAMP_S and point not in is_told:
            arc = float(places.path.arcs[point])
            message = f"To point {point + 1} the arm needs {least:.2f} s, to start, turn and stop as it must; the path gives {given:.2f} s."
            place = places.path.positions[point]
            start = float(places.path.arcs[point - 1])
            found.append(PathProblem(PathProblemKind.ACCELERATION, point, arc, start, arc, place, message, least / max(given, 1e-3)))
    return found


def _in_the_way(places: _Places, touches: Sequence[Touch | None]) -> list[PathProblem]:
    """Name the stretches where something is in the way."""
    depths = np.array([0.0 if t is None else max(t.depth_m + SAFE_M, 1e-6) for t in touches])
    pushes = np.array([np.zeros(3) if t is None else t.push * max(t.depth_m + SAFE_M, 1e-6) for t in touches])

    def tell(index: int) -> str:
        touch = touches[index]
        assert touch is not None
        is_close = touch.depth_m <= 0
        return f"{touch.what} come within {-1e3 * touch.depth_m:.0f} mm." if is_close else f"{touch.what} collide."

    return places.problems(PathProblemKind.COLLISION, depths, tell, pushes)


def _far_away(path: SpacePath, gripper_position: Floats) -> list[PathProblem]:
    gap = float(np.linalg.norm(path.positions[0] - gripper_position))
    if gap <= FAR_M:
        return []
    message = f"The path starts {100 * gap:.0f} cm from where the gripper is."
    push = gripper_position - path.positions[0]
    return [PathProblem(PathProblemKind.FAR_FROM_GRIPPER, 0, 0.0, 0.0, 0.0, path.positions[0], message, gap, push)]
