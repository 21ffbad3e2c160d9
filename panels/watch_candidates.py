"""Candidates, a part of the Watch tab: what else the policy could do now, and which of it is best; and how chunks are executed."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.asset_urls import scripts
from panels.stage import Stage
from panels.state import AppState

TITLE: Final = "Candidates"

_TEMPLATE: Final = """<div class="watch candidates">
<section><div class="row"><label class="field">Weigh several answers <select data-is="when"><option value="never">never</option>
<option value="alarm">after an alarm</option><option value="always">at every call</option></select></label><span class="spring"></span>
<button data-do="now" class="primary" title="Draw candidates for the next step; while paused nothing moves">Draw now</button></div>
<div class="row"><label class="field" title="How many, the policy's own answer included"><input type="number" data-is="count" min="1" max="64" step="1"> candidates</label>
<label class="field" title="From the policy's own distribution, or from a Gaussian around a few draws of it">drawn from <select data-is="draw"><option value="gaussian">a Gaussian around a few</option>
<option value="policy">the policy</option></select></label></div>
<div class="row"><label class="field" title="What says how good a candidate is">judged by <select data-is="verifier"></select></label>
<label class="field" title="0 takes the best; more draws the good ones more evenly">beta <input type="number" data-is="beta" min="0" max="100" step="0.1"></label>
<label class="field" title="The robot pauses before each choice"><input type="checkbox" data-is="asking"> pause, I pick</label></div>
<p class="facts" data-is="about"></p></section>
<p class="trouble" data-is="trouble" hidden></p>
<p class="hint" data-is="empty">The policy's first answer is executed. <b>Draw now</b> shows on the picture what else it could do next, with the score of each;
while paused you may pick one. What would leave the workspace or run into something is refused, whatever its score.</p>
<section data-is="found" hidden><p class="facts" data-is="summary" role="status"></p><ol data-is="list"></ol></section>
<section><h4>Chunks of actions</h4><div class="row"><label class="field">Execute <select data-is="mode"><option value="receding">the first part, then look again</option>
<option value="open loop">whole chunks, without looking</option><option value="temporal">a mean, older ones first (ACT)</option>
<option value="adaptive">a mean of those alike (CogACT)</option></select></label></div>
<div class="row"><label class="field" title="Actions before the policy is asked again; empty: as many as it wants">horizon <input type="number" data-is="horizon" min="1" max="64" step="1"></label>
<label class="field" data-for="ensemble" title="Chunks that are looked at, the newest included"><input type="number" data-is="kept" min="1" max="16" step="1"> chunks</label>
<label class="field" data-for="adaptive" title="0 is the plain mean; with the published 0.1 weights differ by a fifth at most">alpha <input type="number" data-is="alpha" min="0" max="10" step="0.1"></label>
<label class="field" data-for="temporal" title="How much less a newer chunk counts than the one before">decay <input type="number" data-is="decay" min="0" max="10" step="0.01"></label></div>
<div class="shares" data-is="shares" data-for="ensemble" role="img" hidden></div>
<p class="facts" data-is="chunk-note"></p></section></div>"""


class CandidatesPart(gr.HTML):
    """Mount point of the part; its data comes from the tab's socket and goes back as commands."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountCandidates(element.querySelector('.candidates'));")
        kwargs.setdefault("elem_id", "watch-candidates")
        kwargs.setdefault("head", scripts("page.js", "watch_candidates.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the part in the present Gradio layout."""
    CandidatesPart()
