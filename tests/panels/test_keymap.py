import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.commands import COMMANDS
from panels.keymap import FILE_NAME, check_clashes, command_sheet, default_keys, load_keys
from workbench.core.errors import InvalidInput, UnknownName, WorkbenchError


def written(folder, document):
    (folder / FILE_NAME).write_text(document if isinstance(document, str) else json.dumps(document))
    return folder


def test_without_a_file_the_table_holds(tmp_path):
    assert load_keys(tmp_path) == default_keys() == {name: command.keys for name, command in COMMANDS.items()}


def test_a_file_gives_some_commands_other_keys_and_leaves_the_rest(tmp_path):
    keys = load_keys(written(tmp_path, {"reset": ["F8"], "toggle": ["Space", "Ctrl+Alt+p"], "fit": []}))
    assert (keys["reset"], keys["toggle"], keys["fit"]) == (("F8",), (" ", "Ctrl+Alt+p"), ())
    assert {n: k for n, k in keys.items() if n not in ("reset", "toggle", "fit")} == {
        n: k for n, k in default_keys().items() if n not in ("reset", "toggle", "fit")
    }
    sheet = {row["name"]: row for row in command_sheet(keys)}
    assert sheet["reset"]["keys"] == ["F8"] and sheet["reset"]["is_own"] and not sheet["halt"]["is_own"]


def test_two_commands_may_swap_their_keys(tmp_path):
    reset, correct = COMMANDS["reset"].keys, COMMANDS["correct"].keys
    keys = load_keys(written(tmp_path, {"reset": list(correct), "correct": list(reset)}))
    assert (keys["reset"], keys["correct"]) == (correct, reset)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("not json", "JSON"),
        ([1], "object"),
        ({"reset": "r"}, "list"),
        ({"reset": ["R"]}, "lower case"),
        ({"reset": ["Shift+Ctrl+z"]}, "in this order"),
        ({"reset": [""]}, "as the page reports it"),
        ({"reset": ["Ctrl+w"]}, "browser"),
        ({"reset": [" "]}, "Space for toggle and reset"),
    ],
)
def test_what_cannot_be_a_key_is_refused_in_words(tmp_path, document, says):
    with pytest.raises(InvalidInput, match=says):
        load_keys(written(tmp_path, document))


def test_an_unknown_command_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UnknownName, match="halt"):
        load_keys(written(tmp_path, {"hald": ["F9"]}))


@given(
    document=st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(list(COMMANDS)) | st.text(), x)
    )
)
def test_any_file_is_read_or_refused(tmp_path_factory, document):
    try:
        keys = load_keys(written(tmp_path_factory.mktemp("root"), document))
    except WorkbenchError:
        return
    check_clashes(keys)
    assert set(keys) == set(COMMANDS)
