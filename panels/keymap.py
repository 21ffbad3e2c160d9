"""Keys of one's own: a file ``keys.json`` in the root folder gives commands other keys than the table of commands does.

The file is one JSON object, command to list of keys, for example ``{"toggle": ["p"], "halt": ["Shift+Escape", "F9"]}``. Keys are
written as in docs/keys.md; ``Space`` stands for the space bar; an empty list takes a command's keys away. What is not named keeps its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from panels.command import Command
from panels.commands import COMMANDS
from workbench.core.errors import InvalidInput, UnknownName

FILE_NAME: Final = "keys.json"
MODIFIERS: Final = ("Ctrl+", "Alt+", "Shift+")
RESERVED: Final = frozenset(
    {"F5", "F12", "Ctrl+r", "Ctrl+t", "Ctrl+w", "Ctrl+l", "Ctrl+c", "Ctrl+v", "Ctrl+x", "Ctrl+a", "Shift+Tab", "Alt+ArrowLeft"}
)
"""Keys of the browser that a person needs."""
MAX_KEYS: Final = 8
MAX_KEY_LENGTH: Final = 40

Keys = Mapping[str, tuple[str, ...]]
"""The keys of every command, by its name."""


def default_keys() -> Keys:
    """Return the keys of the table of commands."""
    return {name: command.keys for name, command in COMMANDS.items()}


def load_keys(root_dir: Path) -> Keys:
    """Return the keys of every command: those of the table, and in their place what ``keys.json`` says.

    Raises:
        InvalidInput: the file is not such an object, a key is not written as the page reports it, belongs to the browser, or is
            given to two commands of one context.
        UnknownName: no command of a name.
    """
    path = root_dir / FILE_NAME
    if not path.exists():
        return default_keys()
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(FILE_NAME, expected="a JSON object", found=str(error)[:80], fix=f"Mend or remove {path}.") from error
    if not isinstance(document, dict):
        raise InvalidInput(FILE_NAME, expected="a JSON object, command to list of keys", found=type(document).__name__)
    keys = {**default_keys(), **{name: _read_keys(name, value) for name, value in document.items()}}
    check_clashes(keys)
    return keys


def _read_keys(name: str, value: object) -> tuple[str, ...]:
    if name not in COMMANDS:
        raise UnknownName("command", name[:MAX_KEY_LENGTH], COMMANDS)
    if not isinstance(value, list) or len(value) > MAX_KEYS or not all(isinstance(key, str) for key in value):
        raise InvalidInput(f"{FILE_NAME}, {name}", expected=f"a list of at most {MAX_KEYS} keys", found=repr(value)[:MAX_KEY_LENGTH])
    keys = tuple(" " if key == "Space" else key for key in value)
    for key in keys:
        check_key(key, f"{FILE_NAME}, {name}")
    return keys


def check_key(key: str, where: str) -> None:
    """Refuse a key that the page would never report, or that belongs to the browser.

    Raises:
        InvalidInput: says how it is written.
    """
    rest = key
    for modifier in MODIFIERS:
        rest = rest.removeprefix(modifier)
    is_written_right = bool(rest) and len(key) <= MAX_KEY_LENGTH and not rest.startswith(MODIFIERS)
    if not is_written_right or (len(rest) == 1 and rest != rest.lower()):
        raise InvalidInput(
            where,
            expected="a key as the page reports it: Ctrl+, Alt+, Shift+ in this order, letters in lower case",
            found=repr(key)[:MAX_KEY_LENGTH],
            fix='For example "Ctrl+Shift+z", "F9", "Space".',
        )
    if key in RESERVED:
        raise InvalidInput(where, expected="a key that the browser does not need", found=key)


def check_clashes(keys: Keys) -> None:
    """Refuse a key that two commands of one context have.

    Raises:
        InvalidInput: names both.
    """
    owners: dict[tuple[str, str], str] = {}
    for name, own in keys.items():
        for key in own:
            other = owners.setdefault((COMMANDS[name].context, key), name)
            if other != name:
                shown = "Space" if key == " " else key
                raise InvalidInput(
                    FILE_NAME, expected="one command a key", found=f"{shown} for {other} and {name}", fix="Give one another key."
                )


def command_sheet(keys: Keys | None = None) -> list[dict[str, object]]:
    """Return the table as JSON for the page: buttons, keys, palette and ``?`` sheet are made from it."""
    keys = default_keys() if keys is None else keys
    return [_row(command, keys[name]) for name, command in COMMANDS.items()]


def _row(command: Command, keys: Sequence[str]) -> dict[str, object]:
    return {
        "name": command.name,
        "title": command.title,
        "group": command.group,
        "keys": list(keys),
        "is_own": tuple(keys) != command.keys,
        "tooltip": command.tooltip,
        "context": command.context,
        "is_server": command.handler is not None,
        "has_args": bool(command.args.model_fields),
    }
