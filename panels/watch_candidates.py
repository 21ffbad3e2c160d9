"""Candidates, a part of the Watch tab: what else the policy could do now, and which of it is best."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.stage import Stage
from panels.state import AppState

TITLE: Final = "Candidates"

_TEMPLATE: Final = """<div class="watch candidates"><p class="hint" data-is="empty">The policy's first answer is executed. Other answers of the same call are
not drawn yet.</p></div>"""


class CandidatesPart(gr.HTML):
    """Mount point of the part."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("elem_id", "watch-candidates")
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the part in the present Gradio layout."""
    CandidatesPart()
