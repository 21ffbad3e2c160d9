"""Obstacles that a person puts in the way: the episode branches, and goes on with them from the moment that is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from panels.branching import begin_branch
from panels.trajectory_drive import BENCH_VLA
from workbench.core.errors import InvalidInput
from workbench.core.protocols import Simulator
from workbench.core.types import EpisodeConfig, SimState
from workbench.simulation.collision_probe import CollisionProbe
from workbench.simulation.obstacles import MAX_OBSTACLES, read_obstacle
from workbench.simulation.simulator import BenchSimulator

if TYPE_CHECKING:
    from panels.live import LiveSession

START_S: Final = 120.0
"""Longest wait for the new scene."""


def add(session: LiveSession, box: dict[str, float]) -> dict[str, Any]:
    """Go on from the moment that is shown with one more box on the table [m].

    Raises:
        InvalidInput: the box is too large, not on the table, one too many, or something is there already; nothing changes.
    """
    config = session.config
    if config is None or config.simulator != "bench":
        raise InvalidInput("obstacle", expected="an episode of the bench simulator", found="none", fix="Start one in the Scene tab.")
    boxes = list(config.options.get("obstacles", {}).get("boxes", []))
    if len(boxes) >= MAX_OBSTACLES:
        raise InvalidInput("obstacles", expected=f"at most {MAX_OBSTACLES}", found=str(len(boxes) + 1), fix="Remove them first.")
    rounded = {name: round(value, 4) for name, value in box.items()}
    read_obstacle(rounded, len(boxes))
    return _go_on(session, config, [*boxes, rounded])


def clear(session: LiveSession) -> dict[str, Any]:
    """Go on from the moment that is shown without obstacles.

    Raises:
        InvalidInput: there is no episode.
    """
    if session.config is None:
        raise InvalidInput("obstacles", expected="an episode", found="none", fix="Start one in the Scene tab.")
    return _go_on(session, session.config, [])


def _go_on(session: LiveSession, config: EpisodeConfig, boxes: list[dict[str, float]]) -> dict[str, Any]:
    """Branch into a scene with these boxes; an episode that has not moved yet simply begins with them."""
    options = {name: value for name, value in config.options.items() if name != "obstacles"}
    changed = replace(config, options=options | ({"obstacles": {"boxes": boxes}} if boxes else {}))
    if boxes:
        state = session.in_simulator(lambda simulator: simulator.state())
        in_the_way = session.trajectory.in_copy_of(changed, lambda simulator: _at(simulator, state)).result(START_S)
        if in_the_way:
            found = " and ".join(in_the_way)
            raise InvalidInput("obstacle", expected="a free place", found=f"{found} there", fix="Put it somewhere else.")
    history = session.controller.history()
    if history.num_steps == 0 and history.start.parent_id is None and session.stored is None:
        policy = session.controller.status().policy
        driver = BENCH_VLA if policy == "trace-blend" else policy
        episode_id = session.controller.start(changed, policy=driver).result(START_S)
        return {"episode_id": episode_id, "obstacles": boxes, "is_branch": False}
    episode_id = begin_branch(session, None, config=changed).result(START_S)
    session.show_step(None)
    session.changed("branch")
    return {"episode_id": episode_id, "obstacles": boxes, "is_branch": True}


def _at(simulator: Simulator, state: SimState) -> tuple[str, ...]:
    """Return what obstacles of a scene would go into in a state of the scene without them."""
    if not isinstance(simulator, BenchSimulator):
        return ()
    probe = CollisionProbe(simulator.model, simulator.instance.scene)
    probe.set_state(state.physics)
    return probe.inside_obstacles()
