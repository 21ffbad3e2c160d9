"""The part of the Teach tab on data: a session goes out as a LeRobot dataset, and datasets of anybody come in."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import gradio as gr

from panels.errors import bind
from panels.events import QUIET
from panels.facts import fact_lines
from panels.stage import Stage
from panels.state import AppState
from sessions.lerobot_export import CAMERAS, SIDE_PX, DatasetOptions
from sessions.lerobot_import import is_dataset
from workbench.core.errors import InvalidInput

NAME: Final = "dataset"
TITLE: Final = "Dataset"

ALL_CAMERAS: Final = ("front", "top", "wrist")
SIDES: Final = (96, 128, 224, 256, 480)
IMPORTS_DIR: Final = "imports"
"""Folder below the root: what lies in it can be chosen on the page, so that large datasets need no upload."""
MAX_SESSIONS: Final = 100
POLL_S: Final = 0.5
ABOUT: Final = (
    "A LeRobot dataset (v3.0) is what LeRobot and other training code read: states, actions, films, and who acted when. "
    "One made here also holds the exact episodes, so another workbench can go on from any step."
)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place this part in the present Gradio layout."""
    about = fact_lines("teach-dataset-about")
    about.value = {
        "lines": [
            ABOUT,
            f"Zip files of up to {app.settings.max_upload_mb} MB can be sent from here; larger ones, and folders, go into the folder below.",
        ]
    }
    with gr.Row(elem_classes="tight"):
        session = gr.Dropdown(session_choices(app), label="Session", elem_id="teach-dataset-session", scale=4)
        side = gr.Dropdown(list(SIDES), value=SIDE_PX, label="Picture side [px]", elem_id="teach-dataset-side", scale=2, min_width=110)
    cameras = gr.CheckboxGroup(list(ALL_CAMERAS), value=list(CAMERAS), label="Cameras", elem_id="teach-dataset-cameras")
    with gr.Row(elem_classes="tight"):
        export = gr.Button("Export as a LeRobot dataset", variant="primary", elem_id="teach-dataset-export", min_width=190)
        cancel = gr.Button("Cancel", elem_id="teach-dataset-cancel", min_width=70, interactive=False)
    with gr.Row(elem_classes="tight"):
        upload = gr.UploadButton(
            "Import a zip", elem_id="teach-dataset-import", file_types=[".zip"], type="filepath", min_width=110, scale=1
        )
        there = gr.Dropdown(
            import_choices(app),
            label="Or from this folder of the server",
            elem_id="teach-dataset-there",
            scale=4,
            info=str(imports_dir(app)),
        )
        take = gr.Button("Import it", elem_id="teach-dataset-take", min_width=90, scale=1)
    lines = fact_lines("teach-dataset-lines")
    file = gr.File(label="Dataset", visible=False, interactive=False, elem_id="teach-dataset-file")
    clock = gr.Timer(POLL_S, active=False)

    shown = [lines, file, cancel, clock]
    export.click(bind(on_export, app), [session, side, cameras], shown, **QUIET)
    cancel.click(bind(on_cancel, app), None, shown, **QUIET)
    upload.upload(bind(on_upload, app), [upload], shown, **QUIET)
    take.click(bind(on_take, app), [there], shown, **QUIET)
    clock.tick(bind(show, app), None, shown, **QUIET)
    there.focus(bind(on_focus, app), None, [there], **QUIET)
    stage.on_changed(bind(on_changed, app), [session], [session])
    session.focus(bind(offered, app), [session], [session], **QUIET)


def session_choices(app: AppState) -> list[tuple[str, str]]:
    """Return the sessions that have steps, the one used last first, as titles and ids."""
    found = []
    for info in app.store.sessions(limit=MAX_SESSIONS):
        if info.num_steps:
            when = time.strftime("%d %b %H:%M", time.localtime(info.last_started))
            num = f"{info.num_episodes} episode{'s' if info.num_episodes > 1 else ''}, {info.num_steps} steps"
            found.append((f"{info.name or 'Session'}, {when}: {num}", info.id))
    return found


def imports_dir(app: AppState) -> Path:
    """Return the folder whose datasets can be chosen on the page."""
    return app.settings.root_dir / IMPORTS_DIR


def import_choices(app: AppState) -> list[str]:
    """Return the names of what can be imported from the folder ``imports``."""
    folder = imports_dir(app)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path.name for path in found if not path.name.startswith(".") and (path.suffix == ".zip" or is_dataset(path))]


def on_export(app: AppState, session: str | None, side: int, cameras: list[str]) -> tuple[Any, ...]:
    """Begin to write the chosen session."""
    if not session:
        raise InvalidInput("session", expected="one that is chosen", found="none", fix="Run an episode first; each sitting is a session.")
    if not cameras:
        raise InvalidInput("cameras", expected="at least one", found="none", fix="Tick front, for example.")
    options = DatasetOptions(cameras=tuple(c for c in ALL_CAMERAS if c in cameras), side_px=int(side))
    app.datasets.export(session, app.settings.exports_dir, options)
    return show(app)


def on_cancel(app: AppState) -> tuple[Any, ...]:
    """End the export."""
    app.datasets.cancel()
    return show(app)


def on_upload(app: AppState, path: str) -> tuple[Any, ...]:
    """Take in what was uploaded."""
    app.datasets.import_(Path(path))
    return show(app)


def on_take(app: AppState, name: str | None) -> tuple[Any, ...]:
    """Take in what lies in the folder ``imports``."""
    if name not in import_choices(app):
        fix = f"Put a dataset, as a folder or zip file, into {imports_dir(app)}, and choose it."
        raise InvalidInput("dataset", expected="one that lies in the folder imports", found=name or "none", fix=fix)
    app.datasets.import_(imports_dir(app) / str(name))
    return show(app)


def on_focus(app: AppState) -> Any:
    """Look into the folder ``imports`` again."""
    return gr.Dropdown(choices=import_choices(app))


def show(app: AppState) -> tuple[Any, ...]:
    """Tell how far the desk is, and offer what it made."""
    status = app.datasets.status()
    file = gr.File(value=str(status.file), visible=True) if status.file is not None else gr.File(visible=False)
    can_cancel = status.is_running and status.what == "Exporting"
    return {"lines": status.tell_lines()}, file, gr.Button(interactive=can_cancel), gr.Timer(active=status.is_running)


def on_changed(app: AppState, chosen: str | None, event: gr.EventData) -> Any:
    """Offer the sessions anew after an episode began; what is chosen stays."""
    return offered(app, chosen) if event._data.get("what") == "episode" else gr.skip()


def offered(app: AppState, chosen: str | None) -> Any:
    """Offer the sessions with all that was driven until now; what is chosen stays."""
    app.recorder.flush()
    found = session_choices(app)
    kept = chosen if chosen in [id for _, id in found] else (found[0][1] if found else None)
    return gr.Dropdown(choices=found, value=kept)
