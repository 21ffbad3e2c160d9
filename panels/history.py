"""History: what was done, found again; looked at, rated, branched, compared, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr
import numpy as np

from panels.asset_urls import scripts
from panels.compared_paths import draw_compared
from panels.errors import bind
from panels.events import QUIET, SHOWN
from panels.export import EXPORTS, export_episode, import_archive
from panels.facts import fact_lines
from panels.render.paths import EpisodePath, paths_figure
from panels.replay import branch_from, open_replay
from panels.stage import Stage
from panels.state import AppState, UiState
from sessions.comparison import ComparedEpisode, Comparison, compare
from sessions.records import EpisodeInfo
from workbench.core.errors import InvalidInput

NAME: Final = "history"
TITLE: Final = "History"

MAX_COMPARED: Final = 8

_TEMPLATE = """<div class="episodes">
<div class="filters"><input name="q" type="search" placeholder="Search instructions, names, notes" aria-label="Search" maxlength="200">
<select name="task" aria-label="Task"><option value="">Any task</option></select>
<select name="outcome" aria-label="Outcome"><option value="">Any outcome</option></select>
<select name="policy" aria-label="Policy"><option value="">Any policy</option></select>
<select name="rating" aria-label="Rating"><option value="">Any rating</option><option value="3">3 stars or more</option>
<option value="4">4 stars or more</option><option value="5">5 stars</option></select>
<select name="scope" aria-label="Which episodes"><option value="all">All sessions</option><option value="session">This session</option>
<option value="deleted">Deleted</option></select></div>
<div class="count"><span data-is="total" role="status"></span><button data-do="reset" title="Show all episodes">Clear filters</button></div>
<ol aria-label="Episodes"></ol><p class="empty" data-is="empty" hidden>Nothing here yet. Every episode you run is kept and listed here, also after a crash.</p>
<button data-do="more" hidden>Show more</button></div>"""
_ON_LOAD = """// events: 'choose' 'open' 'compare'
window.VLAW.mountHistory(element, props, trigger, watch);"""


class EpisodeList(gr.HTML):
    """The list. Value: ``{"chosen", "compared", "session", "serial"}``; a new serial reads the list again. Events: choose, open, compare."""

    def __init__(self, value: dict[str, Any] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("html_template", _TEMPLATE)
        kwargs.setdefault("js_on_load", _ON_LOAD)
        kwargs.setdefault("elem_id", "history")
        kwargs.setdefault("head", scripts("page.js", "history.js"))
        super().__init__(value, **kwargs)

    def api_info(self) -> dict[str, Any]:
        """Describe the value for the API page."""
        return {"type": "object", "properties": {"chosen": {"type": "string"}}, "additionalProperties": True}


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    listing = EpisodeList({"chosen": "", "compared": [], "session": "", "serial": 0})
    with gr.Column(visible=False, elem_id="history-details") as details:
        facts = fact_lines("history-facts")
        with gr.Row(elem_classes="tight"):
            open_it = gr.Button("Open on the stage", variant="primary", size="sm", elem_id="history-open", min_width=110)
            step = gr.Number(
                0, label="Step", show_label=False, container=False, precision=0, minimum=0, min_width=70, elem_id="history-step"
            )
            branch = gr.Button("Branch here", size="sm", elem_id="history-branch", min_width=130)
            link = gr.Button("Copy link", size="sm", elem_id="history-link", min_width=80)
        with gr.Row(elem_classes="tight"):
            name = gr.Textbox(label="Name", max_length=200, elem_id="history-name", scale=3, min_width=140)
            rating = gr.Radio([1, 2, 3, 4, 5], label="Rating", elem_id="history-rating", scale=3, min_width=200)
        with gr.Row(elem_classes="tight"):
            note = gr.Textbox(label="Note", placeholder="Write a note, press Enter", max_length=2000, elem_id="history-note", scale=4)
            delete = gr.Button("Delete", size="sm", elem_id="history-delete", scale=1, min_width=80)
        with gr.Row(elem_classes="tight"):
            kind = gr.Dropdown(list(EXPORTS), value=next(iter(EXPORTS)), label="Export", elem_id="history-export", scale=3)
            export = gr.Button("Make the file", size="sm", elem_id="history-make", scale=1, min_width=110)
        file = gr.File(label="Export", visible=False, interactive=False, elem_id="history-file")
    figure = gr.Plot(visible=False, show_label=False, elem_id="history-paths")
    compared = fact_lines("history-compared")
    with gr.Accordion("Storage and import", open=False, elem_id="history-storage") as store_box:
        storage = fact_lines("history-storage-facts")
        with gr.Row(elem_classes="tight"):
            archive = gr.UploadButton("Import a session archive", size="sm", elem_id="history-import", type="filepath")
            purge = gr.Button("Remove deleted episodes for ever", size="sm", elem_id="history-purge")

    shown = [details, facts, name, rating, step, delete]
    listing.choose(bind(on_choose, app), [listing], shown, trigger_mode="multiple", **QUIET)
    open_it.click(bind(on_open, app), [step, listing, ui], None, **QUIET)
    listing.open(bind(on_open, app), [step, listing, ui], None, **QUIET)
    branch.click(bind(on_branch, app), [step, listing, ui], [listing], **QUIET)
    link.click(None, [step], None, js="(step) => { window.VLAW.history.copyLink(step); return []; }", **QUIET)
    name.submit(bind(on_rename, app), [name, listing], [listing], **QUIET)
    name.blur(bind(on_rename, app), [name, listing], [listing], **QUIET)
    rating.input(bind(on_rate, app), [rating, listing], [listing], **QUIET)
    note.submit(bind(on_note, app), [note, step, listing], [note, facts, listing], **QUIET)
    delete.click(bind(on_delete, app), [listing], [listing, *shown], **QUIET)
    export.click(bind(on_export, app), [kind, step, listing], [file], **SHOWN)
    stage.on_changed(bind(on_changed, app), [listing, ui], [listing])
    listing.compare(bind(on_compare, app), [listing, ui], [figure, compared], trigger_mode="multiple", **QUIET)
    archive.upload(bind(on_import, app), [archive, listing], [listing], **SHOWN)
    purge.click(bind(on_purge, app), [listing], [listing], **QUIET)
    gr.on([archive.upload, delete.click, purge.click, store_box.expand], bind(on_storage, app), None, [storage], **QUIET)


def facts_of(app: AppState, info: EpisodeInfo) -> dict[str, list[str]]:
    """Return what is known about an episode, as lines."""
    head = f"{info.title}: {info.outcome.value}, {info.num_steps} steps, {info.duration_s:.1f} s"
    lines = [head, f"Task {info.task}, seed {info.config.seed}, driven by {info.policy}, {info.num_bytes / 1000:.0f} kB"]
    if info.parent_id:
        lines.append(f"Branch from step {info.branch_step} of another episode")
    if info.outcome.value == "interrupted":
        lines.append("Interrupted: the workbench ended while this ran. Everything up to its last half second is here.")
    for note in app.store.notes(info.id):
        lines.append(f"Note{'' if note.step is None else f' at step {note.step}'}: {note.text}")
    return {"lines": lines}


def details_of(app: AppState, episode_id: str) -> tuple[Any, ...]:
    """Return the updates of ``shown`` for an episode: visibility, facts, name, rating, step, delete button."""
    if not episode_id:
        return gr.Column(visible=False), {"lines": []}, "", None, gr.skip(), gr.skip()
    info = app.store.episode(episode_id)
    label = "Delete" if info.deleted_at is None else "Restore"
    return gr.Column(visible=True), facts_of(app, info), info.name, info.rating, gr.Number(maximum=info.num_steps), gr.Button(label)


def relisted(value: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a value of the list that makes it read the episodes again."""
    value = value or {}
    return {"chosen": "", "compared": [], "session": "", **value, **changes, "serial": int(value.get("serial", 0)) + 1}


def chosen(value: dict[str, Any]) -> str:
    """Return the id of the chosen episode.

    Raises:
        InvalidInput: none is chosen.
    """
    episode_id = str(value.get("chosen", ""))
    if not episode_id:
        raise InvalidInput("episode", expected="one that is chosen in the list", found="none", fix="Click an episode first.")
    return episode_id


def on_choose(app: AppState, value: dict[str, Any]) -> tuple[Any, ...]:
    """Show the details of the episode that was clicked."""
    return details_of(app, str(value.get("chosen", "")))


def on_open(app: AppState, step: float | None, value: dict[str, Any], ui: UiState) -> None:
    """Show the chosen episode on the stage, at a step."""
    open_replay(app, app.live.get(ui.tab_id), chosen(value), int(step or 0))


def on_branch(app: AppState, step: float | None, value: dict[str, Any], ui: UiState) -> dict[str, Any]:
    """Start a live episode, paused, from a step of the chosen one."""
    branch_from(app, app.live.get(ui.tab_id), chosen(value), int(step or 0))
    return relisted(value)


def on_rename(app: AppState, name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Name the chosen episode."""
    app.store.rename(chosen(value), name)
    return relisted(value)


def on_rate(app: AppState, rating: int | None, value: dict[str, Any]) -> dict[str, Any]:
    """Rate the chosen episode."""
    app.store.rate(chosen(value), rating)
    return relisted(value)


def on_note(app: AppState, text: str, step: float | None, value: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Write a note on a step of the chosen episode."""
    if not text.strip():
        raise InvalidInput("note", expected="some words", found="nothing")
    app.store.add_note(chosen(value), text, step=None if step is None else int(step))
    return "", facts_of(app, app.store.episode(chosen(value))), relisted(value)


def on_delete(app: AppState, value: dict[str, Any]) -> tuple[Any, ...]:
    """Hide the chosen episode, or bring a hidden one back."""
    info = app.store.episode(chosen(value))
    if info.deleted_at is None:
        app.store.delete(info.id)
    else:
        app.store.restore(info.id)
    return (relisted(value), *details_of(app, info.id))


def on_export(app: AppState, kind: str, step: float | None, value: dict[str, Any]) -> Any:
    """Make a file of the chosen episode and offer it."""
    path = export_episode(app, chosen(value), kind=kind, step=int(step or 0))
    return gr.File(value=str(path), visible=True)


def on_compare(app: AppState, value: dict[str, Any], ui: UiState) -> tuple[Any, dict[str, list[str]]]:
    """Draw the paths of the compared episodes in one figure and over the picture, with their outcomes in words."""
    ids = [str(i) for i in value.get("compared", ())][:MAX_COMPARED]
    session = app.live.get(ui.tab_id)
    if len(ids) < 2:
        draw_compared(session, [])
        return gr.Plot(visible=False), {"lines": []}
    app.recorder.flush()
    found = compare(app.store, ids, app.simulators.load)
    paths = [path_of(e) for e in found.episodes]
    draw_compared(session, paths)
    return gr.Plot(value=paths_figure(paths), visible=True), {"lines": comparison_lines(found)}


def path_of(episode: ComparedEpisode) -> EpisodePath:
    """Return the path of an episode, on the clock of its oldest ancestor."""
    info = episode.info
    times = (episode.offset + np.arange(len(episode.path))) / info.config.control_hz
    return EpisodePath(label_of(info), times, episode.path)


def label_of(info: EpisodeInfo) -> str:
    """Return what tells an episode from its siblings."""
    origin = f"branch at step {info.branch_step}" if info.parent_id else "original"
    return f"{info.name[:40] or info.policy}, {origin} ({info.outcome.value})"


def comparison_lines(found: Comparison) -> list[str]:
    """Say what differs: a line an episode, and how far apart they ran."""
    lines = []
    for episode in found.episodes:
        solved = "never solved" if episode.first_success is None else f"solved after step {episode.first_success}"
        way = f"{episode.path_length:.2f} m of path" if np.isfinite(episode.path_length) else "path unknown"
        lines.append(f"{label_of(episode.info)}: {episode.info.num_steps} steps, {solved}, {way}, {episode.num_human_steps} steps by hand")
    gap = np.nanmax(found.max_gap) if np.isfinite(found.max_gap).any() else np.nan
    lines.append(f"Largest distance at equal times: {gap * 100:.1f} cm" if np.isfinite(gap) else "They never ran at the same time.")
    return lines


def on_import(app: AppState, path: str, value: dict[str, Any]) -> dict[str, Any]:
    """Take in the archive of another workbench."""
    import_archive(app, Path(path))
    return relisted(value)


def on_purge(app: AppState, value: dict[str, Any]) -> dict[str, Any]:
    """Remove deleted episodes for ever."""
    app.store.purge()
    return relisted(value)


def on_storage(app: AppState) -> dict[str, list[str]]:
    """Tell what lies on disk."""
    use = app.store.storage()
    lines = [
        f"{use.num_episodes} episodes with {use.num_steps} steps in {use.num_sessions} sessions: {use.file_bytes / 1e6:.1f} MB, {use.free_bytes / 1e9:.1f} GB free"
    ]
    if use.num_deleted:
        lines.append(f"{use.num_deleted} deleted episodes hold about {use.deleted_bytes / 1e6:.1f} MB")
    return {"lines": lines}


def on_changed(app: AppState, value: dict[str, Any], ui: UiState) -> dict[str, Any]:
    """Keep in mind which session this tab records, for the filter."""
    return {**relisted(value), "session": app.live.get(ui.tab_id).controller.history().start.session_id}
