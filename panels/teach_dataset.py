"""The part of the Teach tab on data: what is stored goes out as a dataset, and datasets come in."""

from __future__ import annotations

from typing import Final

import gradio as gr

from panels.facts import fact_lines
from panels.stage import Stage
from panels.state import AppState

NAME: Final = "dataset"
TITLE: Final = "Dataset"


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place this part in the present Gradio layout."""
    lines = fact_lines("teach-dataset-lines")
    lines.value = {"lines": ["Sessions go out as archives, films or JSON: see the History tab."]}
