"""Dose and response: what each strength does to what is measured, beside random controls, the prompt, and the success that it costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput

Run = Callable[[float, int], Mapping[str, float]]
"""``run(dose, seed)``: one seeded episode (or call) at that dose, measured; the same seed gives the same start."""
NUM_RESAMPLES: Final = 2000
CONFIDENCE: Final = 0.95


class ArmKind(StrEnum):
    """What an arm of a comparison is for."""

    STEERED = "steered"
    RANDOM = "random"
    """A count- or norm-matched control."""
    PROMPT = "prompt"
    """The same wish said in words."""


@dataclass(frozen=True)
class Arm:
    """One way to act, compared with the unsteered policy."""

    name: str
    kind: ArmKind
    run: Run


@dataclass(frozen=True)
class Difference:
    """A paired comparison with the baseline on the same seeds."""

    mean: float
    """Of the arm."""
    baseline: float
    change: float
    """Mean of the paired differences."""
    low: float
    high: float
    """95 % interval of the change, by resampling pairs."""
    p_value: float
    """Two-sided, by flipping the signs of the paired differences."""
    n: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0; without it the result is shown as "no effect"."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class DosePoint:
    """One arm at one dose."""

    arm: str
    kind: ArmKind
    dose: float
    effects: Mapping[str, Difference]
    """By measured quantity."""


@dataclass(frozen=True)
class DoseCurve:
    """All arms at all doses."""

    seeds: tuple[int, ...]
    points: tuple[DosePoint, ...]

    def control_band(self, quantity: str, dose: float) -> tuple[float, float]:
        """Return the smallest and largest mean change of the random controls at a dose; NaN without controls."""
        changes = [p.effects[quantity].change for p in self.points if p.kind is ArmKind.RANDOM and p.dose == dose]
        return (min(changes), max(changes)) if changes else (math.nan, math.nan)

    def beyond_controls(self, quantity: str) -> tuple[DosePoint, ...]:
        """Return the steered points whose interval lies wholly outside the band of the random controls."""
        found = []
        for point in self.points:
            low, high = self.control_band(quantity, point.dose)
            effect = point.effects[quantity]
            if point.kind is ArmKind.STEERED and (effect.low > high or effect.high < low):
                found.append(point)
        return tuple(found)


def dose_response(
    baseline: Callable[[int], Mapping[str, float]],
    arms: Sequence[Arm],
    doses: Sequence[float],
    seeds: Sequence[int],
    *,
    rng: np.random.Generator,
    progress: Callable[[float], None] | None = None,
) -> DoseCurve:
    """Run every arm at every dose on the same seeds as the baseline, and compare pair by pair.

    Args:
        baseline: the unsteered policy by seed.
        arms: steered, random and prompt-only ones; several random draws make a band.
        doses: strengths.
        seeds: of the starts.
        rng: for the intervals.
        progress: told the share that is done.

    Raises:
        InvalidInput: no seeds or doses, or an arm measures other quantities than the baseline.
    """
    if not seeds or not doses or len(set(seeds)) != len(seeds):
        raise InvalidInput("seeds and doses", expected="at least one of each, no seed twice", found=f"{len(seeds)} and {len(doses)}")
    total, done = len(seeds) * (1 + len(arms) * len(doses)), 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done / total)

    base = []
    for seed in seeds:
        base.append(baseline(seed))
        tell()
    points = []
    for arm in arms:
        for dose in doses:
            measured = []
            for seed in seeds:
                measured.append(arm.run(dose, seed))
                tell()
            points.append(DosePoint(arm.name, arm.kind, dose, _compare_all(arm.name, measured, base, rng)))
    return DoseCurve(tuple(seeds), tuple(points))


def compare_paired(values: Sequence[float], baseline: Sequence[float], rng: np.random.Generator) -> Difference:
    """Compare two measurements on the same seeds; a pair of which one is missing (NaN) is left out.

    Raises:
        InvalidInput: not as many values as baseline values.
    """
    if len(values) != len(baseline):
        raise InvalidInput("pairs", expected=f"{len(baseline)} values", found=str(len(values)))
    arm, base = np.asarray(values, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    is_there = np.isfinite(arm) & np.isfinite(base)
    arm, base = arm[is_there], base[is_there]
    if not len(arm):
        nan = math.nan
        return Difference(nan, nan, nan, nan, nan, nan, 0)
    change = arm - base
    if len(change) == 1:
        return Difference(float(arm[0]), float(base[0]), float(change[0]), -math.inf, math.inf, 1.0, 1)
    picks = rng.integers(len(change), size=(NUM_RESAMPLES, len(change)))
    low, high = np.quantile(change[picks].mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Difference(
        float(arm.mean()), float(base.mean()), float(change.mean()), float(low), float(high), _sign_flip(change, rng), len(change)
    )


def find_largest_dose(
    run: Run, seeds: Sequence[int], *, guard: str = "success", start: float, limit: float, keep: float = 0.85
) -> tuple[float, ...]:
    """Return a range of doses for a sweep: doubled from ``start`` until the guarded quantity falls below a share of its start.

    Args:
        run: the steered policy.
        seeds: of a few episodes.
        guard: the quantity that a useful dose keeps.
        start: the smallest dose.
        limit: the largest one.
        keep: share of the guard at dose 0.

    Raises:
        InvalidInput: doses that do not grow, or no seeds.
    """
    if not 0 < start <= limit or not seeds:
        raise InvalidInput("doses", expected="0 < start <= limit, and seeds", found=f"{start:g} to {limit:g}, {len(seeds)} seeds")

    def guarded(dose: float) -> float:
        return float(np.mean([run(dose, seed)[guard] for seed in seeds]))

    floor, doses, dose = keep * guarded(0.0), [0.0], start
    while dose <= limit:
        doses.append(dose)
        if guarded(dose) < floor:
            break
        dose *= 2
    return tuple(doses)


def _compare_all(
    arm: str, measured: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]], rng: np.random.Generator
) -> dict[str, Difference]:
    names = base[0].keys()
    if any(m.keys() != names for m in (*measured, *base)):
        raise InvalidInput(f"quantities of {arm!r}", expected=", ".join(names), found="others")
    return {name: compare_paired([m[name] for m in measured], [b[name] for b in base], rng) for name in names}


def _sign_flip(change: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Return the share of sign patterns whose mean is at least as far from 0; exact up to 12 pairs."""
    if len(change) <= 12:
        signs = 1 - 2 * ((np.arange(2 ** len(change))[:, None] >> np.arange(len(change))) & 1)
        extra = 0
    else:
        signs, extra = rng.choice([-1, 1], size=(NUM_RESAMPLES, len(change))), 1
    means = np.abs(signs @ change) / len(change)
    return float((extra + (means >= abs(change.mean()) - 1e-12).sum()) / (extra + len(means)))
