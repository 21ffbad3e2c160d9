"""Conditions: what the cells of a campaign have in common over its tasks, and how two of them compare on common episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from workbench.evaluation.campaign import Cell, CellResult
from workbench.evaluation.statistics import Comparison, compare, episodes_needed

ALL_TASKS: Final = "all tasks"


class Condition(NamedTuple):
    """Everything of a cell but its task and seeds."""

    policy: str
    prompt: str
    edits: str = ""
    perturbation: str = ""
    setting: str = ""

    @property
    def label(self) -> str:
        """What a person reads."""
        return " · ".join(text for text in self if text)


class TaskComparison(NamedTuple):
    """Two conditions on one task, or on all that both have."""

    task: str
    comparison: Comparison


def condition_of(cell: Cell) -> Condition:
    """Return the condition of a cell."""
    return Condition(cell.policy, cell.prompt, cell.edits, cell.perturbation, cell.setting)


def by_condition(results: Sequence[CellResult]) -> dict[Condition, list[CellResult]]:
    """Return the cells of each condition, in their order."""
    found: dict[Condition, list[CellResult]] = {}
    for result in results:
        found.setdefault(condition_of(result.cell), []).append(result)
    return found


def compare_conditions(first: Sequence[CellResult], second: Sequence[CellResult]) -> list[TaskComparison]:
    """Compare two conditions task by task on common seeds, then on all common episodes together.

    Raises:
        InvalidInput: they have no episode in common.
    """
    solved = [{(r.cell.task, t.seed): t.is_success for r in results for t in r.trials} for results in (first, second)]
    whole = compare(*solved)
    tasks = dict.fromkeys(task for task, seed in solved[0] if (task, seed) in solved[1])
    if len(tasks) == 1:
        return [TaskComparison(next(iter(tasks)), whole)]
    parts = [TaskComparison(task, compare(*({k: v for k, v in s.items() if k[0] == task} for s in solved))) for task in tasks]
    return [*parts, TaskComparison(ALL_TASKS, whole)]


def tell_comparison(found: TaskComparison) -> str:
    """Return one line: effect, interval, n, p, and how many episodes such a difference needs where it is not clear yet."""
    c = found.comparison
    line = f"{found.task}: from {c.first} to {c.second} of {c.n}, {c.tell()}"
    if c.low <= 0 <= c.high and c.first != c.second:
        needed = episodes_needed(c.first / c.n, c.second / c.n)
        line += f"; to find a difference of this size in 4 of 5 tries takes {needed} episodes each"
    return line
