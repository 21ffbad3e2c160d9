"""The page: one stage, many tools. A panel is one module with ``NAME``, ``TITLE`` and ``build(app, stage, ui)``."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

import gradio as gr
from gradio import component_meta

# Gradio writes a stub file beside every module that subclasses a component; a workbench writes nothing beside its code.
component_meta.create_or_modify_pyi = lambda *args: None

from panels import evaluation, header, history, human, rating, scene, segmentation, sketch, steering, teach, timeline, trajectory, watch  # noqa: E402
from panels.asset_urls import scripts  # noqa: E402
from panels.errors import bind, plain  # noqa: E402
from panels.events import QUEUE_PERIOD_S  # noqa: E402
from panels.live import LiveSession  # noqa: E402
from panels.replay import open_replay  # noqa: E402
from panels.stage import STORED_TAB_JS, make_stage, open_stage  # noqa: E402
from panels.state import APP_NAME, AppState, UiState  # noqa: E402
from workbench.core.errors import WorkbenchError  # noqa: E402

PANELS: Final[tuple[ModuleType, ...]] = (
    scene,
    sketch,
    segmentation,
    trajectory,
    steering,
    human,
    watch,
    teach,
    history,
    rating,
    evaluation,
)
"""Tools beside the stage, in the order of their tabs."""


def build_page(app: AppState) -> gr.Blocks:
    """Build the page of the workbench."""
    with gr.Blocks(title=APP_NAME, analytics_enabled=False, fill_width=True, fill_height=True, delete_cache=(3600, 24 * 3600)) as page:
        ui = gr.State(UiState())
        bar = header.build()
        with gr.Row(elem_id="bench", equal_height=True):
            with gr.Column(elem_id="bench-stage", scale=5, min_width=360):
                stage = make_stage()
                stage.canvas.head = (stage.canvas.head or "") + scripts("page.js")  # the stage hands its socket to the other parts
                timeline.build(app, ui)
            with gr.Column(elem_id="bench-tools", scale=4, min_width=340), gr.Tabs(elem_id="tools"):
                for panel in PANELS:
                    with gr.Tab(panel.TITLE, id=panel.NAME, elem_id=f"tab-{panel.NAME}", render_children=True):
                        panel.build(app, stage, ui)
        header.connect(app, bar, stage, ui)
        page.load(
            bind(on_open, app), [stage.canvas], [stage.canvas, ui], js=STORED_TAB_JS, show_progress="hidden", api_visibility="private"
        )
    page.queue(default_concurrency_limit=None)
    page._queue.sleep_when_free = QUEUE_PERIOD_S
    built: gr.Blocks = page
    return built


def on_open(app: AppState, stored: Any, request: gr.Request) -> tuple[dict[str, Any], UiState]:
    """Connect a page that loads to its live session: the one it had before a reload, or a new one."""
    session, value = open_stage(app.live, stored)
    query = request.query_params
    episode_id, step = query.get("episode", ""), query.get("step", "0")
    if episode_id:
        open_permalink(app, session, episode_id, step)
    return value, UiState(tab_id=session.tab_id)


def open_permalink(app: AppState, session: LiveSession, episode_id: str, step: str) -> None:
    """Show the moment that a link names; a link that leads nowhere says so and leaves the page usable."""
    try:
        open_replay(app, session, episode_id, int(step) if step.isascii() and step.isdigit() else 0)
    except WorkbenchError as error:
        gr.Warning(plain(f"This link leads nowhere. {error}"))
