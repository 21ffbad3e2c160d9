"""Commands of a person who takes part: driving, corrections, outcomes, talking, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from panels.command import Command
from panels.command_handlers import NoArgs, Result, Text
from workbench.core.errors import WrongMode
from workbench.core.protocols import Simulator
from workbench.core.types import CameraRequest
from workbench.intervention.segments import SegmentKind

if TYPE_CHECKING:
    from panels.live import LiveSession

Coordinate = Annotated[float, Field(ge=-5.0, le=5.0, allow_inf_nan=False)]
Place = Annotated[list[Coordinate], Field(min_length=3, max_length=3)]
CLEARANCE: Final = 0.08
"""How far above the clicked place the hand stops [m]; with Shift it goes right there."""
GROUP: Final = "Human"
LOOK_PX: Final = 480
"""Size of the depth picture in which a click is looked up."""


class TakeOver(NoArgs):
    """How a person takes over, and why."""

    via: Literal["", "key", "button", "handle", "waypoint", "stroke", "gamepad", "touch"] = ""
    reason: str = Field("", max_length=200)


class Drag(NoArgs):
    """Where a handle is held [m]."""

    position: Place


class Way(NoArgs):
    """Places to go along [m]."""

    points: list[Place] = Field(min_length=1, max_length=200)


class Over(NoArgs):
    """A point on the picture of a camera, 0..1."""

    camera: str = Field(min_length=1, max_length=100)
    point: list[Annotated[float, Field(ge=0.0, le=1.0)]] = Field(min_length=2, max_length=2)
    is_low: bool = False


class Reason(NoArgs):
    """Why a correction was needed."""

    reason: str = Field(min_length=1, max_length=200)


class Part(NoArgs):
    """What the steps from here on are."""

    kind: Literal["recovery", "correction", "other"] = "other"


class Mark(NoArgs):
    """An outcome."""

    is_success: bool


class After(NoArgs):
    """What follows an outcome."""

    after: Literal["stay", "again", "next"]


class Answer(NoArgs):
    """A yes or a no."""

    is_allowed: bool


class Rules(NoArgs):
    """Rules that say when the robot asks; checked by their parser."""

    rules: list[dict[str, Any]] = Field(max_length=20)


class Lines(NoArgs):
    """A procedure, one step a line."""

    text: str = Field(max_length=8000)


class Tick(NoArgs):
    """A step of the procedure."""

    index: int = Field(ge=0, le=100)
    is_done: bool = True


def begin(session: LiveSession, args: TakeOver) -> None:
    """Let the human drive, from the present moment on; harmless while he does."""
    if session.shown_step is not None:
        session.show_step(None)
    if session.controller.status().mode != "correcting":
        session.controller.take_over(**args.model_dump(exclude_defaults=True))


def drag(session: LiveSession, args: Drag) -> None:
    """Follow a handle."""
    session.controller.drive(lambda hand: hand.drag(args.position))


def go_along(session: LiveSession, args: Way) -> None:
    """Go along a way by hand."""
    session.controller.drive(lambda hand: hand.go(args.points))


def go_over(session: LiveSession, args: Over) -> Result:
    """Go to the place that was clicked: level first, then down. Looking takes a moment; who has handed back meanwhile goes nowhere."""
    camera = CameraRequest(args.camera, LOOK_PX, LOOK_PX)
    pixel = [args.point[0] * LOOK_PX, args.point[1] * LOOK_PX]
    here, place = session.in_simulator(lambda simulator: _lifted(simulator, camera, pixel))
    goal = [place[0], place[1], place[2] + (0.01 if args.is_low else CLEARANCE)]
    way = [[goal[0], goal[1], max(here[2], goal[2])], goal]
    try:
        session.controller.drive(lambda hand: hand.go(way))
    except WrongMode:
        return {"goal": None}
    return {"goal": goal}


def _lifted(simulator: Simulator, camera: CameraRequest, pixel: list[float]) -> tuple[list[float], list[float]]:
    """Return where the hand is and what the pixel shows, both in the base frame [m]."""
    observation = simulator.observe((camera,))
    depth = observation.depth[camera.name]
    column, row = (min(int(c), LOOK_PX - 1) for c in pixel)
    place = observation.cameras[camera.name].unproject(pixel, depth[row, column])[0]
    return [float(c) for c in observation.part("ee_position")], [float(c) for c in place]


def say_reason(session: LiveSession, args: Reason) -> None:
    """Say why."""
    session.human.note_reason(args.reason)


def part(session: LiveSession, args: Part) -> None:
    """Mark the border between recovery and correction."""
    kind = args.kind
    if kind == "other":
        kind = "correction" if session.human.state()["segment"] == "recovery" else "recovery"
    session.human.begin_segment(SegmentKind(kind))


def discard(session: LiveSession, _: NoArgs) -> Result:
    """Throw the last correction away."""
    return {"episode_id": session.human.discard()}


def mark(session: LiveSession, args: Mark) -> None:
    """Stamp the outcome."""
    session.human.mark(args.is_success)


def mark_success(session: LiveSession, _: NoArgs) -> None:
    """Stamp a success."""
    session.human.mark(True)


def mark_failure(session: LiveSession, _: NoArgs) -> None:
    """Stamp a failure."""
    session.human.mark(False)


def set_after(session: LiveSession, args: After) -> None:
    """Choose what follows an outcome."""
    session.human.after_outcome = args.after


def keep(session: LiveSession, _: NoArgs) -> Result:
    """Keep what has just happened."""
    return session.human.keep()


def say(session: LiveSession, args: Text) -> None:
    """Say something to the robot."""
    if args.text.strip():
        session.human.say(args.text)


def answer(session: LiveSession, args: Answer) -> None:
    """Answer what the robot asks."""
    session.human.answer(args.is_allowed)


def set_rules(session: LiveSession, args: Rules) -> None:
    """Say when the robot asks."""
    session.human.set_rules(args.rules)


def procedure_start(session: LiveSession, args: Lines) -> None:
    """Follow a procedure."""
    session.human.procedure.start(args.text)


def procedure_stop(session: LiveSession, _: NoArgs) -> None:
    """Follow it no more."""
    session.human.procedure.stop()


def procedure_tick(session: LiveSession, args: Tick) -> None:
    """Tick a step by hand."""
    session.human.procedure.tick(args.index, args.is_done)


def state(session: LiveSession, _: NoArgs) -> Result:
    """Return what the Human tab shows."""
    return session.human.state()


HUMAN_COMMANDS: Final = (
    Command("tool_hand", "Hand", GROUP, ("c",), "Correct by hand: drag the gripper, click where it shall go, or draw how it shall move"),
    Command("drive", "Take over by hand", GROUP, (), "Drive the arm yourself, from now on", handler=begin, args=TakeOver, is_quick=True),
    Command("drag_hand", "Drag the gripper", GROUP, (), "The hand follows a handle", handler=drag, args=Drag, is_quick=True),
    Command("drive_along", "Drive along a way", GROUP, (), "The hand goes along places", handler=go_along, args=Way, is_quick=True),
    Command("drive_over", "Drive over a place", GROUP, (), "Who drives lets the hand go over a place", handler=go_over, args=Over),
    Command(
        "segment", "Recovery / correction", GROUP, ("q",), "Mark where recovering ends and correcting begins", "correcting", part, Part
    ),
    Command("set_reason", "Say why", GROUP, (), "Why the correction was needed", handler=say_reason, args=Reason),
    Command("discard", "Discard the correction", GROUP, ("Shift+Backspace",), "Back to where it began, on a branch", handler=discard),
    Command("mark", "Mark the outcome", GROUP, (), "Success or failure of this attempt", handler=mark, args=Mark),
    Command("mark_success", "Success", GROUP, ("y",), "This attempt worked: stamp it, and begin the next one", handler=mark_success),
    Command("mark_failure", "Failure", GROUP, ("f",), "This attempt failed: stamp it, and begin the next one", handler=mark_failure),
    Command("set_after", "After an outcome", GROUP, (), "Stay, the same scene again, or the next one", handler=set_after, args=After),
    Command("keep", "Keep the last 30 s", GROUP, ("j",), "Mark what has just happened", handler=keep),
    Command("say", "Say something", GROUP, (), "An instruction, a question, or stop", handler=say, args=Text, is_quick=True),
    Command("answer", "Answer the robot", GROUP, (), "Let it act, or not", handler=answer, args=Answer, is_quick=True),
    Command("set_rules", "Set the rules for asking", GROUP, (), "When the robot asks before it acts", handler=set_rules, args=Rules),
    Command("procedure_start", "Follow a procedure", GROUP, (), "Step by step", handler=procedure_start, args=Lines),
    Command("procedure_stop", "Stop the procedure", GROUP, (), "Follow it no more", handler=procedure_stop),
    Command("procedure_tick", "Tick a step", GROUP, (), "Say that a step is done", handler=procedure_tick, args=Tick),
    Command("human_state", "State of the Human tab", GROUP, (), "Return what it shows", handler=state),
)
"""Taken into the one table of :mod:`panels.commands`."""
