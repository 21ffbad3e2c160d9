"""Evaluation: seeded campaigns behind the page, their tables, figures, comparisons and files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import gradio as gr

from panels.campaign_choice import campaign_choices, chosen_campaign
from panels.campaign_desk import is_resumable
from panels.campaign_files import write_campaign
from panels.errors import bind
from panels.evaluation_compare import place_comparison
from panels.events import QUIET, SHOWN
from panels.facts import fact_lines
from panels.render.campaigns import funnel_figure, success_figure
from panels.replay import open_replay
from panels.scene import POLICY_TITLES, choices
from panels.stage import Stage
from panels.state import AppState, UiState
from sessions.campaigns import find_campaign, load_cells, load_trials, plan_of, trial_episodes
from sessions.concepts import export_latest, list_concepts
from workbench.core.errors import InvalidInput
from workbench.evaluation.campaign import CellResult
from workbench.evaluation.campaign_files import make_campaign
from workbench.evaluation.cards import STUDIES
from workbench.evaluation.conditions import by_condition, condition_of
from workbench.evaluation.requests import Request, find_request
from workbench.evaluation.statistics import wilson_interval
from workbench.evaluation.steering_text import DIRECTIONS, NEURON_CONCEPTS
from workbench.evaluation.studies import StudyOptions
from workbench.simulation.axes import AXES

NAME: Final = "evaluation"
TITLE: Final = "Evaluation"

OWN: Final = ""
"""What is run: tasks and ways of telling chosen here."""
TELLINGS: Final = ("words", "words:slow", "words:quick", "words:high", "words:low", "mask", "trace", "sketch", "sketch:hand", "none")
HEADERS: Final = ("Task", "Condition", "Solved", "n", "Success [%]", "95 % interval [%]", "Came near first [%]", "Policy call [ms]")
POLL_S: Final = 1.5
MAX_LISTED_TRIALS: Final = 500
_TO_RESULTS: Final = """() => {
  setTimeout(() => document.querySelector("#evaluation-campaign")?.scrollIntoView({ behavior: "smooth" }), 300);
  return [];
}"""
"""What a campaign came to stands below what was asked."""


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place the panel in the present Gradio layout."""
    with gr.Accordion("New campaign", open=True, elem_id="evaluation-new"):
        what = gr.Dropdown([("My own choice", OWN), *choices(STUDIES, {})], value=OWN, label="What", elem_id="evaluation-what")
        policies = gr.Dropdown(choices(app.policies, POLICY_TITLES), multiselect=True, label="Who drives", elem_id="evaluation-policies")
        with gr.Column() as own:
            own_choices = _place_own_choices(app)
        with gr.Row(elem_classes="tight"):
            episodes = gr.Number(20, label="Episodes each", precision=0, minimum=1, elem_id="evaluation-episodes", min_width=90)
            seed = gr.Number(0, label="First seed", precision=0, minimum=0, elem_id="evaluation-seed", min_width=110)
            run = gr.Button("Run", variant="primary", elem_id="evaluation-run", min_width=90)
            cancel = gr.Button("Cancel", elem_id="evaluation-cancel", min_width=70, interactive=False)
    seen = gr.State("")  # what the results show
    state = fact_lines("evaluation-state")
    with gr.Row(elem_classes="tight"):
        chosen = gr.Dropdown(campaign_choices(app), value=None, label="Campaign", elem_id="evaluation-campaign", scale=4)
        resume = gr.Button("Go on", elem_id="evaluation-resume", min_width=70, interactive=False)
    with gr.Column(visible=False, elem_id="evaluation-results") as results:
        findings = fact_lines("evaluation-findings")
        table = gr.Dataframe(headers=list(HEADERS), interactive=False, wrap=True, elem_id="evaluation-table", max_height=340)
        success = gr.Plot(show_label=False, visible=False, elem_id="evaluation-success")
        funnel = gr.Plot(show_label=False, visible=False, elem_id="evaluation-funnel")
        with gr.Row(elem_classes="tight"):
            trial = gr.Dropdown([], value=None, label="One episode", elem_id="evaluation-trial", scale=4)
            show = gr.Button("Open on the stage", elem_id="evaluation-open", min_width=160)
        comparison = place_comparison(app, chosen)
        with gr.Row(elem_classes="tight"):
            kind = gr.Dropdown(
                [(title, suffix) for suffix, title in FILES.items()], value="html", label="File", elem_id="evaluation-file", scale=3
            )
            make = gr.Button("Make the file", size="sm", elem_id="evaluation-make", min_width=110)
        file = gr.File(visible=False, interactive=False, elem_id="evaluation-download")
    clock = gr.Timer(POLL_S, active=False)

    running, campaigns = [state, clock, run, cancel], [chosen, comparison.other]
    shown = [results, findings, table, success, funnel, trial, comparison.first, comparison.second, resume]
    what.input(on_what, [what], [own], **QUIET)
    started = run.click(bind(on_run, app), [what, policies, *own_choices, episodes, seed], [*campaigns, *running], **QUIET)
    resumed = resume.click(bind(on_resume, app), [chosen], running, **QUIET)
    cancel.click(bind(on_cancel, app), None, running, **QUIET)
    ticked = clock.tick(bind(on_tick, app), [chosen], [*campaigns, *running], **QUIET)
    for event in (started.then, resumed.then, ticked.then):
        event(bind(on_news, app), [chosen, seen], [seen, *shown], **QUIET)
    chosen.input(bind(on_choose, app), [chosen], shown, **QUIET)
    seen.change(None, None, None, js=_TO_RESULTS, **QUIET)
    show.click(bind(on_open, app), [trial, ui], None, **QUIET)
    make.click(bind(on_make, app), [chosen, kind], [file], **SHOWN)
    stage.on_changed(bind(on_changed, app), None, [*campaigns, *running])


def _place_own_choices(app: AppState) -> list[gr.Dropdown]:
    """Place tasks, ways of telling, changes of the world and edits, in this order."""
    tasks = gr.Dropdown(choices(app.tasks, {}), multiselect=True, label="Tasks", elem_id="evaluation-tasks")
    prompts = gr.Dropdown(
        list(TELLINGS), value=["words"], multiselect=True, allow_custom_value=True, label="Told by", elem_id="evaluation-prompts"
    )
    changes = gr.Dropdown(
        perturbation_choices(),
        multiselect=True,
        allow_custom_value=True,
        label="Also with the world changed",
        elem_id="evaluation-changes",
    )
    edits = gr.Dropdown(edits_choices(app), multiselect=True, allow_custom_value=True, label="Also steered by", elem_id="evaluation-edits")
    return [tasks, prompts, changes, edits]


FILES: Final = {
    "html": "Report for people (HTML, works offline)",
    "csv": "Table of trials (CSV)",
    "parquet": "Table of trials (Parquet)",
    "json": "Everything (JSON)",
}


def perturbation_choices() -> list[str]:
    """Return what can be changed about the world, at half and full strength."""
    return [f"{axis}={strength}" for axis in AXES for strength in (0.5, 1.0)]


def edits_choices(app: AppState) -> list[str]:
    """Return what a policy can be steered by: concepts that were saved, then those that are found in it."""
    names = dict.fromkeys(concept.name for concept in list_concepts(app.store) if not set("=@~/,") & set(concept.name))
    found = [f"neurons:{name}=4" for name in NEURON_CONCEPTS] + [f"direction:{name}=0.5" for name in DIRECTIONS]
    return [*(f"concept:{name}" for name in names), *found]


def on_what(what: str) -> Any:
    """Show the choices that a study does not make itself."""
    return gr.Column(visible=what == OWN)


def asked_for(
    app: AppState,
    what: str,
    policies: Sequence[str],
    tasks: Sequence[str],
    prompts: Sequence[str],
    changes: Sequence[str],
    edits: Sequence[str],
    episodes: float | None,
    seed: float | None,
) -> Request:
    """Return what the form asks for; errors as :func:`workbench.evaluation.campaign_files.make_campaign`."""
    count, first, known = int(episodes or 0), int(seed or 0), [p.name for p in app.policies]
    if what != OWN:
        if len(policies) > 1:
            raise InvalidInput(
                "policies", expected="at most one for a study", found=str(len(policies)), fix="Choose one, or your own choice."
            )
        options = StudyOptions(count, first, policies[0] if policies else "")
        return find_request(what, options, policies=known, read=lambda name: b"")
    fields = {
        "policies": list(policies),
        "tasks": list(tasks),
        "prompts": list(prompts),
        "perturbations": ["", *changes],
        "edits": ["", *edits],
        "episodes": count,
        "seed": first,
    }
    name = f"{', '.join(tasks)[:40]} by {', '.join(policies)[:40]}"
    return Request(make_campaign(fields, policies=known, name=name, find_saved=partial(export_latest, app.store)), None)


def on_run(
    app: AppState,
    what: str,
    policies: list[str],
    tasks: list[str],
    prompts: list[str],
    changes: list[str],
    edits: list[str],
    episodes: float,
    seed: float,
) -> tuple[Any, ...]:
    """Begin a campaign, or go on with the same one that was cut off."""
    campaign_id = app.campaigns.start(asked_for(app, what, policies, tasks, prompts, changes, edits or [], episodes, seed))
    listed = campaign_choices(app)
    return gr.Dropdown(choices=listed, value=campaign_id), gr.Dropdown(choices=listed), *app.campaigns.updates()


def on_resume(app: AppState, campaign_id: str | None) -> tuple[Any, ...]:
    """Go on with a campaign that was cut off or cancelled."""
    stored = find_campaign(app.store, chosen_campaign(campaign_id))
    study = stored.report.get("study") or (stored.name if stored.name in STUDIES else "")
    app.campaigns.start(Request(plan_of(stored), STUDIES.load(study) if study else None))
    return app.campaigns.updates()


def on_cancel(app: AppState) -> tuple[Any, ...]:
    """Stop the running campaign."""
    app.campaigns.cancel()
    return app.campaigns.updates()


def on_tick(app: AppState, campaign_id: str | None) -> tuple[Any, ...]:
    """Show how far the running campaign is."""
    listed = campaign_choices(app)
    return gr.Dropdown(choices=listed, value=campaign_id), gr.Dropdown(choices=listed), *app.campaigns.updates()


def on_changed(app: AppState) -> tuple[Any, ...]:
    """Pick up what was run before this page was loaded."""
    listed = campaign_choices(app)
    return gr.Dropdown(choices=listed), gr.Dropdown(choices=listed), *app.campaigns.updates()


def on_news(app: AppState, campaign_id: str | None, seen: str) -> tuple[Any, ...]:
    """Show the results of a campaign again when there are more of them."""
    stored = find_campaign(app.store, campaign_id) if campaign_id else None
    now = f"{stored.id} {stored.status} {stored.num_trials} {app.campaigns.status().is_running}" if stored else ""
    return (gr.skip(),) * 10 if now == seen else (now, *on_choose(app, campaign_id))


def on_choose(app: AppState, campaign_id: str | None) -> tuple[Any, ...]:
    """Show what a campaign came to, so far."""
    if not campaign_id:
        return (gr.skip(),) * 9
    stored, results = find_campaign(app.store, campaign_id), load_cells(app.store, campaign_id)
    labels = [condition.label for condition in by_condition(results)]
    findings = [str(f["text"]) for f in stored.report.get("findings", ())]
    has_trials = bool(results)
    return (
        gr.Column(visible=True),
        {"lines": findings},
        [row_of(r) for r in results],
        gr.Plot(value=success_figure(results) if has_trials else None, visible=has_trials),
        gr.Plot(value=funnel_figure(results) if has_trials else None, visible=has_trials),
        gr.Dropdown(choices=trial_choices(app, campaign_id)),
        gr.Dropdown(choices=labels),
        gr.Dropdown(choices=labels),
        gr.Button(interactive=is_resumable(stored) and not app.campaigns.status().is_running),
    )


def row_of(result: CellResult) -> list[str | int]:
    """Return a cell's row of the table."""
    k, n = result.num_successes, len(result.trials)
    summary, (low, high) = result.summaries(), wilson_interval(k, n)
    went = f"{100 * summary['went'].mean:.0f}" if "went" in summary else ""
    policy_ms = sum(t.policy_ms for t in result.trials) / max(n, 1)
    rate = f"{100 * k / max(n, 1):.0f}"
    return [result.cell.task, condition_of(result.cell).label, k, n, rate, f"{100 * low:.0f} to {100 * high:.0f}", went, f"{policy_ms:.1f}"]


def trial_choices(app: AppState, campaign_id: str) -> list[tuple[str, str]]:
    """Return the stored episodes of a campaign as titles and ids, those that failed first."""
    results = load_trials(app.store, campaign_id)
    episodes = list(trial_episodes(app.store, campaign_id).items())
    episodes.sort(key=lambda pair: results[pair[0]].is_success)
    titles = [
        (f"{t.task}, {t.policy}, {t.prompt}, seed {t.seed}: {'solved' if results[t].is_success else 'not solved'}", e) for t, e in episodes
    ]
    return titles[:MAX_LISTED_TRIALS]


def on_open(app: AppState, episode_id: str | None, ui: UiState) -> None:
    """Show the episode of a trial on the stage."""
    if not episode_id:
        raise InvalidInput("episode", expected="one of the list", found="none", fix="Choose an episode first.")
    open_replay(app, app.live.get(ui.tab_id), episode_id, 0)


def on_make(app: AppState, campaign_id: str | None, kind: str) -> Any:
    """Make a file of the chosen campaign and offer it."""
    stored = find_campaign(app.store, chosen_campaign(campaign_id))
    path = app.settings.exports_dir / f"campaign-{stored.id[-8:]}.{kind}"
    return gr.File(value=str(write_campaign(app.store, stored.id, path)), visible=True)
