"""The timeline under the stage: steps, actors, events and branches on one axis; drawn in the page by ``assets/timeline.js``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from panels.asset_urls import scripts
from panels.errors import bind
from panels.events import QUIET
from panels.replay import branch_from, open_replay
from panels.state import AppState, UiState

_TEMPLATE = """<div class="timeline" tabindex="0" role="slider" aria-label="Timeline: arrows step, Home and End jump" aria-valuemin="0">
<canvas></canvas><div class="tl-tip" hidden></div>
<div class="tl-bar"><span class="tl-position"></span>
<button data-do="play" title="Play what is recorded, from the cursor on">Replay</button>
<button data-do="fit" title="Show the whole episode (double click; wheel zooms, Shift+wheel pans)">Fit</button>
<button data-do="branch" title="New episode from the shown step (B)">Branch here</button>
<button data-do="follow" title="Show what happens now (End)">Follow live</button></div></div>"""

_ON_LOAD = """// events: 'open' 'branch'
const root = element.querySelector('.timeline');
for (const [event, name] of [['open-episode', 'open'], ['branch-stored', 'branch']])
  root.addEventListener(event, (e) => { props.value = e.detail; trigger(name); });
window.VLAW.mountTimeline(root);"""


class TimelineCanvas(gr.HTML):
    """Mount point of the timeline; its data comes from the tab's socket.

    Value: ``{"episode_id", "step"}`` of the event: ``open`` a branch that was clicked, ``branch`` from a stored episode.
    """

    def __init__(self, value: dict[str, Any] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", _ON_LOAD)
        kwargs.setdefault("elem_id", "timeline")
        kwargs.setdefault("head", scripts("page.js", "events.js", "timeline.js"))
        super().__init__(value, **kwargs)


def build(app: AppState, ui: gr.State) -> None:
    """Place the timeline in the present Gradio layout."""
    canvas = TimelineCanvas()
    canvas.open(bind(on_open, app), [canvas, ui], None, **QUIET)
    canvas.branch(bind(on_branch, app), [canvas, ui], None, **QUIET)


def on_open(app: AppState, value: dict[str, Any], ui: UiState) -> None:
    """Show a branch that was clicked."""
    open_replay(app, app.live.get(ui.tab_id), str(value.get("episode_id", "")), int(value.get("step", 0)))


def on_branch(app: AppState, value: dict[str, Any], ui: UiState) -> None:
    """Branch from the stored episode that is shown."""
    branch_from(app, app.live.get(ui.tab_id), str(value.get("episode_id", "")), int(value.get("step", 0)))


def actor_runs(actors: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the runs of equal actors, first step and name of each, from the step and actor of each known step."""
    return [entry for i, entry in enumerate(actors) if i == 0 or actors[i - 1][1] != entry[1]]


def timeline_document(
    *,
    episode_id: str,
    num_steps: int,
    control_hz: float,
    actors: Sequence[tuple[int, str]],
    events: list[dict[str, Any]],
    parent: dict[str, Any] | None = None,
    branches: list[dict[str, Any]] | None = None,
    risk: list[list[float]] | None = None,
) -> dict[str, Any]:
    """Return what ``assets/timeline.js`` draws.

    Args:
        episode_id: Whose timeline it is.
        num_steps: Length of the axis.
        control_hz: Steps a second, for the time of a step.
        actors: Step and who acted, in order.
        events: :meth:`workbench.core.events.Event.to_dict` of each event.
        parent: ``{"episode_id", "step"}`` this episode branches from.
        branches: ``{"episode_id", "step", "label", "outcome"}`` of each branch that leaves it.
        risk: Step, score and bound of each call of the policy that was scored.
    """
    return {
        "episode_id": episode_id,
        "num_steps": num_steps,
        "control_hz": control_hz,
        "actors": [list(run) for run in actor_runs(actors)],
        "events": events,
        "parent": parent,
        "branches": branches or [],
        "risk": risk or [],
    }
