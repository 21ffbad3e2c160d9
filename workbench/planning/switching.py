"""What to do when the instruction changes while the robot acts: go on, undo first, or go to where the new task starts.

Source: SwitchVLA (arXiv:2506.03574), whose network predicts the mode from contact and both instructions, and is trained with demonstrations
played backwards. Here nothing is trained: contact is measured, the way back is what was driven, played backwards until nothing is touched.
One difference of ours: what is held is kept when the new instruction is about that very thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Mode(StrEnum):
    """Who leads the hand, and where."""

    FORWARD = "forward"
    """The policy does what it is told."""
    ROLLBACK = "rollback"
    """Undo: back along what was driven, until nothing is touched."""
    ADVANCE = "advance"
    """To where a new task starts."""
    RECOVERY = "recovery"
    """Away from a failed attempt, before the next one."""


MODE_CODES: Final[Mapping[Mode, float]] = MappingProxyType({mode: float(index) for index, mode in enumerate(Mode)})
"""As the score ``mode`` of each step."""


@dataclass(frozen=True)
class Contact:
    """What the hand is in touch with."""

    is_touching: bool = False
    """Whether the gripper touches a thing."""
    held: str = ""
    """Name of the thing between the fingers; empty when there is none, or nobody knows its name."""
    is_lifted: bool = False
    """Whether what is held has left its place, and would fall."""


def mode_after_change(contact: Contact, *, is_same: bool, acts_on: str = "") -> Mode:
    """Return the mode after the instruction has changed.

    Args:
        contact: of now.
        is_same: whether both instructions ask for the same, perhaps in another manner.
        acts_on: name of the thing that the new instruction moves; empty when that is not known.
    """
    if is_same:
        return Mode.FORWARD
    if contact.is_touching:
        return Mode.FORWARD if contact.held and contact.held == acts_on else Mode.ROLLBACK
    return Mode.ADVANCE


def mode_after_done(contact: Contact, *, acts_on: str = "") -> Mode:
    """Return the mode after a sub-goal is done and the next one begins: what was done is not undone, but what is held is not dropped either."""
    if contact.held and contact.held == acts_on:
        return Mode.FORWARD
    return Mode.ROLLBACK if contact.is_lifted else Mode.ADVANCE
