"""The card ``contrast``: directions between two instructions, added to the action tokens, beside random directions at the same dose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.cards.haon import SETTING, TASK, heights, paces
from workbench.evaluation.driver import Campaign
from workbench.evaluation.steering_findings import BASELINE, arms_of, success_change
from workbench.evaluation.studies import Finding, Study, StudyOptions

DOSE: Final = 1.0
"""In units of the layer's norm."""
NUM_RANDOM: Final = 5
EDITS: Final = {
    "up": f"direction:high={DOSE:g}",
    "down": f"direction:high=-{DOSE:g}",
    "quick": f"direction:quick={DOSE:g}",
    "slow": f"direction:quick=-{DOSE:g}",
}
"""What each is meant to do."""


def random_directions() -> list[str]:
    """Return directions with random orientation, added at the same dose."""
    return [f"{EDITS['up']}~{draw}" for draw in range(1, NUM_RANDOM + 1)]


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    seeds, policy = draw_seeds(options.episodes, options.seed), options.policy or POLICY
    every = [BASELINE, *EDITS.values(), *random_directions()]
    return Campaign("contrast", tuple(Cell(policy, TASK, "words", seeds, edits, setting=SETTING) for edits in every))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return what each direction does to height, pace and success beside the random ones."""
    arms = arms_of(results)
    found = arms.differences()
    findings = heights(found, EDITS, random_directions()) if found else []
    findings += paces(arms, EDITS, random_directions())
    changes = [success_change(f"success, {edits} less none", arms, edits) for edits in (*EDITS.values(), *random_directions())]
    return [*findings, *(f for f in changes if f)]


STUDY: Final = Study(
    "contrast",
    "Directions between two instructions",
    "The difference that keep high and keep low, or quickly and slowly, make to the action tokens is added to them without saying the "
    "words: does the arm go higher, lower, faster, slower, more than by random directions, and does it still do its task?",
    "Mean differences of paired prompts, as repeng and steering-vectors take them from language models, on the middle block's action "
    "tokens; 24 observations of development episodes. An episode ends after eight seconds.",
    plan,
    conclude,
)
