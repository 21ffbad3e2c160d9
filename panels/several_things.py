"""The table with several things to do: an option of a task of the bench, offered beside the tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from workbench.core.types import EpisodeConfig

SCENE: Final = "several"
"""What the list of tasks calls it; also the episode option that puts the further things there."""
TITLE: Final = "Several things to do on one table"
TASK: Final = "place_in_bowl"
"""Its own measure of success is that of this task."""
ABOUT: Final = "Cubes, a bowl, a plate and a button: for one instruction after another, and for plans of several steps (Watch tab)."


def several_things(config: EpisodeConfig, num_steps: int = 1) -> EpisodeConfig:
    """Return an episode at that table; with more than one step its instruction goes on after the first, ", then ..."."""
    return replace(config, task=TASK, options={**config.options, SCENE: {"steps": num_steps, "seed": config.seed}})


def scene_of(config: EpisodeConfig) -> str:
    """Return what the list of tasks calls the scene of an episode."""
    return SCENE if SCENE in config.options else config.task
