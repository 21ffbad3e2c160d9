"""A recorded episode that a policy can learn from, and what each of its steps is to the learner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_DIM, Actor, EpisodeConfig, SimState

BEFORE_STEPS: Final = 15
"""How many of the policy's steps before an intervention count as what led to it (Source: Sirius, arXiv:2211.08416, its released settings)."""
DISCARDED: Final = "discarded"
RECOVERY: Final = "recovery"
"""Kinds of segments that are treated apart, as :class:`workbench.intervention.segments.SegmentKind` writes them."""
IDLE_MOVE: Final = 2e-4
IDLE_TURN: Final = 2e-3
"""A step that moves less [m] and turns less [rad] than this moves nothing."""
FINGERS_STEPS: Final = 10
"""How long the fingers take [steps]: whoever waits for them does something."""
"""Kinds of segments that are treated apart, as :class:`workbench.intervention.segments.SegmentKind` writes them."""


class Mode(IntEnum):
    """What a step is to the learner; the numbers are those that datasets with interventions commonly use."""

    DEMONSTRATION = -1
    POLICY = 0
    """The policy acted, and nobody minded."""
    HUMAN = 1
    BEFORE = -10
    """The policy acted, and soon after a person had to take over."""
    LEFT_OUT = -100
    """Nobody should learn from it: a discarded correction, or nobody acted."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """One recorded episode as plain data; the rows of all fields are its steps."""

    episode_id: str
    config: EpisodeConfig
    driver: str
    """Name of the policy that drove beside the person."""
    is_success: bool
    """Whether the episode ended with its task solved."""
    states: tuple[SimState, ...]
    """Before each step."""
    actions: NDArray[np.float32]
    """``(N, 7)`` as executed."""
    actors: tuple[Actor, ...]
    kinds: tuple[str, ...]
    """Kind of the segment that each step belongs to."""
    texts: tuple[str, ...]
    """The words that were in force at each step."""
    is_solved: NDArray[np.bool_]
    """``(N,)``: whether the task was solved after each step."""

    def __post_init__(self) -> None:
        lengths = [len(f) for f in (self.actions, self.states, self.actors, self.kinds, self.texts, self.is_solved)]
        if len(set(lengths)) != 1 or self.actions.shape != (lengths[0], ACTION_DIM):
            expected = "one state, action (7 numbers), actor, kind, text and outcome a step"
            raise InvalidInput("lesson", expected=expected, found=f"{lengths}, actions {self.actions.shape}")

    def modes(self, *, has_recovery: bool = True) -> NDArray[np.int64]:
        """Return ``(N,)``: see :func:`modes_of_steps`; steps in which the person only waited, and those after the end, are left out."""
        modes = modes_of_steps(self.actors, self.kinds, has_recovery=has_recovery)
        is_over = np.concatenate([[False], np.logical_and.accumulate(self.is_solved[::-1])[::-1][:-1]])
        modes[is_over[: len(modes)] | ((modes == Mode.HUMAN) & idle_steps(self.actions))] = Mode.LEFT_OUT
        return modes


def modes_of_steps(
    actors: Sequence[Actor], kinds: Sequence[str], *, before: int = BEFORE_STEPS, has_recovery: bool = True
) -> NDArray[np.int64]:
    """Return the :class:`Mode` of each step of an episode, ``(N,)``.

    The steps before an intervention are found by walking back from where it began, over steps of the policy alone: at most ``before``,
    never into an intervention before it, never beyond the start. A discarded intervention counts as one here: the policy had gone wrong.

    Args:
        actors: who acted in each step.
        kinds: the segment's kind of each step.
        before: length of the window before an intervention [steps].
        has_recovery: whether the parts in which a person only brought the robot back are learnt as well.
    """
    if len(actors) != len(kinds):
        raise InvalidInput("steps of an episode", expected="as many actors as kinds", found=f"{len(actors)} and {len(kinds)}")
    modes = np.full(len(actors), Mode.LEFT_OUT, dtype=np.int64)
    for step, (actor, kind) in enumerate(zip(actors, kinds, strict=True)):
        if actor is Actor.POLICY:
            modes[step] = Mode.POLICY
        elif actor is Actor.HUMAN and kind != DISCARDED and (has_recovery or kind != RECOVERY):
            modes[step] = Mode.HUMAN
    for start in starts_of_interventions(actors):
        for step in range(start - 1, max(-1, start - 1 - before), -1):
            if actors[step] is not Actor.POLICY:
                break
            modes[step] = Mode.BEFORE
    return modes


def starts_of_interventions(actors: Sequence[Actor]) -> list[int]:
    """Return the steps at which a person began to act."""
    return [i for i, actor in enumerate(actors) if actor is Actor.HUMAN and (i == 0 or actors[i - 1] is not Actor.HUMAN)]


def idle_steps(actions: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return ``(N,)``: whether a step ``(7,)`` moves nothing, and no change of the gripper's command was near enough to wait for.

    A person who has taken over and thinks, or lets the keys go, shows nobody what to do.
    """
    is_still = (np.linalg.norm(actions[:, :3], axis=1) < IDLE_MOVE) & (np.linalg.norm(actions[:, 3:6], axis=1) < IDLE_TURN)
    is_changed = np.abs(np.diff(actions[:, 6], prepend=actions[:1, 6])) > 0.05
    since = np.full(len(actions), FINGERS_STEPS)
    for step in range(len(actions)):
        since[step] = 0 if is_changed[step] else min(FINGERS_STEPS, since[step - 1] + 1 if step else FINGERS_STEPS)
    idle: NDArray[np.bool_] = is_still & (since >= FINGERS_STEPS)
    return idle
