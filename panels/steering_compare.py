"""Compare: the moment on the stage lived again with and without edits, beside random ones and words; a section of the Steering tab."""

from __future__ import annotations

import time
from typing import Any, Final

import gradio as gr

from panels.compare_results import HEADERS, drawn_paths, effect_rows, run_choices, table_rows, verdict_lines
from panels.compared_paths import draw_compared
from panels.errors import bind, shown_errors
from panels.events import QUIET
from panels.facts import fact_lines
from panels.model_card import read_card
from panels.render.effects import effects_figure, sweep_figure
from panels.render.paths import paths_figure
from panels.replay import open_replay
from panels.stage import Stage
from panels.state import AppState, UiState
from sessions.concepts import load_assets
from sessions.replay import branch_point
from sessions.steering_comparisons import RUNNING, find_comparison, list_comparisons
from workbench.core.errors import InvalidInput
from workbench.core.types import Prompt
from workbench.evaluation.cards import STUDIES
from workbench.evaluation.steering_compare import QUANTITIES, ComparePlan, Start, other_scenes
from workbench.rollout.steering_marks import assets_in
from workbench.simulation.manner import MANNERS, PLAIN
from workbench.steering.comparison import MATCHED

NAME: Final = "compare"
TITLE: Final = "Compare"

POLICY: Final = "bench-vla"
POLL_S: Final = 1.5
NO_WORDS: Final = "nothing else"
CARDS: Final = ("haon", "contrast", "ctrl-steer", "observer", "sae")
"""Studies of steering, see docs/cards."""
_HINT: Final = (
    "Lives the moment on the stage again: without edits, with them, with as many random neurons (or random directions of the same "
    "strength), and with words instead. Further starts are other scenes of the same task. Every run is kept and opens on the stage."
)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the section in the present Gradio layout."""
    gr.Markdown(_HINT, elem_id="compare-hint")
    text = gr.Textbox(
        label="Edits (empty: what is on the desk)",
        placeholder="for example neurons:up=4 or direction:quick=-0.5",
        max_length=500,
        elem_id="compare-text",
    )
    with gr.Row(elem_classes="tight"):
        quantity = gr.Dropdown(
            [(title, name) for name, title in QUANTITIES.items()], value="height", label="Meant to change", elem_id="compare-quantity"
        )
        words = gr.Dropdown(
            [NO_WORDS, *(m for m in MANNERS if m != PLAIN)],
            value=NO_WORDS,
            label="Also say instead",
            elem_id="compare-words",
            min_width=120,
        )
    with gr.Row(elem_classes="tight"):
        starts = gr.Number(4, label="Starts", precision=0, minimum=1, maximum=200, elem_id="compare-starts", min_width=80)
        randoms = gr.Number(2, label="Random controls", precision=0, minimum=0, maximum=20, elem_id="compare-randoms", min_width=130)
        sweep = gr.Checkbox(False, label="Try several doses", elem_id="compare-sweep", min_width=160)
    with gr.Row(elem_classes="tight"):
        run = gr.Button("Compare", variant="primary", elem_id="compare-run", min_width=100)
        cancel = gr.Button("Cancel", elem_id="compare-cancel", min_width=70, interactive=False)
    state = fact_lines("compare-state")
    chosen = gr.Dropdown(choices_of(app), value=None, label="Comparison", elem_id="compare-chosen")
    verdict = fact_lines("compare-verdict")
    effects = gr.Plot(show_label=False, visible=False, elem_id="compare-effects")
    paths = gr.Plot(show_label=False, visible=False, elem_id="compare-paths")
    doses = gr.Plot(show_label=False, visible=False, elem_id="compare-doses")
    table = gr.Dataframe(headers=list(HEADERS), interactive=False, wrap=True, visible=False, elem_id="compare-table", max_height=340)
    with gr.Row(elem_classes="tight"):
        episode = gr.Dropdown([], value=None, label="One run", visible=False, elem_id="compare-episode", scale=4)
        show = gr.Button("Open on the stage", visible=False, elem_id="compare-open", min_width=120)
    with gr.Accordion("Published findings, run again here", open=False, elem_id="compare-cards"):
        card = gr.Dropdown(
            [(f"{name}: {STUDIES.entry(name).description}", name) for name in CARDS], value=None, label="Card", elem_id="compare-card"
        )
        card_text = gr.Markdown(elem_id="compare-card-text")  # cleaned of markup by Gradio
    clock, seen = gr.Timer(POLL_S, active=False), gr.State("")

    running = [state, clock, run, cancel]
    shown = [verdict, effects, paths, doses, table, episode, show]
    began = run.click(bind(on_run, app), [text, quantity, words, starts, randoms, sweep, ui], [chosen, *running], **QUIET)
    ticked = clock.tick(shown_errors(app.comparisons.updates), None, running, **QUIET)
    for event in (began.then, ticked.then):
        event(bind(on_news, app), [chosen, seen], [seen, *shown], **QUIET)
    cancel.click(bind(on_cancel, app), None, running, **QUIET)
    card.input(on_card, [card], [card_text], **QUIET)
    chosen.input(bind(on_choose, app), [chosen], shown, **QUIET)
    gr.on([chosen.input, seen.change], bind(on_draw, app), [chosen, ui], None, **QUIET)
    show.click(bind(on_open, app), [episode, ui], None, **QUIET)
    stage.on_changed(bind(on_changed, app), None, [chosen, *running])


def choices_of(app: AppState) -> list[tuple[str, str]]:
    """Return the stored comparisons, newest first, as titles and ids."""
    return [(f"{c.title}, {time.strftime('%d %b %H:%M', time.localtime(c.started))}", c.id) for c in list_comparisons(app.store)]


def moment_of(app: AppState, ui: UiState) -> Start:
    """Return the moment that the stage shows, as a start.

    Raises:
        InvalidInput: it is not on the disk yet.
        NotStored: there is no such episode or step.
    """
    session = app.live.get(ui.tab_id)
    status, stored, step = session.controller.status(), session.stored, session.shown_step
    episode_id = stored.episode_id if stored is not None else status.episode_id
    if not app.recorder.flush() or not episode_id:
        fix = "Try again in a moment."
        raise InvalidInput("moment to compare from", expected="one that is on disk", found="one that still waits for it", fix=fix)
    info = app.store.episode(episode_id)
    if info.num_steps == 0:  # nothing was executed: the episode's own beginning
        return Start(info.config, Prompt(text=info.instruction) if info.instruction else None)
    has_end = app.store.final_state(episode_id) is not None
    last = info.num_steps if has_end else info.num_steps - 1  # the state after the newest step is kept when an episode ends
    point = branch_point(app.store, episode_id, last if step is None else min(step, last))
    lead = point.lead if point.policy == POLICY else ()
    return Start(point.config, point.prompt, point.state, point.parent_id, point.step, lead)


def on_run(
    app: AppState, text: str, quantity: str, words: str, starts: float | None, randoms: float | None, is_sweep: bool, ui: UiState
) -> tuple[Any, ...]:
    """Begin a comparison from the moment on the stage."""
    first = moment_of(app, ui)
    mix = app.live.get(ui.tab_id).steering.live.mix
    document = {} if text.strip() else mix.to_dict()
    plan = ComparePlan(
        POLICY,
        (first, *other_scenes(first, max(0, int(starts or 1) - 1))),
        document,
        load_assets(app.store, assets_in(document)),
        text=text.strip(),
        quantity=quantity,
        num_random=int(randoms or 0),
        manner=PLAIN if words == NO_WORDS else words,
        is_sweep=is_sweep,
    )
    what = text.strip() or ", ".join(slot.name for slot in mix.heard)
    comparison_id = app.comparisons.start(plan, f"{what[:60]} in {first.config.task}")
    return gr.Dropdown(choices=choices_of(app), value=comparison_id), *app.comparisons.updates()


def on_cancel(app: AppState) -> tuple[Any, ...]:
    """Stop the running comparison."""
    app.comparisons.cancel()
    return app.comparisons.updates()


def on_changed(app: AppState) -> tuple[Any, ...]:
    """Pick up what was run before this page was loaded."""
    return gr.Dropdown(choices=choices_of(app)), *app.comparisons.updates()


def on_news(app: AppState, comparison_id: str | None, seen: str) -> tuple[Any, ...]:
    """Show a comparison again once it is done."""
    now = f"{comparison_id} {find_comparison(app.store, comparison_id).status}" if comparison_id else ""
    return (gr.skip(),) * 8 if now == seen else (now, *on_choose(app, comparison_id))


def on_choose(app: AppState, comparison_id: str | None) -> tuple[Any, ...]:
    """Show what a comparison came to."""
    if not comparison_id:
        return (gr.skip(),) * 7
    stored = find_comparison(app.store, comparison_id)
    if not stored.found:
        line = "Still running." if stored.status == RUNNING else stored.status
        hidden = gr.Plot(visible=False)
        return {"lines": [line]}, hidden, hidden, hidden, gr.Dataframe(visible=False), gr.Dropdown(visible=False), gr.Button(visible=False)
    quantity = str(stored.asked["quantity"])
    runs = run_choices(stored)
    sweep = stored.found.get("sweep") or []
    return (
        {"lines": verdict_lines(stored)},
        gr.Plot(value=effects_figure(effect_rows(stored, quantity + MATCHED), f"{QUANTITIES[quantity]}, equal length"), visible=True),
        gr.Plot(value=paths_figure(drawn_paths(stored)), visible=True),
        gr.Plot(value=sweep_figure(sweep, QUANTITIES[quantity]), visible=True) if sweep else gr.Plot(visible=False),
        gr.Dataframe(value=table_rows(stored), visible=True),
        gr.Dropdown(choices=runs, value=runs[0][1], visible=True),
        gr.Button(visible=True),
    )


def on_draw(app: AppState, comparison_id: str | None, ui: UiState) -> None:
    """Draw the paths of a comparison over the picture, as far as it has come."""
    stored = find_comparison(app.store, comparison_id) if comparison_id else None
    draw_compared(app.live.get(ui.tab_id), drawn_paths(stored) if stored and stored.found else [])


def on_open(app: AppState, episode_id: str | None, ui: UiState) -> None:
    """Show one run on the stage."""
    if not episode_id:
        raise InvalidInput("run", expected="one that is chosen in the list", found="none", fix="Choose a run first.")
    open_replay(app, app.live.get(ui.tab_id), episode_id, 0)


def on_card(name: str | None) -> str:
    """Show the page of a card, without its figure, which lies beside it in the documentation."""
    if name not in CARDS:
        return ""
    text = read_card(f"docs/cards/{name}.md") or f"Not measured yet: run `python app.py campaign card:{name}`."
    return "\n".join(line for line in text.splitlines() if not line.startswith("!["))
