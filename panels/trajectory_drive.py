"""How far the robot is along the path that it was told: what lies behind cannot be edited, what lies ahead can."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.rollout.trace_path import DrawnPath
from workbench.trajectory.paths import SpacePath

Floats = NDArray[np.float64]

WINDOW_M: Final = 0.08
"""How far progress may go in one step: a path that crosses itself is travelled in order."""
PASSED_M: Final = 0.004
FOLLOWER: Final = "trace-follower"
BLEND: Final = "trace-blend"
BENCH_VLA: Final = "bench-vla"
DRIVERS: Final = (FOLLOWER, BENCH_VLA, BLEND)


def num_behind(path: DrawnPath, place: Floats, arc_m: float | None = None) -> int:
    """Return how many points of a path lie behind a length of it [m]; by default behind its place that is nearest to ``place`` ``(3,)``."""
    space = SpacePath(path.positions())
    arc = space.nearest_arc(place) if arc_m is None else arc_m
    return int(np.searchsorted(space.arcs, arc + PASSED_M, side="right"))


@dataclass(eq=False)
class Drive:
    """A path on its way to being travelled; written by the stepping thread and by edits, under the desk's lock."""

    path: DrawnPath
    driver: str
    weight: float
    episode_id: str
    arc_m: float = 0.0
    behind: list[Floats] = field(default_factory=list)
    """``(3,)`` points that were travelled before the last edit [m]."""
    driven: list[Floats] = field(default_factory=list)
    """``(3,)`` where the end-effector was, one a step [m]."""

    def advance(self, position: Floats) -> None:
        """Take into account where the end-effector ``(3,)`` is [m]."""
        self.driven.append(position)
        space = SpacePath(self.path.positions())
        self.arc_m = space.nearest_arc(position, start=self.arc_m, stop=self.arc_m + WINDOW_M)

    @property
    def num_passed(self) -> int:
        """How many points of the path lie behind."""
        return num_behind(self.path, np.zeros(3), self.arc_m)

    def go_on_with(self, path: DrawnPath) -> None:
        """Take an edited rest of the path, which starts where the end-effector is."""
        self.behind += list(self.path.positions()[: self.num_passed])
        self.path, self.arc_m = path, 0.0

    def drawn(self) -> Floats:
        """Return the whole path as it was drawn in the end, ``(N, 3)`` [m]."""
        return np.array([*self.behind, *self.path.positions()])

    def to_dict(self) -> dict[str, Any]:
        """Return what the page draws of it."""
        length = self.path.length
        return {
            "type": "trajectory_drive",
            "driver": self.driver,
            "weight": self.weight,
            "num_passed": self.num_passed,
            "share": round(self.arc_m / length, 4) if length > 0 else 1.0,
            "place": [round(float(c), 4) for c in self.driven[-1]] if self.driven else None,
        }
