"""One table of commands: the source of buttons, keys, the ``?`` sheet, the palette, HTTP and the WebSocket alike.

A command with a handler acts on the server; one without acts in the page (choosing a tool, zooming). Keys are written as the page
reports them: modifiers ``Ctrl+``, ``Alt+``, ``Shift+`` in this order, then ``KeyboardEvent.key`` (letters in lower case). On a
Mac, Cmd counts as Ctrl. A key may mean different things in different contexts; the page looks in the most specific one first:

``selection``  a stroke is selected · ``waypoint``  a point of the path is selected · ``path``  the path tool is in the hand ·
``masking``  the mask tool is in the hand · ``correcting``  a human drives the arm · ``stage``  always
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from panels import command_handlers as handlers
from panels.command import Command
from panels.human_commands import HUMAN_COMMANDS
from panels.segmentation_commands import MASK_COMMANDS
from panels.steering_commands import STEERING_COMMANDS
from panels.trajectory_commands import TRAJECTORY_COMMANDS
from panels.watch_alarms_commands import ALARM_COMMANDS
from panels.watch_candidates_commands import CANDIDATE_COMMANDS
from panels.watch_goals_commands import GOAL_COMMANDS
from workbench.core.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    from panels.live import LiveSession


_TABLE: Final = (
    Command("toggle", "Pause / resume", "Run", (" ",), "Let the policy run, or pause it", handler=handlers.toggle, is_quick=True),
    Command("pause", "Pause", "Run", (), "Pause after this control step", handler=handlers.pause, is_quick=True),
    Command("resume", "Resume", "Run", (), "Let the policy run", handler=handlers.resume, is_quick=True),
    Command(
        "halt",
        "HALT",
        "Run",
        ("Shift+Escape",),
        "Stop all motion at once, whatever is running, also while you type",
        handler=handlers.halt,
        is_quick=True,
    ),
    Command("release_halt", "Release the halt", "Run", (), "Leave HALTED, to paused", handler=handlers.release_halt, is_quick=True),
    Command("run_plan", "Run the drawing", "Run", ("Enter",), "Confirm the plan and let the robot do it", handler=handlers.run_plan),
    Command(
        "run_trace",
        "Hand to the bench VLA",
        "Run",
        ("Shift+Enter",),
        "Let the bench VLA follow the drawing as a trace, in place of the way point follower",
        handler=handlers.run_trace,
        args=handlers.Index,
    ),
    Command(
        "correct",
        "Take over / hand back",
        "Run",
        ("Tab", "Shift+t"),
        "Drive the arm yourself, or give it back to the policy",
        handler=handlers.correct,
        is_quick=True,
    ),
    Command("take_over", "Take over", "Run", (), "Drive the arm yourself", handler=handlers.take_over, is_quick=True),
    Command("hand_back", "Hand back", "Run", (), "Give the arm back to the policy", handler=handlers.hand_back, is_quick=True),
    Command("reset", "Reset", "Run", ("r",), "Start the same scene anew, paused", handler=handlers.reset),
    Command(
        "step_once", "Step", "Run", (".",), "Advance by one control step", handler=handlers.step_once, args=handlers.Count, is_quick=True
    ),
    Command(
        "set_speed",
        "Set speed",
        "Run",
        (),
        "Factor of real time, 1/8 to 4, or max",
        handler=handlers.set_speed,
        args=handlers.Speed,
        is_quick=True,
    ),
    Command(
        "change_speed",
        "Change speed",
        "Run",
        (),
        "Up or down the speed ladder",
        handler=handlers.change_speed,
        args=handlers.Direction,
        is_quick=True,
    ),
    Command("slower", "Slower", "Run", ("-",), "Half the speed"),
    Command("faster", "Faster", "Run", ("=", "Shift++"), "Double the speed"),
    Command(
        "escape",
        "Close, cancel, deselect, HALT; twice: HALT",
        "Run",
        ("Escape",),
        "Closes an open list, field or dialog; else cancels the tool, then deselects, then halts. Twice quickly halts at once, anywhere",
    ),
    Command(
        "step_back", "Step back", "Time", ("[", "ArrowLeft"), "Look at the step before", handler=handlers.step_back, args=handlers.Count
    ),
    Command(
        "step_forward",
        "Step forward",
        "Time",
        ("]", "ArrowRight"),
        "Look at the next step; at the end, advance one",
        handler=handlers.step_forward,
        args=handlers.Count,
    ),
    Command("step_back_10", "10 steps back", "Time", ("Shift+ArrowLeft",), "Look ten steps back"),
    Command("step_forward_10", "10 steps forward", "Time", ("Shift+ArrowRight",), "Look ten steps forward"),
    Command(
        "previous_event",
        "Previous event",
        "Time",
        ("Ctrl+ArrowLeft",),
        "Look at the event before the shown step",
        handler=handlers.previous_event,
    ),
    Command(
        "next_event", "Next event", "Time", ("Ctrl+ArrowRight",), "Look at the event after the shown step", handler=handlers.next_event
    ),
    Command("first_step", "Go to the start", "Time", ("Home",), "Look at the first step", handler=handlers.first_step),
    Command(
        "follow_live",
        "Follow live",
        "Time",
        ("End", "Alt+ArrowRight"),
        "Show what happens now",
        handler=handlers.follow_live,
        is_quick=True,
    ),
    Command("seek", "Go to step", "Time", (), "Look at a step of the live episode", handler=handlers.seek, args=handlers.AtStep),
    Command(
        "branch",
        "Branch here",
        "Time",
        ("b",),
        "New episode from the shown step; the old one stays",
        handler=handlers.branch,
        args=handlers.AtStep,
    ),
    Command("note", "Note", "Time", ("n",), "Write a note at this time", handler=handlers.note, args=handlers.Text),
    Command("rate", "Rate", "Time", (), "Success, failure or stars for this episode", handler=handlers.rate, args=handlers.Rating),
    Command("tool_select", "Select", "Draw", ("v",), "Select, move and reshape strokes"),
    Command("tool_arrow", "Arrow", "Draw", ("a",), "From a thing to its goal: drag"),
    Command("tool_path", "Path", "Draw", ("w",), "Arrow through way points: click each, Enter or double click ends"),
    Command("tool_circle", "Circle", "Draw", ("d",), "Pick, press, or the pivot of a turn: drag from the centre"),
    Command("tool_pen", "Pen", "Draw", ("p",), "Draw freehand; it is read as arrow, circle or path"),
    Command("tool_erase", "Erase", "Draw", ("e",), "Click or sweep over strokes"),
    Command("tool_sketch", "Sketch", "Draw", ("s",), "Back to the drawing tool used last"),
    Command("toggle_snap", "Snap pen strokes", "Draw", ("k",), "Replace freehand strokes by clean symbols"),
    Command("toggle_style", "Geometric / loose", "Draw", ("g",), "Clean or hand-drawn look of new strokes"),
    Command("undo", "Undo", "Draw", ("Ctrl+z",), "Take back the last change of the drawing", handler=handlers.undo),
    Command("redo", "Redo", "Draw", ("Ctrl+Shift+z", "Ctrl+y"), "Bring it back", handler=handlers.redo),
    Command("clear", "Clear the drawing", "Draw", (), "Remove all strokes; undo brings them back"),
    *(
        Command(f"colour_{i}", f"Step {i} colour", "Draw", (str(i),), f"New strokes are step {i}; a selected stroke becomes step {i}")
        for i in range(1, 9)
    ),
    Command(
        "commit_sketch", "Send a drawing", "Draw", (), "Take a sketch document", handler=handlers.commit_sketch, args=handlers.Document
    ),
    Command("edit_plan", "Send a plan", "Draw", (), "Take an edited plan document", handler=handlers.edit_plan, args=handlers.PlanDocument),
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
    Command("jog", "Move by hand", "Drive", (), "One control step by hand", handler=handlers.jog, args=handlers.Jog, is_quick=True),
    Command("next_camera", "Next camera", "View", ("ArrowDown",), "Show the next camera"),
    Command("previous_camera", "Previous camera", "View", ("ArrowUp",), "Show the previous camera"),
    Command("toggle_pip", "Picture in picture", "View", ("i",), "Show or hide a second camera"),
    Command("hide_overlays", "Hide overlays", "View", ("h",), "Hold to see the bare picture"),
    Command("toggle_intention", "Intention", "View", ("o",), "Show or hide what the policy is about to do"),
    Command("toggle_heat", "Target map", "View", (), "Show or hide where on the picture the policy sees its target"),
    Command(
        "show_intention",
        "Set what is shown of the intention",
        "View",
        (),
        "Show or hide what the policy is about to do",
        handler=handlers.show_intention,
        args=handlers.Shown,
        is_quick=True,
    ),
    Command("fit", "Fit the picture", "View", ("0",), "Undo zoom and pan; wheel zooms, middle button pans"),
    Command("palette", "Command palette", "View", ("Ctrl+k",), "Find and run any command"),
    Command("help", "Keys", "View", ("?", "Shift+?"), "Show all keys"),
    Command(
        "set_instruction",
        "Set instruction",
        "Tell",
        (),
        "Tell the policy something else, now",
        handler=handlers.set_instruction,
        args=handlers.Text,
    ),
    Command(
        "set_manner",
        "Set manner",
        "Tell",
        (),
        "Tell the policy to do the same slowly, quickly, carefully, high or low",
        handler=handlers.set_manner,
        args=handlers.Name,
    ),
    Command("set_policy", "Set policy", "Tell", (), "Let another policy drive", handler=handlers.set_policy, args=handlers.Name),
    Command("status", "Status", "Tell", (), "Return what is shown", handler=handlers.status),
    *TRAJECTORY_COMMANDS,
    *HUMAN_COMMANDS,
    *MASK_COMMANDS,
    *STEERING_COMMANDS,
    *ALARM_COMMANDS,
    *CANDIDATE_COMMANDS,
    *GOAL_COMMANDS,
)

COMMANDS: Final[Mapping[str, Command]] = {command.name: command for command in _TABLE}
"""Every command by name, in the order of the ``?`` sheet."""


def dispatch(session: LiveSession, name: str, args: Mapping[str, Any]) -> handlers.Result:
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


_WHERE: Final = {
    "selection": "stroke selected",
    "waypoint": "way point selected",
    "path": "with the path tool",
    "masking": "with the mask tool",
    "correcting": "while driving",
}


def key_document() -> str:
    """Return docs/keys.md: every command with its keys."""
    lines = [
        "# Commands and keys",
        "",
        "Made from the table in `panels/commands.py`; a test fails when the two differ, and when two commands share a key.",
        "No key acts in a text field, but HALT always does. `Escape` goes to what is open first: it closes a list or a dialog, or leaves a field,",
        "and the next one cancels, deselects or halts; twice within half a second halts at once, wherever the focus is.",
        "`S` is the drawing tool used last, `T` the path tool; `D` is the circle, `C` the hand, `Tab` takes over;",
        "arrows move a selected stroke or way point, else drive the arm while you are in control,",
        "else step through time (left, right) and cameras (up, down). `Tab` acts only while the picture has the focus; Shift+Tab leaves it.",
        "Each server command is also `POST /api/live/{tab_id}/command` and a message of the [protocol](protocol.md).",
        "A file `keys.json` in the root folder gives commands other keys: an object of command to list of keys, written as here, for",
        'example `{"toggle": ["p"], "halt": ["Shift+Escape", "F9"]}`; `[]` takes them away. The `?` sheet shows what holds.',
        "",
    ]
    for group in dict.fromkeys(c.group for c in _TABLE):
        lines += [f"## {group}", "", "| command | keys | what it does |", "| --- | --- | --- |"]
        for command in (c for c in _TABLE if c.group == group):
            keys = " or ".join(f"`{'Space' if key == ' ' else key}`" for key in command.keys)
            where = f" ({_WHERE[command.context]})" if command.context in _WHERE else ""
            lines.append(f"| `{command.name}` {command.title} | {keys}{where if keys else ''} | {command.tooltip} |")
        lines.append("")
    return "\n".join(lines)
