"""Driving the end-effector along a path in the world: it goes on from the path's nearest place when it was pushed off, and says when it cannot.

Way points close to each other are driven by :class:`workbench.trajectory.follower.WaypointFollower`, which plans speeds and brakes. Here it
is decided which of them comes next.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.trajectories import Phase, Trajectory, Waypoint
from workbench.core.types import Observation
from workbench.trajectory.follower import WaypointFollower
from workbench.trajectory.paths import DEFAULT_SPEED, Floats, SpacePath, sample_arcs, speeds_of

SPACING_M: Final = 0.02
"""Way points are at most this far apart."""
PASS_M: Final = 0.012
"""A way point that is passed counts as reached this near to it."""
STAY_M: Final = 0.004
"""One at which the gripper opens or closes, and the last one."""
GRIP_DWELL_S: Final = 0.5
"""How long the fingers are given."""
PUSHED_M: Final = 0.04
"""A gripper farther than this from the stretch that it is on was pushed off the path."""
BLOCKED: Final = 3
"""So many way points in a row that could not be reached mean that something blocks the way."""
SPEEDS: Final = (0.01, 0.6)
"""Slowest and fastest speed [m/s]."""


class PathDrive:
    """The state of one drive along one path; the gripper keeps its turn."""

    def __init__(self, path: SpacePath, observation: Observation) -> None:
        """Start from where the end-effector is; the path's openings are reached at their points."""
        self.path = path
        self._turn = observation.ee_quaternion
        opening = float(observation.gripper_command > 0.5)
        ways, self._arcs = _waypoints(path, self._turn, opening)
        self._follower = WaypointFollower(Trajectory(tuple(ways), 0))
        self._num_told = 0
        self.num_anchored = 0
        """How often it was pushed off and went on from the path's nearest place."""
        self.gap_m = 0.0
        """Distance of the end-effector from the path."""
        self.trouble = ""
        """What keeps it from the path now, for the person; empty when nothing does."""

    @property
    def is_done(self) -> bool:
        """Whether the end was reached."""
        return self._follower.is_done

    @property
    def index(self) -> int:
        """Way point that is being driven to."""
        return self._follower.index

    @property
    def arc_m(self) -> float:
        """Length of the path that lies behind [m]."""
        return self.path.length if self.is_done else float(self._arcs[max(0, self._follower.index - 1)])

    @property
    def progress(self) -> float:
        """Share of the path that lies behind, 0..1."""
        return 1.0 if self.is_done or self.path.length <= 0 else self.arc_m / self.path.length

    @property
    def next_point(self) -> int:
        """Index of the path's point that comes next; the number of points when done."""
        return self.path.num_points if self.is_done else int(np.searchsorted(self.path.arcs, self.arc_m + 1e-6, side="right"))

    def act(self, observation: Observation, period_s: float) -> NDArray[np.float32]:
        """Return the action ``(7,)`` of a control step that lasts ``period_s`` [s].

        Raises:
            Unreachable: something keeps the gripper from several way points in a row.
        """
        self._find_again(observation.ee_position)
        action = self._follower.act(observation, period_s)
        self._tell_trouble()
        return action

    def ahead(self, position: Floats, length_m: float) -> Floats:
        """Return where it goes next, ``(N, 3)`` in the world [m]: from ``position`` ``(3,)`` along a length of the path."""
        start = min(self.arc_m, self.path.length)
        stop = min(start + length_m, self.path.length)
        inner = self.path.arcs[(self.path.arcs > start) & (self.path.arcs < stop)]
        return np.concatenate([position[None], self.path.at(np.append(inner, stop))])

    def _find_again(self, position: Floats) -> None:
        """Go on from the path's nearest place ahead, before the next gripper event, when the gripper was pushed off."""
        if self.is_done:
            return
        index, ways = self._follower.index, self._follower.trajectory.waypoints
        before = max(0.0, float(self._arcs[max(0, index - 1)]) - PUSHED_M)
        nearest = self.path.nearest_arc(position, start=before, stop=float(self._arcs[index]) + PUSHED_M)
        self.gap_m = float(np.linalg.norm(position - self.path.at(nearest)[0]))
        if self.gap_m <= PUSHED_M or index == 0:  # on the way to the first point nothing is wrong
            return
        stop = next((i for i in range(index, len(ways)) if ways[i].phase is not Phase.MOVE), len(ways))
        arc = self.path.nearest_arc(position, start=before, stop=float(self._arcs[max(index, stop - 1)]))
        found = min(int(np.searchsorted(self._arcs[index : max(stop, index + 1)], arc)) + index, max(index, stop - 1))
        if found > index:
            self._follower.skip_to(found)
            self.num_anchored += 1

    def _tell_trouble(self) -> None:
        stuck = self._follower.stuck
        if len(stuck) > self._num_told:
            point = self.path.positions[min(self.next_point, self.path.num_points - 1)]
            self.trouble = f"Something keeps the gripper from the path near ({point[0]:.2f}, {point[1]:.2f}, {point[2]:.2f}) m."
            last = stuck[-BLOCKED:]
            if len(last) == BLOCKED and last[-1] - last[0] == BLOCKED - 1:
                raise Unreachable("the path", reason=self.trouble.rstrip(".").lower(), fix="Move it away from there, or take over.")
        elif self.gap_m <= PUSHED_M:
            self.trouble = ""
        elif self._follower.index > 0:
            self.trouble = f"The gripper is {100 * self.gap_m:.0f} cm off the path."
        self._num_told = len(stuck)


def _waypoints(path: SpacePath, turn: Floats, opening: float) -> tuple[list[Waypoint], Floats]:
    """Return way points along a path and the length ``(K,)`` [m] up to each; ``opening`` is that of the gripper now."""
    arcs = sample_arcs(path, SPACING_M)
    corners = np.searchsorted(arcs, path.arcs - 1e-9)
    speeds = np.nan_to_num(speeds_of(path), nan=DEFAULT_SPEED)
    wanted = [opening] * path.num_points if path.gripper is None else [float(g > 0.5) for g in path.gripper]
    ways: list[Waypoint] = []
    lengths: list[float] = []
    first = 0
    for point, corner in enumerate(corners):
        speed = float(np.clip(speeds[point], *SPEEDS))
        is_event = wanted[point] != opening
        for sample in range(first, int(corner) + 1):
            is_corner = sample == corner
            tolerance = STAY_M if is_corner and (is_event or point == path.num_points - 1) else PASS_M
            ways.append(Waypoint(path.at(arcs[sample])[0], turn, opening, Phase.MOVE, speed=speed, tolerance=tolerance))
            lengths.append(float(arcs[sample]))
        first = max(first, int(corner) + 1)
        if is_event:
            opening = wanted[point]
            phase = Phase.RELEASE if opening > 0.5 else Phase.GRASP
            place = path.positions[point]
            ways.append(Waypoint(place, turn, opening, phase, speed=speed, tolerance=0.03, dwell_s=GRIP_DWELL_S))
            lengths.append(float(path.arcs[point]))
    return ways, np.array(lengths)
