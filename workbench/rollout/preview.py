"""The path of a plan before it is run, with what may go wrong on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.core.errors import Unreachable
from workbench.core.protocols import Simulator
from workbench.core.sketches import PlanProblem, PlanProblemKind, SketchPlan
from workbench.core.trajectories import Trajectory
from workbench.rollout.looking import REACH_ERROR_M, Look, kinematics_of, look, situation_of
from workbench.simulation.controllers import Kinematics
from workbench.trajectory.planner import plan_step
from workbench.trajectory.situation import Situation


def preview_plan(simulator: Simulator, plan: SketchPlan) -> tuple[Trajectory, ...]:
    """Return the path of every step of a plan as the table looks now; each starts where the one before it ends.

    Nothing moves. A step that cannot be planned gives an empty path with the reason as its problem.

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
        if path.waypoints and kinematics is not None:
            path = replace(path, problems=path.problems + _reach_problems(kinematics, joints, path, seen))
        if path.waypoints:
            situation = replace(situation, ee_position=np.asarray(path.waypoints[-1].position, dtype=float))
        paths.append(replace(path, problems=tuple(replace(p, pixel=seen.to_plan(p.pixel)) for p in path.problems)))
    return tuple(paths)


def _plan_one(situation: Situation, seen: Look, plan: SketchPlan, index: int) -> Trajectory:
    step = seen.scaled(plan.steps[index])
    try:
        return plan_step(situation, step, index)
    except Unreachable as error:
        kind = PlanProblemKind.NO_DEPTH if "depth" in error.reason else PlanProblemKind.NOTHING_THERE
        return Trajectory((), index, (PlanProblem(kind, index, step.keypoints[0] if step.keypoints else None, str(error)),))


def _reach_problems(kinematics: Kinematics, joints: np.ndarray, path: Trajectory, seen: Look) -> tuple[PlanProblem, ...]:
    """Name the first way point that the arm cannot reach, and the first that it reaches only with a joint at its limit."""
    found: dict[PlanProblemKind, PlanProblem] = {}
    for way in path.waypoints:
        result = kinematics.solve(way.position, way.quaternion, joints, num_iterations=30)
        joints = result.joints
        if result.position_error_m > REACH_ERROR_M:
            kind, what = PlanProblemKind.REACH, f"stays {100 * result.position_error_m:.1f} cm short of its {way.phase.value} point"
        elif result.is_at_limit:
            kind, what = PlanProblemKind.JOINT_LIMIT, f"has a joint at its limit at its {way.phase.value} point"
        else:
            continue
        if kind not in found:
            (u, v), *_ = seen.picture.pinhole.project(way.position)[0]
            found[kind] = PlanProblem(kind, path.step, (float(u), float(v)), f"Step {path.step + 1}: the arm {what}.")
    return tuple(found.values())
