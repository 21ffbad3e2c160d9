"""What the server's commands do, and the arguments they take: each handler is one call on the live session."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from panels.handing import hand_trace
from panels.intention import IntentionWish
from panels.loading import announce
from panels.telling import tell, tell_manner
from workbench.core.errors import InvalidInput, WrongMode
from workbench.core.events import EventKind

if TYPE_CHECKING:
    from panels.live import LiveSession

Result = dict[str, Any]
SPEEDS: Final = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, math.inf)
"""The speed ladder; the last is as fast as possible."""


class NoArgs(BaseModel):
    """A command without arguments."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Count(NoArgs):
    """How many steps."""

    n: int = Field(1, ge=1, le=1000)


class Speed(NoArgs):
    """A factor of real time, or ``max``."""

    speed: Annotated[float, Field(ge=0.125, le=4.0)] | Annotated[str, Field(pattern="^max$")]


class Direction(NoArgs):
    """Up or down a ladder."""

    offset: int = Field(1, ge=-10, le=10)


class AtStep(NoArgs):
    """A step of the live episode; None means live."""

    step: int | None = Field(None, ge=0, le=10_000_000)


class Index(NoArgs):
    """A step of the drawing, counted from 0."""

    step: int = Field(0, ge=0, le=100)


class Text(NoArgs):
    """Words of a person."""

    text: str = Field(min_length=0, max_length=2000)


class Name(NoArgs):
    """Name of a catalogue entry."""

    name: str = Field(min_length=1, max_length=200)


class Shown(NoArgs):
    """What of the policy's intention is shown."""

    is_on: bool = True
    has_heat: bool = False


class Document(NoArgs):
    """A sketch document version 1; checked by the sketch parser."""

    document: dict[str, Any]
    snap: bool = False


class PlanDocument(NoArgs):
    """A plan document version 1; checked by the plan parser."""

    document: dict[str, Any]


class Jog(NoArgs):
    """One control step by hand: metres, radians, gripper opening 0..1, base frame."""

    action: list[Annotated[float, Field(ge=-1.0, le=1.0)]] = Field(min_length=7, max_length=7)


class Rating(NoArgs):
    """What a person thinks of the episode."""

    is_success: bool | None = None
    stars: int | None = Field(None, ge=1, le=5)


def toggle(session: LiveSession, _: NoArgs) -> None:
    """Pause or resume; leaves an earlier step for live, and HALTED for paused (never straight to motion)."""
    if session.shown_step is not None:
        session.show_step(None)
    if session.controller.status().mode == "halted":
        session.controller.release_halt()
    else:
        session.controller.toggle()


def pause(session: LiveSession, _: NoArgs) -> None:
    """Stop after the present control step."""
    session.controller.pause()


def resume(session: LiveSession, _: NoArgs) -> None:
    """Let the policy go on, live."""
    if session.shown_step is not None:
        session.show_step(None)
    session.controller.resume()


def halt(session: LiveSession, _: NoArgs) -> None:
    """Stop all motion at once."""
    session.controller.halt()


def release_halt(session: LiveSession, _: NoArgs) -> None:
    """Leave HALTED, to paused."""
    session.controller.release_halt()


def correct(session: LiveSession, _: NoArgs) -> None:
    """Take over from the policy, or hand back to it."""
    if session.controller.status().mode == "correcting":
        session.controller.hand_back()
        return
    if session.shown_step is not None:
        session.show_step(None)
    session.controller.take_over()


def take_over(session: LiveSession, _: NoArgs) -> None:
    """Let the human drive."""
    session.controller.take_over()


def hand_back(session: LiveSession, _: NoArgs) -> None:
    """Let the policy drive again."""
    session.controller.hand_back()


def jog(session: LiveSession, args: Jog) -> None:
    """Move the arm by hand."""
    session.controller.jog(np.array(args.action, dtype=np.float32))


def step_once(session: LiveSession, args: Count) -> None:
    """Advance a paused rollout by control steps."""
    session.controller.step_once(args.n)


def step_back(session: LiveSession, args: Count) -> Result:
    """Look at the step before the shown one."""
    shown = session.shown_step
    present = session.controller.history().num_steps if shown is None else shown
    return {"shown_step": session.show_step(max(0, present - args.n))}


def step_forward(session: LiveSession, args: Count) -> Result:
    """Look at the next step; at the live end, advance the paused rollout by one step."""
    shown = session.shown_step
    if shown is None:
        if session.controller.status().mode not in ("paused", "halted", "idle"):
            raise WrongMode("step forward", mode=str(session.controller.status().mode), allowed=["paused"])
        session.controller.step_once(args.n)
        return {"shown_step": None}
    return {"shown_step": session.show_step(shown + args.n)}


def seek(session: LiveSession, args: AtStep) -> Result:
    """Look at a step of the live episode, or follow it live."""
    return {"shown_step": session.show_step(args.step)}


def follow_live(session: LiveSession, _: NoArgs) -> None:
    """Show what happens now."""
    session.show_step(None)


def first_step(session: LiveSession, _: NoArgs) -> None:
    """Look at the start of the episode."""
    session.show_step(0)


def previous_event(session: LiveSession, _: NoArgs) -> Result:
    """Look at the newest event before the shown step."""
    history = session.controller.history()
    present = history.num_steps if session.shown_step is None else session.shown_step
    return {"shown_step": session.show_step(max((e.step for e in history.events() if e.step < present), default=0))}


def next_event(session: LiveSession, _: NoArgs) -> Result:
    """Look at the oldest event after the shown step; after the last one, live."""
    history = session.controller.history()
    present = history.num_steps if session.shown_step is None else session.shown_step
    return {"shown_step": session.show_step(min((e.step for e in history.events() if e.step > present), default=None))}


def set_speed(session: LiveSession, args: Speed) -> None:
    """Set the factor of real time."""
    session.controller.set_speed(math.inf if isinstance(args.speed, str) else args.speed)


def change_speed(session: LiveSession, args: Direction) -> None:
    """Go up or down the speed ladder."""
    speed = session.controller.status().speed
    nearest = min(range(len(SPEEDS)), key=lambda i: abs(min(SPEEDS[i], 8.0) - min(speed, 8.0)))
    session.controller.set_speed(SPEEDS[min(max(nearest + args.offset, 0), len(SPEEDS) - 1)])


def reset(session: LiveSession, _: NoArgs) -> None:
    """Start the same scene anew, paused."""
    session.show_step(None)
    session.controller.reset()


def branch(session: LiveSession, args: AtStep) -> Result:
    """Start a new episode from the shown step, paused."""
    return {"episode_id": session.branch(args.step)}


def commit_sketch(session: LiveSession, args: Document) -> Result:
    """Take a changed drawing."""
    return session.commit_sketch(args.document, is_snapped=args.snap).to_dict()


def edit_plan(session: LiveSession, args: PlanDocument) -> Result:
    """Take an edited plan."""
    return session.edit_plan(args.document).to_dict()


def run_plan(session: LiveSession, _: NoArgs) -> None:
    """Confirm the plan and execute it."""
    session.run_plan()


def run_trace(session: LiveSession, args: Index) -> Result:
    """Hand a step of the drawing to the bench VLA."""
    return hand_trace(session, args.step)


def undo(session: LiveSession, _: NoArgs) -> Result:
    """Take back the last change of the drawing."""
    session.move_in_history(-1)
    return {"can_undo": session.can_undo, "can_redo": session.can_redo}


def redo(session: LiveSession, _: NoArgs) -> Result:
    """Bring an undone change back."""
    session.move_in_history(1)
    return {"can_undo": session.can_undo, "can_redo": session.can_redo}


def set_instruction(session: LiveSession, args: Text) -> Result:
    """Tell the policy something else, now, as far as it is understood."""
    return tell(session, args.text)


def set_manner(session: LiveSession, args: Name) -> Result:
    """Tell the policy to do the same in another manner."""
    return tell_manner(session, args.name)


def show_intention(session: LiveSession, args: Shown) -> None:
    """Show or hide what the policy is about to do."""
    session.show_intention(IntentionWish(args.is_on, args.has_heat))


def set_policy(session: LiveSession, args: Name) -> None:
    """Let another policy drive."""
    announce(session, args.name)
    session.controller.set_policy(args.name)


def note(session: LiveSession, args: Text) -> None:
    """Write a note at this time."""
    if not args.text.strip():
        raise InvalidInput("note", expected="some words", found="nothing", fix="Write what you saw, then press Enter.")
    session.controller.record(EventKind.NOTE, {"text": args.text.strip(), "shown_step": session.shown_step})


def rate(session: LiveSession, args: Rating) -> None:
    """Rate the episode."""
    if args.is_success is None and args.stars is None:
        raise InvalidInput("rate", expected="is_success or stars", found="neither")
    session.controller.record(EventKind.RATING, args.model_dump(exclude_none=True))


def status(session: LiveSession, _: NoArgs) -> Result:
    """Return what is shown."""
    return session.status()
