"""The card ``language-baseline``: does the policy listen? The same scenes told in words, in other words, and not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY, TARGETS
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, success_of

TELLINGS: Final = {"words": "told in words", "words:other": "told in another wording", "none": "told nothing"}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    return Campaign("language-baseline", tuple(Cell(policy, task, told, seeds) for task in TARGETS for told in TELLINGS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success by way of telling, and what words change on the same scenes."""
    told = {name: [r for r in results if r.cell.prompt == name] for name in TELLINGS}
    found = [success_of(f"success, {title}", told[name]) for name, title in TELLINGS.items()]
    found.append(compared("words less none, same scenes", told["none"], told["words"]))
    found.append(compared("other wording less the drawn one, same scenes", told["words"], told["words:other"]))
    return found


STUDY: Final = Study(
    "language-baseline",
    "Does the policy listen?",
    "How much of the success comes from the words: what is left without them, and does another wording of the same do as well?",
    "LIBERO-Plus (arXiv:2510.13626) found that instructions are largely ignored by the policies it tried; so ours is tried with none. "
    "Ten tasks of ours; another wording is one of the task's own that was not drawn, so it holds known words only.",
    plan,
    conclude,
)
