"""Campaigns: cells of seeded trials, and what they come to.

Everything that crosses between processes is plain data and module-level functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.evaluation.statistics import MeanInterval, mean_interval, wilson_interval

FIRST_SEED: Final = 1_000_000
"""First seed of published figures; development uses seeds below."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Cell:
    """One condition of a campaign: the same policy, task and way of telling, over many seeds."""

    policy: str
    task: str
    prompt: str
    """How the policy is told what to do, for example the style of a sketch."""
    seeds: tuple[int, ...]
    edits: str = ""
    """Steering edits that are applied, empty for none."""
    perturbation: str = ""
    """What is changed about the world, see :mod:`workbench.evaluation.perturbing`; empty for nothing."""
    setting: str = ""
    """How the policy's chunks are executed, see :mod:`workbench.evaluation.settings`; empty for as it asks."""

    def trials(self) -> tuple[Trial, ...]:
        """Return the seeded episodes of this condition."""
        return tuple(Trial(self.policy, self.task, self.prompt, seed, self.edits, self.perturbation, self.setting) for seed in self.seeds)


@dataclass(frozen=True)
class Trial:
    """One seeded episode that is to be run: plain data that crosses between processes."""

    policy: str
    task: str
    prompt: str
    seed: int
    edits: str = ""
    perturbation: str = ""
    setting: str = ""


ERROR: Final = "error: "
"""A note that begins so tells of a trial that could not be run to its end; it counts as not solved."""


@dataclass(frozen=True)
class TrialResult:
    """What became of one seeded episode."""

    seed: int
    is_success: bool
    num_steps: int
    note: str = ""
    """Why it failed, as far as the policy could tell."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """What was measured, see :data:`workbench.evaluation.funnel.MEASURES`."""
    path: tuple[tuple[float, float, float], ...] = ()
    """Where the end-effector went [m], one place a step and the start."""
    policy_ms: float = field(default=0.0, compare=False)
    """Mean time of a policy call; the one thing that is not the same on every machine."""


@dataclass(frozen=True)
class CellResult:
    """A cell with its trials, in the order of its seeds."""

    cell: Cell
    trials: tuple[TrialResult, ...]
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def num_successes(self) -> int:
        """How many trials were solved."""
        return sum(t.is_success for t in self.trials)

    @property
    def num_errors(self) -> int:
        """How many trials could not be run to their end."""
        return sum(t.note.startswith(ERROR) for t in self.trials)

    def tell(self) -> str:
        """Return one line: the condition, successes, n, interval, and errors where there were any."""
        cell, n = self.cell, len(self.trials)
        low, high = wilson_interval(self.num_successes, n)
        condition = " · ".join(text for text in (cell.policy, cell.task, cell.prompt, cell.edits, cell.perturbation, cell.setting) if text)
        errors = f", {self.num_errors} ended in an error" if self.num_errors else ""
        return f"{condition}: {self.num_successes} of {n} solved, 95 % interval {100 * low:.0f} to {100 * high:.0f} %{errors}"

    def summaries(self) -> dict[str, MeanInterval]:
        """Return the mean of every measure over the trials that have it, with its 95 % interval; in the order of the measures."""
        names = dict.fromkeys(name for t in self.trials for name in t.measures)
        return {name: mean_interval([t.measures[name] for t in self.trials if name in t.measures]) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return the cell as it is reported, with the 95 % Wilson interval of its success rate."""
        low, high = wilson_interval(self.num_successes, len(self.trials))
        steps = [t.num_steps for t in self.trials if t.is_success]
        return {
            "policy": self.cell.policy,
            "task": self.cell.task,
            "prompt": self.cell.prompt,
            "edits": self.cell.edits,
            "perturbation": self.cell.perturbation,
            "setting": self.cell.setting,
            "n": len(self.trials),
            "success": self.num_successes,
            "num_errors": self.num_errors,
            "low": low,
            "high": high,
            "median_steps": float(np.median(steps)) if steps else None,
            "measures": {name: summary._asdict() for name, summary in self.summaries().items()},
            "failures": [{"seed": t.seed, "num_steps": t.num_steps, "note": t.note} for t in self.trials if not t.is_success],
            **self.details,
        }


def draw_seeds(episodes: int, first: int = FIRST_SEED) -> tuple[int, ...]:
    """Return the seeds of a cell.

    Raises:
        InvalidInput: fewer than one episode.
    """
    if episodes < 1:
        raise InvalidInput("episodes", expected="at least 1", found=str(episodes))
    return tuple(range(first, first + episodes))


def report(name: str, results: Sequence[CellResult]) -> dict[str, Any]:
    """Return the document of a campaign: its cells, and the totals of each way of telling."""
    prompts = dict.fromkeys(r.cell.prompt for r in results)
    totals = [_total(p, [r for r in results if r.cell.prompt == p]) for p in prompts]
    return {"name": name, "cells": [r.to_dict() for r in results], "totals": totals}


def _total(prompt: str, results: Sequence[CellResult]) -> dict[str, Any]:
    n, successes = sum(len(r.trials) for r in results), sum(r.num_successes for r in results)
    low, high = wilson_interval(successes, n)
    return {"prompt": prompt, "n": n, "success": successes, "rate": successes / max(n, 1), "low": low, "high": high}
