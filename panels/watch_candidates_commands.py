"""Commands of the Candidates part of the Watch tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from panels.command import Command
from panels.command_handlers import NoArgs, Result

if TYPE_CHECKING:
    from panels.live import LiveSession

GROUP: Final = "Candidates"


class Weighed(NoArgs):
    """Which candidates are weighed; what is left out stays."""

    when: Literal["never", "alarm", "always"] | None = None
    count: int | None = Field(None, ge=1, le=64)
    draw: Literal["policy", "gaussian"] | None = None
    num_initial: int | None = Field(None, ge=1, le=32)
    temperature: float | None = Field(None, ge=0.05, le=10.0)
    verifier: str | None = Field(None, min_length=1, max_length=100)
    beta: float | None = Field(None, ge=0.0, le=100.0)
    is_asking: bool | None = None


class Chunks(NoArgs):
    """How chunks are executed; what is left out stays, a horizon of 0 is the policy's own."""

    mode: Literal["receding", "open loop", "temporal", "adaptive"] | None = None
    horizon: int | None = Field(None, ge=0, le=64)
    num_kept: int | None = Field(None, ge=1, le=16)
    alpha: float | None = Field(None, ge=0.0, le=10.0)
    decay: float | None = Field(None, ge=0.0, le=10.0)


class Pick(NoArgs):
    """A candidate, counted from 0, which is the policy's own."""

    index: int = Field(ge=0, le=63)


def state(session: LiveSession, _: NoArgs) -> Result:
    """Return what the part shows."""
    return session.candidates.state()


def set_candidates(session: LiveSession, args: Weighed) -> Result:
    """Change which candidates are weighed."""
    return session.candidates.set_candidates(args.model_dump(exclude_none=True))


def set_chunks(session: LiveSession, args: Chunks) -> Result:
    """Change how chunks are executed."""
    changes = args.model_dump(exclude_none=True)
    if "horizon" in changes:
        changes["horizon"] = changes["horizon"] or None
    return session.candidates.set_chunks(changes)


def draw_now(session: LiveSession, _: NoArgs) -> Result:
    """Draw candidates for the next step."""
    if session.shown_step is not None:
        session.show_step(None)
    return session.candidates.draw_now()


def pick(session: LiveSession, args: Pick) -> Result:
    """Execute this candidate next."""
    return session.candidates.pick(args.index)


CANDIDATE_COMMANDS: Final = (
    Command("candidates_state", "State of the candidates", GROUP, (), "Return what the Watch tab shows of candidates", handler=state),
    Command(
        "candidates_set",
        "Weigh candidates",
        GROUP,
        (),
        "When several answers are weighed, how many, by what",
        handler=set_candidates,
        args=Weighed,
    ),
    Command("candidates_now", "Draw candidates now", GROUP, (), "Show what else the policy could do next", handler=draw_now),
    Command("candidates_pick", "Pick a candidate", GROUP, (), "Execute this answer instead of the policy's", handler=pick, args=Pick),
    Command("chunks_set", "Execute chunks", GROUP, (), "Whole chunks, parts of them, or ensembles", handler=set_chunks, args=Chunks),
)
"""Taken into the one table of :mod:`panels.commands`."""
