"""The page: one stage, many tools. A panel is one module with ``NAME``, ``TITLE`` and ``build(app, stage, ui)``."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

import gradio as gr
from gradio import component_meta

# Gradio writes a stub file beside every module that subclasses a component; a workbench writes nothing beside its code.
component_meta.create_or_modify_pyi = lambda *args: None

from panels import header, history, scene, sketch, timeline  # noqa: E402
from panels.errors import bind  # noqa: E402
from panels.stage import STORED_TAB_JS, make_stage, open_stage  # noqa: E402
from panels.state import APP_NAME, AppState, UiState  # noqa: E402

PANELS: Final[tuple[ModuleType, ...]] = (scene, sketch, history)
"""Tools beside the stage, in the order of their tabs."""


def build_page(app: AppState) -> gr.Blocks:
    """Build the page of the workbench."""
    with gr.Blocks(title=APP_NAME, analytics_enabled=False, fill_width=True, fill_height=True, delete_cache=(3600, 24 * 3600)) as page:
        ui = gr.State(UiState())
        bar = header.build()
        with gr.Row(elem_id="bench", equal_height=True):
            with gr.Column(elem_id="bench-stage", scale=5, min_width=360):
                stage = make_stage()
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
    return page


def on_open(app: AppState, stored: Any, request: gr.Request) -> tuple[dict[str, Any], UiState]:
    """Connect a page that loads to its live session: the one it had before a reload, or a new one."""
    session, value = open_stage(app.live, stored)
    query = {name: str(text)[:200] for name, text in dict(request.query_params).items() if name in ("session", "episode", "step")}
    return value, UiState(tab_id=session.tab_id, query=query)
