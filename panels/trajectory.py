"""Trajectory: see where the robot means to go, drag it elsewhere, check, preview and run it."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from panels.asset_urls import scripts
from panels.errors import bind
from panels.events import QUIET
from panels.render.trajectory import path_figure
from panels.stage import Stage
from panels.state import AppState, UiState

NAME: Final = "trajectory"
TITLE: Final = "Trajectory"

_TEMPLATE: Final = """<div class="path-editor">
<div class="row" data-is="sources"><button data-do="tool" class="primary" title="See the robot's way on the picture and drag its points (T)">Edit on the picture</button>
<button data-do="own" title="Drop the edits and show what the policy means to do" aria-label="Policy's path">Policy's</button>
<button data-do="drawing" title="Take the path that the drawing was planned as (Sketch tab)" aria-label="Drawing's path">Drawing's</button>
<button data-do="episode" title="Take the way that the gripper went: in the stored episode that is on the stage, else in this one so far" aria-label="Episode's path">Episode's</button>
<label class="button" title="Import a path: JSON, or what MolmoAct or HAMSTER wrote">Import<input type="file" data-is="file" accept=".json,.txt" hidden></label>
<span class="spring"></span>
<button data-do="undo" title="Take back the last edit (Ctrl+Z)" aria-label="Undo">↶</button><button data-do="redo" title="Bring it back (Ctrl+Shift+Z)" aria-label="Redo">↷</button></div>
<p class="say" data-is="say" role="status" hidden></p>
<p class="hint" data-is="empty">Press <b>Edit on the picture</b> (T): the robot's intended way appears as a line. Drag a point to move it level, with
Shift or by the blue arrow up and down; click the line to add a point, Alt+click or Delete takes one away; drag on the bare table to draw a new way.</p>
<div data-is="body" hidden>
<p class="facts"><b data-is="source"></b> <span data-is="progress"></span></p><p class="facts" data-is="note" hidden></p>
<div class="plots"><div class="plot-box" data-is="profile"></div><div class="plot-box" data-is="side"></div></div>
<div data-is="controls">
<div class="report" data-is="report" data-state="none"><div class="row"><span class="light"></span><span class="verdict"></span><span class="spring"></span>
<button data-do="repair" disabled title="The smallest change with which the robot can do it; undo takes it back">Make it feasible</button></div><ul></ul></div>
<ul class="repair" data-is="repair" hidden></ul>
<p class="facts" data-is="point"></p>
<div class="row"><button data-do="grip-close" title="Close the gripper on arrival (X goes through them)">Close here</button><button data-do="grip-open" title="Open the gripper on arrival">Open here</button>
<button data-do="grip-none" title="Leave the gripper as it is">Neither</button><button data-do="delete" title="Remove this point (Delete)">Delete</button>
<label class="field" title="Speed on the way to this point; without one selected, along the whole path">Speed <input type="number" data-is="speed" min="1" max="60" step="1"> cm/s</label>
<button data-do="snap" aria-pressed="false" title="A point that is dragged onto a masked object goes onto it, else to the surface behind it">Snap to things</button></div>
<div class="row"><button data-do="smooth" title="Leave out points that lie this near to the line of the others">Smooth</button>
<input type="range" data-is="tolerance" min="1" max="40" value="5" aria-label="Tolerance of smoothing in millimetres"><span class="facts" data-is="tolerance-text"></span></div>
<div class="run"><div class="row" data-is="drivers" role="radiogroup" aria-label="Who follows the path">
<label><input type="radio" name="path-driver" value="trace-follower" checked> Way point follower</label>
<label><input type="radio" name="path-driver" value="bench-vla"> Bench VLA, told the path</label>
<label><input type="radio" name="path-driver" value="trace-blend"> Both, blended</label></div>
<div class="row" data-is="blend" hidden><span class="facts">policy alone</span><input type="range" data-is="weight" min="0" max="100" step="5" value="50" aria-label="How much the path counts, in per cent">
<span class="facts">path alone</span><b class="facts" data-is="weight-text"></b></div>
<div class="row"><button data-do="run" class="primary" title="Let it follow the path, now (Enter)">Run the path</button>
<button data-do="preview" title="A see-through robot runs it in a copy of the scene, faster than real time">Preview</button></div></div>
<ul class="score" data-is="score" hidden></ul></div></div>
<details><summary>Plan a path, and put obstacles in the way</summary>
<div class="row"><button data-do="plan" title="Two clicks on the picture: from where to where">Plan from here to there</button>
<label class="field" title="What proposes where to go next">guided by <select data-is="sampler"><option value="rrt">chance (RRT)</option><option value="policy">the policy</option></select></label></div>
<div class="row"><button data-do="box" title="Click on the table where it shall stand; the episode goes on with it from this moment, on a branch">Add an obstacle</button>
<label class="field">width <input type="number" data-is="box-width" value="18" min="1" max="60"></label><label class="field">depth <input type="number" data-is="box-depth" value="4" min="1" max="60"></label>
<label class="field">height <input type="number" data-is="box-height" value="15" min="1" max="50"> cm</label><button data-do="unbox" disabled title="Go on from this moment without obstacles, on a branch">Remove them</button></div></details></div>"""


class TrajectoryEditor(gr.HTML):
    """Mount point of the editor beside the picture; its data comes from the tab's socket and goes back as commands."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountTrajectory(element.querySelector('.path-editor'));")
        kwargs.setdefault("elem_id", "path-editor")
        kwargs.setdefault("head", scripts("page.js", "events.js", "trajectory_plot.js", "trajectory.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    TrajectoryEditor()
    with gr.Accordion("In space", open=False, elem_id="path-space") as space:
        gr.Markdown(
            "The path (orange) with what it was before (grey), where the robot went (teal), obstacles, and how far the arm reaches."
        )
        figure = gr.Plot(show_label=False, elem_id="path-figure")
        again = gr.Button("Draw it again", size="sm", elem_id="path-figure-again")
    space.expand(bind(on_figure, app), [ui], [figure], **QUIET)
    again.click(bind(on_figure, app), [ui], [figure], **QUIET)


def on_figure(app: AppState, ui: UiState) -> Any:
    """Draw the present path in space."""
    return path_figure(app.live.get(ui.tab_id).trajectory.space())
