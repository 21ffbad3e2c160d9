"""Sketch: the drawing as a list beside the picture, its reading as a plan, and where drawings come from and go to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from models.vision_language import VisionLanguageInterpreter
from panels.asset_urls import scripts
from panels.errors import bind
from panels.events import QUIET, SHOWN
from panels.reading import BuiltInReader, Interpreter
from panels.stage import Stage
from panels.state import AppState, UiState
from workbench.core.errors import InvalidInput
from workbench.core.sketches import Sketch, SketchPlan, sketch_to_dict
from workbench.core.types import CameraRequest, Observation
from workbench.sketch.clean import usable_clean
from workbench.sketch.parser import decode_image, parse_image
from workbench.sketch.plan import interpret

NAME: Final = "sketch"
TITLE: Final = "Sketch"

API_KEY_VARIABLE: Final = "VLAW_VLM_API_KEY"
"""Environment variable of the server that holds the key of the model's endpoint."""

FRAME_PX: Final = 480
"""Size of the frame that an imported picture is compared with."""
BUILT_IN, ENDPOINT = "built-in", "endpoint"

_TEMPLATE = """<div class="plan">
<div class="actions"><button class="primary" data-run="run_plan" disabled title="Confirm the plan and let the robot do it (Enter)">Run</button>
<button data-run="run_trace" disabled title="Let the bench VLA follow the drawing as a trace, in place of the way point follower (Shift Enter)">Let the bench VLA do it</button>
<button data-run="undo" disabled title="Take back the last change (Ctrl+Z)">Undo</button>
<button data-run="redo" disabled title="Bring it back (Ctrl+Shift+Z)">Redo</button>
<button data-run="clear" disabled title="Remove all strokes; undo brings them back">Clear</button>
<button data-run="toggle_snap" title="Replace freehand strokes by clean symbols (K)">Snap</button>
<button data-run="toggle_style" title="Clean or hand-drawn look of new strokes (G)">Loose</button></div>
<p class="hint" data-is="hint">Draw an arrow on the picture from a thing to its goal, then press Enter. A circle picks or presses; a circle with an arrow
around it turns. Step 2 is drawn in the second colour.</p>
<ul data-is="problems" role="status"></ul>
<h4>Plan</h4><ol data-is="steps"></ol>
<h4>Strokes</h4><ol data-is="strokes"></ol>
<div hidden><h4>As calls</h4><pre data-is="calls"></pre></div></div>"""


class PlanEditor(gr.HTML):
    """Mount point of the list of strokes and steps; its data comes from the tab's socket."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountPlan(element.querySelector('.plan'));")
        kwargs.setdefault("elem_id", "plan")
        kwargs.setdefault("head", scripts("page.js", "plan.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    PlanEditor()
    auto_run = gr.Checkbox(False, label="Run each drawing at once, without asking", elem_id="sketch-auto")
    with gr.Accordion("Import and save", open=False, elem_id="sketch-files"), gr.Row(elem_classes="tight"):
        load = gr.UploadButton(
            "Import a picture or a .json",
            file_types=["image", ".json"],
            file_count="single",
            size="sm",
            elem_id="sketch-import",
            type="filepath",
        )
        save = gr.DownloadButton("Save as .json", size="sm", elem_id="sketch-export")
    with gr.Accordion("Who reads the drawing", open=False, elem_id="sketch-reader"):
        reader = gr.Radio(
            [("Built in", BUILT_IN), ("A vision-language model behind an OpenAI-compatible address", ENDPOINT)],
            value=BUILT_IN,
            show_label=False,
            container=False,
            elem_id="sketch-reader-choice",
        )
        with gr.Row(elem_classes="tight"):
            address = gr.Textbox(label="Address", placeholder="http://127.0.0.1:8000/v1", max_length=500, elem_id="sketch-address")
            model = gr.Textbox(label="Model", placeholder="name of the model", max_length=200, elem_id="sketch-model")
        gr.Markdown(
            f"The key, when one is needed, is read from the environment variable `{API_KEY_VARIABLE}` of the server. The picture is sent to that address."
        )
        use = gr.Button("Use this reader", size="sm", elem_id="sketch-use")

    load.upload(bind(on_import, app), [load, ui], None, **QUIET)
    save.click(bind(on_save, app), [ui], [save], **QUIET)
    use.click(bind(on_reader, app), [reader, address, model, ui], None, **SHOWN)
    stage.on_commit(bind(on_commit, app), [auto_run, ui], None)


def on_commit(app: AppState, is_auto_run: bool, ui: UiState) -> None:
    """Run a finished drawing at once when the person asked for that."""
    session = app.live.get(ui.tab_id)
    if is_auto_run and session.plan is not None and session.plan.steps and not session.reading.error:
        session.run_plan()


def on_import(app: AppState, path: str, ui: UiState) -> None:
    """Read strokes from a photo, a screenshot or a saved drawing, and put them on the stage."""
    session = app.live.get(ui.tab_id)
    look = CameraRequest(session.sketch.camera, FRAME_PX, FRAME_PX)
    frame = session.in_simulator(lambda simulator: simulator.observe((look,)).images[look.name])
    session.commit_sketch(read_document(Path(path), frame))


def read_document(path: Path, frame: NDArray[np.uint8] | None = None) -> dict[str, Any]:
    """Return the sketch document in a file: JSON as it is, a picture through the parser.

    Args:
        path: of the file.
        frame: ``(H, W, 3) uint8`` RGB of the camera now; when the picture was drawn on it, things are told from strokes for sure.

    Raises:
        InvalidInput: it is neither, or holds no strokes.
    """
    if path.suffix.lower() == ".json":
        try:
            document = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise InvalidInput(
                "sketch file", expected="JSON of a saved drawing", found="something else", fix="Choose a file that Save wrote."
            ) from error
        if not isinstance(document, dict):
            raise InvalidInput("sketch file", expected="a JSON object", found=type(document).__name__)
        return document
    image = decode_image(path.read_bytes())
    sketch = parse_image(image, None if frame is None else usable_clean(image, frame))
    if not sketch.strokes:
        raise InvalidInput(
            "picture", expected="strokes in the symbol colours", found="none", fix="Draw with the colours of the steps: green first."
        )
    return sketch_to_dict(sketch)


def on_save(app: AppState, ui: UiState) -> str:
    """Write the drawing to a file and hand it to the browser."""
    sketch = app.live.get(ui.tab_id).sketch
    folder = app.settings.exports_dir
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"sketch-{sketch.id}.json"
    path.write_text(json.dumps(sketch_to_dict(sketch), indent=1))
    return str(path)


def on_reader(app: AppState, choice: str, address: str, model: str, ui: UiState) -> None:
    """Choose who interprets drawings from now on, and read the present one again."""
    session = app.live.get(ui.tab_id)
    session.reader = BuiltInReader(reader_of(choice, address.strip(), model.strip()))
    if session.sketch.strokes:
        session.commit_sketch(sketch_to_dict(session.sketch))


def reader_of(choice: str, address: str, model: str) -> Interpreter:
    """Return the interpreter that was chosen.

    Raises:
        InvalidInput: the address is not one, or no model is named.
    """
    return ModelInterpreter(VisionLanguageInterpreter(address, model, API_KEY_VARIABLE)) if choice == ENDPOINT else interpret


@dataclass(frozen=True, eq=False)
class ModelInterpreter:
    """Lets a vision-language model read drawings."""

    model: VisionLanguageInterpreter

    def __call__(self, sketch: Sketch, *, instruction: str = "", observation: Observation | None = None) -> SketchPlan:
        """Return the plan that the model answers.

        Raises:
            InvalidInput: there is no picture of the sketch's camera.
            ServiceFailed: the endpoint did not answer as agreed.
        """
        if observation is None or sketch.camera not in observation.images:
            raise InvalidInput("sketch", expected="a picture of its camera", found=f"none of {sketch.camera!r}")
        return self.model.read(sketch, observation.images[sketch.camera], instruction=instruction).plan
