"""Branches of the live episode."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from workbench.core.errors import InvalidInput
from workbench.core.types import EpisodeConfig
from workbench.rollout.branching import standing_at

if TYPE_CHECKING:
    from panels.live import LiveSession


def begin_branch(session: LiveSession, step: int | None, *, config: EpisodeConfig | None = None) -> Future[str]:
    """Begin an episode from a step of the live one (default: the step that is looked at), paused; the future has its id.

    ``config`` replaces that of the episode; its scene must have states of the same form.

    Raises:
        InvalidInput: there is no episode, or a stored one is shown.
    """
    status = session.controller.status()
    if session.config is None or not status.episode_id:
        raise InvalidInput("branch", expected="an episode to branch from", found="none", fix="Start an episode first.")
    if session.stored is not None:
        raise InvalidInput("branch", expected="a step of the live episode", found="a stored one", fix="Branch from it in the History tab.")
    history = session.controller.history()
    wanted = step if step is not None else session.shown_step
    if wanted is None or wanted >= history.num_steps:
        wanted = history.num_steps
        state = session.in_simulator(lambda simulator: simulator.state())
    else:
        state = history.state(max(0, wanted))
    standing = standing_at(history.events(), wanted, instruction=status.instruction, policy=history.start.policy)
    lead = history.lead(standing, wanted)
    return session.controller.branch(
        config or session.config,
        state,
        parent_id=status.episode_id,
        step=wanted,
        policy=standing.policy,
        prompt=standing.prompt,
        lead=lead,
        steering=history.steering(standing, lead),
    )
