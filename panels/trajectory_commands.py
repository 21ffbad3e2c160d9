"""Commands about the path that a person edits: their arguments, and what they do on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from panels import trajectory_obstacles as obstacles
from panels import trajectory_plan as planning
from panels import trajectory_sources as sources
from panels.command import Command
from panels.command_handlers import NoArgs, Result

if TYPE_CHECKING:
    from panels.live import LiveSession


class Watch(NoArgs):
    """Whether the policy's path shall be followed."""

    is_on: bool = True


class Snap(NoArgs):
    """A point that goes to the surface that a camera shows behind it."""

    id: str = Field(max_length=40)
    camera: str = Field(max_length=100)


class Edit(NoArgs):
    """A path document version 1; checked by :func:`workbench.rollout.trace_path.parse_path`."""

    document: dict[str, Any]
    what: str = Field("edited", min_length=1, max_length=120)
    snap: Snap | None = None


class Drawn(NoArgs):
    """A line on a camera's picture, (u, v) in 0..1."""

    camera: str = Field(min_length=1, max_length=100)
    points: list[tuple[float, float]] = Field(min_length=2, max_length=10_000)


class Source(NoArgs):
    """Where a path is taken from."""

    source: Literal["sketch", "episode"] = "sketch"


class File(NoArgs):
    """A file's text and name."""

    text: str = Field(max_length=1_000_000)
    name: str = Field("a file", max_length=100)


class Tolerance(NoArgs):
    """How far points may lie from the line of the others to be left out [mm]."""

    tolerance_mm: float = Field(5.0, ge=0.1, le=100.0)


class Plan(NoArgs):
    """Two places on a camera's picture, (u, v) in 0..1."""

    camera: str = Field(min_length=1, max_length=100)
    start: tuple[float, float]
    goal: tuple[float, float]
    sampler: Literal["rrt", "policy"] = "rrt"


class Obstacle(NoArgs):
    """A box on the table [m]; its limits are those of :mod:`workbench.simulation.obstacles`."""

    x: float
    y: float
    width: float
    depth: float
    height: float


class Run(NoArgs):
    """Who follows the path, and how much it counts."""

    driver: Literal["trace-follower", "bench-vla", "trace-blend"] = "trace-follower"
    weight: float = Field(1.0, ge=0.0, le=1.0)


class Weight(NoArgs):
    """How much the path counts: 0 the policy alone, 1 the path alone."""

    weight: float = Field(ge=0.0, le=1.0)


def watch(session: LiveSession, args: Watch) -> Result:
    """Follow what the policy is about to do, as a path."""
    return session.trajectory.watch(args.is_on)


def edit(session: LiveSession, args: Edit) -> Result:
    """Take an edited path."""
    return sources.edit(session, args.document, args.what, (args.snap.id, args.snap.camera) if args.snap else None)


def draw(session: LiveSession, args: Drawn) -> Result:
    """Take a drawn line as the path."""
    return sources.draw(session, args.camera, args.points)


def take(session: LiveSession, args: Source) -> Result:
    """Take the planned way of the drawing, or the way of the episode that is shown, as the path."""
    return sources.take_sketch(session) if args.source == "sketch" else sources.take_episode(session)


def load(session: LiveSession, args: File) -> Result:
    """Take the path in a file."""
    return sources.load(session, args.text, args.name)


def smooth(session: LiveSession, args: Tolerance) -> Result:
    """Leave out points that change little."""
    return sources.smooth_path(session.trajectory, args.tolerance_mm / 1e3)


def repair(session: LiveSession, _: NoArgs) -> Result:
    """Make the path feasible by the smallest change."""
    return session.trajectory.trials.repair()


def preview(session: LiveSession, _: NoArgs) -> Result:
    """Let a ghost run the path."""
    return session.trajectory.trials.preview()


def plan(session: LiveSession, args: Plan) -> Result:
    """Plan a path between two places."""
    return planning.plan(session, args.camera, args.start, args.goal, args.sampler)


def add_obstacle(session: LiveSession, args: Obstacle) -> Result:
    """Go on from the moment that is shown with one more obstacle."""
    return obstacles.add(session, args.model_dump())


def clear_obstacles(session: LiveSession, _: NoArgs) -> Result:
    """Go on from the moment that is shown without obstacles."""
    return obstacles.clear(session)


def own(session: LiveSession, _: NoArgs) -> Result:
    """Go back to the policy's own path."""
    return session.trajectory.take_own()


def undo(session: LiveSession, _: NoArgs) -> Result:
    """Take back the last change of the path."""
    return session.trajectory.move_in_history(-1)


def redo(session: LiveSession, _: NoArgs) -> Result:
    """Bring an undone change of the path back."""
    return session.trajectory.move_in_history(1)


def run(session: LiveSession, args: Run) -> Result:
    """Let a policy follow the path."""
    return session.trajectory.run(args.driver, args.weight)


def set_weight(session: LiveSession, args: Weight) -> Result:
    """Change how much the path counts, while it is followed."""
    return session.trajectory.set_weight(args.weight)


GROUP: Final = "Path"

TRAJECTORY_COMMANDS: Final = (
    Command("tool_trace", "Path tool", GROUP, ("t",), "See where the robot means to go, and drag the way points elsewhere"),
    Command("trajectory_watch", "Follow the policy's path", GROUP, (), "Show what the policy is about to do", handler=watch, args=Watch),
    Command("trajectory_edit", "Send a path", GROUP, (), "Take an edited path document", handler=edit, args=Edit),
    Command("trajectory_own", "The policy's own path", GROUP, (), "Drop the edits and show what the policy means to do", handler=own),
    Command("trajectory_draw", "Draw a path", GROUP, (), "Take a line on the picture as the path", handler=draw, args=Drawn),
    Command(
        "trajectory_take",
        "Take a path",
        GROUP,
        (),
        "Take the way of the drawing, or of the episode that is shown",
        handler=take,
        args=Source,
    ),
    Command("trajectory_load", "Load a path", GROUP, (), "Take the path in a file", handler=load, args=File),
    Command("trajectory_smooth", "Smooth the path", GROUP, (), "Leave out points that change little", handler=smooth, args=Tolerance),
    Command("trajectory_repair", "Make the path feasible", GROUP, (), "By the smallest change that is found", handler=repair),
    Command("trajectory_preview", "Preview the path", GROUP, (), "A see-through robot runs it, in a copy of the scene", handler=preview),
    Command(
        "trajectory_obstacle",
        "Add an obstacle",
        GROUP,
        (),
        "Branch from this moment, with a box in the way",
        handler=add_obstacle,
        args=Obstacle,
    ),
    Command("trajectory_plan", "Plan a path", GROUP, (), "Around what is in the way, between two places", handler=plan, args=Plan),
    Command("trajectory_unblock", "Remove the obstacles", GROUP, (), "Branch from this moment without them", handler=clear_obstacles),
    Command("trajectory_undo", "Undo the path edit", GROUP, ("Ctrl+z",), "Take back the last edit of the path", "path", handler=undo),
    Command("trajectory_redo", "Redo the path edit", GROUP, ("Ctrl+Shift+z", "Ctrl+y"), "Bring it back", context="path", handler=redo),
    Command("trajectory_run", "Run the path", GROUP, (), "Let the robot follow the path", handler=run, args=Run),
    Command("trajectory_go", "Run the path as chosen", GROUP, ("Enter",), "Let the chosen driver follow the path", context="path"),
    Command(
        "trajectory_weight", "Set the path's share", GROUP, (), "0 the policy alone, 1 the path alone", handler=set_weight, args=Weight
    ),
    Command("waypoint_delete", "Delete way point", GROUP, ("Delete", "Backspace"), "Remove the selected way point", context="waypoint"),
    Command("waypoint_left", "Way point left", GROUP, ("ArrowLeft",), "Move it 5 mm, level; Shift: 2 cm", context="waypoint"),
    Command("waypoint_right", "Way point right", GROUP, ("ArrowRight",), "Move it 5 mm, level; Shift: 2 cm", context="waypoint"),
    Command("waypoint_away", "Way point up the picture", GROUP, ("ArrowUp",), "Move it 5 mm, level; Shift: 2 cm", context="waypoint"),
    Command("waypoint_near", "Way point down the picture", GROUP, ("ArrowDown",), "Move it 5 mm, level; Shift: 2 cm", context="waypoint"),
    Command("waypoint_raise", "Raise the way point", GROUP, ("PageUp",), "5 mm higher; Shift: 2 cm", context="waypoint"),
    Command("waypoint_lower", "Lower the way point", GROUP, ("PageDown",), "5 mm lower; Shift: 2 cm", context="waypoint"),
    Command("waypoint_grip", "Gripper at the way point", GROUP, ("x",), "Close here, open here, or neither", context="waypoint"),
)
"""Taken into the one table of :mod:`panels.commands`."""
