"""The box in which a person tells the robot something in words; its data comes from the tab's socket and goes back as commands."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.asset_urls import scripts

MAX_TEXT: Final = 2000

_TEMPLATE: Final = f"""<div class="tell">
<div class="tell-row"><label><span>Instruction</span><textarea rows="1" maxlength="{MAX_TEXT}" spellcheck="false"></textarea></label>
<button type="button" class="primary" data-do="tell" id="scene-tell" title="Tell it now, also while it moves (Enter)">Tell it now</button></div>
<div class="chips" data-is="chips" role="group" aria-label="Manner" hidden></div>
<div class="answer" data-is="answer" role="status" aria-live="polite" hidden></div>
<div class="facts" data-is="facts"></div></div>"""


class TellBox(gr.HTML):
    """Instruction box with manner words, what was understood, and facts about the driver. Its value: ``{"text": what is typed}``."""

    def __init__(self, value: dict[str, Any] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountTell(element.querySelector('.tell'), props, watch);")
        kwargs.setdefault("elem_id", "scene-instruction")
        kwargs.setdefault("head", scripts("page.js", "tell.js"))
        super().__init__(value or {"text": ""}, **kwargs)

    def api_info(self) -> dict[str, Any]:
        """Describe the value for the API page."""
        return {"type": "object", "properties": {}, "additionalProperties": True}


def typed(value: object) -> str:
    """Return what stands in the box, unchecked values included."""
    text = value.get("text") if isinstance(value, dict) else None
    return text.strip()[:MAX_TEXT] if isinstance(text, str) else ""
