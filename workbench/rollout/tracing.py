"""A drawn step as a trace for a policy: the planned path of the gripper, seen by the camera that the policy reads traces on.

The path is the one that the preview shows. So a drawing on any camera with depth becomes a trace on another one, with the depth of each
point and with the places at which the gripper closes and opens.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.protocols import Simulator
from workbench.core.sketches import SketchPlan, Verb
from workbench.core.trajectories import Phase, Trajectory
from workbench.core.types import CameraRequest, Observation, Trace
from workbench.rollout.preview import preview_plan

TRACE_CAMERA: Final = "front"
TRACE_PX: Final = 256
"""Side of the frame that traces are given in [px]."""


def trace_of_step(simulator: Simulator, plan: SketchPlan, index: int, camera: str = TRACE_CAMERA) -> Trace:
    """Return the path of one step of a plan as a trace, as the table looks now; nothing moves.

    Raises:
        InvalidInput: there is no such step, or the simulator has no such camera.
        Unreachable: the step leaves no path, cannot be planned, or its path leaves the camera's picture.
    """
    if not 0 <= index < len(plan.steps):
        raise InvalidInput("step of the drawing", expected=f"1 to {len(plan.steps)}", found=str(index + 1))
    if camera not in simulator.spec.cameras:
        raise InvalidInput(
            "trace",
            expected=f"a simulator with a camera {camera!r}",
            found=", ".join(simulator.spec.cameras),
            fix="Run the drawing instead.",
        )
    what = f"Step {index + 1} as a trace"
    if plan.steps[index].verb is Verb.ROTATE:
        raise Unreachable(what, reason="a turn on the spot leaves no path on the picture", fix="Run the drawing, or say it in words.")
    path = preview_plan(simulator, plan)[index]
    if not path.waypoints:
        reason = path.problems[0].message if path.problems else "it takes up what an earlier step puts there"
        raise Unreachable(what, reason=reason.rstrip("."), fix="Do the earlier step first." if not path.problems else "")
    observation = simulator.observe((CameraRequest(camera, TRACE_PX, TRACE_PX),))
    return trace_of_path(observation, path, camera)


def trace_of_path(observation: Observation, path: Trajectory, camera: str) -> Trace:
    """Return a path, from where the end-effector is to the last thing done before it retreats, as a trace.

    Raises:
        Unreachable: the path leaves the camera's picture.
    """
    ways = [way for way in path.waypoints if way.phase is not Phase.RETREAT]
    positions = np.array([observation.part("ee_position"), *(way.position for way in ways)], dtype=float)
    openings = [observation.gripper_command, *(way.gripper for way in ways)]
    pinhole = observation.cameras[camera]
    pixels, depths = pinhole.project(positions)
    is_seen = (depths > 0) & (pixels >= 0).all(axis=1) & (pixels <= (pinhole.width, pinhole.height)).all(axis=1)
    if not is_seen.all():
        raise Unreachable(
            f"Step {path.step + 1} as a trace",
            reason=f"its path leaves the picture of the {camera} camera",
            fix="Draw nearer to the middle of the table, or run the drawing.",
        )
    return Trace(
        camera,
        pinhole.width,
        pinhole.height,
        tuple((float(u), float(v)) for u, v in pixels),
        depths_m=tuple(float(d) for d in depths),
        gripper=tuple(float(o > 0.5) for o in openings),
    )
