"""Sub-goals, a part of the Watch tab: the steps that an instruction is made of, and which of them hold."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.stage import Stage
from panels.state import AppState

TITLE: Final = "Sub-goals"

_TEMPLATE: Final = """<div class="watch goals"><p class="hint" data-is="empty">An instruction is told to the policy as it stands. It is not taken apart into
steps yet.</p></div>"""


class GoalsPart(gr.HTML):
    """Mount point of the part."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("elem_id", "watch-goals")
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the part in the present Gradio layout."""
    GoalsPart()
