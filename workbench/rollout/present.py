"""What a policy is told at this very step: what lies ahead of its trace, and where its masked object is by now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.core.types import Observation, Prompt, Trace

if TYPE_CHECKING:
    from workbench.rollout.loop import LiveEpisode


def present_prompt(episode: LiveEpisode, observation: Observation) -> Prompt:
    """Return the prompt with what lies ahead of its trace; as it is for a policy that does not understand traces."""
    prompt = episode.prompt
    if not episode.is_tracing:
        return prompt
    ahead = episode.trimmer.trim(prompt.trace, observation)
    return prompt if ahead is prompt.trace else replace(prompt, trace=ahead)


def with_newest_mask(prompt: Prompt) -> Prompt:
    """Return the prompt with the newest mask of the same object, where that is tracked beside the loop."""
    mask = prompt.mask
    newest = None if mask is None or mask.newest is None else mask.newest()
    return prompt if newest is None or newest is mask else replace(prompt, mask=newest)


def trace_left(episode: LiveEpisode) -> Trace | None:
    """Return what is left of the prompt's trace."""
    trimmer, trace = episode.trimmer, episode.prompt.trace
    has_begun = trimmer.trace == trace and (trimmer.progress.arc > 0 or trimmer.progress.num_events > 0)
    return trimmer.ahead if has_begun else trace
