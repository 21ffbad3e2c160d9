"""The part of the Teach tab on versions: what each was made from, how it compares to its parent, which one is in use."""

from __future__ import annotations

from typing import Final

import gradio as gr

from panels.facts import fact_lines
from panels.stage import Stage
from panels.state import AppState

NAME: Final = "versions"
TITLE: Final = "Versions"


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place this part in the present Gradio layout."""
    lines = fact_lines("teach-versions-lines")
    lines.value = {
        "lines": ["There is one version, the bench VLA as it comes with the workbench. Improve it, and the next one is listed here."]
    }
