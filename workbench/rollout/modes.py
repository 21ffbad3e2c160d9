"""The modes of a live rollout, and which command leads from which mode to which.

The rules follow LeRobot's human-in-the-loop strategy (AUTONOMOUS <-> PAUSED <-> CORRECTING, no frames while paused), with
these decisions of ours:

- A human may take over from AUTONOMOUS as well, and hand over again with ``resume``; ``hand_back`` alone leads to PAUSED.
- ``pause`` is possible whenever something moves, also while CORRECTING, and harmless while PAUSED.
- HALT works from everywhere. With no episode there is nothing to halt, so IDLE stays IDLE.
- HALTED is left by ``release_halt`` (to PAUSED, never straight to motion), by ending the episode, or by a new one.
- A command that the table does not have raises :class:`workbench.core.errors.WrongMode` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from workbench.core.errors import WrongMode


class RolloutMode(StrEnum):
    """What a live rollout is doing."""

    IDLE = "idle"
    """No episode."""
    AUTONOMOUS = "autonomous"
    """The policy acts."""
    PAUSED = "paused"
    """The world stands still; nothing is recorded."""
    CORRECTING = "correcting"
    """A human acts."""
    HALTED = "halted"
    """Stopped by HALT; the world stands still until the halt is released."""


class Command(StrEnum):
    """Everything that can be asked of a live rollout."""

    START = "start"
    RESET = "reset"
    BRANCH = "branch"
    PAUSE = "pause"
    RESUME = "resume"
    TOGGLE = "toggle"
    STEP_ONCE = "step once"
    SET_SPEED = "set the speed"
    HALT = "halt"
    RELEASE_HALT = "release the halt"
    TAKE_OVER = "take over"
    HAND_BACK = "hand back"
    JOG = "jog"
    SET_POLICY = "set the policy"
    SET_PROMPT = "set the prompt"
    SET_STEERING = "steer"
    RUN_PLAN = "run a plan"
    RECORD = "record an event"
    END = "end the episode"
    CALL = "call"


_IDLE, _AUTONOMOUS, _PAUSED, _CORRECTING, _HALTED = RolloutMode
_ALL: Final = tuple(RolloutMode)
_WITH_EPISODE: Final = (_AUTONOMOUS, _PAUSED, _CORRECTING, _HALTED)


def _all_to(target: RolloutMode, modes: tuple[RolloutMode, ...] = _ALL) -> dict[RolloutMode, RolloutMode]:
    return dict.fromkeys(modes, target)


def _stay(modes: tuple[RolloutMode, ...]) -> dict[RolloutMode, RolloutMode]:
    return {mode: mode for mode in modes}


TRANSITIONS: Final[Mapping[Command, Mapping[RolloutMode, RolloutMode]]] = MappingProxyType(
    {
        Command.START: _all_to(_PAUSED),
        Command.RESET: _all_to(_PAUSED),
        Command.BRANCH: _all_to(_PAUSED),
        Command.PAUSE: _all_to(_PAUSED, (_AUTONOMOUS, _PAUSED, _CORRECTING)),
        Command.RESUME: _all_to(_AUTONOMOUS, (_AUTONOMOUS, _PAUSED, _CORRECTING)),
        Command.TOGGLE: {_AUTONOMOUS: _PAUSED, _PAUSED: _AUTONOMOUS, _CORRECTING: _PAUSED},
        Command.STEP_ONCE: _stay((_PAUSED,)),
        Command.SET_SPEED: _stay(_ALL),
        Command.HALT: {_IDLE: _IDLE, **_all_to(_HALTED, _WITH_EPISODE)},
        Command.RELEASE_HALT: {_HALTED: _PAUSED},
        Command.TAKE_OVER: _all_to(_CORRECTING, (_AUTONOMOUS, _PAUSED)),
        Command.HAND_BACK: {_CORRECTING: _PAUSED},
        Command.JOG: _stay((_CORRECTING,)),
        Command.SET_POLICY: _stay(_WITH_EPISODE),
        Command.SET_PROMPT: _stay(_WITH_EPISODE),
        Command.SET_STEERING: _stay(_WITH_EPISODE),
        Command.RUN_PLAN: _all_to(_AUTONOMOUS, (_AUTONOMOUS, _PAUSED, _CORRECTING)),
        Command.RECORD: _stay(_WITH_EPISODE),
        Command.END: _all_to(_IDLE, _WITH_EPISODE),
        Command.CALL: _stay(_ALL),
    }
)
"""Command -> present mode -> next mode; a pair that is missing is not allowed."""

STEERING_COMMANDS: Final = frozenset(
    {
        Command.START,
        Command.RESET,
        Command.BRANCH,
        Command.PAUSE,
        Command.RESUME,
        Command.TOGGLE,
        Command.STEP_ONCE,
        Command.HALT,
        Command.RELEASE_HALT,
        Command.TAKE_OVER,
        Command.HAND_BACK,
        Command.RUN_PLAN,
        Command.END,
    }
)
"""Commands that say what shall happen next, so that an older wish of the policy (to stop) is void."""


def next_mode(mode: RolloutMode, command: Command) -> RolloutMode:
    """Return the mode after a command.

    Raises:
        WrongMode: the command is not allowed in that mode; the message lists the modes in which it is.
    """
    allowed = TRANSITIONS[command]
    if mode not in allowed:
        raise WrongMode(command.value, mode=mode.value, allowed=[m.value for m in allowed])
    return allowed[mode]
