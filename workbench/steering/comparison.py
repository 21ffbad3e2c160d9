"""The table of a comparison: paths of several arms from the same starts, seed by seed beside the baseline, also at equal length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.steering.dose import Difference, compare_paired
from workbench.steering.motion import Path, jerk, mean_height, step_displacement

MATCHED: Final = " (equal length)"
"""Ends the name of a quantity that was measured on paths cut to the shortest of their seed."""
_AXES: Final = "xyz"


@dataclass(frozen=True, eq=False)
class Episode:
    """What a comparison needs of one episode."""

    path: Path
    """``(T, 3)`` end-effector positions, one a control step [m]."""
    is_success: bool


def measure_path(path: Path, rate_hz: float) -> dict[str, float]:
    """Return what steering may have changed: ``speed`` and mean velocity along each axis [m/s], ``height`` [m], ``jerk`` [m/s^3].

    Args:
        path: ``(T, 3)`` end-effector positions, one a control step [m].
        rate_hz: control steps a second.

    Raises:
        InvalidShape: the path has fewer than two points.
    """
    found = {"speed": step_displacement(path) * rate_hz, "height": mean_height(path), "jerk": jerk(path, rate_hz)}
    return found | {f"velocity {name}": step_displacement(path, axis) * rate_hz for axis, name in enumerate(_AXES)}


def compare_episodes(
    baseline: Sequence[Episode], arms: Mapping[str, Sequence[Episode]], *, rate_hz: float, rng: np.random.Generator
) -> dict[str, dict[str, Difference]]:
    """Return for each arm and quantity the paired comparison with the baseline.

    Besides the quantities of :func:`measure_path` there are ``success``, ``duration`` [s], and every quantity of a path again with
    :data:`MATCHED`: all paths of one seed, those of every arm included, are cut to the shortest of them. An episode that stops early
    would otherwise look fast, and one that waits at its end slow.

    Args:
        baseline: one episode for each seed.
        arms: by name, as many episodes, in the same order of seeds.
        rate_hz: control steps a second.
        rng: for the intervals.

    Raises:
        InvalidInput: an arm has another number of episodes than the baseline, or there are none.
    """
    for name, episodes in arms.items():
        if len(episodes) != len(baseline) or not baseline:
            raise InvalidInput(f"episodes of {name!r}", expected=f"{max(1, len(baseline))}, one a seed", found=str(len(episodes)))
    lengths = [min(len(e.path) for e in same_seed) for same_seed in zip(baseline, *arms.values(), strict=True)]
    base = [_measure(e, n, rate_hz) for e, n in zip(baseline, lengths, strict=True)]
    table = {}
    for name, episodes in arms.items():
        measured = [_measure(e, n, rate_hz) for e, n in zip(episodes, lengths, strict=True)]
        table[name] = {key: compare_paired([m[key] for m in measured], [b[key] for b in base], rng) for key in base[0]}
    return table


def _measure(episode: Episode, length: int, rate_hz: float) -> dict[str, float]:
    found = {"success": float(episode.is_success), "duration": (len(episode.path) - 1) / rate_hz}
    found |= measure_path(episode.path, rate_hz)
    if length < 2:
        raise InvalidInput("paths to compare", expected="at least two control steps", found=f"{length}")
    return found | {f"{key}{MATCHED}": value for key, value in measure_path(episode.path[:length], rate_hz).items()}
