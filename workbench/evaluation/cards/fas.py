"""The card ``fas``: success by how many actions of a chunk are executed before the policy looks again, and its average over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.statistics import RESAMPLES
from workbench.evaluation.studies import Finding, Study, StudyOptions, success_of

TASKS: Final = ("pick", "place_on_plate")
HORIZONS: Final = tuple(range(1, 9))
_WAYS: Final = {"": "chunks", ",held": "first action held"}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: every horizon, with chunks and with the first action held."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    settings = [f"horizon={horizon}{way}" for way in _WAYS for horizon in HORIZONS]
    return Campaign("fas", tuple(Cell(policy, task, "words", seeds, setting=setting) for setting in settings for task in TASKS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success by horizon, and both scores with intervals."""
    found = []
    for way, title in _WAYS.items():
        rows = [[r for r in results if r.cell.setting == f"horizon={horizon}{way}"] for horizon in HORIZONS]
        found += [success_of(f"{title}, horizon {horizon}", cells) for horizon, cells in zip(HORIZONS, rows, strict=True)]
        solved = np.array([[t.is_success for r in cells for t in r.trials] for cells in rows], dtype=float)  # (horizons, episodes)
        rng = np.random.default_rng(0)
        drawn = solved[:, rng.integers(solved.shape[1], size=(RESAMPLES, solved.shape[1]))].mean(axis=2).T  # (draws, horizons)
        for name, score in (("frequency-averaged score", frequency_averaged_score), ("the same by its span", span_score)):
            low, high = np.percentile([score(rates) for rates in drawn], [2.5, 97.5])
            value = score(solved.mean(axis=1))
            found.append(Finding(f"{title}, {name}", value, float(low), float(high), solved.shape[1]))
    return found


def frequency_averaged_score(rates: NDArray[np.float64], horizons: Sequence[int] = HORIZONS, best: float = 1.0) -> float:
    """Return the published score: the area under success over horizons, divided by the longest horizon and the best result.

    A perfect policy scores (longest - 1) / longest, because the area spans one less than it is divided by.
    """
    return float(np.trapezoid(rates, horizons) / (horizons[-1] * best))


def span_score(rates: NDArray[np.float64], horizons: Sequence[int] = HORIZONS, best: float = 1.0) -> float:
    """Return the area under success over horizons, divided by their span: 1 for a perfect policy."""
    return float(np.trapezoid(rates, horizons) / ((horizons[-1] - horizons[0]) * best))


STUDY: Final = Study(
    "fas",
    "How long can it go without looking?",
    "How does success depend on how many actions are executed before the policy looks again, and do chunks help over holding one action?",
    "The frequency-averaged score of Sequence Reinforcement Learning (arXiv:2410.08979): its area is divided by the longest horizon; beside it "
    "ours is divided by the span, so that a perfect policy scores 1. Success takes the place of the return, horizons go up to a chunk's length.",
    plan,
    conclude,
)
