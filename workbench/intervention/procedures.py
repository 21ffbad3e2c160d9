"""Standard operating procedures: a short list of steps that a person writes, and that a rollout follows and ticks off.

Source of the idea: MobileAgent (arXiv:2401.04124), where such a list is added to what the model is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from workbench.core.errors import InvalidInput

MAX_STEPS: Final = 30
MAX_LETTERS: Final = 200
_BULLET: Final = re.compile(r"^\s*(?:\d+\s*[.):]|[-*•]|\[( |x|X)\])\s*")


@dataclass(frozen=True)
class ProcedureStep:
    """One line."""

    text: str
    is_done: bool = False
    by: str = ""
    """Who ticked it: ``goal`` (the task's own measure), ``policy`` (it said that it is finished), ``human``."""
    at_step: int | None = None
    """Control step at which it was ticked."""


@dataclass(frozen=True)
class Procedure:
    """The list and how far it has come."""

    steps: tuple[ProcedureStep, ...] = ()
    is_running: bool = False

    @property
    def current(self) -> int | None:
        """The first step that is not done, or None."""
        return next((i for i, step in enumerate(self.steps) if not step.is_done), None)

    def ticked(self, index: int, *, by: str, at_step: int) -> Procedure:
        """Return it with a step done; with all done it runs no more.

        Raises:
            InvalidInput: there is no such step.
        """
        self._check(index)
        steps = tuple(replace(s, is_done=True, by=by, at_step=at_step) if i == index else s for i, s in enumerate(self.steps))
        found = replace(self, steps=steps)
        return replace(found, is_running=found.is_running and found.current is not None)

    def unticked(self, index: int) -> Procedure:
        """Return it with a step to be done again; errors as :meth:`ticked`."""
        self._check(index)
        steps = tuple(ProcedureStep(s.text) if i == index else s for i, s in enumerate(self.steps))
        return replace(self, steps=steps)

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self.steps):
            raise InvalidInput("step of the procedure", expected=f"0 to {len(self.steps) - 1}", found=str(index))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        steps: list[Mapping[str, Any]] = [{"text": s.text, "is_done": s.is_done, "by": s.by, "at_step": s.at_step} for s in self.steps]
        return {"steps": steps, "current": self.current, "is_running": self.is_running}


def parse_procedure(text: str) -> Procedure:
    """Read a procedure, one step a line; numbers, dashes and boxes in front of a line are left out, empty lines as well.

    Raises:
        InvalidInput: there are no steps, too many, or one is too long.
    """
    lines = [_BULLET.sub("", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise InvalidInput("procedure", expected="one step a line", found="nothing", fix="Write, for example: pick up the red cube")
    if len(lines) > MAX_STEPS:
        raise InvalidInput("procedure", expected=f"at most {MAX_STEPS} steps", found=str(len(lines)))
    longest = max(lines, key=len)
    if len(longest) > MAX_LETTERS:
        raise InvalidInput("procedure", expected=f"steps of at most {MAX_LETTERS} letters", found=f"{len(longest)} letters")
    return Procedure(tuple(ProcedureStep(line) for line in lines))
