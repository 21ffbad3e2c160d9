"""Whether the arm of a simulator can go along a path: the checks of :mod:`workbench.trajectory.feasibility` on a copy of its state.

Nothing of the simulator is written, and nothing is stepped.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.types import SimState
from workbench.rollout.looking import kinematics_of
from workbench.simulation.collision_probe import CollisionProbe
from workbench.simulation.controllers import MAX_LINEAR_SPEED, WORKSPACE_HIGH, WORKSPACE_LOW
from workbench.simulation.path_kinematics import PathKinematics
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.feasibility import REACH_M, REACH_RAD, Arm, ArmPath, PathReport, Touch, check_path
from workbench.trajectory.paths import SpacePath
from workbench.trajectory.repair import Repair, make_feasible
from workbench.trajectory.timing import MotionLimits

EE_ACCELERATION: Final = 3.0
"""Greatest acceleration of the end-effector along a path [m/s^2]."""

Floats = NDArray[np.float64]


class PathChecker:
    """Checks paths in one scene; made and used in the simulator's thread, and valid until the simulator builds another scene."""

    def __init__(self, simulator: BenchSimulator) -> None:
        """Stand where the simulator stands now."""
        self._simulator = simulator
        self._kinematics = PathKinematics(simulator.model)
        self._probe = CollisionProbe(simulator.model, simulator.instance.scene)
        found = kinematics_of(simulator)
        assert found is not None, "the bench always has kinematics"
        self._controlled = found
        self.stand()

    def stand(self, state: SimState | None = None) -> None:
        """Let everything stand as in a state of this scene; None means as in the simulator now."""
        at = self._simulator.state() if state is None else state
        self._probe.set_state(at.physics)
        self._joints, self._opening = self._probe.joints, self._probe.opening
        self._position, self._quaternion = self._controlled.pose(self._joints)

    @property
    def gripper_position(self) -> Floats:
        """``(3,)`` where the end-effector is [m]."""
        return self._position.copy()

    def check(self, path: SpacePath) -> PathReport:
        """Return everything that is wrong with a path, from where the arm stands."""
        return self._check(path)

    def make_feasible(self, path: SpacePath) -> Repair:
        """Return the path with the smallest change that makes it one which the arm can go along.

        Raises:
            Unreachable: there is none among the changes that are tried.
        """
        return make_feasible(path, self._check, lambda p: self._check(p, is_quick=True))

    def _check(self, path: SpacePath, *, is_quick: bool = False) -> PathReport:
        return check_path(path, self.arm, self.touches, gripper_position=self._position, is_quick=is_quick)

    @property
    def arm(self) -> Arm:
        """The arm as the checks take it, with the gripper turned as it is now."""
        rig = self._kinematics.rig
        limits = MotionLimits(rig.max_speeds, self._kinematics.accelerations, MAX_LINEAR_SPEED, EE_ACCELERATION)
        return Arm(self._solve, rig.lower, rig.upper, limits, (np.array(WORKSPACE_LOW), np.array(WORKSPACE_HIGH)))

    def touches(self, joints: Floats, openings: Floats) -> list[Touch | None]:
        """Return what is in the way at joints ``(M, n)`` [rad] with openings ``(M,)``, in the order in which they are passed."""
        return [None if t is None else Touch(*t) for t in self._probe.touches(joints, openings)]

    def is_passable(self, places: Floats, end: Floats) -> bool:
        """Tell whether the gripper, as open as it is now, can pass places ``(K, 3)`` [m]; near ``end`` ``(3,)`` it may touch what stands there."""
        solved = self._solve(places)
        is_reached = np.linalg.norm(solved.positions - places, axis=1).max() <= REACH_M and solved.angle_errors_rad.max() <= REACH_RAD
        if not is_reached:
            return False
        openings = np.full(len(places), self._opening)
        return all(t is None for t in self._probe.touches(solved.joints, openings, end))

    def _solve(self, positions: Floats) -> ArmPath:
        return ArmPath(*self._kinematics.solve(positions, self._quaternion, self._joints))
