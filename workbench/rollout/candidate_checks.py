"""Whether the arm may execute a candidate: limits and workspace by numbers, reach and collisions in a copy of the simulator's state.

A touch of what stands on the table is no reason to refuse, as most tasks are about that; running into an obstacle, the table or the arm is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.protocols import Simulator
from workbench.core.types import Observation
from workbench.rollout.ghost import control_period
from workbench.rollout.path_checks import PathChecker
from workbench.simulation.controllers import MAX_ANGULAR_SPEED, MAX_LINEAR_SPEED, WORKSPACE_HIGH, WORKSPACE_LOW
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.feasibility import REACH_M
from workbench.verification.checks import StepBounds, candidate_paths, refusals

Floats = NDArray[np.float64]

NUM_PLACES: Final = 2
"""Places of a candidate's way at which collisions are looked for: half way and at its end."""


class CandidateChecks:
    """Checks candidates in one simulator; used in its thread. Where nothing is known of the arm, numbers alone are checked."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._checker: PathChecker | None = None
        self._model: object = None

    def refusals(self, observation: Observation, candidates: Floats) -> list[str]:
        """Return for each candidate ``(K, T, 7)`` why it must not be executed, for the person; empty for what may."""
        position = observation.ee_position
        period_s = control_period(self._simulator)
        bounds = StepBounds(MAX_LINEAR_SPEED * period_s, MAX_ANGULAR_SPEED * period_s, WORKSPACE_LOW, WORKSPACE_HIGH)
        found = refusals(candidates, position, bounds)
        passing = [index for index, reason in enumerate(found) if not reason]
        checker = self._stand()
        if checker is None or not passing:
            return found
        ways = candidate_paths(candidates[passing], position)
        for index, reason in zip(passing, self._in_the_way(checker, ways, observation), strict=True):
            found[index] = reason
        return found

    def _in_the_way(self, checker: PathChecker, ways: Floats, observation: Observation) -> list[str]:
        """Return what keeps the arm from going along ways ``(K, T + 1, 3)``, with the hand turned and as open as it is."""
        steps = np.linspace(0, ways.shape[1] - 1, NUM_PLACES + 1).round().astype(int)[1:]
        places = ways[:, steps].reshape(-1, 3)
        solved = checker.arm.solve(places)
        gaps = np.linalg.norm(solved.positions - places, axis=1).reshape(-1, NUM_PLACES)
        opening = observation.gripper_command
        touches = checker.touches(solved.joints, np.full(len(places), opening))
        reasons = []
        for index, gap in enumerate(gaps):
            touched = next((t for t in touches[index * NUM_PLACES : (index + 1) * NUM_PLACES] if t is not None), None)
            if gap.max() > REACH_M:
                reasons.append(f"the arm stays {100 * gap.max():.1f} cm short")
            else:
                reasons.append("" if touched is None else f"{touched.what} run into each other")
        return reasons

    def _stand(self) -> PathChecker | None:
        """Return the checker of the present scene at the present state; None for a simulator that is not the bench's."""
        if not isinstance(self._simulator, BenchSimulator):
            return None
        if self._checker is None or self._model is not self._simulator.model:
            self._checker, self._model = PathChecker(self._simulator), self._simulator.model
        self._checker.stand()
        return self._checker
