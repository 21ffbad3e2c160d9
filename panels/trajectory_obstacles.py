"""Obstacles that a person puts in the way: the episode starts anew with them, on the same seed; the path that was drawn stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from panels.trajectory_drive import BENCH_VLA
from workbench.core.errors import InvalidInput
from workbench.simulation.obstacles import MAX_OBSTACLES, read_obstacle

if TYPE_CHECKING:
    from panels.live import LiveSession

START_S: Final = 120.0
"""Longest wait for the new scene."""


def add(session: LiveSession, box: dict[str, float]) -> dict[str, Any]:
    """Start the episode anew with one more box on the table [m].

    Raises:
        InvalidInput: the box is too large, not on the table, or one too many; nothing changes.
    """
    config = session.config
    if config is None or config.simulator != "bench":
        raise InvalidInput("obstacle", expected="an episode of the bench simulator", found="none", fix="Start one in the Scene tab.")
    boxes = list(config.options.get("obstacles", {}).get("boxes", []))
    if len(boxes) >= MAX_OBSTACLES:
        raise InvalidInput("obstacles", expected=f"at most {MAX_OBSTACLES}", found=str(len(boxes) + 1), fix="Remove them first.")
    rounded = {name: round(value, 4) for name, value in box.items()}
    read_obstacle(rounded, len(boxes))
    return _start(session, [*boxes, rounded])


def clear(session: LiveSession) -> dict[str, Any]:
    """Start the episode anew without obstacles."""
    return _start(session, [])


def _start(session: LiveSession, boxes: list[dict[str, float]]) -> dict[str, Any]:
    config = session.config
    assert config is not None, "an episode runs"
    options = {name: value for name, value in config.options.items() if name != "obstacles"}
    if boxes:
        options["obstacles"] = {"boxes": boxes}
    policy = session.controller.status().policy
    driver = BENCH_VLA if policy == "trace-blend" else policy
    episode_id = session.controller.start(replace(config, options=options), policy=driver).result(START_S)
    return {"episode_id": episode_id, "obstacles": boxes}
