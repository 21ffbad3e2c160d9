"""Teach: improve the bench VLA on what people corrected, keep and compare its versions, take data in and out."""

from __future__ import annotations

from types import ModuleType
from typing import Final

import gradio as gr

from panels import teach_dataset, teach_improve, teach_versions
from panels.stage import Stage
from panels.state import AppState

NAME: Final = "teach"
TITLE: Final = "Teach"

_PARTS: Final[tuple[tuple[ModuleType, bool], ...]] = ((teach_improve, True), (teach_versions, True), (teach_dataset, False))
"""The parts of the tab from top to bottom, and whether each is open at first."""


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    for part, is_open in _PARTS:
        with gr.Accordion(part.TITLE, open=is_open, elem_id=f"teach-{part.NAME}"):
            part.build(app, stage, ui)
