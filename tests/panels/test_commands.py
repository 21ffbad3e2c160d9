import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.command_handlers import SPEEDS
from panels.commands import COMMANDS, Command, dispatch, key_document
from panels.keymap import check_clashes, check_key, command_sheet, default_keys
from tests.panels.fake_live import document, make_session
from workbench.core.errors import InvalidInput, UnknownName, WorkbenchError, WrongMode
from workbench.core.events import EventKind

ROOT = Path(__file__).parents[2]
STAGE_JS = "\n".join(p.read_text() for p in (ROOT / "panels/assets/stage").glob("*.js"))


def test_the_keys_of_the_table_follow_their_own_rules():
    """Written as the page reports them, none of the browser's, none twice in a context."""
    for command in COMMANDS.values():
        for key in command.keys:
            check_key(key, command.name)
    check_clashes(default_keys())


def test_every_command_says_what_it_does():
    for command in COMMANDS.values():
        assert command.title and command.tooltip and not command.tooltip.endswith("."), command.name
        assert re.fullmatch(r"[a-z][a-z_0-9]*", command.name)


@pytest.mark.parametrize("command", [c for c in COMMANDS.values() if c.handler is None], ids=lambda c: c.name)
def test_every_command_of_the_page_is_known_to_the_page(command: Command):
    prefix = next((p for p in ("tool_", "colour_", "jog_") if command.name.startswith(p)), None)
    assert f'"{prefix}"' in STAGE_JS if prefix else re.search(rf'\b{command.name}\b["\']?( ===|:)|"{command.name}"', STAGE_JS), command.name


def test_every_command_that_the_page_names_is_in_the_table():
    named = set(re.findall(r'(?:this\.run|run|this\.button)\("([a-z_0-9]+)"', STAGE_JS)) - {"show_camera", "jog_keys"}
    assert named and named <= set(COMMANDS)


def test_the_key_document_is_up_to_date():
    assert (ROOT / "docs/keys.md").read_text() == key_document()


def test_the_sheet_is_json_of_every_command():
    sheet = command_sheet()
    assert [c["name"] for c in sheet] == list(COMMANDS)
    assert all(isinstance(c["keys"], list) for c in sheet)


def test_unknown_commands_are_refused_with_the_known_names():
    with pytest.raises(UnknownName, match="'halt'"):
        dispatch(make_session(), "hald", {})


def test_commands_of_the_page_do_not_run_on_the_server():
    with pytest.raises(UnknownName):
        dispatch(make_session(), "tool_arrow", {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=8,
)
ARGUMENTS = ["n", "speed", "offset", "step", "text", "name", "document", "action", "is_success", "stars", "snap"]


@given(name=st.sampled_from(sorted(COMMANDS)), args=st.dictionaries(st.sampled_from(ARGUMENTS) | st.text(max_size=5), JSON, max_size=3))
def test_no_arguments_cause_anything_but_a_message(name, args):
    session = make_session()
    try:
        dispatch(session, name, args)
    except WorkbenchError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("jog", {"action": [0.0] * 6}),
        ("jog", {"action": [math.nan] + [0.0] * 6}),
        ("jog", {"action": [5.0] + [0.0] * 6}),
        ("set_speed", {"speed": 100}),
        ("set_speed", {"speed": "fast"}),
        ("step_once", {"n": 0}),
        ("halt", {"force": True}),
        ("note", {"text": "   "}),
        ("note", {}),
        ("rate", {}),
        ("rate", {"stars": 6}),
        ("seek", {"step": -1}),
        ("commit_sketch", {"document": [1]}),
    ],
)
def test_bad_arguments_are_refused_by_name(name, args):
    with pytest.raises(InvalidInput, match=name.split("_")[0]):
        dispatch(make_session(), name, args)


def test_speed_ladder_goes_up_and_down_and_stops_at_its_ends():
    session = make_session()
    for _ in range(9):
        dispatch(session, "change_speed", {"offset": 1})
    assert session.controller.speed == math.inf
    seen = []
    for _ in range(9):
        dispatch(session, "change_speed", {"offset": -1})
        seen.append(session.controller.speed)
    assert tuple(seen[:6]) == SPEEDS[-2::-1]
    assert seen[-1] == SPEEDS[0]


def test_toggle_never_leads_from_halted_straight_to_motion():
    session = make_session()
    dispatch(session, "halt", {})
    dispatch(session, "toggle", {})
    assert session.controller.mode == "paused"
    dispatch(session, "toggle", {})
    assert session.controller.mode == "autonomous"


def test_toggle_while_looking_back_follows_live_first():
    session = make_session()
    dispatch(session, "seek", {"step": 3})
    dispatch(session, "toggle", {})
    assert session.shown_step is None
    assert session.controller.mode == "autonomous"


def test_correct_takes_over_and_hands_back():
    session = make_session()
    dispatch(session, "correct", {})
    assert session.controller.mode == "correcting"
    dispatch(session, "correct", {})
    assert session.controller.mode == "paused"


def test_stepping_back_and_forth_ends_live():
    session = make_session(num_steps=5)
    assert dispatch(session, "step_back", {}) == {"shown_step": 4}
    assert dispatch(session, "step_back", {"n": 10}) == {"shown_step": 0}
    assert dispatch(session, "step_forward", {"n": 3}) == {"shown_step": 3}
    assert dispatch(session, "step_forward", {"n": 3}) == {"shown_step": None}


def test_stepping_forward_at_the_live_end_advances_a_paused_rollout_only():
    session = make_session()
    dispatch(session, "step_forward", {})
    assert session.controller.names()[-1] == "step_once"
    dispatch(session, "toggle", {})
    with pytest.raises(WrongMode):
        dispatch(session, "step_forward", {})


def test_events_are_jumped_to_in_both_directions():
    session = make_session(num_steps=30)
    session.controller.event_steps = [0, 4, 4, 20]
    seen = [dispatch(session, "previous_event", {})["shown_step"] for _ in range(4)]
    assert seen == [20, 4, 0, 0]
    seen = [dispatch(session, "next_event", {})["shown_step"] for _ in range(3)]
    assert seen == [4, 20, None]


def test_notes_and_ratings_become_events():
    session = make_session()
    dispatch(session, "note", {"text": " slipped "})
    dispatch(session, "rate", {"stars": 4})
    records = [args for name, args in session.controller.calls if name == "record"]
    assert records[0] == (EventKind.NOTE, {"text": "slipped", "shown_step": None})
    assert records[1] == (EventKind.RATING, {"stars": 4})


def test_commit_returns_what_was_read():
    session = make_session()
    result = dispatch(session, "commit_sketch", {"document": document()})
    assert result["plan"] is None and result["sketch"]["strokes"] == []
