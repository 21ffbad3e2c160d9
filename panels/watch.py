"""Watch: see trouble coming, look at what else the policy could do, and follow how far it is with what it was told."""

from __future__ import annotations

from typing import Final

import gradio as gr

from panels import watch_alarms, watch_candidates, watch_goals
from panels.stage import Stage
from panels.state import AppState

NAME: Final = "watch"
TITLE: Final = "Watch"

PARTS: Final = (watch_alarms, watch_candidates, watch_goals)
"""Modules with ``TITLE`` and ``build(app, stage, ui)``, from top to bottom."""


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    for part in PARTS:
        with gr.Accordion(part.TITLE, open=True, elem_classes="watch-part"):
            part.build(app, stage, ui)
