"""Studies: campaigns with a question, and what their results say to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from workbench.evaluation.campaign import FIRST_SEED, CellResult
from workbench.evaluation.conditions import compare_conditions
from workbench.evaluation.driver import Campaign
from workbench.evaluation.statistics import MeanInterval, difference_interval, mean_interval, ratio_interval, wilson_interval

Goal = Literal["at least", "at most", "around"]
"""What a target means; ``around``: the interval holds it."""


@dataclass(frozen=True)
class Finding:
    """One number that a study comes to, with its interval, its n, and what was hoped for."""

    name: str
    value: float
    low: float
    high: float
    n: int
    """Episodes, or pairs of episodes."""
    unit: str = ""
    """``%`` for rates, which are kept as 0..1."""
    target: float | None = None
    goal: Goal = "at least"
    p_value: float | None = None
    """Of a comparison, by :attr:`test`."""
    test: str = "McNemar"
    null: float | None = None
    """The value that means no effect; None where there is no such value."""

    @property
    def has_interval(self) -> bool:
        """Whether low and high say anything: of a single mean or pair they do not."""
        return self.n > 1 or self.low < self.high

    @property
    def is_clear(self) -> bool | None:
        """Whether the interval leaves out the value that means no effect; None without one."""
        return None if self.null is None or not self.has_interval else not self.low <= self.null <= self.high

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        if self.goal == "around":
            return self.low <= self.target <= self.high
        return self.value >= self.target if self.goal == "at least" else self.value <= self.target

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "has_interval": self.has_interval, "is_met": self.is_met, "is_clear": self.is_clear, "text": self.tell()}

    def tell(self) -> str:
        """Return one line with number, unit, interval and n."""
        scale, unit = (100.0, " %") if self.unit == "%" else (1.0, f" {self.unit}" if self.unit else "")
        digits = 0 if self.unit == "%" else 3 if abs(self.value) < 1 else 2
        value, low, high = (f"{scale * x:.{digits}f}" for x in (self.value, self.low, self.high))
        met = {None: "", True: ", met", False: ", NOT met"}[self.is_met]
        wanted = "" if self.target is None else f"; wanted: {self.goal} {scale * self.target:.{digits}f}{unit}{met}"
        tested = "" if self.p_value is None else f", {self.test} p = {self.p_value:.3g}"
        effect = ", no clear effect" if self.is_clear is False else ""
        interval = f"95 % interval {low} to {high}" if self.has_interval else "too few for an interval"
        return f"{self.name}: {value}{unit}, n = {self.n}, {interval}{tested}{effect}{wanted}"


@dataclass(frozen=True)
class StudyOptions:
    """What a person may choose of a study."""

    episodes: int = 20
    """For each cell."""
    seed: int = FIRST_SEED
    policy: str = ""
    """Instead of the study's own policy."""


@dataclass(frozen=True)
class Study:
    """A campaign with a question."""

    name: str
    title: str
    question: str
    source: str
    """What it follows: the publication, and where ours differs."""
    plan: Callable[[StudyOptions], Campaign]
    conclude: Callable[[Sequence[CellResult]], list[Finding]]


def study_report(study: Study, document: dict[str, Any], results: Sequence[CellResult]) -> dict[str, Any]:
    """Return the document of a campaign with what it says to the study's question."""
    findings = [f.to_dict() for f in study.conclude(results)] if document.get("is_complete") else []
    return {**document, "study": study.name, "title": study.title, "question": study.question, "source": study.source, "findings": findings}


# --- What findings are made of ---------------------------------------------------------------------------------------------------------


def success_of(name: str, results: Sequence[CellResult], target: float | None = None, goal: Goal = "at least") -> Finding:
    """Return the success rate over all trials of some cells."""
    n, solved = sum(len(r.trials) for r in results), sum(r.num_successes for r in results)
    return Finding(name, solved / max(n, 1), *wilson_interval(solved, n), n, "%", target, goal)


def mean_of(
    name: str, results: Sequence[CellResult], measure: str, *, unit: str, target: float | None = None, goal: Goal = "at least"
) -> Finding | None:
    """Return the mean of a measure over all trials that have it, or None when none has."""
    values = [t.measures[measure] for r in results for t in r.trials if measure in t.measures]
    if not values:
        return None
    found = mean_interval(values)
    if unit == "%" and min(values) >= 0 and max(values) <= 1:
        # Student's interval of a few shares may reach beyond what a share can be.
        found = found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))
    return _finding(name, found, unit, target, goal)


def paired_of(
    name: str,
    first: CellResult,
    second: CellResult,
    measure: str,
    *,
    kind: Literal["ratio", "difference"],
    unit: str,
    target: float | None = None,
) -> Finding | None:
    """Return ratio or difference of a measure on the seeds of which both cells have it, second against first; None when there are none."""
    values = [{t.seed: t.measures[measure] for t in r.trials if measure in t.measures} for r in (first, second)]
    common = sorted(set(values[0]) & set(values[1]))
    if not common:
        return None
    a, b = (np.array([v[seed] for seed in common]) for v in values)
    return _finding(name, (ratio_interval if kind == "ratio" else difference_interval)(a, b), unit, target, "at least")


def compared(name: str, first: Sequence[CellResult], second: Sequence[CellResult]) -> Finding:
    """Return the difference of two sides' success on the episodes (task and seed) that both have, second less first."""
    found = compare_conditions(first, second)[-1].comparison
    return Finding(name, found.difference, found.low, found.high, found.n, "%", p_value=found.p_value)


def _finding(name: str, found: MeanInterval, unit: str, target: float | None, goal: Goal) -> Finding:
    return Finding(name, found.mean, found.low, found.high, found.n, unit, target, goal)
