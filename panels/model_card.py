"""The model card of the policy that drives: what it is, how it was made, what was measured of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr

from workbench.core.protocols import PolicySpec

ROOT: Final = Path(__file__).parent.parent
MAX_BYTES: Final = 200_000
"""A longer card is cut."""


def place_card() -> tuple[gr.Accordion, gr.Markdown]:
    """Place the disclosure in the present Gradio layout; :func:`card_updates` fills it."""
    with gr.Accordion("Model card", open=False, visible=False, elem_id="scene-card") as box:
        text = gr.Markdown(elem_id="scene-card-text")  # cleaned of markup by Gradio
    return box, text


def card_updates(spec: PolicySpec | None, shown: str) -> tuple[str, Any, Any]:
    """Return the path of the card of a policy, and what the disclosure and its text become; nothing when it is shown already."""
    path = spec.card if spec else ""
    if path == shown:
        return shown, gr.skip(), gr.skip()
    text = read_card(path)
    return path, gr.Accordion(visible=bool(text)), text


def read_card(path: str) -> str:
    """Return the text of a model card, from the root of the project; empty when there is none."""
    file = ROOT / path
    if not path or file.suffix != ".md" or not file.is_file():
        return ""
    with file.open(encoding="utf-8", errors="replace") as opened:
        return opened.read(MAX_BYTES)
