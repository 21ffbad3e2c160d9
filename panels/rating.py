"""Judge: what people said of the episodes, how well they agree, which policy they prefer; the rater's own page is ``/rate``."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.asset_urls import scripts
from panels.stage import Stage
from panels.state import AppState

NAME: Final = "judge"
TITLE: Final = "Judge"

_TEMPLATE: Final = """<div class="judge">
<div class="row"><a class="button primary" href="/rate" target="_blank" rel="noopener" title="A page of its own, also for a tablet: compare two episodes, or rate one">Open the rater's page</a>
<button data-do="refresh" title="Read the judgements again">Refresh</button></div>
<p class="facts">Two episodes of the same start are shown side by side, in an order drawn by chance and without saying whose they are. Send the address
<b>/rate</b> of this server to everybody who judges; each gives a name.</p>
<p class="hint" data-is="empty">Nobody has judged yet. Run the same scene with two policies (Scene tab, same seed), then open the rater's page: choose the better one, or rate each.</p>
<div data-is="body" hidden>
<section><h4>Ranking of the policies</h4><table data-is="ranking"></table><p class="facts" data-is="no-ranking">No two policies were compared yet.</p>
<p class="facts">Share of wins that a policy would have against an average one of these (Bradley-Terry model; a tie is half a win each).</p></section>
<section><h4>What raters saw</h4><table data-is="quality"></table></section>
<section><h4>How well people agree</h4><table data-is="agreement"></table>
<p class="facts">1 is perfect agreement, 0 is chance. Alpha is Krippendorff's, for any number of raters with gaps; kappa is Cohen's for two raters and
Fleiss' for more, over what all of them judged. From 0.80 on alpha counts as reliable, from 0.67 for tentative conclusions.</p></section>
<section><h4>Who</h4><p class="facts" data-is="count"></p><table data-is="raters"></table></section>
<div class="row"><a class="button" href="/api/feedback/export/csv" download>Ratings (CSV)</a><a class="button" href="/api/feedback/export/parquet" download>Ratings (Parquet)</a>
<a class="button" href="/api/feedback/export/json" download>Everything (JSON)</a><a class="button" href="/api/feedback/export/preferences" download title="One chosen and one rejected episode a line">Preference pairs</a></div></div></div>"""


class JudgeTab(gr.HTML):
    """Mount point of the tab; it reads ``/api/feedback/summary``."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountJudge(element.querySelector('.judge'));")
        kwargs.setdefault("elem_id", "judge")
        kwargs.setdefault("head", scripts("page.js", "rating.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    JudgeTab()
