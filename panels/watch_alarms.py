"""Alarms, a part of the Watch tab: a score of coming failure beside the band that a good episode stays in."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.stage import Stage
from panels.state import AppState

TITLE: Final = "Alarms"

_TEMPLATE: Final = """<div class="watch alarms"><p class="hint" data-is="empty">Nothing watches the policy yet. A failure detector, once it is trained,
scores every call of the policy and raises an alarm when the score leaves what good episodes look like.</p></div>"""


class AlarmsPart(gr.HTML):
    """Mount point of the part."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("elem_id", "watch-alarms")
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the part in the present Gradio layout."""
    AlarmsPart()
