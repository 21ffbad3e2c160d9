"""Sub-goals: what an instruction is made of, how far each has come, and what a person may change about them.

Sources: Agentic Robot (arXiv:2505.23450), whose planner gives 2 to 5 sub-goals that a verifier watches, and Robot Utility Models
(arXiv:2409.05865), which try again from a new start when an attempt was judged a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from workbench.core.errors import InvalidInput

MAX_GOALS: Final = 12
MAX_LETTERS: Final = 400


class GoalState(StrEnum):
    """How far a sub-goal has come."""

    WAITING = "waiting"
    NOW = "now"
    DONE = "done"
    FAILED = "failed"
    """Given up; the person said so, or nobody could be asked."""
    ASKED = "asked"
    """Failed as often as allowed: the person decides."""
    SKIPPED = "skipped"


OPEN: Final = frozenset({GoalState.WAITING, GoalState.NOW, GoalState.ASKED})
"""States of a sub-goal that is still to be done."""


@dataclass(frozen=True)
class SubGoal:
    """One thing to do."""

    text: str
    """As the person, or the planner, put it."""
    instruction: str
    """As the policy is told it."""
    state: GoalState = GoalState.WAITING
    attempts: int = 0
    """Attempts that were begun."""
    note: str = ""
    """What went wrong last, or who says that it is done."""
    at_step: int | None = None
    """Control step at which it came into its state."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**vars(self), "state": self.state.value}


@dataclass(frozen=True)
class GoalPlan:
    """Sub-goals in their order. Every change returns another plan; what is over cannot be moved or edited."""

    goals: tuple[SubGoal, ...] = ()
    is_running: bool = False

    @property
    def current(self) -> int | None:
        """The first sub-goal that is still to be done, or None."""
        return next((i for i, goal in enumerate(self.goals) if goal.state in OPEN), None)

    @property
    def is_fulfilled(self) -> bool:
        """Whether there are sub-goals, and every one is done or was skipped."""
        return bool(self.goals) and all(g.state in (GoalState.DONE, GoalState.SKIPPED) for g in self.goals)

    def begun(self, index: int, *, at_step: int) -> GoalPlan:
        """Return the plan with another attempt at a sub-goal."""
        goal = self._goal(index)
        return self._with(index, state=GoalState.NOW, attempts=goal.attempts + 1, at_step=at_step)

    def marked(self, index: int, state: GoalState, *, note: str = "", at_step: int | None = None) -> GoalPlan:
        """Return the plan with a sub-goal in another state; a plan without open sub-goals runs no more.

        Raises:
            InvalidInput: there is no such sub-goal.
        """
        self._goal(index)
        found = self._with(index, state=state, note=note, at_step=at_step)
        return replace(found, is_running=found.is_running and found.current is not None)

    def noted(self, index: int, note: str) -> GoalPlan:
        """Return the plan with a remark on a sub-goal."""
        return self._with(index, note=note)

    def retried(self, index: int) -> GoalPlan:
        """Return the plan with a sub-goal to be done anew, all its attempts before it."""
        self._goal(index)
        return self._with(index, state=GoalState.WAITING, attempts=0, note="", at_step=None)

    def renewed(self) -> GoalPlan:
        """Return the plan before anything of it was begun."""
        return GoalPlan(tuple(SubGoal(goal.text, goal.instruction) for goal in self.goals))

    def edited(self, index: int, text: str, instruction: str) -> GoalPlan:
        """Return the plan with other words for a sub-goal that is not over.

        Raises:
            InvalidInput: there is no such sub-goal, it is over, or there are no words.
        """
        self._open_goal(index, "edit")
        if not text.strip() or len(text) > MAX_LETTERS:
            raise InvalidInput("sub-goal", expected=f"1 to {MAX_LETTERS} letters", found=f"{len(text.strip())}")
        return self._with(index, text=text.strip(), instruction=instruction, state=GoalState.WAITING, attempts=0, note="")

    def moved(self, index: int, to: int) -> GoalPlan:
        """Return the plan with a sub-goal at another place; what was begun waits again.

        Raises:
            InvalidInput: there is no such place, or one of the sub-goals in between is over.
        """
        for place in range(min(index, to), max(index, to) + 1):
            self._open_goal(place, "move")
        goals = list(self.goals)
        goals.insert(to, goals.pop(index))
        waiting = (replace(g, state=GoalState.WAITING) if g.state is GoalState.NOW else g for g in goals)
        return replace(self, goals=tuple(waiting))

    def _goal(self, index: int) -> SubGoal:
        if not 0 <= index < len(self.goals):
            raise InvalidInput("sub-goal", expected=f"0 to {len(self.goals) - 1}", found=str(index), fix="Plan something first.")
        return self.goals[index]

    def _open_goal(self, index: int, what: str) -> SubGoal:
        goal = self._goal(index)
        if goal.state not in OPEN:
            raise InvalidInput(f"sub-goal to {what}", expected="one that is still to be done", found=f"{goal.text!r}, {goal.state.value}")
        return goal

    def _with(self, index: int, **changes: Any) -> GoalPlan:
        goals = tuple(replace(g, **changes) if i == index else g for i, g in enumerate(self.goals))
        return replace(self, goals=goals)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        goals: list[Mapping[str, Any]] = [goal.to_dict() for goal in self.goals]
        return {"goals": goals, "current": self.current, "is_running": self.is_running, "is_fulfilled": self.is_fulfilled}


def plan_of(goals: tuple[tuple[str, str], ...]) -> GoalPlan:
    """Return a plan of ``(text, instruction)`` pairs.

    Raises:
        InvalidInput: there are none, or too many.
    """
    if not 1 <= len(goals) <= MAX_GOALS:
        raise InvalidInput("plan", expected=f"1 to {MAX_GOALS} sub-goals", found=str(len(goals)))
    return GoalPlan(tuple(SubGoal(text, instruction) for text, instruction in goals))
