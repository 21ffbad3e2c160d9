"""A path from two clicks: where it shall begin and end; the planner finds the way around what stands between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, UnknownName, Unreachable
from workbench.core.protocols import Policy, Simulator
from workbench.core.types import CameraRequest, Prompt
from workbench.rollout.path_planning import plan_around, plan_by_trying
from workbench.rollout.trace_path import DrawnPath, drawn_path
from workbench.rollout.trace_prediction import LOOK_PX
from workbench.simulation.controllers import WORKSPACE_HIGH, WORKSPACE_LOW
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.lift import depth_picture, lift_pixel
from workbench.trajectory.paths import SpacePath
from workbench.trajectory.rrt import plan_random_tree
from workbench.trajectory.trace_editing import smooth

if TYPE_CHECKING:
    from panels.live import LiveSession

Point = tuple[float, float]
Floats = NDArray[np.float64]

WAIT_S: Final = 180.0
AT_HAND: Final = 0.06
"""A click this near to the gripper, as a share of the picture, means the gripper."""
OVER_M: Final = 0.05
"""A clicked place means so far above what is seen there."""
TOLERANCE_M: Final = 0.008
CHANCE, POLICY = "rrt", "policy"


def plan(session: LiveSession, camera: str, start: Point, goal: Point, sampler: str) -> dict[str, Any]:
    """Plan a path between two places that were clicked on a camera's picture, (u, v) in 0..1, and take it.

    Args:
        session: of the tab.
        camera: that was clicked on.
        start: where it begins; at the gripper, from there.
        goal: where it ends.
        sampler: ``rrt``, a random tree; or ``policy``, a tree of actions that the policy draws, from the gripper.

    Raises:
        UnknownName: there is no such camera.
        Unreachable: no way was found.
    """
    status = session.controller.status()
    prompt = Prompt(text=status.instruction)
    make = session.controller.catalogues[1].load(status.policy) if sampler == POLICY else None

    def work(simulator: Simulator) -> DrawnPath:
        if not isinstance(simulator, BenchSimulator):
            raise InvalidInput("plan", expected="the bench simulator", found=simulator.spec.name)
        first, last = _places(simulator, camera, start, goal)
        policy = make(simulator) if make else None
        return _by_policy(simulator, policy, prompt, last) if policy else _by_chance(session, simulator, first, last)

    return session.trajectory.take(session.trajectory.in_copy(work).result(WAIT_S), "planned")


def _by_chance(session: LiveSession, simulator: BenchSimulator, first: Floats | None, last: Floats) -> DrawnPath:
    """Return a way found by random trees: from the gripper, by way of the start when that is elsewhere."""
    checker, rng = session.trajectory.trials.checker_of(simulator), np.random.default_rng(0)
    positions = plan_around(checker, last if first is None else first, rng).path.positions
    if first is not None:
        bounds = (np.array(WORKSPACE_LOW), np.array(WORKSPACE_HIGH))
        onward = plan_random_tree(first, last, lambda places: checker.is_passable(places, last), bounds, rng)
        positions = np.vstack([positions, onward.path.positions[1:]])
    return drawn_path(SpacePath(positions), source="plan", note="A random tree found this way around what is in the way.")


def _by_policy(simulator: BenchSimulator, policy: Policy, prompt: Prompt, last: Floats) -> DrawnPath:
    """Return a way whose branches the policy drew, from the gripper."""
    found = plan_by_trying(simulator, last, np.random.default_rng(0), policy=policy, prompt=prompt)
    note = f"The policy drew {found.num_informed} branches of it; {found.num_tried} were tried."
    return drawn_path(smooth(found.path(), TOLERANCE_M), source="plan", note=note)


def _places(simulator: Simulator, camera: str, start: Point, goal: Point) -> tuple[Floats | None, Floats]:
    """Return start and goal ``(3,)`` in the world [m]; no start where the gripper was clicked."""
    if camera not in simulator.spec.cameras:
        raise UnknownName("camera", camera, simulator.spec.cameras)
    observation = simulator.observe((CameraRequest(camera, LOOK_PX, LOOK_PX),))
    picture, hand = depth_picture(observation, camera), observation.ee_position
    seen = picture.pinhole.project(hand)[0][0] / LOOK_PX
    places = []
    for place in (start, goal):
        if not all(0.0 <= c <= 1.0 for c in place):
            raise Unreachable("a place outside of the picture", reason=f"({place[0]:.2f}, {place[1]:.2f}) is not within 0 to 1")
        lifted = lift_pixel(picture, (place[0] * LOOK_PX, place[1] * LOOK_PX), "centre")
        places.append(np.asarray(lifted + np.array([0.0, 0.0, OVER_M])))
    is_at_hand = float(np.linalg.norm(np.asarray(start) - seen)) < AT_HAND
    return None if is_at_hand else places[0], places[1]
