"""Masks: objects that were clicked on the stage, what shall be done with them, and pictures and videos of one's own."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels import segmentation_media
from panels.asset_urls import scripts
from panels.stage import Stage
from panels.state import AppState

NAME: Final = "masks"
TITLE: Final = "Masks"

_TEMPLATE: Final = """<div class="objects">
<div class="line"><button class="primary" data-is="tool" title="Take the mask tool in the hand (M)">Mask tool</button>
<button data-is="new" title="The next click masks another object (N)">New object</button>
<button data-is="undo" disabled title="Take back the last click (Ctrl+Z)">Undo</button>
<button data-is="redo" disabled title="Bring it back (Ctrl+Shift+Z)">Redo</button>
<span class="spring"></span><label class="line">Segmenter <select data-is="segmenter" aria-label="Segmenter"></select></label></div>
<p class="quiet" data-is="about"></p>
<p class="empty" data-is="empty">Take the mask tool (M) and click a thing on the picture: it is masked and followed from then on. A right click, or Shift and a
click, takes a part away; dragging draws a box around it. Then choose below what shall be done with it.</p>
<ol data-is="objects" aria-label="Masked objects"></ol>
<p class="quiet" data-is="lag" role="status"></p>
<h4>Act on it</h4>
<div class="line"><span data-is="what"></span><span class="of" data-is="on"></span><span data-is="driver"></span>
<button class="primary" data-is="act" disabled title="Do it now">Do it</button>
<button data-is="add" disabled title="Add it to a list that is done step by step">Add to the list</button></div>
<div data-is="program" hidden><div class="line"><h4>Step by step</h4><span class="state" data-is="state"></span><span class="spring"></span>
<button data-is="run" title="Do the whole list">Run the list</button></div>
<ol data-is="steps" aria-label="Steps"></ol><p class="quiet" data-is="program-note" role="status"></p></div>
<div class="line quiet"><label class="line"><input type="checkbox" data-is="pauses" checked> Pause and ask when the target is lost for</label>
<label class="line"><input type="number" data-is="patience" value="1" min="0.1" max="60" step="0.1" aria-label="Seconds until a target counts as lost"> s</label></div>
<h4>By name, or by an action</h4>
<div class="line"><input data-is="words" maxlength="300" aria-label="Name of an object, or an action" placeholder="red cube, or: put the red cube on the plate" style="flex: 1">
<button data-is="find" title="Mask the things of this name">Mask it</button>
<button data-is="active" title="Tell which masked objects take part in this action, and why">Who takes part?</button></div>
<div class="answer" data-is="answer" role="status" hidden></div></div>"""


class ObjectList(gr.HTML):
    """Mount point of the list of objects; its data comes from the tab's socket."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountObjects(element.querySelector('.objects'));")
        kwargs.setdefault("elem_id", "objects")
        kwargs.setdefault("head", scripts("page.js", "segmentation.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    ObjectList()
    segmentation_media.build(app, ui)
