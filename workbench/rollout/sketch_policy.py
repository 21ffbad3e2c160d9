"""VIEW's executor as a policy: re-observe, find the things again, lift, plan, follow; step after step of a sketch's plan.

Source: Robotic Visual Instruction, arXiv:2505.00693. Only observations are used; the simulator is asked for pictures of the
plan's camera and for the arm's kinematics.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.protocols import PolicySpec, Simulator
from workbench.core.sketches import PlanStep, Point, SketchPlan, Verb
from workbench.core.trajectories import Phase, Trajectory
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.rollout.hold import hold_action
from workbench.rollout.looking import Look, is_empty, look, situation_of
from workbench.sketch.grounding import Anchor, find_anchor, make_anchor
from workbench.trajectory.follower import WaypointFollower
from workbench.trajectory.grasp import finger_yaw
from workbench.trajectory.planner import plan_step
from workbench.trajectory.situation import retreat
from workbench.trajectory.things import stands_at

DEFAULT_PERIOD_S: Final = 0.05
"""Length of a control step until the observations tell it [s]."""
MAX_TRIES: Final = 3
"""How often one step is tried when its grasp fails."""
_HOLDING: Final = frozenset({Phase.LIFT, Phase.MOVE, Phase.ROTATE, Phase.LOWER})
_GRASPING_VERBS: Final = frozenset({Verb.MOVE, Verb.PICK, Verb.PULL, Verb.ROTATE})


class SketchPolicy:
    """Does what a sketch's plan says; holds still without one."""

    spec = PolicySpec(
        "sketch",
        prompts=frozenset({"sketch"}),
        description="Follows the plan of a drawing: lifts its points by depth, finds grasps, drives way points.",
    )

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._drive: PlanDrive | None = None

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the plan and how far it was done."""
        self._drive = None

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action; a plan with a new id starts at its first step.

        Raises:
            Unreachable: the present step cannot be done: nothing stands there, no grasp, out of reach, or grasps keep failing.
            InvalidInput: the present step lacks what its verb needs.
        """
        period_s = observation.time_s / observation.step if observation.step > 0 else DEFAULT_PERIOD_S
        if prompt.plan is None:
            return ActionChunk(hold_action(observation)[None], 1.0 / period_s)
        if self._drive is None or self._drive.plan.id != prompt.plan.id:
            self._drive = PlanDrive(self._simulator, prompt.plan)
        action = self._drive.act(observation, period_s)
        return ActionChunk(action[None], 1.0 / period_s, self._drive.scores())


class PlanDrive:
    """The state of carrying out one plan."""

    def __init__(self, simulator: Simulator, plan: SketchPlan) -> None:
        """Look at the table and remember what the keypoints stand on, to find it again before each step."""
        self.plan = plan
        self._simulator = simulator
        self._first_look: Look | None = look(simulator, plan)
        self._anchors = [_step_anchors(self._first_look, step) for step in plan.steps]
        self._index = 0
        self._tries = 0
        self._follower: WaypointFollower | None = None
        self._is_recovering = False

    @property
    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self._index >= len(self.plan.steps)

    def scores(self) -> dict[str, float]:
        """Return the present step, way point, number of tries, and whether all is done."""
        waypoint = self._follower.index if self._follower else 0
        return {
            "plan_step": float(min(self._index, len(self.plan.steps) - 1)),
            "waypoint": float(waypoint),
            "tries": float(self._tries + 1),
            "done": float(self.is_done),
        }

    def act(self, observation: Observation, period_s: float) -> NDArray[np.float32]:
        """Return the next action ``(7,)``."""
        self._turn_over(observation)
        if self.is_done:
            return hold_action(observation)
        if self._follower is None:
            self._follower = WaypointFollower(self._plan_present_step())
        return self._follower.act(observation, period_s)

    def _turn_over(self, observation: Observation) -> None:
        """Go on to the next step, or to another try, when the present drive has ended."""
        if self._follower is None or self.is_done:
            return
        if self._has_lost_hold(observation):
            self._recover(observation)
        elif self._follower.is_done:
            if not self._is_recovering:
                self._index, self._tries = self._index + 1, 0
            self._follower, self._is_recovering = None, False

    def _plan_present_step(self) -> Trajectory:
        seen, self._first_look = self._first_look or look(self._simulator, self.plan), None
        step = seen.scaled(self.plan.steps[self._index])
        if self._index > 0 or self._tries > 0:
            step = _found_again(seen.observation, step, self._anchors[self._index])
        return plan_step(situation_of(self._simulator, seen), step, self._index)

    def _has_lost_hold(self, observation: Observation) -> bool:
        """Tell whether the fingers are shut although they should hold something."""
        assert self._follower is not None
        if self._is_recovering or self._follower.is_done or self.plan.steps[self._index].verb not in _GRASPING_VERBS:
            return False
        current = self._follower.current
        return current.phase in _HOLDING and current.gripper == 0.0 and is_empty(observation)

    def _recover(self, observation: Observation) -> None:
        """Open, go home, and try the step again."""
        self._tries += 1
        if self._tries >= MAX_TRIES:
            raise Unreachable(
                f"step {self._index + 1}",
                reason=f"the gripper closed on nothing {MAX_TRIES} times",
                fix="Take over, or draw the grasp elsewhere.",
            )
        place = observation.ee_position
        yaw = finger_yaw(observation.part("ee_quaternion"))
        self._follower = WaypointFollower(Trajectory(tuple(retreat(place, yaw, 1.0)), self._index))
        self._is_recovering = True


class StepAnchors(NamedTuple):
    """What a step's first and last keypoints stood on when the plan started; None for the bare table, which does not move."""

    first: Anchor | None
    goal: Anchor | None


def _step_anchors(seen: Look, step: PlanStep) -> StepAnchors:
    scaled = seen.scaled(step)
    first = _anchor_at(seen, scaled.keypoints[0])
    has_goal = step.verb is Verb.MOVE and len(step.keypoints) > 1
    return StepAnchors(first, _anchor_at(seen, scaled.keypoints[-1]) if has_goal else None)


def _anchor_at(seen: Look, pixel: Point) -> Anchor | None:
    if not stands_at(seen.picture, pixel):
        return None
    return make_anchor(seen.observation, seen.picture.pinhole.name, pixel)


def _found_again(observation: Observation, step: PlanStep, anchors: StepAnchors) -> PlanStep:
    """Return the step with its keypoints moved to where their things are now; an arc moves with its pivot."""
    points = list(step.keypoints)
    arc = step.arc
    first = find_anchor(observation, anchors.first) if anchors.first else None
    if first is not None:
        shift = np.subtract(first, points[0])
        points[0] = first
        arc = tuple((float(u + shift[0]), float(v + shift[1])) for u, v in arc)
    goal = find_anchor(observation, anchors.goal) if anchors.goal else None
    if goal is not None:
        points[-1] = goal
    return replace(step, keypoints=tuple(points), arc=arc)
