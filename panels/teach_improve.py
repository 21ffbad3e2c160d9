"""The part of the Teach tab that improves the bench VLA on corrections."""

from __future__ import annotations

from typing import Final

import gradio as gr

from panels.errors import bind
from panels.facts import fact_lines
from panels.stage import Stage
from panels.state import AppState
from sessions.corrections import CorrectedEpisode, corrected_episodes

NAME: Final = "improve"
TITLE: Final = "Improve the bench VLA"

NOTHING: Final = (
    "Nothing was corrected yet. Let the bench VLA drive, take over when it goes wrong (Tab, or grab the ring), show what it should have done, "
    "and hand back. Every correction is kept and can be taught here."
)


def build(app: AppState, stage: Stage, ui: gr.State) -> None:
    """Place this part in the present Gradio layout."""
    found = fact_lines("teach-improve-found")
    stage.on_changed(bind(on_changed, app), None, [found])


def on_changed(app: AppState, event: gr.EventData) -> object:
    """Count what was corrected, after an episode began or ended."""
    if event._data.get("what") != "episode":
        return gr.skip()
    return {"lines": tell_corrections(corrected_episodes(app.store))}


def tell_corrections(found: tuple[CorrectedEpisode, ...]) -> list[str]:
    """Say what there is to learn from."""
    if not found:
        return [NOTHING]
    corrections, steps = sum(e.num_corrections for e in found), sum(e.num_human_steps for e in found)
    tasks = ", ".join(dict.fromkeys(e.task.replace("_", " ") for e in found))
    return [f"{corrections} corrections with {steps} steps by hand, in {len(found)} episodes ({tasks})."]
