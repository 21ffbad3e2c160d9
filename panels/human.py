"""Human: take over, correct, hand back; say why; stamp outcomes; talk with the robot; say when it asks first; procedures."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.asset_urls import scripts
from panels.stage import Stage
from panels.state import AppState

NAME: Final = "human"
TITLE: Final = "Human"

_TEMPLATE: Final = """<div class="human" data-mode="idle">
<section><div class="row"><span class="who"><i></i><span data-is="who" role="status">No episode</span></span><span class="spring"></span>
<button data-do="drive" class="primary" title="Drive the arm yourself, or give it back (Tab)">Take over</button>
<button data-do="tool" title="Drag the ring at the gripper; click where it shall go (Shift: right down to it); draw how it shall move (C)">Correct on the picture</button></div>
<div class="row"><button data-do="segment" disabled title="Recovering brings it back to where the policy knows its way; correcting shows what to do (Q)">Now: correcting</button>
<button data-do="discard" disabled title="Throw the last correction away: back to where it began, on a branch (Shift+Backspace)">Discard it</button>
<input class="grow" data-is="reason" maxlength="200" placeholder="Why? Type, or choose below" aria-label="Reason of the correction"></div>
<div class="row" data-is="reasons" role="group" aria-label="Reasons"></div>
<details><summary>Drive with buttons, touch or a gamepad</summary><div class="pad" data-is="pad"></div>
<p class="facts">Hold a button. Keys while you drive: arrows, Page up and down, comma and full stop turn, X gripper, Shift faster. Gamepad: right
shoulder takes over and hands back, sticks drive, triggers close and open, Y success, A failure, X discards, B HALT.</p></details></section>
<section><h4>This attempt</h4><div class="row"><button data-do="success" class="good" title="It worked: stamp it (Y)">Success</button>
<button data-do="failure" class="bad" title="It failed: stamp it (F)">Failure</button>
<select data-is="after" aria-label="After an outcome" title="What follows an outcome"><option value="again">then again</option>
<option value="next">then the next scene</option><option value="stay">then stay</option></select><span class="spring"></span>
<button data-do="reset" title="Start the same scene anew, paused (R)">Reset</button>
<button data-do="keep" title="Mark the last 30 seconds, to find them again (J)">Keep the last 30 s</button></div>
<ol data-is="corrections"></ol><ol data-is="kept"></ol>
<p class="hint" data-is="empty">Nothing corrected in this episode. When you see trouble coming, grab the ring at the gripper (C), or press Tab and use the
arrows. What you do is recorded step by step beside what the policy wanted; while paused nothing is recorded.</p></section>
<section><h4>Talk with it</h4><div class="talk" data-is="talk" role="log" aria-live="polite"></div>
<div class="row"><input class="grow" data-is="say" maxlength="500" placeholder="An instruction, a question, or stop" aria-label="Say something to the robot">
<button data-do="say" title="Say it (Enter)">Say</button></div></section>
<section><details><summary>When it asks first</summary><ul data-is="rules"></ul><div class="row"><select data-is="rule-kind" aria-label="What the rule looks at">
<option value="region">a region</option><option value="object">a thing</option><option value="speed">speed</option><option value="confidence">low confidence</option></select>
<span class="row" data-for="region">x <input type="number" data-is="x0" aria-label="Least x [cm]"> to <input type="number" data-is="x1" aria-label="Largest x [cm]"> y <input type="number" data-is="y0" aria-label="Least y [cm]"> to
<input type="number" data-is="y1" aria-label="Largest y [cm]"> z <input type="number" data-is="z0" aria-label="Least z [cm]"> to <input type="number" data-is="z1" aria-label="Largest z [cm]"> cm</span>
<span class="row" data-for="object">nearer than <input type="number" data-is="near" aria-label="Distance [cm]" value="6" min="1"> cm to the <input data-is="thing" aria-label="Thing" placeholder="red cube" maxlength="80"></span>
<span class="row" data-for="speed">faster than <input type="number" data-is="speed" aria-label="Speed [cm/s]" value="25" min="1"> cm/s</span>
<span class="row" data-for="confidence">less sure than <input type="number" data-is="sure" aria-label="Certainty [%]" value="50" min="1" max="100"> %</span>
<button data-do="rule-add">Add</button></div>
<p class="facts">The robot stops before such a step and asks on the picture. Without an answer it stays paused. x is ahead of the robot's base, y to
its left, z up; an empty field does not limit.</p></details></section>
<section><details><summary>Procedure</summary><textarea data-is="procedure-text" maxlength="6000" placeholder="One step a line, for example:&#10;pick up the red cube&#10;put the red cube on the white plate" aria-label="Procedure"></textarea>
<div class="row"><button data-do="procedure-start" title="Tell step after step to what drives">Follow it</button><button data-do="procedure-stop" disabled>Stop following</button></div>
<p class="facts" data-is="procedure-note" hidden></p><ol data-is="procedure"></ol>
<p class="facts">A step is ticked when the measure of its task holds, when the policy says that it is finished, or by hand.</p></details></section>
<section><h4>How much people helped</h4><p class="hint" data-is="no-help">Once an episode has ended, this shows for each policy how often and how long a person drove.</p>
<table data-is="help"></table></section></div>"""


class HumanTab(gr.HTML):
    """Mount point of the tab; its data comes from the tab's socket and goes back as commands."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountHuman(element.querySelector('.human'));")
        kwargs.setdefault("elem_id", "human")
        kwargs.setdefault("head", scripts("page.js", "human.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    HumanTab()
