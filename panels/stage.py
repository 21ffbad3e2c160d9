"""The stage: one component with the live picture, the drawing on it, and everything that is always visible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from panels.events import QUIET
from panels.live import LiveRegistry, LiveSession

STORED_TAB_JS = "() => [JSON.parse(sessionStorage.getItem('vla-workbench.tab') || 'null')]"
"""For ``demo.load(on_load, inputs=[stage.canvas], js=STORED_TAB_JS)``: the tab that this page had before a reload."""

# A comment names the events, because Gradio makes listeners from the names that it finds in quotes here.
_ON_LOAD = """
// events: 'commit' 'changed'
import('/assets/stage/stage.js').then((stage) => stage.mountStage({ element, props, trigger, watch }));
"""
_TEMPLATE = '<div class="stage-root" data-seq="0"></div>'
_API_INFO = {"type": "object", "properties": {}, "additionalProperties": True}


class StageCanvas(gr.HTML):
    """The live canvas. Its value: ``{"tab_id", "token"}`` down; the page adds ``{"sketch", "seq"}`` on a commit.

    Events: ``commit`` (the drawing changed) and ``changed`` (something that panels show changed; ``evt.what`` is ``episode``,
    ``plan``, ``mode``, ``sketch`` or ``branch``). The template never holds text of a person or a model.
    """

    def __init__(self, value: dict[str, Any] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", _ON_LOAD)
        kwargs.setdefault("apply_default_css", False)
        kwargs.setdefault("elem_id", "stage")
        super().__init__(value, **kwargs)

    def api_info(self) -> dict[str, Any]:
        """Describe the value for the API page."""
        return _API_INFO


@dataclass(frozen=True)
class Stage:
    """What a panel gets to hook itself to the stage."""

    canvas: StageCanvas

    def on_commit(self, fn: Any, inputs: Any = None, outputs: Any = None) -> None:
        """Call ``fn`` after each change of the drawing."""
        self.canvas.commit(fn, inputs, outputs, trigger_mode="multiple", **QUIET)

    def on_changed(self, fn: Any, inputs: Any = None, outputs: Any = None) -> None:
        """Call ``fn`` when something that panels show has changed; ask for ``evt: gr.EventData`` to know what."""
        # Not "always_last": with several listeners on one event Gradio fires them again and again, for ever.
        self.canvas.changed(fn, inputs, outputs, trigger_mode="multiple", **QUIET)


def make_stage() -> Stage:
    """Place the stage in the present Gradio layout."""
    return Stage(StageCanvas())


def open_stage(registry: LiveRegistry, stored: Any) -> tuple[LiveSession, dict[str, Any]]:
    """Return the live session of a page that loads, and the value that connects its stage to it.

    Args:
        registry: all live tabs.
        stored: what :data:`STORED_TAB_JS` found, unchecked: the tab that this page had before a reload, or None.
    """
    known = stored if isinstance(stored, dict) else {}
    tab_id, token = known.get("tab_id"), known.get("token")
    session = registry.resume_or_create(tab_id if isinstance(tab_id, str) else None, token if isinstance(token, str) else None)
    return session, {"tab_id": session.tab_id, "token": session.token}
