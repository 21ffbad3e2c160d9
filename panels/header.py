"""The line on top: name of the workbench, name of the session, connection, look of the page."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.asset_urls import scripts
from panels.errors import bind
from panels.events import QUIET
from panels.stage import Stage
from panels.state import AppState, UiState
from workbench.core.errors import NotStored

MAX_NAME: Final = 120
"""Longest name of a session."""

_TEMPLATE = """<header class="topbar">
<span class="brand"><img src="/favicon.ico" alt="" width="22" height="22"><b>VLA Workbench</b></span>
<label class="session">Session<input data-is="name" maxlength="120" spellcheck="false" placeholder="Name it" aria-label="Name of this session"></label>
<span class="spring"></span>
<span class="connection" data-is="connection" data-state="connecting" role="status">connecting</span>
<button data-do="palette" title="Find and run any command (Ctrl+K)">Commands</button>
<button data-do="help" title="Show all keys (?)">Keys</button>
<button data-do="theme" title="Light or dark page" aria-label="Light or dark page">Theme</button>
</header>"""

_ON_LOAD = """// events: 'rename'
window.VLAW.mountTopbar(element, props, trigger, watch);"""


class TopBar(gr.HTML):
    """The line on top. Value: ``{"name"}`` of the session, both ways. Event: ``rename``."""

    def __init__(self, value: dict[str, Any] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", _ON_LOAD)
        kwargs.setdefault("elem_id", "topbar")
        kwargs.setdefault("head", scripts("page.js"))
        super().__init__(value, **kwargs)

    def api_info(self) -> dict[str, Any]:
        """Describe the value for the API page."""
        return {"type": "object", "properties": {"name": {"type": "string"}}}


def build() -> TopBar:
    """Place the line in the present Gradio layout."""
    return TopBar({"name": ""})


def connect(app: AppState, bar: TopBar, stage: Stage, ui: gr.State) -> None:
    """Wire the line to the session of the tab."""
    bar.rename(bind(on_rename, app), [bar, ui], None, **QUIET)
    stage.on_changed(bind(on_changed, app), [ui], [bar])


def on_rename(app: AppState, value: dict[str, Any], ui: UiState) -> None:
    """Give the session of this tab another name."""
    name = str(value.get("name", "")).strip()[:MAX_NAME]
    app.store.rename_session(session_id_of(app, ui), name)


def on_changed(app: AppState, ui: UiState) -> dict[str, Any]:
    """Show the name of the session of this tab."""
    try:
        return {"name": app.store.session(session_id_of(app, ui)).name}
    except NotStored:  # before the first episode is on disk
        return {"name": ""}


def session_id_of(app: AppState, ui: UiState) -> str:
    """Return the id of the session that this tab records."""
    return app.live.get(ui.tab_id).controller.history().start.session_id
