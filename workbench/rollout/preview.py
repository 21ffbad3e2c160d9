"""The path of a plan before it is run, with what may go wrong on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.protocols import Simulator
from workbench.core.sketches import PlanProblem, PlanProblemKind, PlanStep, SketchPlan, Verb
from workbench.core.trajectories import Phase, Trajectory, Waypoint
from workbench.rollout.looking import REACH_ERROR_M, Look, is_reached, kinematics_of, look, situation_of, solve
from workbench.simulation.controllers import Kinematics
from workbench.trajectory.lift import lift_pixel
from workbench.trajectory.planner import plan_step
from workbench.trajectory.situation import Situation
from workbench.trajectory.things import stands_at

CHAIN_SHARE: Final = 0.06
"""A step that starts this near to where an earlier one ends, as a share of the frame's width, takes up what that one leaves there."""


def preview_plan(simulator: Simulator, plan: SketchPlan) -> tuple[Trajectory, ...]:
    """Return the path of every step of a plan as the table looks now; each starts where the one before it ends.

    Nothing moves. A step that cannot be planned gives an empty path with the reason as its problem; one that takes up what an
    earlier step only puts there gives an empty path without a problem.

    Raises:
        Unreachable: the plan's camera gives no depth.
    """
    seen = look(simulator, plan)
    situation = situation_of(simulator, seen)
    kinematics = kinematics_of(simulator)
    joints = np.asarray(seen.observation.part("joints"), dtype=float)
    paths = []
    for index in range(len(plan.steps)):
        path = _plan_one(situation, seen, plan, index)
        if path.waypoints:
            if kinematics is not None:
                path = replace(path, problems=path.problems + _reach_problems(kinematics, joints, path, seen))
            situation = replace(situation, ee_position=np.asarray(path.waypoints[-1].position, dtype=float))
        paths.append(replace(path, problems=tuple(replace(p, pixel=seen.to_plan(p.pixel)) for p in path.problems)))
    return tuple(paths)


def carried_out(step: PlanStep, path: Trajectory) -> PlanStep:
    """Return a step with the verb that its path carries out: what is too wide to grasp is pushed where it should be moved."""
    is_pushed = step.verb is Verb.MOVE and bool(path.waypoints) and all(way.phase is not Phase.RELEASE for way in path.waypoints)
    return replace(step, verb=Verb.PUSH) if is_pushed else step


def _plan_one(situation: Situation, seen: Look, plan: SketchPlan, index: int) -> Trajectory:
    step = seen.scaled(plan.steps[index])
    try:
        return plan_step(situation, step, index)
    except Unreachable as error:
        if _is_chained(plan, index):
            return Trajectory((), index)
        pixel = step.keypoints[0]
        return Trajectory((), index, (PlanProblem(_kind_at(situation, pixel), index, pixel, str(error)),))


def _kind_at(situation: Situation, pixel: tuple[float, float]) -> PlanProblemKind:
    """Return why no path starts at a pixel: no depth, nothing to take, or out of the arm's reach."""
    try:
        lift_pixel(situation.picture, pixel)
    except Unreachable:
        return PlanProblemKind.NO_DEPTH
    return PlanProblemKind.REACH if stands_at(situation.picture, pixel) else PlanProblemKind.NOTHING_THERE


def _is_chained(plan: SketchPlan, index: int) -> bool:
    """Tell whether a step starts where an earlier one ends."""
    tail = np.asarray(plan.steps[index].keypoints[0])
    ends = [np.asarray(s.keypoints[-1]) for s in plan.steps[:index] if len(s.keypoints) > 1]
    return any(float(np.hypot(*(tail - end))) <= CHAIN_SHARE * plan.width for end in ends)


def _reach_problems(kinematics: Kinematics, joints: NDArray[np.float64], path: Trajectory, seen: Look) -> tuple[PlanProblem, ...]:
    """Name the first way point that the arm cannot reach, and the first where a joint's limit keeps it from turning as wanted."""
    found: dict[PlanProblemKind, PlanProblem] = {}
    start = joints
    for way in _different(path.waypoints):
        result = solve(kinematics, way.position, way.quaternion, joints)
        if not is_reached(result):  # The elbow may have wandered where the search ends: try again from where the arm is.
            result = solve(kinematics, way.position, way.quaternion, start)
        joints = result.joints
        if is_reached(result):
            continue
        if result.position_error_m > REACH_ERROR_M:
            kind, what = PlanProblemKind.REACH, f"stays {100 * result.position_error_m:.1f} cm short of its {way.phase.value} point"
        else:
            degrees = np.rad2deg(result.angle_error_rad)
            kind, what = (
                PlanProblemKind.JOINT_LIMIT,
                f"cannot turn the last {degrees:.0f}° at its {way.phase.value} point: a joint is at its limit",
            )
        if kind not in found:
            (u, v), *_ = seen.picture.pinhole.project(way.position)[0]
            found[kind] = PlanProblem(kind, path.step, (float(u), float(v)), f"Step {path.step + 1}: the arm {what}.")
    return tuple(found.values())


def _different(waypoints: tuple[Waypoint, ...]) -> list[Waypoint]:
    """Return the way points without those that stand where the one before them does, and without the way home."""
    kept: list[Waypoint] = []
    for way in waypoints:
        is_same = kept and np.allclose(way.position, kept[-1].position) and np.allclose(way.quaternion, kept[-1].quaternion)
        if not is_same and way.phase is not Phase.RETREAT:
            kept.append(way)
    return kept
