"""Hard checks of candidates: what no score may outweigh. What an arm would touch is asked of a copied state by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLACK: Final = 1.02
"""Steps over a limit by less than this factor do not count."""
OUTSIDE_M: Final = 0.002
"""Places out of the workspace by less than this do not count [m]."""


@dataclass(frozen=True)
class StepBounds:
    """What a simulator or robot lets a control step do; what asks for more is cut there, so it is refused here."""

    distance_m: float
    """Longest way of a step."""
    turn_rad: float
    """Largest turn of a step."""
    low: tuple[float, float, float]
    """Lowest place of the end-effector, base frame [m]."""
    high: tuple[float, float, float]


def candidate_paths(candidates: Floats, position: Floats) -> Floats:
    """Return where candidates ``(K, T, 7)`` take the end-effector from ``position`` ``(3,)``: ``(K, T + 1, 3)`` [m]."""
    moves = np.cumsum(candidates[..., :3], axis=1)
    return np.asarray(position + np.concatenate([np.zeros((len(candidates), 1, 3)), moves], axis=1))


def refusals(candidates: Floats, position: Floats, bounds: StepBounds) -> list[str]:
    """Return for each candidate why limits or workspace refuse it, for the person; empty for what passes.

    A place that is no farther outside than where the hand is already does not count: the way back must stay open.

    Args:
        candidates: ``(K, T, 7)``, as far as they would be executed.
        position: ``(3,)`` of the end-effector now, base frame [m].
        bounds: of a step.
    """
    paths = candidate_paths(candidates, position)
    outside = np.maximum(np.array(bounds.low) - paths, paths - np.array(bounds.high)).max(axis=-1)  # (K, T + 1)
    allowed = max(OUTSIDE_M, float(outside[0, 0]) + OUTSIDE_M) if len(candidates) else 0.0
    steps = np.linalg.norm(candidates[..., :3], axis=-1).max(axis=1)
    turns = np.linalg.norm(candidates[..., 3:6], axis=-1).max(axis=1)
    found = []
    for index, candidate in enumerate(candidates):
        if not np.isfinite(candidate).all():
            found.append("not finite")
        elif steps[index] > SLACK * bounds.distance_m:
            found.append(f"faster than allowed: {100 * steps[index]:.1f} cm in a step")
        elif turns[index] > SLACK * bounds.turn_rad:
            found.append(f"turns faster than allowed: {np.rad2deg(turns[index]):.0f}° in a step")
        elif outside[index].max() > allowed:
            found.append(f"leaves the workspace by {100 * outside[index].max():.1f} cm")
        else:
            found.append("")
    return found
