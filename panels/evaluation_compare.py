"""The part of the Evaluation tab that compares two conditions on the episodes that both have."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from panels.campaign_choice import campaign_choices, chosen_campaign
from panels.errors import bind
from panels.events import QUIET
from panels.facts import fact_lines
from panels.render.campaigns import comparison_figure
from panels.state import AppState
from sessions.campaigns import load_cells
from workbench.core.errors import UnknownName
from workbench.evaluation.campaign import CellResult
from workbench.evaluation.conditions import by_condition, compare_conditions, tell_comparison


class Comparison(NamedTuple):
    """What is chosen to be compared."""

    other: gr.Dropdown
    """The second campaign."""
    first: gr.Dropdown
    second: gr.Dropdown


def place_comparison(app: AppState, chosen: gr.Dropdown) -> Comparison:
    """Place this part in the present Gradio layout; ``chosen`` is the first campaign."""
    with gr.Accordion("Compare two conditions on common seeds", open=False, elem_id="evaluation-compare"):
        other = gr.Dropdown(campaign_choices(app), value=None, label="Second campaign (empty: the same)", elem_id="evaluation-other")
        first = gr.Dropdown([], value=None, label="First condition", elem_id="evaluation-first")
        second = gr.Dropdown([], value=None, label="Second condition", elem_id="evaluation-second")
        compared = fact_lines("evaluation-compared")
        difference = gr.Plot(show_label=False, visible=False, elem_id="evaluation-difference")
    other.input(bind(on_other, app), [chosen, other], [second], **QUIET)
    gr.on([first.input, second.input], bind(on_compare, app), [chosen, other, first, second], [compared, difference], **QUIET)
    return Comparison(other, first, second)


def on_other(app: AppState, campaign_id: str | None, other_id: str | None) -> Any:
    """Offer the conditions of the second campaign."""
    results = load_cells(app.store, other_id or chosen_campaign(campaign_id))
    return gr.Dropdown(choices=[condition.label for condition in by_condition(results)], value=None)


def on_compare(app: AppState, campaign_id: str | None, other_id: str | None, first: str | None, second: str | None) -> tuple[Any, Any]:
    """Compare two conditions on the episodes that both have."""
    if not first or not second:
        return {"lines": ["Choose two conditions."]}, gr.Plot(visible=False)
    sides = ((chosen_campaign(campaign_id), first), (other_id or chosen_campaign(campaign_id), second))
    found = compare_conditions(*(cells_of(app, campaign, label) for campaign, label in sides))
    return {"lines": [f"{second} against {first}", *map(tell_comparison, found)]}, gr.Plot(value=comparison_figure(found), visible=True)


def cells_of(app: AppState, campaign_id: str, label: str) -> list[CellResult]:
    """Return the cells of a condition of a stored campaign, by what the condition is called."""
    conditions = {condition.label: cells for condition, cells in by_condition(load_cells(app.store, campaign_id)).items()}
    if label not in conditions:
        raise UnknownName("condition", label, conditions)
    return conditions[label]
