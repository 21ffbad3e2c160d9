"""What a command is; :mod:`panels.commands` has the table of them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from panels import command_handlers as handlers

if TYPE_CHECKING:
    from panels.live import LiveSession


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
    handler: Callable[[LiveSession, Any], handlers.Result | None] | None = None
    """None: acts in the page only."""
    args: type[BaseModel] = handlers.NoArgs
    is_quick: bool = False
    """True when the handler only records intent, so that it may run before slower commands that were sent earlier."""
