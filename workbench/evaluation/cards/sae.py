"""The card ``sae``: the network goes on with what a sparse autoencoder keeps, token by token or of the mean token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.steering_findings import BASELINE, arms_of, success_change
from workbench.evaluation.studies import Finding, Study, StudyOptions, mean_of, success_of

TASKS: Final = ("place_on_plate", "press_button")
TOKENS, POOLED = "reconstruct:tokens", "reconstruct:pooled"
_TITLES: Final = {BASELINE: "no autoencoder", TOKENS: "token by token", POOLED: "of the mean token"}
_SHARES: Final = {
    "sae_explained": "variance kept",
    "sae_general": "features that are general rather than memorised",
    "sae_dead": "features that are never active",
}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    seeds = draw_seeds(options.episodes, options.seed)
    return Campaign("sae", tuple(Cell(options.policy or POLICY, task, "words", seeds, edits) for task in TASKS for edits in _TITLES))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return the success with each reconstruction, and what the autoencoders are like."""
    arms, findings = arms_of(results), []
    for edits, title in _TITLES.items():
        findings.append(success_of(f"success, {title}", arms.by_edits.get(edits, ())))
    for edits in (TOKENS, POOLED):
        change = success_change(f"success less that without, {_TITLES[edits]}", arms, edits)
        shares = [mean_of(f"{title}, {_TITLES[edits]}", arms.by_edits.get(edits, ()), name, unit="%") for name, title in _SHARES.items()]
        findings += [f for f in (change, *shares) if f]
    return findings


STUDY: Final = Study(
    "sae",
    "What an autoencoder keeps",
    "The middle block's tokens are put through a sparse autoencoder and back while the robot acts: does it matter whether each token is "
    "rebuilt, or all by the mean token's, and what are the features like?",
    "Action Atlas (arXiv:2603.19233) finds that a reconstruction from mean tokens takes success from 96 to 8 of 100 and one by tokens keeps "
    "94. The classes are those of Dr. VLA (arXiv:2603.19183) by coverage, onsets, peak and run length; its weights were fitted to other "
    "policies, so the share is a ranking, not a measurement. It reports 0.5 to 5 % general features. The autoencoders are TopK, one "
    "feature a channel, trained here on development episodes.",
    plan,
    conclude,
)
