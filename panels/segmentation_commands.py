"""Commands about masked objects: their arguments, and what they do on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from panels import segmentation_words
from panels.command import Command
from panels.command_handlers import NoArgs, Result
from panels.segmentation_desk import WAIT_S
from workbench.core.errors import InvalidInput
from workbench.core.types import Interaction
from workbench.rollout.tracking_requests import Asked
from workbench.segmentation.objects import MAX_NAME, NUM_COLOURS

if TYPE_CHECKING:
    from panels.live import LiveSession

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Armed(NoArgs):
    """The camera on which the next click will come; empty when the tool is put away."""

    camera: str = Field("", max_length=100)


class Pointed(NoArgs):
    """Clicks (u, v, 1 to include or 0 to exclude) or a box (u0, v0, u1, v1) in 0..1 of a camera's picture."""

    camera: str = Field(min_length=1, max_length=100)
    step: int | None = Field(None, ge=0, le=10_000_000)
    points: list[tuple[Share, Share, Literal[0, 1]]] = Field(default_factory=list, max_length=50)
    box: tuple[Share, Share, Share, Share] | None = None
    is_new: bool = False


class OneObject(NoArgs):
    """An object by its id."""

    object: str = Field(min_length=1, max_length=64)


class AnyObject(NoArgs):
    """An object by its id, or none."""

    object: str | None = Field(None, max_length=64)


class Choice(OneObject):
    """One of the masks that a click may mean."""

    index: int = Field(ge=0, le=2)


class Changed(OneObject):
    """What is changed of an object."""

    name: str | None = Field(None, max_length=MAX_NAME)
    colour: int | None = Field(None, ge=0, lt=NUM_COLOURS)
    is_locked: bool | None = None
    is_hidden: bool | None = None


class SegmenterName(NoArgs):
    """A segmenter by name."""

    name: str = Field(min_length=1, max_length=60)


class Settings(NoArgs):
    """What happens when a target is lost."""

    pauses: bool = True
    lost_after_s: float = Field(1.0, ge=0.1, le=60.0)


class StepOfProgram(OneObject):
    """What shall be done with an object."""

    interaction: Interaction


class Program(NoArgs):
    """One thing after the other."""

    steps: list[StepOfProgram] = Field(max_length=20)
    policy: str = Field("bench-vla", min_length=1, max_length=60)
    index: int = Field(0, ge=0, le=20)


class Words(NoArgs):
    """Words for an object, or for an action."""

    text: str = Field(min_length=1, max_length=300)
    camera: str = Field("front", min_length=1, max_length=100)


def arm(session: LiveSession, args: Armed) -> None:
    """Get ready for clicks, or stop."""
    session.masks.tracking.arm(args.camera)


def point(session: LiveSession, args: Pointed) -> Result:
    """Mask what was pointed at."""
    if not args.points and args.box is None:
        raise InvalidInput("mask", expected="a click or a box", found="neither")
    points, labels = tuple((u, v) for u, v, _ in args.points), tuple(label for *_, label in args.points)
    return session.masks.point(Asked(args.camera, args.step, points, labels, args.box, args.is_new))


def choose(session: LiveSession, args: Choice) -> None:
    """Let a click mean another mask."""
    session.masks.tracking.choose(args.object, args.index).result(WAIT_S)


def change(session: LiveSession, args: Changed) -> None:
    """Rename, recolour, lock or hide an object."""
    session.masks.tracking.change(args.object, args.model_dump(exclude_none=True, exclude={"object"}))


def select(session: LiveSession, args: AnyObject) -> None:
    """Choose which object the next click is about."""
    session.masks.tracking.select(args.object)


def remove(session: LiveSession, args: OneObject) -> None:
    """Forget an object."""
    session.masks.tracking.remove(args.object).result(WAIT_S)


def undo(session: LiveSession, _: NoArgs) -> None:
    """Take back the last point, box, choice or change."""
    session.masks.tracking.move_in_history(-1).result(WAIT_S)


def redo(session: LiveSession, _: NoArgs) -> None:
    """Bring it back."""
    session.masks.tracking.move_in_history(1).result(WAIT_S)


def set_segmenter(session: LiveSession, args: SegmenterName) -> None:
    """Mask with another segmenter."""
    session.masks.tracking.set_segmenter(args.name).result(WAIT_S)


def set_up(session: LiveSession, args: Settings) -> None:
    """Decide what happens when a target is lost."""
    tracking = session.masks.tracking
    tracking.is_pausing_on_lost, tracking.lost_after_s = args.pauses, args.lost_after_s


def go_on(session: LiveSession, _: NoArgs) -> None:
    """Go on without the lost object."""
    session.masks.tracking.answer()
    session.controller.resume()


def run(session: LiveSession, args: Program) -> Result:
    """Let a policy do things with masked objects."""
    return session.masks.run([s.model_dump() for s in args.steps], args.policy, index=args.index)


def plan(session: LiveSession, args: Program) -> Result:
    """Change the list of things to do."""
    return session.masks.plan([s.model_dump() for s in args.steps])


def find(session: LiveSession, args: Words) -> Result:
    """Mask what is called so."""
    return segmentation_words.find(session, args.text, args.camera)


def active(session: LiveSession, args: Words) -> Result:
    """Tell which objects take part in an action."""
    return segmentation_words.active(session, args.text, args.camera)


MASK_COMMANDS: Final = (
    Command("tool_mask", "Mask", "Mask", ("m",), "Click a thing: left includes, right or Shift+click excludes, drag draws a box"),
    Command("mask_new", "New object", "Mask", ("n",), "The next click masks another object", context="masking"),
    Command("mask_delete", "Forget the object", "Mask", ("Delete", "Backspace"), "Forget the selected object", context="masking"),
    *(
        Command(
            f"mask_choice_{i}", f"Mean mask {i}", "Mask", (str(i),), "What one click means: a part, a thing or a group", context="masking"
        )
        for i in (1, 2, 3)
    ),
    Command("mask_arm", "Get ready to mask", "Mask", (), "Look ahead, so that a click is answered at once", handler=arm, args=Armed),
    Command("mask_point", "Mask at a point", "Mask", (), "Mask what lies at some points or in a box", handler=point, args=Pointed),
    Command("mask_choose", "Choose a mask", "Mask", (), "Let a click mean another of its masks", handler=choose, args=Choice),
    Command("mask_change", "Change an object", "Mask", (), "Rename, recolour, lock or hide an object", handler=change, args=Changed),
    Command("mask_select", "Select an object", "Mask", (), "The next click is about this object", handler=select, args=AnyObject),
    Command("mask_remove", "Remove an object", "Mask", (), "Forget an object; undo brings it back", handler=remove, args=OneObject),
    Command("mask_undo", "Undo a click", "Mask", (), "Take back the last point, box, choice or change", handler=undo),
    Command("mask_redo", "Redo a click", "Mask", (), "Bring it back", handler=redo),
    Command("mask_segmenter", "Set the segmenter", "Mask", (), "Mask with another segmenter", handler=set_segmenter, args=SegmenterName),
    Command("mask_settings", "Set up tracking", "Mask", (), "Whether a lost target pauses the policy", handler=set_up, args=Settings),
    Command("mask_go_on", "Go on without it", "Mask", (), "Resume although the target is lost", handler=go_on),
    Command("mask_run", "Act on masks", "Mask", (), "Let a policy do one thing after the other", handler=run, args=Program),
    Command("mask_find", "Mask by name", "Mask", (), "Mask the things that are called so", handler=find, args=Words),
    Command("mask_active", "Who takes part", "Mask", (), "Tell which objects take part in an action, and why", handler=active, args=Words),
    Command("mask_plan", "Change what to do", "Mask", (), "Change the list of things to do", handler=plan, args=Program),
)
