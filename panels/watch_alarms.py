"""Alarms, a part of the Watch tab: a score of coming failure beside the band that a good episode stays in."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.asset_urls import scripts
from panels.stage import Stage
from panels.state import AppState

TITLE: Final = "Alarms"

_TEMPLATE: Final = """<div class="watch alarms" data-state="loading">
<div class="row"><label class="field" title="Scores every call of the policy; costs well under a millisecond a call"><input type="checkbox" data-is="on"> Watch the policy</label>
<label class="field">and on an alarm <select data-is="action"><option value="note">only note it</option><option value="ask">pause and ask</option>
<option value="resample">try another answer</option><option value="retreat">lift the hand, look again</option></select></label></div>
<p class="trouble" data-is="trouble" role="status" hidden></p>
<p class="hint" data-is="empty" hidden></p>
<div data-is="body" hidden>
<div class="risk" data-is="plot"></div>
<p class="facts" data-is="now" role="status"></p>
<ol data-is="alarms"></ol>
<details><summary>What watches, and how strictly</summary>
<div class="row"><label class="field">Watched by <select data-is="detector"></select></label></div>
<div class="row"><label class="field" title="Smaller: fewer false alarms, and later or fewer true ones">An alarm in at most
<input type="number" data-is="alpha" min="2" max="50" step="1"> % of good episodes</label></div>
<p class="facts" data-is="promise"></p>
<table data-is="aucs"></table>
<p class="facts">How well a detector ranks failing above good episodes, both cut to the same length: 1 is always, 0.5 is chance. Measured on episodes that it
was not trained on, of tasks that it was trained on, and of others.</p></details></div></div>"""


class AlarmsPart(gr.HTML):
    """Mount point of the part; its data comes from the tab's socket and goes back as commands."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountAlarms(element.querySelector('.alarms'));")
        kwargs.setdefault("elem_id", "watch-alarms")
        kwargs.setdefault("head", scripts("page.js", "watch_alarms.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the part in the present Gradio layout."""
    AlarmsPart()
