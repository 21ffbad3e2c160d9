"""Sub-goals, a part of the Watch tab: an instruction of several steps, how far each is, and what happens when the instruction changes."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.asset_urls import scripts
from panels.stage import Stage
from panels.state import AppState

TITLE: Final = "Sub-goals"

_TEMPLATE: Final = """<div class="watch goals">
<section><textarea data-is="text" rows="2" maxlength="4000" spellcheck="false" aria-label="What to do, in several steps"
placeholder="Put the red cube in the white bowl, then press the green button"></textarea>
<div class="row"><button data-do="plan" class="primary" disabled title="Take it apart into steps; nothing moves yet (Ctrl+Enter)">Plan</button>
<button data-do="run" disabled title="Tell step after step to the policy that drives">Run</button>
<button data-do="stop" disabled title="Follow the plan no more, and stand still">Stop</button><span class="spring"></span>
<button data-do="scene" disabled title="A new episode at a table with cubes, a bowl, a plate and a button, and an instruction of three steps">Table with several things</button></div></section>
<p class="led" data-is="led" role="status" hidden></p><p class="trouble" data-is="trouble" hidden></p>
<p class="hint" data-is="empty">Say several things at once: with <b>then</b>, commas, numbers, or one a line. <b>Plan</b> shows the steps; you may edit, move and
skip them. Each is told to the policy, looked at until it is done, tried again when it is stuck, and after the last attempt you are asked.</p>
<ol data-is="list" aria-label="Sub-goals"></ol>
<details><summary>How it is followed</summary>
<div class="row"><label class="field" title="By the measure of the task that the step is, which reads the simulator's truth; otherwise the policy's own word is taken">
<input type="checkbox" data-is="is_verifying"> Look whether a step is done, every <input type="number" data-is="verify_every" aria-label="Control steps between two looks" min="1" max="200" step="1"> control steps</label></div>
<div class="row"><label class="field" title="Lift, go back to the start, and begin again, when the hand stands still, nothing comes nearer, or the time is over">
<input type="checkbox" data-is="is_recovering"> When stuck: lift, go back, try again; at most <input type="number" data-is="max_attempts" aria-label="Attempts at most" min="1" max="10" step="1"> attempts</label></div>
<div class="row"><label class="field" title="SwitchVLA: back along the way that was driven while something is touched; else to the start; then the policy begins afresh">
<input type="checkbox" data-is="is_switching"> When you change the instruction on the way: undo first what the hand holds</label></div></details>
<details><summary>Let a language model plan</summary>
<div class="row"><input class="grow" data-is="address" maxlength="500" placeholder="http://localhost:8000/v1" aria-label="Address of the endpoint">
<input class="grow" data-is="model" maxlength="200" placeholder="name of the model" aria-label="Name of the model"></div>
<p class="facts">Any OpenAI-compatible endpoint; left empty, the built-in grammar plans. It is sent your words and what can be asked of this scene, no
picture. A key is read from the variable VLAW_VLM_API_KEY.</p></details></div>"""


class GoalsPart(gr.HTML):
    """Mount point of the part; its data comes from the tab's socket and goes back as commands."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountGoals(element.querySelector('.goals'));")
        kwargs.setdefault("elem_id", "watch-goals")
        kwargs.setdefault("head", scripts("page.js", "watch_goals.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the part in the present Gradio layout."""
    GoalsPart()
