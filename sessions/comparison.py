"""Several stored episodes side by side, as a rule an episode and its branches: paths, outcomes, lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sessions.records import EpisodeInfo
from sessions.replay import MakeSimulator, standing
from sessions.store import Store
from workbench.core.errors import NotStored
from workbench.core.types import Actor, Step


@dataclass(frozen=True, eq=False)
class ComparedEpisode:
    """One episode beside others."""

    info: EpisodeInfo
    offset: int
    """Control steps between the start of its oldest known ancestor and its own start: branches meet at equal ``offset + i``."""
    path: NDArray[np.float64]
    """``(N, 3)`` end-effector position before each step [m], in the world; NaN where it is not known."""
    path_length: float
    """Way of the end-effector [m]; NaN where the path is not known."""
    num_human_steps: int
    first_success: int | None
    """First step after which the task was solved."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two or more episodes side by side."""

    episodes: tuple[ComparedEpisode, ...]
    max_gap: NDArray[np.float64]
    """``(n, n)`` largest distance [m] between two end-effectors at equal times; NaN where two never ran at the same time."""


def compare(store: Store, episode_ids: Sequence[str], make_simulator: MakeSimulator | None = None) -> Comparison:
    """Put episodes side by side.

    Args:
        store: where they are stored.
        episode_ids: one or more.
        make_simulator: finds paths that were not recorded from the states; without it they are NaN.

    Raises:
        NotStored: there is no such episode.
    """
    found = tuple(_compared(store, episode_id, make_simulator) for episode_id in episode_ids)
    gaps = np.array([[_largest_gap(a, b) for b in found] for a in found], dtype=np.float64)
    return Comparison(found, gaps.reshape(len(found), len(found)))


def ee_path(store: Store, episode_id: str, make_simulator: MakeSimulator) -> NDArray[np.float64]:
    """Return ``(N, 3)`` end-effector positions [m] before each step, found from the stored states; raises NotStored."""
    info = store.episode(episode_id)
    with standing(info.config, make_simulator) as simulator:

        def position(step: Step) -> NDArray[np.float64]:
            simulator.restore(step.state)
            return simulator.observe(()).part("ee_position").astype(np.float64)

        return np.array([position(step) for step in store.steps(episode_id)], dtype=np.float64).reshape(-1, 3)


def _compared(store: Store, episode_id: str, make_simulator: MakeSimulator | None) -> ComparedEpisode:
    info, columns = store.episode(episode_id), store.columns(episode_id)
    path = columns.ee
    if make_simulator is not None and np.isnan(path).any():
        path = ee_path(store, episode_id, make_simulator)
    solved = np.flatnonzero(columns.is_success)
    return ComparedEpisode(
        info=info,
        offset=_offset(store, info),
        path=path,
        path_length=float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()),
        num_human_steps=columns.actors.count(Actor.HUMAN.value),
        first_success=int(columns.steps[solved[0]]) if solved.size else None,
    )


def _offset(store: Store, info: EpisodeInfo) -> int:
    offset, seen = 0, {info.id}
    while info.parent_id is not None and info.branch_step is not None and info.parent_id not in seen:
        offset += info.branch_step
        seen.add(info.parent_id)
        try:
            info = store.episode(info.parent_id)
        except NotStored:
            break
    return offset


def _largest_gap(a: ComparedEpisode, b: ComparedEpisode) -> float:
    first, last = max(a.offset, b.offset), min(a.offset + len(a.path), b.offset + len(b.path))
    if first >= last:
        return float("nan")
    gap = a.path[first - a.offset : last - a.offset] - b.path[first - b.offset : last - b.offset]
    return float(np.linalg.norm(gap, axis=1).max())
