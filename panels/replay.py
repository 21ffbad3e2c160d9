"""Stored episodes on the stage: looked at step by step, played, and branched from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import overload

from panels.live import CALL_TIMEOUT_S, LiveSession
from panels.state import AppState
from panels.status import StoredEpisode
from sessions.concepts import find_assets
from sessions.records import EpisodeInfo
from sessions.replay import branch_point
from sessions.store import Store
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.sketches import sketch_to_dict
from workbench.core.types import SimState
from workbench.rollout.steering_marks import assets_in


def branch_from(app: AppState, session: LiveSession, episode_id: str, step: int) -> str:
    """Start a live episode, paused, from a step of a stored one, and return its id; the drawing of that step comes along.

    Raises:
        NotStored: there is no such episode or step.
        InvalidInput: its last half second is not on disk yet.
    """
    is_written = app.recorder.flush()
    if not is_written:
        raise InvalidInput(
            "branch", expected="an episode that is on disk", found="one that still waits for the disk", fix="Try again in a moment."
        )
    point = branch_point(app.store, episode_id, min(max(step, 0), app.store.episode(episode_id).num_steps))
    future = session.controller.branch(
        point.config,
        point.state,
        parent_id=point.parent_id,
        step=point.step,
        policy=point.policy,
        prompt=point.prompt,
        lead=point.lead,
        steering=point.steering,
        assets=find_assets(app.store, (id for mark in point.steering for id in assets_in(mark.mix.to_dict()))),
    )
    branch_id = future.result(CALL_TIMEOUT_S)
    if point.prompt.sketch is not None:
        session.commit_sketch(sketch_to_dict(point.prompt.sketch))
    session.changed("branch")
    return branch_id


def open_replay(app: AppState, session: LiveSession, episode_id: str, step: int) -> None:
    """Show a stored episode on the stage at a step; seeking there moves in it, following live leaves it.

    Raises:
        NotStored: there is no such episode, or none of its states.
    """
    app.recorder.flush()
    if session.controller.status().episode_id == episode_id:
        session.show_step(step)
        return
    info = app.store.episode(episode_id)
    states = StoredStates(app.store, info)
    shown = StoredEpisode(episode_id, info.num_steps, info.config.control_hz, info.task, info.instruction)
    session.show_stored(shown, states, config=info.config, step=min(max(step, 0), info.num_steps))
    session.changed("episode")


class StoredStates(Sequence[SimState]):
    """The state before each step of a stored episode, and the final one, read when they are looked at."""

    def __init__(self, store: Store, info: EpisodeInfo) -> None:
        self._store, self._info = store, info
        store.state_at(info.id, 0)  # an episode without states is refused here, not in the render thread
        self._read = lru_cache(maxsize=256)(self._read_one)

    def __len__(self) -> int:
        return self._info.num_steps + 1

    @overload
    def __getitem__(self, index: int) -> SimState: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[SimState, ...]: ...

    def __getitem__(self, index: int | slice) -> SimState | tuple[SimState, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._read(index % len(self))

    def _read_one(self, index: int) -> SimState:
        try:
            return self._store.state_at(self._info.id, index)
        except NotStored:
            # An interrupted episode has no state after its last step.
            return self._store.state_at(self._info.id, max(0, index - 1))
