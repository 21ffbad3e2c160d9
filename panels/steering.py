"""Steering: see inside the policy that drives, turn what is there, and keep what was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import gradio as gr

from panels import steering_compare
from panels.asset_urls import scripts
from panels.errors import bind
from panels.events import QUIET
from panels.live import LiveSession
from panels.stage import Stage
from panels.state import AppState, UiState
from sessions.concepts import import_concept, read_description, read_tensors, save_asset
from workbench.core.errors import InvalidInput
from workbench.steering.assets import Place, asset_from, check_place
from workbench.steering.records import to_json

NAME: Final = "steering"
TITLE: Final = "Steering"

MAX_JSON_BYTES: Final = 64 * 2**20

_PAGES: Final = {
    "neurons": (
        "Neurons",
        """<p class="hint-line">Each neuron of the network's feed-forward layers adds one fixed vector to what flows through it. Read in the
network's own words that vector <em>says</em> something: words, or values of an action such as dz=+0.015 m. Holding a neuron at a fixed value makes it
say so all the time.</p>
<div class="form" data-is="n-form"></div><div class="basket" data-is="n-set" hidden></div><p class="hint-line" data-is="n-count" role="status"></p>
<div class="table" data-is="n-rows"></div><div data-is="n-shares"></div>""",
    ),
    "concepts": (
        "Concepts",
        """<p class="hint-line" data-is="c-empty">Nothing is saved yet. Collect neurons under <em>Neurons</em>, or make a direction, and save it under a name.</p>
<ol class="rows" data-is="c-rows"></ol>""",
    ),
    "make": (
        "Make",
        """<p class="hint-line">A <em>direction</em> is the difference between what the network carries in two situations; adding it pushes the network from one
towards the other. A <em>probe</em> reads a quantity off the network, and can keep that reading in a range. Everything is fitted on stored steps, and tells
how good it is on steps that it was not fitted on.</p>
<div class="form" data-is="m-form"></div>
<details data-is="m-episodes"><summary data-is="m-which"></summary><ol class="rows pick" data-is="m-list"></ol></details>
<p class="hint-line" data-is="m-empty">Nothing is made yet.</p><ol class="rows" data-is="m-assets"></ol>""",
    ),
    "watch": (
        "Look inside",
        """<div class="form" data-is="w-form"></div>
<p class="hint-line" data-is="w-empty">Choose what to see, then let the policy run (Space) or step (.): every instrument is read from the very calls that act.
While hidden they cost nothing.</p>
<p class="hint-line" data-is="w-attention"></p><p class="hint-line" data-is="w-occlusion"></p>
<div class="instrument" data-is="w-strip" hidden></div><div class="instrument" data-is="w-lens" hidden></div><div class="instrument" data-is="w-contributions" hidden></div>""",
    ),
    "record": (
        "Record",
        """<p class="hint-line">Keeps what happens inside the policy at every call, in files beside the database, to be read back by step.</p>
<div class="form" data-is="r-form"></div><p class="hint-line" data-is="r-state" role="status"></p>""",
    ),
    "help": (
        "What is this?",
        """<dl class="explained">
<dt>Hold neurons</dt><dd>Sets some neurons to a fixed value at every token, whatever the picture and the words are. 0 switches them off.</dd>
<dt>Add a direction</dt><dd>Pushes every token the same way. The dose counts in units of the usual length of a token in that layer: 0.5 is half of it, and the
useful range is narrow.</dd>
<dt>Take a direction away</dt><dd>Removes what lies along it, so that the network can no longer tell the two situations apart there.</dd>
<dt>Keep a reading in range</dt><dd>The smallest push that keeps what a probe reads between two bounds; inside them nothing is changed.</dd>
<dt>Change a feature</dt><dd>Turns one of the parts into which an autoencoder takes tokens apart, and keeps what the autoencoder cannot explain.</dd>
<dt>Blend in a conceptor</dt><dd>Experimental: keeps the space that good episodes fill. An outside group found no effect.</dd>
<dt>Set by a controller</dt><dd>Every call, the strength is set by how far a measured height or speed is from its target. A fixed strength moves the robot but often
breaks the task; a controlled one less so.</dd>
<dt>M, S</dt><dd>Mute keeps an edit on the desk without effect; solo silences all others.</dd>
<dt>What to expect</dt><dd>A change acts at the policy's next call: the rest of its present plan is dropped. It is an event on the timeline, and a branch goes
on under what was in force. One run is an anecdote: compare with the unsteered robot, and with random neurons, over several seeds.</dd></dl>""",
    ),
}

_TEMPLATE: Final = (
    """<div class="steer" data-state="loading">
<div class="closed" data-is="closed" hidden><p data-is="sentence"></p><button type="button" class="primary" data-is="hire">Let the bench VLA drive</button></div>
<div class="opened" data-is="opened" hidden>
<div class="line head"><b>On the desk</b><span class="state" data-is="state" role="status"></span><span class="spring"></span>
<button type="button" data-is="reset" title="Take everything off the desk">Reset all</button></div>
<ol class="slots" data-is="slots"></ol>
<p class="hint-line" data-is="empty">Nothing turns the policy now. Find a neuron below and put it on the desk: it acts at the policy's next call.</p>
<div class="line presets"><select data-is="presets" aria-label="Presets"></select><button type="button" data-is="forget" hidden title="Delete this preset">✕</button>
<span class="spring"></span><input type="text" data-is="preset-name" maxlength="100" placeholder="name of a preset" aria-label="Name of a preset">
<button type="button" data-is="keep" title="Keep the whole desk under this name">Save preset</button></div>
<p class="trouble" data-is="trouble" role="alert" hidden></p><div class="job" data-is="job" role="status" hidden></div>
<div class="tabs" role="tablist">"""
    + "".join(f'<button type="button" role="tab" data-open="{name}">{title}</button>' for name, (title, _) in _PAGES.items())
    + "</div>"
    + "".join(f'<div class="page" data-page="{name}" role="tabpanel">{body}</div>' for name, (_, body) in _PAGES.items())
    + "</div></div>"
)


class SteeringBoard(gr.HTML):
    """Mount point of the steering desk and its tools; its data comes from the tab's socket."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", "window.VLAW.mountSteering(element.querySelector('.steer'));")
        kwargs.setdefault("elem_id", "steering")
        kwargs.setdefault("head", scripts("page.js", "steering.js", "steering_find.js", "steering_make.js", "steering_watch.js"))
        super().__init__(**kwargs)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    SteeringBoard()
    with gr.Accordion("Compare from the moment on the stage", open=False, elem_id="steering-compare"):
        steering_compare.build(app, stage, ui)
    with gr.Accordion("Bring in a concept, or a vector of your own", open=False, elem_id="steering-files"):
        with gr.Row(elem_classes="tight"):
            layer = gr.Number(0, label="Layer of a bare vector", precision=0, minimum=0, min_width=120, elem_id="steering-layer")
            load = gr.UploadButton(
                "Import .json or .safetensors",
                file_types=[".json", ".safetensors"],
                file_count="single",
                size="sm",
                type="filepath",
                elem_id="steering-import",
            )
        gr.Markdown(
            "A concept is a .json file that *Export* wrote. A .safetensors file holds one direction, probe, autoencoder or conceptor as this page "
            "makes them, or a bare tensor `vector` of the width of the network, which becomes a direction at the layer above."
        )
    load.upload(bind(on_import, app), [load, layer, ui], None, **QUIET)


def on_import(app: AppState, path: str, layer: float | None, ui: UiState) -> None:
    """Take in a file for the policy that drives."""
    session = app.live.get(ui.tab_id)
    name = take_in(app, session, Path(path), int(layer or 0))
    session.push({"type": "steering_job", "title": f"Imported {name}", "is_running": False, "error": "", "result": {"kind": "import"}})
    gr.Info(f"Imported {name!r}."[:200])


def take_in(app: AppState, session: LiveSession, path: Path, layer: int) -> str:
    """Store what is in a file, after checking that it fits the policy that drives, and return its name.

    Raises:
        InvalidInput: it is neither, is damaged, or does not fit the policy.
    """
    data = path.read_bytes()
    if path.suffix.lower() == ".json":
        return import_concept(app.store, _document(data)).name
    anatomy, mine = session.steering.opened().policy.sites, session.steering.live.fingerprint
    tensors, described = read_tensors(data), read_description(data)
    if not described:
        vector = tensors.get("vector")
        if vector is None:
            raise InvalidInput("uploaded file", expected="a tensor named 'vector'", found=", ".join(tensors)[:100] or "no tensors")
        place = Place(anatomy.stacks[0].name, layer, policy=mine)
        described = {"kind": "direction", "name": path.stem[:90] or "vector", "place": to_json(place), "norm": 1.0, "source": "uploaded"}
        tensors = {"vector": vector.reshape(-1) if vector.size == max(vector.shape, default=0) else vector}
        norms = app.steering.measured(mine, place.stack)
        described["norm"] = float(norms.norms[layer]) if norms is not None and 0 <= layer < len(norms.norms) else _length(vector)
    asset = asset_from(described, tensors)
    check_place(asset, anatomy, mine)
    save_asset(app.store, asset)
    return asset.name


def _document(data: bytes) -> Any:
    if len(data) > MAX_JSON_BYTES:
        raise InvalidInput("concept file", expected="at most 64 MB", found=f"{len(data) / 1e6:.0f} MB")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("concept file", expected="JSON of an exported concept", found="something else") from error


def _length(vector: Any) -> float:
    """Return the length of a vector: its own dose until the layer's norm was measured."""
    return float((vector.astype("float64") ** 2).sum() ** 0.5)
