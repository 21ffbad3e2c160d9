"""Where the path comes from besides the policy: a line drawn on the picture, the plan of a drawing, a file; and smoothing it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sessions.recorded import require_physics
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.protocols import Simulator
from workbench.core.trajectories import Phase
from workbench.core.types import PROPRIO, CameraRequest, SimState, Trace
from workbench.rollout.prompts import parse_trace
from workbench.rollout.trace_path import DrawnPath, drawn_path, parse_path, space_path
from workbench.rollout.trace_prediction import LOOK_PX, path_of_drawing
from workbench.rollout.tracing import TRACE_CAMERA, TRACE_PX
from workbench.trajectory.lift import depth_picture
from workbench.trajectory.paths import SpacePath, lift_trace
from workbench.trajectory.trace_editing import smooth, snap_to_thing
from workbench.trajectory.trace_formats import Frame, read_trace_text

if TYPE_CHECKING:
    from panels.live import LiveSession
    from panels.trajectory_desk import TrajectoryDesk

WAIT_S: Final = 30.0
MAX_TEXT: Final = 1_000_000
SNAP_OVER_M: Final = 0.0
MAX_LOOKED_AT: Final = 400
"""Steps of a stored episode that its way is made of, at most."""
EPISODE_TOLERANCE_M: Final = 0.008
"""How far the points left out of an episode's way may lie from the line of the others."""
MIN_WAY_M: Final = 0.01
APART_M: Final = 1e-3


def edit(session: LiveSession, document: object, what: str, snap: tuple[str, str] | None) -> dict[str, Any]:
    """Take a path as the page sends it; ``snap`` names a point, and the camera behind which it goes to a surface.

    Raises:
        InvalidInput: it does not follow the format; the path stays as it was.
    """
    path = replace(parse_path(document), source="human")
    return session.trajectory.take(path if snap is None else snapped(session, path, *snap), what)


def draw(session: LiveSession, camera: str, points: list[tuple[float, float]]) -> dict[str, Any]:
    """Take a line that was drawn on a camera's picture, (u, v) in 0..1, as the path.

    Raises:
        UnknownName: there is no such camera.
        InvalidInput: too few points, or one that is not finite.
        Unreachable: a point lies outside of the picture.
    """
    desk = session.trajectory
    path = desk.in_copy(lambda simulator: path_of_drawing(simulator, camera, points)).result(WAIT_S)
    return desk.take(path, "drew a new path")


def take_sketch(session: LiveSession) -> dict[str, Any]:
    """Take the way that the drawing of the Sketch tab was planned as.

    Raises:
        InvalidInput: there is none.
    """
    ways = [way for trajectory in session.reading.trajectories for way in trajectory.waypoints if way.phase is not Phase.RETREAT]
    if len(ways) < 2:
        found = session.reading.error or "none"
        raise InvalidInput("drawing", expected="one with a planned way", found=found, fix="Draw an arrow from a thing to its goal first.")
    positions, openings = np.array([w.position for w in ways]), np.array([float(w.gripper > 0.5) for w in ways])
    is_new = np.ones(len(ways), dtype=bool)
    is_new[1:] = (np.linalg.norm(np.diff(positions, axis=0), axis=1) > 1e-3) | (np.diff(openings) != 0)
    return session.trajectory.take(drawn_path(SpacePath(positions[is_new], openings[is_new]), source="sketch"), "took the drawing's way")


def take_episode(session: LiveSession) -> dict[str, Any]:
    """Take the way that the end-effector went in the episode that is shown: a stored one, else the live one so far.

    Raises:
        InvalidInput: it has hardly any steps, hardly moved, or is a recording without physics.
    """
    stored = session.stored_states
    if stored is None:
        steps = [step for step in session.controller.history().steps() if step.proprio is not None]
        hands = np.array(
            [[*s.proprio[PROPRIO["ee_position"]], *s.proprio[PROPRIO["gripper_command"]]] for s in steps if s.proprio is not None]
        )
        name = "the live episode"
    else:
        config, states = stored
        require_physics(config)
        chosen = [states[i] for i in np.unique(np.linspace(0, len(states) - 1, min(len(states), MAX_LOOKED_AT)).astype(int))]
        hands = session.trajectory.in_copy_of(config, lambda simulator: np.array([_hand_in(simulator, s) for s in chosen])).result(WAIT_S)
        name = "a stored episode"
    if len(hands) < 2 or np.ptp(hands[:, :3], axis=0).max() < MIN_WAY_M:
        fix = "Open one in the History tab, or let the robot run first."
        raise InvalidInput("episode", expected="one in which the gripper moved", found=f"{len(hands)} steps that hardly move", fix=fix)
    return session.trajectory.take(way_of_hands(hands), f"took the way of {name}")


def way_of_hands(hands: NDArray[np.float64]) -> DrawnPath:
    """Return positions and openings ``(N, 4)`` of consecutive steps as a path of few points; where the gripper opens or closes stays."""
    openings = (hands[:, 3] > 0.5).astype(float)
    kept = [0]
    for index in range(1, len(hands)):
        is_apart = float(np.linalg.norm(hands[index, :3] - hands[kept[-1], :3])) > APART_M
        if is_apart or openings[index] != openings[kept[-1]]:
            kept.append(index)
    return drawn_path(smooth(SpacePath(hands[kept, :3].astype(float), openings[kept]), EPISODE_TOLERANCE_M), source="episode")


def _hand_in(simulator: Simulator, state: SimState) -> list[float]:
    simulator.restore(state)
    proprio = simulator.observe(()).proprio
    return [float(v) for v in (*proprio[PROPRIO["ee_position"]], *proprio[PROPRIO["gripper_command"]])]


def load(session: LiveSession, text: str, name: str) -> dict[str, Any]:
    """Take the path in a file: a path or a trace as JSON.

    Raises:
        InvalidInput: it is neither, or a number in it is not finite; the path stays as it was.
        Unreachable: a point of a trace lies outside of its picture.
    """
    desk = session.trajectory
    found = read_file(text)
    path = found if isinstance(found, DrawnPath) else desk.in_copy(lambda simulator: lifted(simulator, found)).result(WAIT_S)
    return desk.take(DrawnPath(path.points, "file", path.note), f"loaded {name}")


def read_file(text: str) -> DrawnPath | Trace:
    """Return the path or the trace in a file's text: JSON of ours, or what MolmoAct or HAMSTER wrote about the front camera."""
    if not text.lstrip().startswith("{"):
        return read_trace_text(text, "hamster" if "<ans>" in text else "molmoact", Frame(TRACE_CAMERA, TRACE_PX, TRACE_PX))
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("path file", expected="JSON of a path or a trace", found=str(error)[:80], fix="Choose another file.") from error
    if isinstance(document, dict) and "camera" in document:
        return parse_trace(document)
    return parse_path(document)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that a path can have")


def lifted(simulator: Simulator, trace: Trace) -> DrawnPath:
    """Return a trace as a path: by its own depths, else over what its camera sees."""
    if trace.camera not in simulator.spec.cameras:
        raise UnknownName("camera", trace.camera, simulator.spec.cameras)
    observation = simulator.observe((CameraRequest(trace.camera, LOOK_PX, LOOK_PX),))
    picture = depth_picture(observation, trace.camera) if trace.depths_m is None else None
    note = "" if picture is None else "It runs a little over what the camera sees. Set its heights in the side view."
    return drawn_path(lift_trace(trace, observation.cameras[trace.camera], picture), source="file", note=note)


def smooth_path(desk: TrajectoryDesk, tolerance_m: float) -> dict[str, Any]:
    """Leave out points that lie within a tolerance [m] of the line of the others; ends and gripper events stay."""
    draft = desk.draft
    before = draft.path
    thin = smooth(space_path(before, 1.0), tolerance_m)
    what = f"smoothed within {1e3 * tolerance_m:.0f} mm: {len(before.points)} to {thin.num_points} points"
    kept = {tuple(np.round(p, 6)) for p in thin.positions}
    points = tuple(p for p in before.points if tuple(np.round(p.position, 6)) in kept)
    return desk.take(DrawnPath(points, before.source, before.note), what)


def snapped(session: LiveSession, path: DrawnPath, point_id: str, camera: str) -> DrawnPath:
    """Return the path with one point on the masked object that it was dropped on, or on the surface that the camera shows behind it."""
    index = next((i for i, p in enumerate(path.points) if p.id == point_id), -1)
    masks = session.masks.shown_on(camera)

    def snap(simulator: Simulator) -> SpacePath:
        observation = simulator.observe((CameraRequest(camera, LOOK_PX, LOOK_PX),))
        return snap_to_thing(space_path(path, 1.0), index, masks, depth_picture(observation, camera), clearance_m=SNAP_OVER_M)

    moved = session.trajectory.in_copy(snap).result(WAIT_S).positions[index]
    points = list(path.points)
    points[index] = replace(points[index], position=(float(moved[0]), float(moved[1]), float(moved[2])))
    return DrawnPath(tuple(points), path.source, path.note)
