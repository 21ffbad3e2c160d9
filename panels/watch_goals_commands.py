"""Commands of the Sub-goals part of the Watch tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from panels.command import Command
from panels.command_handlers import NoArgs, Result

if TYPE_CHECKING:
    from panels.live import LiveSession

GROUP: Final = "Sub-goals"


class Told(NoArgs):
    """What to do, and who takes it apart: without an address the built-in grammar."""

    text: str = Field(min_length=1, max_length=4000)
    address: str = Field("", max_length=500)
    model: str = Field("", max_length=200)


class Place(NoArgs):
    """A sub-goal, counted from 0."""

    index: int = Field(ge=0, le=50)


class Words(Place):
    """Other words for a sub-goal."""

    text: str = Field(min_length=1, max_length=400)


class Move(Place):
    """Another place for a sub-goal."""

    to: int = Field(ge=0, le=50)


class Followed(NoArgs):
    """How plans are followed; what is left out stays."""

    is_switching: bool | None = None
    is_verifying: bool | None = None
    is_recovering: bool | None = None
    verify_every: int | None = Field(None, ge=1, le=200)
    max_attempts: int | None = Field(None, ge=1, le=10)


class Steps(NoArgs):
    """How many steps."""

    steps: int = Field(3, ge=1, le=3)


def plan(session: LiveSession, args: Told) -> Result:
    """Take an instruction apart."""
    return session.goals.plan(args.text, address=args.address.strip(), model=args.model.strip())


def run(session: LiveSession, _: NoArgs) -> Result:
    """Follow the plan."""
    return session.goals.run()


def stop(session: LiveSession, _: NoArgs) -> Result:
    """Follow it no more."""
    return session.goals.stop()


def edit(session: LiveSession, args: Words) -> Result:
    """Put other words in a sub-goal's place."""
    return session.goals.edit(args.index, args.text)


def move(session: LiveSession, args: Move) -> Result:
    """Put a sub-goal at another place."""
    return session.goals.move(args.index, args.to)


def skip(session: LiveSession, args: Place) -> Result:
    """Leave a sub-goal out."""
    return session.goals.skip(args.index)


def retry(session: LiveSession, args: Place) -> Result:
    """Let a sub-goal be done anew."""
    return session.goals.retry(args.index)


def set_followed(session: LiveSession, args: Followed) -> Result:
    """Change how plans are followed."""
    return session.goals.set(args.model_dump(exclude_none=True))


def scene(session: LiveSession, args: Steps) -> Result:
    """Begin an episode at a table with several things."""
    return session.goals.scene(args.steps)


def state(session: LiveSession, _: NoArgs) -> Result:
    """Return what the part shows."""
    return session.goals.state()


GOAL_COMMANDS: Final = (
    Command("goals_plan", "Plan sub-goals", GROUP, (), "Take an instruction of several steps apart", handler=plan, args=Told),
    Command("goals_run", "Run the sub-goals", GROUP, (), "One after the other, each looked at and tried again", handler=run),
    Command("goals_stop", "Stop the sub-goals", GROUP, (), "Follow the plan no more, and stand still", handler=stop),
    Command("goals_edit", "Edit a sub-goal", GROUP, (), "Other words for a sub-goal that is not over", handler=edit, args=Words),
    Command("goals_move", "Move a sub-goal", GROUP, (), "Do it earlier or later", handler=move, args=Move),
    Command("goals_skip", "Skip a sub-goal", GROUP, (), "Leave it out", handler=skip, args=Place),
    Command("goals_retry", "Try a sub-goal again", GROUP, (), "With all its attempts before it", handler=retry, args=Place),
    Command(
        "goals_set",
        "Set how plans are followed",
        GROUP,
        (),
        "Looks, attempts, recovery, and undoing when the instruction changes",
        handler=set_followed,
        args=Followed,
    ),
    Command("goals_scene", "Table with several things", GROUP, (), "A new episode with several things to do", handler=scene, args=Steps),
    Command("goals_state", "State of the sub-goals", GROUP, (), "Return what the Watch tab shows of sub-goals", handler=state),
)
"""Taken into the one table of :mod:`panels.commands`."""
