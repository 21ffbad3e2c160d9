"""What other threads may read of a live rollout: frozen snapshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.core.catalog import Catalog
from workbench.core.protocols import PolicySpec, Simulator, View
from workbench.core.types import Actor, EpisodeConfig
from workbench.intervention.rules import Question
from workbench.rollout.modes import RolloutMode


@dataclass(frozen=True)
class RolloutStatus:
    """One line about a live rollout."""

    mode: RolloutMode
    actor: Actor
    """Who is in control now."""
    episode_id: str = ""
    """Empty before the first episode; stays after the end until the next one."""
    parent_id: str | None = None
    task: str = ""
    instruction: str = ""
    policy: str = ""
    step: int = 0
    """Steps so far in this episode."""
    time_s: float = 0.0
    """Simulated time [s]."""
    speed: float = 1.0
    """Asked for: simulated over real time; infinite means as fast as possible."""
    actual_speed: float = 0.0
    """Reached in the last second of running; 0 while nothing runs."""
    policy_ms: float = 0.0
    """Time of the latest policy call [ms]; 0 while a chunk is used up."""
    is_success: bool = False
    """Whether the task is solved now."""
    plan_step: int | None = None
    error: str = ""
    """What went wrong last, for the person; empty when nothing did since the last start, resume or change of policy."""
    note: str = ""
    """What a person should know that is no error, for example that the robot has left its trace."""
    spec: PolicySpec | None = None
    """What the policy is, asks for and understands."""
    ee_position: tuple[float, float, float] | None = None
    """Where the end-effector is, in the base frame [m]."""
    question: Question | None = None
    """What the robot asks before it goes on."""
    is_steerable: bool = False
    """Whether its inside can be read and turned."""
    steered_by: tuple[str, ...] = ()
    """Names of the edits that turn its inside now."""
    led_by: str = ""
    """``rollback``, ``advance`` or ``recovery`` while the hand is led past the policy; else empty."""
    led_why: str = ""
    """Why, for the person."""


@dataclass(frozen=True, eq=False)
class LiveScene:
    """A scene that can be drawn in another thread."""

    config: EpisodeConfig
    open_view: Callable[[], View]


@dataclass(frozen=True, eq=False)
class LiveState:
    """A moment of a live rollout, published several times a control step."""

    seq: int
    scene: LiveScene
    episode_id: str
    physics: NDArray[np.float64]
    """The physics part of the simulator's state; never written to again."""
    step: int
    """Control steps completed before this moment."""
    time_s: float
    """Simulated time [s]."""
    wall_time: float
    """Unix time at which it was published [s]."""


def open_scene(simulators: Catalog[Simulator], config: EpisodeConfig) -> LiveScene:
    """Return the scene of a configuration; raises UnknownName when there is no such simulator or task."""
    simulator = simulators.load(config.simulator)
    try:
        simulator.reset(config)
        return LiveScene(config, simulator.open_view())
    finally:
        simulator.close()
