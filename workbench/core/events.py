"""Events: everything that a hand, the policy or the system does, on one append-only timeline."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened."""

    START = "start"
    INSTRUCTION = "instruction"
    SKETCH = "sketch"
    PLAN = "plan"
    PLAN_STEP = "plan_step"
    MASK = "mask"
    OBJECT = "object"
    """An object was masked, corrected, seen badly, lost or removed."""
    TRACE = "trace"
    PATH = "path"
    STEERING = "steering"
    POLICY = "policy"
    PAUSE = "pause"
    RESUME = "resume"
    STEP = "step"
    SPEED = "speed"
    TAKEOVER = "takeover"
    HANDBACK = "handback"
    INTERVENTION = "intervention"
    """What a person says of a correction: its reason, or that another part of it begins."""
    DISCARD = "discard"
    """A fumbled correction was thrown away."""
    KEEP = "keep"
    """A person keeps what has just happened."""
    SAY = "say"
    """A person said something, and was answered."""
    CONFIRM = "confirm"
    """The robot asks before it acts, or was answered."""
    PROCEDURE = "procedure"
    """A standard operating procedure begins, or a step of it is ticked."""
    SUBGOAL = "subgoal"
    """A sub-goal begins, is done, failed, or is given up."""
    SWITCH = "switch"
    """Who leads the hand after the instruction has changed: undo first, go to a start, or the policy."""
    CANDIDATE = "candidate"
    """Several answers of the policy were weighed, and one was chosen."""
    HALT = "halt"
    RESET = "reset"
    ALARM = "alarm"
    PERTURBATION = "perturbation"
    RATING = "rating"
    NOTE = "note"
    BRANCH = "branch"
    SUCCESS = "success"
    ERROR = "error"
    END = "end"


class Outcome(StrEnum):
    """How an episode ended."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    ERROR = "error"


def new_id() -> str:
    """Return a new id that sorts by time of creation (12 hex digits of milliseconds, 20 random)."""
    return f"{int(time.time() * 1000):012x}{uuid.uuid4().hex[:20]}"


@dataclass(frozen=True, eq=False)
class Event:
    """One entry of the timeline."""

    kind: EventKind
    step: int
    """Control step before which it happened."""
    time_s: float
    """Simulated time [s]."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """JSON values."""
    actor: str = "human"
    """``human``, ``policy`` or ``system``."""
    wall_time: float = field(default_factory=time.time)
    id: str = field(default_factory=new_id)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able dictionary."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "step": self.step,
            "time_s": self.time_s,
            "actor": self.actor,
            "wall_time": self.wall_time,
            "payload": dict(self.payload),
        }


@dataclass(frozen=True, eq=False)
class EpisodeStart:
    """The head of an episode, told to every observer before its first step."""

    episode_id: str
    session_id: str
    config: Mapping[str, Any]
    """:meth:`workbench.core.types.EpisodeConfig.to_dict`."""
    instruction: str
    policy: str
    parent_id: str | None = None
    """Episode that this one branches from."""
    branch_step: int | None = None
    """Step of the parent whose state this episode starts from."""
    start_state: bytes | None = None
    """Branches only: :meth:`workbench.core.types.SimState.to_bytes` of the start."""
    wall_time: float = field(default_factory=time.time)


@dataclass(frozen=True, eq=False)
class EpisodeEnd:
    """The tail of an episode."""

    episode_id: str
    outcome: Outcome
    num_steps: int
    time_s: float
    final_state: bytes | None = None
    """State after the last step."""
    wall_time: float = field(default_factory=time.time)
