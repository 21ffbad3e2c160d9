"""The timeline under the stage: steps, actors, events and branches on one axis; drawn in the page by ``assets/timeline.js``."""

from __future__ import annotations

from typing import Any

import gradio as gr

_TEMPLATE = """<div class="timeline" tabindex="0" role="slider" aria-label="Timeline: arrows step, Home and End jump" aria-valuemin="0">
<canvas></canvas><div class="tl-tip" hidden></div>
<div class="tl-bar"><span class="tl-position"></span>
<button data-do="fit" title="Show the whole episode (double click; wheel zooms, Shift+wheel pans)">Fit</button>
<button data-do="branch" title="New episode from the shown step (B)">Branch here</button>
<button data-do="follow" title="Show what happens now (End)">Follow live</button></div></div>"""

_ON_LOAD = "window.VLAW.mountTimeline(element.querySelector('.timeline'));"


class TimelineCanvas(gr.HTML):
    """Mount point of the timeline; it has no value, its data comes from the tab's socket."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", _ON_LOAD)
        kwargs.setdefault("elem_id", "timeline")
        super().__init__(**kwargs)


def build() -> None:
    """Place the timeline in the present Gradio layout."""
    TimelineCanvas()


def actor_runs(actors: list[str]) -> list[tuple[int, str]]:
    """Return the runs of equal actors: first step and name of each."""
    return [(i, name) for i, name in enumerate(actors) if i == 0 or actors[i - 1] != name]


def timeline_document(
    *,
    episode_id: str,
    num_steps: int,
    control_hz: float,
    actors: list[str],
    events: list[dict[str, Any]],
    parent: dict[str, Any] | None = None,
    branches: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return what ``assets/timeline.js`` draws.

    Args:
        episode_id: Whose timeline it is.
        num_steps: Length of the axis.
        control_hz: Steps a second, for the time of a step.
        actors: Who acted, one name a step.
        events: :meth:`workbench.core.events.Event.to_dict` of each event.
        parent: ``{"episode_id", "step"}`` this episode branches from.
        branches: ``{"episode_id", "step", "label", "outcome"}`` of each branch that leaves it.
    """
    return {
        "episode_id": episode_id,
        "num_steps": num_steps,
        "control_hz": control_hz,
        "actors": [list(run) for run in actor_runs(actors)],
        "events": events,
        "parent": parent,
        "branches": branches or [],
    }
