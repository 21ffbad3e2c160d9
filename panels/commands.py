"""One table of commands: the source of buttons, keys, the ``?`` sheet, the palette, HTTP and the WebSocket alike.

A command with a handler acts on the server; one without acts in the page (choosing a tool, zooming). Keys are written as the page
reports them: modifiers ``Ctrl+``, ``Alt+``, ``Shift+`` in this order, then ``KeyboardEvent.key`` (letters in lower case). On a
Mac, Cmd counts as Ctrl. A key may mean different things in different contexts; the page looks in the most specific one first:

``selection``  a stroke is selected · ``correcting``  a human drives the arm · ``stage``  always
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.core.errors import InvalidInput, UnknownName, WrongMode
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


class Text(NoArgs):
    """Words of a person."""

    text: str = Field(min_length=0, max_length=2000)


class Name(NoArgs):
    """Name of a catalogue entry."""

    name: str = Field(min_length=1, max_length=200)


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


@dataclass(frozen=True)
class Command:
    """One thing a person can do."""

    name: str
    title: str
    group: str
    keys: tuple[str, ...] = ()
    tooltip: str = ""
    """What happens, in a sentence."""
    context: str = "stage"
    handler: Callable[[LiveSession, Any], Result | None] | None = None
    """None: acts in the page only."""
    args: type[BaseModel] = NoArgs
    is_quick: bool = False
    """True when the handler only records intent, so that it may run before slower commands that were sent earlier."""


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


def undo(session: LiveSession, _: NoArgs) -> Result:
    """Take back the last change of the drawing."""
    session.move_in_history(-1)
    return {"can_undo": session.can_undo, "can_redo": session.can_redo}


def redo(session: LiveSession, _: NoArgs) -> Result:
    """Bring an undone change back."""
    session.move_in_history(1)
    return {"can_undo": session.can_undo, "can_redo": session.can_redo}


def set_instruction(session: LiveSession, args: Text) -> None:
    """Tell the policy something else, now."""
    session.controller.set_prompt(text=args.text)


def set_policy(session: LiveSession, args: Name) -> None:
    """Let another policy drive."""
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


_TABLE: Final = (
    Command("toggle", "Pause / resume", "Run", (" ",), "Let the policy run, or pause it", handler=toggle, is_quick=True),
    Command("pause", "Pause", "Run", (), "Pause after this control step", handler=pause, is_quick=True),
    Command("resume", "Resume", "Run", (), "Let the policy run", handler=resume, is_quick=True),
    Command("halt", "HALT", "Run", ("Shift+Escape",), "Stop all motion at once, whatever is running", handler=halt, is_quick=True),
    Command("release_halt", "Release the halt", "Run", (), "Leave HALTED, to paused", handler=release_halt, is_quick=True),
    Command("run_plan", "Run the drawing", "Run", ("Enter",), "Confirm the plan and let the robot do it", handler=run_plan),
    Command(
        "correct",
        "Take over / hand back",
        "Run",
        ("t", "Tab"),
        "Drive the arm yourself, or give it back to the policy",
        handler=correct,
        is_quick=True,
    ),
    Command("take_over", "Take over", "Run", (), "Drive the arm yourself", handler=take_over, is_quick=True),
    Command("hand_back", "Hand back", "Run", (), "Give the arm back to the policy", handler=hand_back, is_quick=True),
    Command("reset", "Reset", "Run", ("r",), "Start the same scene anew, paused", handler=reset),
    Command("step_once", "Step", "Run", (".",), "Advance by one control step", handler=step_once, args=Count, is_quick=True),
    Command("set_speed", "Set speed", "Run", (), "Factor of real time, 1/8 to 4, or max", handler=set_speed, args=Speed, is_quick=True),
    Command("change_speed", "Change speed", "Run", (), "Up or down the speed ladder", handler=change_speed, args=Direction, is_quick=True),
    Command("slower", "Slower", "Run", ("-",), "Half the speed"),
    Command("faster", "Faster", "Run", ("=", "Shift++"), "Double the speed"),
    Command(
        "escape", "Cancel, deselect, HALT", "Run", ("Escape",), "Cancels the tool, then deselects, then halts; twice quickly halts at once"
    ),
    Command("step_back", "Step back", "Time", ("[", "ArrowLeft"), "Look at the step before", handler=step_back, args=Count),
    Command(
        "step_forward",
        "Step forward",
        "Time",
        ("]", "ArrowRight"),
        "Look at the next step; at the end, advance one",
        handler=step_forward,
        args=Count,
    ),
    Command("step_back_10", "10 steps back", "Time", ("Shift+ArrowLeft",), "Look ten steps back"),
    Command("step_forward_10", "10 steps forward", "Time", ("Shift+ArrowRight",), "Look ten steps forward"),
    Command("previous_event", "Previous event", "Time", ("Ctrl+ArrowLeft",), "Look at the event before the shown step", handler=previous_event),
    Command("next_event", "Next event", "Time", ("Ctrl+ArrowRight",), "Look at the event after the shown step", handler=next_event),
    Command("first_step", "Go to the start", "Time", ("Home",), "Look at the first step", handler=first_step),
    Command("follow_live", "Follow live", "Time", ("End", "Alt+ArrowRight"), "Show what happens now", handler=follow_live, is_quick=True),
    Command("seek", "Go to step", "Time", (), "Look at a step of the live episode", handler=seek, args=AtStep),
    Command("branch", "Branch here", "Time", ("b",), "New episode from the shown step; the old one stays", handler=branch, args=AtStep),
    Command("note", "Note", "Time", ("n",), "Write a note at this time", handler=note, args=Text),
    Command("rate", "Rate", "Time", (), "Success, failure or stars for this episode", handler=rate, args=Rating),
    Command("tool_select", "Select", "Draw", ("v",), "Select, move and reshape strokes"),
    Command("tool_arrow", "Arrow", "Draw", ("a",), "From a thing to its goal: drag"),
    Command("tool_path", "Path", "Draw", ("w",), "Arrow through way points: click each, Enter or double click ends"),
    Command("tool_circle", "Circle", "Draw", ("c",), "Pick, press, or the pivot of a turn: drag from the centre"),
    Command("tool_pen", "Pen", "Draw", ("p",), "Draw freehand; it is read as arrow, circle or path"),
    Command("tool_erase", "Erase", "Draw", ("e",), "Click or sweep over strokes"),
    Command("tool_sketch", "Sketch", "Draw", ("s",), "Back to the drawing tool used last"),
    Command("toggle_snap", "Snap pen strokes", "Draw", ("k",), "Replace freehand strokes by clean symbols"),
    Command("toggle_style", "Geometric / loose", "Draw", ("g",), "Clean or hand-drawn look of new strokes"),
    Command("undo", "Undo", "Draw", ("Ctrl+z",), "Take back the last change of the drawing", handler=undo),
    Command("redo", "Redo", "Draw", ("Ctrl+Shift+z", "Ctrl+y"), "Bring it back", handler=redo),
    Command("clear", "Clear the drawing", "Draw", (), "Remove all strokes; undo brings them back"),
    *(
        Command(f"colour_{i}", f"Step {i} colour", "Draw", (str(i),), f"New strokes are step {i}; a selected stroke becomes step {i}")
        for i in range(1, 9)
    ),
    Command("commit_sketch", "Send a drawing", "Draw", (), "Take a sketch document", handler=commit_sketch, args=Document),
    Command("edit_plan", "Send a plan", "Draw", (), "Take an edited plan document", handler=edit_plan, args=PlanDocument),
    Command("delete", "Delete stroke", "Draw", ("Delete", "Backspace"), "Remove the selected stroke", context="selection"),
    Command("nudge_left", "Nudge left", "Draw", ("ArrowLeft",), "Move the selected stroke by one pixel; Shift: ten", context="selection"),
    Command(
        "nudge_right", "Nudge right", "Draw", ("ArrowRight",), "Move the selected stroke by one pixel; Shift: ten", context="selection"
    ),
    Command("nudge_up", "Nudge up", "Draw", ("ArrowUp",), "Move the selected stroke by one pixel; Shift: ten", context="selection"),
    Command("nudge_down", "Nudge down", "Draw", ("ArrowDown",), "Move the selected stroke by one pixel; Shift: ten", context="selection"),
    Command(
        "jog_forward",
        "Drive up the picture",
        "Drive",
        ("ArrowUp",),
        "Move the hand level, up the picture; Shift: faster",
        context="correcting",
    ),
    Command("jog_back", "Drive down the picture", "Drive", ("ArrowDown",), "Move the hand level, down the picture", context="correcting"),
    Command("jog_left", "Drive left", "Drive", ("ArrowLeft",), "Move the hand level, to the left of the picture", context="correcting"),
    Command("jog_right", "Drive right", "Drive", ("ArrowRight",), "Move the hand level, to the right of the picture", context="correcting"),
    Command("jog_up", "Raise the hand", "Drive", ("PageUp",), "Raise the hand", context="correcting"),
    Command("jog_down", "Lower the hand", "Drive", ("PageDown",), "Lower the hand", context="correcting"),
    Command("jog_turn_left", "Turn hand left", "Drive", (",",), "Turn the hand counter-clockwise, seen from above", context="correcting"),
    Command("jog_turn_right", "Turn hand right", "Drive", (".",), "Turn the hand clockwise, seen from above", context="correcting"),
    Command("jog_gripper", "Open / close gripper", "Drive", ("x",), "Open or close the gripper", context="correcting"),
    Command("jog", "Move by hand", "Drive", (), "One control step by hand", handler=jog, args=Jog, is_quick=True),
    Command("next_camera", "Next camera", "View", ("ArrowDown",), "Show the next camera"),
    Command("previous_camera", "Previous camera", "View", ("ArrowUp",), "Show the previous camera"),
    Command("toggle_pip", "Picture in picture", "View", ("i",), "Show or hide a second camera"),
    Command("hide_overlays", "Hide overlays", "View", ("h",), "Hold to see the bare picture"),
    Command("fit", "Fit the picture", "View", ("0",), "Undo zoom and pan; wheel zooms, middle button pans"),
    Command("palette", "Command palette", "View", ("Ctrl+k",), "Find and run any command"),
    Command("help", "Keys", "View", ("?", "Shift+?"), "Show all keys"),
    Command("set_instruction", "Set instruction", "Tell", (), "Tell the policy something else, now", handler=set_instruction, args=Text),
    Command("set_policy", "Set policy", "Tell", (), "Let another policy drive", handler=set_policy, args=Name),
    Command("status", "Status", "Tell", (), "Return what is shown", handler=status),
)

COMMANDS: Final[Mapping[str, Command]] = {command.name: command for command in _TABLE}
"""Every command by name, in the order of the ``?`` sheet."""


def dispatch(session: LiveSession, name: str, args: Mapping[str, Any]) -> Result:
    """Check and run a server command.

    Raises:
        UnknownName: no command of that name acts on the server.
        InvalidInput: the arguments do not fit.
    """
    command = COMMANDS.get(name)
    if command is None or command.handler is None:
        raise UnknownName("command", name, (c.name for c in _TABLE if c.handler))
    try:
        checked = command.args.model_validate(dict(args))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise InvalidInput(f"command {name}, {where}", expected=first["msg"], found=repr(first.get("input"))[:80]) from error
    return command.handler(session, checked) or {}


def command_sheet() -> list[dict[str, Any]]:
    """Return the table as JSON for the page: buttons, keys, palette and ``?`` sheet are made from it."""
    return [
        {
            "name": c.name,
            "title": c.title,
            "group": c.group,
            "keys": list(c.keys),
            "tooltip": c.tooltip,
            "context": c.context,
            "is_server": c.handler is not None,
            "has_args": bool(c.args.model_fields),
        }
        for c in _TABLE
    ]


def key_document() -> str:
    """Return docs/keys.md: every command with its keys."""
    lines = [
        "# Commands and keys",
        "",
        "Made from the table in `panels/commands.py`; a test fails when the two differ, and when two commands share a key.",
        "Keys never act in a text field. `S` is the drawing tool used last (the mask and trace tools will keep `M` and a place of",
        "their own); `C` is the circle, `T` takes over; arrows move a selected stroke, else drive the arm while you are in control,",
        "else step through time (left, right) and cameras (up, down). `Tab` acts only while the picture has the focus; Shift+Tab leaves it.",
        "Each server command is also `POST /api/live/{tab_id}/command` and a message of the [protocol](protocol.md).",
        "",
    ]
    for group in dict.fromkeys(c.group for c in _TABLE):
        lines += [f"## {group}", "", "| command | keys | what it does |", "| --- | --- | --- |"]
        for command in (c for c in _TABLE if c.group == group):
            keys = " or ".join(f"`{'Space' if key == ' ' else key}`" for key in command.keys)
            where = "" if command.context == "stage" else f" ({'stroke selected' if command.context == 'selection' else 'while driving'})"
            lines.append(f"| `{command.name}` {command.title} | {keys}{where if keys else ''} | {command.tooltip} |")
        lines.append("")
    return "\n".join(lines)
