"""The part of the Teach tab that improves the bench VLA on corrections, in the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from models.bench_vla.versions import version_names
from panels.errors import bind, shown_errors
from panels.events import QUIET
from panels.facts import fact_lines
from panels.stage import Stage
from panels.state import AppState
from sessions.corrections import CorrectedEpisode, corrected_episodes
from sessions.versions import FIRST, list_versions, version_in_use
from workbench.learning.plan import TeachSettings, estimate_s, in_words
from workbench.learning.weighting import Weighting

NAME: Final = "improve"
TITLE: Final = "Improve the bench VLA"

NOTHING: Final = (
    "There is no correction of the bench VLA yet. Let it drive, take over when it goes wrong (Tab, or grab the ring), show what it should have done, "
    "and hand back. Every correction is kept and can be taught here."
)
ALL: Final = "all"
NEW: Final = "new"
WHICH: Final = (("All corrections", ALL), ("Only new ones", NEW))
LENGTHS: Final = (("Short try, 20 steps", 20), ("Usual, 300 steps", 300), ("Long, 900 steps", 900))
SHOWN_AFTER: Final = ("episode", "versions")
"""What must have changed for this part to look again."""
POLL_S: Final = 1.0
WEIGHTING_TITLES: Final = {
    Weighting.UNIFORM: "Every step alike",
    Weighting.IWR: "Steps by hand more (IWR)",
    Weighting.SIRIUS: "By hand more, lead-up less (Sirius)",
}


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place this part in the present Gradio layout."""
    plan = fact_lines("teach-plan")
    with gr.Row(elem_classes="tight"):
        parent = gr.Dropdown(version_choices(app), value=version_in_use(app.store), label="Begin with", elem_id="teach-parent", scale=1)
        which = gr.Dropdown(list(WHICH), value=ALL, label="Learn from", elem_id="teach-which", scale=1)
    with gr.Row(elem_classes="tight"):
        length = gr.Dropdown(list(LENGTHS), value=300, label="How long", elem_id="teach-length", scale=1)
        weighting = gr.Dropdown(
            [(WEIGHTING_TITLES[w], w.value) for w in Weighting],
            value=Weighting.SIRIUS.value,
            label="What counts how much",
            elem_id="teach-weighting",
            scale=1,
        )
    with gr.Accordion("More", open=False):
        explained = fact_lines("teach-weightings")
        explained.value = {"lines": [f"{w.words}." for w in Weighting]}
        share = gr.Slider(
            0,
            90,
            value=50,
            step=5,
            label="Demonstrations in what it is shown [%]",
            info="So that nothing is forgotten.",
            elem_id="teach-share",
        )
        eyes = gr.Checkbox(
            True, label="What reads the pictures learns as well (twice the work; for other light or cameras)", elem_id="teach-eyes"
        )
    with gr.Row(elem_classes="tight"):
        run = gr.Button("Improve in the background", variant="primary", elem_id="teach-run", min_width=170)
        cancel = gr.Button("Cancel", elem_id="teach-cancel", min_width=70, interactive=False)
    state = fact_lines("teach-state")
    clock = gr.Timer(POLL_S, active=False)

    choices, running = [parent, which, length, weighting, share, eyes], [state, clock, run, cancel]
    changes = [parent.input, which.input, length.input, weighting.input, share.input, eyes.input]
    gr.on(changes, bind(tell_plan, app), choices, [plan], **QUIET)
    run.click(bind(on_run, app), choices, running, **QUIET)
    cancel.click(bind(on_cancel, app), None, running, **QUIET)
    clock.tick(shown_errors(app.teaching.updates), None, running, **QUIET)
    stage.on_changed(bind(on_changed, app), choices, [parent, plan, *running])


def version_choices(app: AppState) -> list[tuple[str, str]]:
    """Return all versions as titles and names, the one in use marked."""
    used = version_in_use(app.store)
    names = [FIRST, *version_names()]
    return [(f"{name}{', in use' if name == used else ''}", name) for name in names]


def chosen_episodes(app: AppState, which: str) -> tuple[CorrectedEpisode, ...]:
    """Return the corrected episodes that are learnt from: those that a bench VLA drove beside the person."""
    found = tuple(e for e in corrected_episodes(app.store) if e.driver == FIRST or e.driver.startswith(f"{FIRST}-"))
    if which != NEW:
        return found
    known = {episode for version in list_versions(app.store) for episode in version.lineage.get("episodes", ())}
    return tuple(e for e in found if e.id not in known)


def settings_of(length: int, weighting: str, share: float, has_eyes: bool) -> TeachSettings:
    """Return what the form asks for."""
    return TeachSettings(weighting=Weighting(weighting), demonstrations=share / 100, num_steps=int(length), has_eyes=has_eyes)


def tell_plan(app: AppState, parent: str, which: str, length: int, weighting: str, share: float, has_eyes: bool) -> dict[str, list[str]]:
    """Say what the button would do, and how long it takes."""
    found = chosen_episodes(app, which)
    if not found:
        return {"lines": [_why_nothing(app)]}
    settings = settings_of(length, weighting, share, has_eyes)
    num_steps = sum(e.num_steps for e in found)
    seconds = estimate_s(settings, num_steps=num_steps, has_rehearsal=app.teaching.has_rehearsal())
    return {"lines": [f"{tell_corrections(found)} A copy of {parent} learns from them; about {in_words(seconds)} on two free cores."]}


def _why_nothing(app: AppState) -> str:
    if chosen_episodes(app, ALL):
        return "Every correction was learnt by some version."
    others = ", ".join(dict.fromkeys(e.driver for e in corrected_episodes(app.store)))
    return f"What was corrected was driven by others ({others}). {NOTHING}" if others else NOTHING


def tell_corrections(found: Sequence[CorrectedEpisode]) -> str:
    """Say what there is to learn from."""
    corrections, steps = sum(e.num_corrections for e in found), sum(e.num_human_steps for e in found)
    tasks = ", ".join(dict.fromkeys(e.task.replace("_", " ") for e in found))
    noun = "correction" if corrections == 1 else "corrections"
    return f"{corrections} {noun} with {steps} steps by hand, in {len(found)} episode{'s' * (len(found) != 1)} ({tasks})."


def on_run(app: AppState, parent: str, which: str, length: int, weighting: str, share: float, has_eyes: bool) -> tuple[Any, ...]:
    """Begin to teach, or go on with the same that was cut off."""
    app.teaching.start(parent, chosen_episodes(app, which), settings_of(length, weighting, share, has_eyes))
    return app.teaching.updates()


def on_cancel(app: AppState) -> tuple[Any, ...]:
    """Stop; the same goes on later where it was."""
    app.teaching.cancel()
    return app.teaching.updates()


def on_changed(
    app: AppState, parent: str, which: str, length: int, weighting: str, share: float, has_eyes: bool, event: gr.EventData
) -> tuple[Any, ...]:
    """Show what there is to learn from, after an episode or a version has come."""
    if getattr(event, "what", "") not in SHOWN_AFTER:
        return (gr.skip(),) * 6
    plan = tell_plan(app, parent, which, length, weighting, share, has_eyes)
    return gr.Dropdown(choices=version_choices(app)), plan, *app.teaching.updates()
