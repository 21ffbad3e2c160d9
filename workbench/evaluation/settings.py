"""How a policy's chunks are executed in a trial, and when it ends, written as parts joined by commas: ``horizon=4``, ``held``, ``decoding=token``.

``until=done`` lets a trial go on until the policy says that it is done; ``limit=5`` ends it after five seconds at the latest; ``watch=actions`` measures which
things take part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from workbench.core.errors import InvalidInput, UnknownName

PARALLEL: Final = "parallel"
BY_TOKEN: Final = "token"
_DECODINGS: Final = (PARALLEL, BY_TOKEN)
DONE: Final = "done"
ACTIONS: Final = "actions"
_PARTS: Final = ("horizon", "held", "decoding", "until", "limit", "watch")
MAX_HORIZON: Final = 1000


@dataclass(frozen=True)
class Setting:
    """How chunks are made and executed."""

    horizon: int | None = None
    """Actions of each chunk that are executed before the policy is asked again; None for what it asks for."""
    is_held: bool = False
    """Execute the first action of each chunk again and again instead of the chunk: what a policy without chunks would do."""
    decoding: str = ""
    """``parallel`` or ``token``; empty for the policy's own."""
    is_until_done: bool = False
    """Whether it ends when the policy says that it is done, solved or not, instead of when the task is first solved."""
    limit_s: float | None = None
    """Longest time [s]; None for the task's own limit, which holds in any case."""
    watched: str = ""
    """What is measured besides: ``actions``, see :mod:`workbench.evaluation.action_meter`."""


def parse_setting(text: str) -> Setting:
    """Read a setting; an empty text changes nothing.

    Raises:
        UnknownName: a part is not known.
        InvalidInput: its value is not of its form.
    """
    parts = dict(part.strip().partition("=")[::2] for part in text.split(",") if part.strip())
    for name in parts:
        if name not in _PARTS:
            raise UnknownName("setting", name, _PARTS)
    horizon = parts.get("horizon")
    if horizon is not None and not (horizon.isascii() and horizon.isdigit() and 1 <= int(horizon) <= MAX_HORIZON):
        raise InvalidInput("setting horizon", expected=f"a whole number from 1 to {MAX_HORIZON}", found=repr(horizon))
    if parts.get("held"):
        raise InvalidInput("setting held", expected="no value", found=repr(parts["held"]))
    decoding = parts.get("decoding", "")
    if "decoding" in parts and decoding not in _DECODINGS:
        raise UnknownName("decoding", decoding, _DECODINGS)
    if "until" in parts and parts["until"] != DONE:
        raise UnknownName("setting until", parts["until"], (DONE,))
    if "watch" in parts and parts["watch"] != ACTIONS:
        raise UnknownName("setting watch", parts["watch"], (ACTIONS,))
    steps, watched = int(horizon) if horizon is not None else None, parts.get("watch", "")
    return Setting(steps, "held" in parts, decoding, "until" in parts, _seconds(parts.get("limit")), watched)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) <= 0:
        raise InvalidInput("setting limit", expected="a positive number of seconds", found=repr(text))
    return float(text)
