"""What the store gives back: plain frozen data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.core.events import Outcome
from workbench.core.types import EpisodeConfig


@dataclass(frozen=True)
class SessionInfo:
    """One sitting."""

    id: str
    name: str
    started: float
    """Unix time [s]."""
    num_episodes: int
    """Without deleted ones."""
    num_steps: int
    num_bytes: int
    """Approximate storage, deleted episodes included."""
    last_started: float
    """Unix time [s] at which its newest episode started."""


@dataclass(frozen=True)
class EpisodeInfo:
    """The head of a stored episode."""

    id: str
    session_id: str
    parent_id: str | None
    branch_step: int | None
    config: EpisodeConfig
    instruction: str
    policy: str
    name: str
    rating: int | None
    """1 to 5."""
    outcome: Outcome
    num_steps: int
    duration_s: float
    """Simulated time [s]."""
    started: float
    """Unix time [s]."""
    ended: float | None
    deleted_at: float | None
    num_bytes: int
    """Approximate storage."""
    num_notes: int
    num_branches: int
    has_thumbnail: bool

    def head(self) -> dict[str, Any]:
        """Return what an archive and an export tell of the episode, as JSON values."""
        return {
            "id": self.id,
            "session_id": self.session_id,
            "parent_id": self.parent_id,
            "branch_step": self.branch_step,
            "config": self.config.to_dict(),
            "instruction": self.instruction,
            "policy": self.policy,
            "name": self.name,
            "rating": self.rating,
            "outcome": self.outcome.value,
            "num_steps": self.num_steps,
            "duration_s": self.duration_s,
            "started": self.started,
            "ended": self.ended,
        }

    @property
    def task(self) -> str:
        """Name of its task."""
        return self.config.task

    @property
    def title(self) -> str:
        """The name that a person gave it, else its instruction."""
        return self.name or self.instruction or self.config.task

    @property
    def file_stem(self) -> str:
        """What a file made of it is called, without the ending: task and id, and nothing that a path could be built from."""
        return re.sub(r"[^A-Za-z0-9_-]+", "_", f"{self.config.task}-{self.id}")[:120]


@dataclass(frozen=True)
class EpisodeQuery:
    """Which episodes to list; what is None or empty does not filter."""

    text: str = ""
    """Words, each of which must start a word of instruction, name, task, policy or a note."""
    session_id: str | None = None
    parent_id: str | None = None
    task: str | None = None
    outcome: str | None = None
    policy: str | None = None
    rating: int | None = None
    """At least so many."""
    since: float | None = None
    """Started at this Unix time [s] or later."""
    until: float | None = None
    """Started before this Unix time [s]."""
    is_deleted: bool = False
    """List the soft-deleted ones instead."""
    order: Literal["newest", "oldest", "longest", "best"] = "newest"
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True)
class EpisodePage:
    """One page of a listing."""

    episodes: tuple[EpisodeInfo, ...]
    total: int
    """How many the query finds altogether."""


@dataclass(frozen=True)
class Facets:
    """The values that episodes have, with how many have them, for filters."""

    tasks: Mapping[str, int]
    outcomes: Mapping[str, int]
    policies: Mapping[str, int]


@dataclass(frozen=True)
class Note:
    """A remark on an episode or on one of its steps."""

    id: str
    episode_id: str
    step: int | None
    text: str
    written: float
    """Unix time [s]."""


@dataclass(frozen=True, eq=False)
class StepColumns:
    """The readable numbers of an episode, one row a step."""

    steps: NDArray[np.int64]
    """``(N,)`` indices."""
    times_s: NDArray[np.float64]
    """``(N,)`` simulated time before each step [s]."""
    ee: NDArray[np.float64]
    """``(N, 3)`` end-effector position in the world [m]; NaN where it was not recorded."""
    gripper: NDArray[np.float64]
    """``(N,)`` measured opening 0..1; NaN where it was not recorded."""
    actions: NDArray[np.float32]
    """``(N, 7)``, see :class:`workbench.core.types.ActionChunk`."""
    actors: tuple[str, ...]
    is_success: NDArray[np.bool_]
    """``(N,)``, after each step."""


@dataclass(frozen=True)
class StorageUse:
    """What lies on disk."""

    file_bytes: int
    """Database and its log."""
    free_bytes: int
    """Left on the disk."""
    num_sessions: int
    num_episodes: int
    num_steps: int
    num_deleted: int
    deleted_bytes: int
    """Approximate space that purging the deleted episodes would free."""


@dataclass(frozen=True)
class StoredCampaign:
    """A campaign that was run."""

    id: str
    name: str
    config: Mapping[str, Any]
    """What was asked for."""
    report: Mapping[str, Any]
    """The document that it came to, see :func:`workbench.evaluation.campaign.report`."""
    started: float
    """Unix time [s]."""
    ended: float
    """Unix time [s]; the last change while it runs."""
    num_trials: int
    """Trials that are there."""
    status: str = "done"
    """``running``, ``done``, ``cancelled`` or ``interrupted``."""
