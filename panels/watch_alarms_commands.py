"""Commands of the alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from panels.command import Command
from panels.command_handlers import NoArgs, Result
from workbench.failure.alarms import AlarmAction

if TYPE_CHECKING:
    from panels.live import LiveSession

GROUP: Final = "Watch"


class Watching(NoArgs):
    """What changes; what is left out stays."""

    is_on: bool | None = None
    detector: Annotated[str, Field(max_length=100)] | None = None
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    action: Literal["note", "ask", "resample", "retreat"] | None = None


def set_watch(session: LiveSession, args: Watching) -> Result:
    """Say what watches the policy, and what follows an alarm."""
    changes = args.model_dump(exclude_none=True)
    if args.action is not None:
        changes["action"] = AlarmAction(args.action)
    session.alarms.set(**changes)
    return session.alarms.state()


def watch_state(session: LiveSession, _: NoArgs) -> Result:
    """Return what the alarms show."""
    return session.alarms.state()


ALARM_COMMANDS: Final = (
    Command(
        "set_watch", "Set the watch", GROUP, (), "What watches the policy, and what follows an alarm", handler=set_watch, args=Watching
    ),
    Command("watch_state", "State of the alarms", GROUP, (), "Return what they show", handler=watch_state),
)
"""Taken into the one table of :mod:`panels.commands`."""
