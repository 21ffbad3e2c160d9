"""One plan step and one depth picture to a path of the end-effector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from workbench.core.sketches import PlanProblem, PlanProblemKind, PlanStep, Verb
from workbench.core.trajectories import Trajectory, Waypoint
from workbench.trajectory.carrying import plan_move, plan_pick, plan_pull, plan_rotate
from workbench.trajectory.contact import plan_follow, plan_press, plan_push, plan_touch
from workbench.trajectory.situation import Situation

TABLE_X_M: Final = (0.25, 0.75)
TABLE_Y_M: Final = (-0.40, 0.40)
"""Part of the table that the gripper may work on [m]."""

_PLANNERS: Final[Mapping[Verb, Callable[[Situation, PlanStep], list[Waypoint]]]] = {
    Verb.MOVE: plan_move,
    Verb.PICK: plan_pick,
    Verb.PRESS: plan_press,
    Verb.TOUCH: plan_touch,
    Verb.ROTATE: plan_rotate,
    Verb.PUSH: plan_push,
    Verb.PULL: plan_pull,
    Verb.FOLLOW: plan_follow,
}


def plan_step(situation: Situation, step: PlanStep, index: int) -> Trajectory:
    """Return the path of one plan step; places off the workspace are reported as problems of it.

    Raises:
        Unreachable: a keypoint has no depth, nothing stands there, or the gripper cannot take it.
        InvalidInput: the step lacks a point that its verb needs.
    """
    waypoints = tuple(_PLANNERS[step.verb](situation, step))
    return Trajectory(waypoints, index, _off_table(situation, waypoints, index))


def _off_table(situation: Situation, waypoints: tuple[Waypoint, ...], index: int) -> tuple[PlanProblem, ...]:
    for way in waypoints:
        x, y, _ = way.position
        if not (TABLE_X_M[0] <= x <= TABLE_X_M[1] and TABLE_Y_M[0] <= y <= TABLE_Y_M[1]):
            pixel = situation.picture.pinhole.project(way.position)[0][0]
            message = f"Step {index + 1} leads to x {100 * x:.0f} cm, y {100 * y:.0f} cm, which is off the working area."
            return (PlanProblem(PlanProblemKind.OFF_TABLE, index, (float(pixel[0]), float(pixel[1])), message),)
    return ()
