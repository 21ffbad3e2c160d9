"""Driving a campaign: which trials are left, who keeps their results, how far it is; the same here, in the page and on a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from workbench.core.errors import InvalidInput
from workbench.evaluation.campaign import Cell, CellResult, Trial, TrialResult, report
from workbench.evaluation.runners import IsCancelled, Runner, never
from workbench.evaluation.worker import TrialOutcome


@dataclass(frozen=True)
class Campaign:
    """A campaign that can be run: plain data."""

    name: str
    cells: tuple[Cell, ...]
    saved: Mapping[str, Any] = field(default_factory=dict)
    """Documents of the saved concepts that its edits name, see :mod:`workbench.evaluation.steering_bundles`."""

    @property
    def num_trials(self) -> int:
        """How many episodes it has."""
        return sum(len(cell.seeds) for cell in self.cells)

    def trials(self) -> tuple[Trial, ...]:
        """Return the trials, the first seed of every cell first: what is known early is known of everything."""
        columns = [cell.trials() for cell in self.cells]
        longest = max((len(column) for column in columns), default=0)
        return tuple(column[i] for i in range(longest) for column in columns if i < len(column))

    def results(self, found: Mapping[Trial, TrialResult]) -> tuple[CellResult, ...]:
        """Return the cells with what was found so far, in the order of their seeds."""
        return tuple(CellResult(cell, tuple(found[t] for t in cell.trials() if t in found)) for cell in self.cells)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; :meth:`from_dict` reads them."""
        document = {"name": self.name, "cells": [{**vars(cell), "seeds": list(cell.seeds)} for cell in self.cells]}
        return {**document, "saved": dict(self.saved)} if self.saved else document

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Campaign:
        """Read what :meth:`to_dict` wrote."""
        cells = tuple(Cell(**{**cell, "seeds": tuple(int(s) for s in cell["seeds"])}) for cell in data["cells"])
        return Campaign(str(data["name"]), cells, dict(data.get("saved", {})))


class Journal(Protocol):
    """Keeps the results of a campaign as they come, so that it can go on where it stopped."""

    def finished(self) -> Mapping[Trial, TrialResult]:
        """Return what is there already."""
        ...

    def keep(self, outcome: TrialOutcome) -> None:
        """Keep one more; when this returns it is safe."""
        ...


@dataclass
class MemoryJournal:
    """Keeps results as long as the process lives."""

    found: dict[Trial, TrialResult] = field(default_factory=dict)

    def finished(self) -> Mapping[Trial, TrialResult]:
        """Return what is there already."""
        return dict(self.found)

    def keep(self, outcome: TrialOutcome) -> None:
        """Keep one more."""
        self.found[outcome.trial] = outcome.result


@dataclass(frozen=True)
class CampaignProgress:
    """How far a campaign is."""

    num_done: int
    num_trials: int
    num_solved: int
    seconds: float
    """Since this run of it began [s]."""
    num_before: int = 0
    """Trials that were done before this run of it began."""

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time to the end [s]; None before the first trial has ended."""
        num_here = self.num_done - self.num_before
        return None if num_here == 0 else self.seconds / num_here * (self.num_trials - self.num_done)

    def tell(self) -> str:
        """Return one line."""
        left = self.seconds_left
        estimate = "" if left is None or self.num_done == self.num_trials else f", about {_duration(left)} left"
        return f"{self.num_done} of {self.num_trials} trials, {self.num_solved} solved{estimate}"


@dataclass(frozen=True)
class CampaignRun:
    """What a run of a campaign came to."""

    campaign: Campaign
    results: tuple[CellResult, ...]
    is_complete: bool

    def report(self) -> dict[str, Any]:
        """Return the document of the campaign."""
        return {**report(self.campaign.name, self.results), "is_complete": self.is_complete}


def run_campaign(
    campaign: Campaign,
    runner: Runner,
    journal: Journal,
    *,
    progress: Callable[[CampaignProgress], None] = lambda progress: None,
    is_cancelled: IsCancelled = never,
    clock: Callable[[], float] = time.monotonic,
) -> CampaignRun:
    """Run the trials of a campaign that are not in its journal yet, and return everything that is known at the end.

    Args:
        campaign: what to run.
        runner: where.
        journal: keeps each result before the next is asked for.
        progress: called at the start and after each trial.
        is_cancelled: asked several times a second by runners that wait.
        clock: seconds.

    Raises:
        InvalidInput: a policy cannot be loaded at all, for example for want of weights; what was run before is kept.
    """
    found = dict(journal.finished())
    trials = campaign.trials()
    left = [t for t in trials if t not in found]
    begun, num_before = clock(), len(trials) - len(left)

    def tell() -> None:
        here = [found[t] for t in trials if t in found]
        progress(CampaignProgress(len(here), len(trials), sum(r.is_success for r in here), clock() - begun, num_before))

    tell()
    if left:
        with closing(runner.run(left, is_cancelled)) as outcomes:
            for outcome in outcomes:
                if outcome.refusal:
                    expected = f"a policy {outcome.trial.policy!r} that can be loaded"
                    raise InvalidInput(f"campaign {campaign.name!r}", expected=expected, found=outcome.refusal)
                journal.keep(outcome)
                found[outcome.trial] = outcome.result
                tell()
    return CampaignRun(campaign, campaign.results(found), all(t in found for t in trials))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
