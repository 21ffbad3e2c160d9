"""What a plan's executor and its preview see and may do: a picture of the plan's camera, and the arm's kinematics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.core.protocols import Simulator
from workbench.core.sketches import PlanStep, Point, SketchPlan
from workbench.core.types import CameraRequest, Observation, SimState
from workbench.simulation.controllers import IkResult, Kinematics
from workbench.trajectory.grasp import downward, finger_yaw
from workbench.trajectory.lift import DepthPicture, depth_picture
from workbench.trajectory.situation import HOME_YAW_RAD, Situation, TurnRoom, any_turn

T = TypeVar("T")

MAX_SIDE_PX: Final = 640
"""Larger frames are looked at in this size: more pixels cost time and tell no more."""
LIMIT_MARGIN_RAD: Final = 0.12
"""The wrist stays this far from its limits."""
QUICK_ITERATIONS: Final = 12
MIN_HELD_OPENING: Final = 0.06
"""Closed fingers that measure less than this opening hold nothing."""
SHUT_COMMAND: Final = 0.1
"""Fingers that are told to open less than this are to hold."""
REACH_ERROR_M: Final = 0.01
REACH_ERROR_RAD: Final = 0.15


@dataclass(frozen=True, eq=False)
class Look:
    """One look at the table through a plan's camera."""

    observation: Observation
    picture: DepthPicture
    scale: float
    """Pixels of the picture for one pixel of the plan."""

    def scaled(self, step: PlanStep) -> PlanStep:
        """Return a plan step in pixels of this picture."""
        return replace(step, keypoints=self._scaled(step.keypoints), arc=self._scaled(step.arc))

    def to_plan(self, pixel: Point | None) -> Point | None:
        """Return a pixel of this picture in pixels of the plan."""
        return None if pixel is None else (pixel[0] / self.scale, pixel[1] / self.scale)

    def _scaled(self, points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple((u * self.scale, v * self.scale) for u, v in points)


def look(simulator: Simulator, plan: SketchPlan) -> Look:
    """Look at the table through the camera of a plan.

    Raises:
        Unreachable: that camera gives no depth.
    """
    scale = min(1.0, MAX_SIDE_PX / max(plan.width, plan.height))
    request = CameraRequest(plan.camera, round(plan.width * scale), round(plan.height * scale))
    observation = simulator.observe((request,))
    return Look(observation, depth_picture(observation, plan.camera), scale)


def kinematics_of(simulator: Simulator) -> Kinematics | None:
    """Return the kinematics of the simulator's arm, or None when it has none to offer."""
    found = getattr(simulator, "kinematics", None)
    return found if isinstance(found, Kinematics) else None


def situation_of(simulator: Simulator, seen: Look) -> Situation:
    """Return what the planner needs to know about the present moment."""
    observation = seen.observation
    position = observation.ee_position
    kinematics = kinematics_of(simulator)
    room = any_turn if kinematics is None else turn_room(kinematics, np.asarray(observation.part("joints"), dtype=float))
    yaw = finger_yaw(observation.part("ee_quaternion"))
    is_closed = observation.gripper_command < SHUT_COMMAND
    return Situation(seen.picture, position, yaw, room, is_holding=is_closed and not is_empty(observation))


def is_empty(observation: Observation) -> bool:
    """Tell whether the fingers are so near to each other that nothing is between them."""
    return float(observation.part("gripper")[0]) < MIN_HELD_OPENING


def solve(kinematics: Kinematics, position: NDArray[np.float64], quaternion: NDArray[np.float64], joints: NDArray[np.float64]) -> IkResult:
    """Solve for a pose, with few iterations where they do; arguments as :meth:`Kinematics.solve`."""
    result = kinematics.solve(position, quaternion, joints, num_iterations=QUICK_ITERATIONS)
    return result if is_reached(result) else kinematics.solve(position, quaternion, result.joints)


def is_reached(result: IkResult) -> bool:
    """Tell whether the arm can take a pose, near enough."""
    return result.position_error_m < REACH_ERROR_M and result.angle_error_rad < REACH_ERROR_RAD


def turn_room(kinematics: Kinematics, joints: NDArray[np.float64]) -> TurnRoom:
    """Return how far the wrist can turn on from downward poses; the last joint turns the gripper about its own axis.

    Args:
        kinematics: of the arm.
        joints: ``(n,)`` where searches start [rad].
    """
    found: dict[bytes, float | None] = {}

    def last_joint_at_home_yaw(position: NDArray[np.float64]) -> float | None:
        key = np.round(position, 4).tobytes()
        if key not in found:
            result = solve(kinematics, position, downward(HOME_YAW_RAD), joints)
            found[key] = float(result.joints[-1]) if is_reached(result) else None
        return found[key]

    def room(position: NDArray[np.float64], yaw: float) -> tuple[float, float]:
        last = last_joint_at_home_yaw(position)
        if last is None:
            return np.inf, -np.inf
        # Looking down, a turn about world +Z is one against the joint's own sense.
        angle = last - (yaw - HOME_YAW_RAD)
        lower, upper = kinematics.rig.lower[-1] + LIMIT_MARGIN_RAD, kinematics.rig.upper[-1] - LIMIT_MARGIN_RAD
        return float(angle - upper), float(angle - lower)

    return room


def at_state(simulator: Simulator, state: SimState | None, function: Callable[[Simulator], T]) -> T:
    """Run ``function`` with the simulator in ``state``, then put the present state back exactly; None means as it is."""
    if state is None:
        return function(simulator)
    present = simulator.state()
    simulator.restore(state)
    try:
        return function(simulator)
    finally:
        simulator.restore(present)
