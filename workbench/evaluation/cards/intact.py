"""The card ``intact``: going to the right thing against getting it done, along each axis on which the world is unlike training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of
from workbench.simulation.axes import AXES, SHIFT

TASKS: Final = ("pick", "place_on_plate")
STRENGTH: Final = 0.5
LANGUAGE: Final = "language"
_SHIFTS: Final = tuple(axis for axis in AXES.values() if axis.group == SHIFT)


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: unchanged, another wording, and each shift at half strength."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    cells = [Cell(policy, task, told, seeds) for told in ("words", "words:other") for task in TASKS]
    cells += [Cell(policy, task, "words", seeds, perturbation=f"{axis.name}={STRENGTH}") for axis in _SHIFTS for task in TASKS]
    return Campaign("intact", tuple(cells))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return intention, success and the loss against the unchanged world, axis by axis."""
    base = [r for r in results if r.cell.prompt == "words" and not r.cell.perturbation]
    found = _pair("unchanged", base)
    axes = [(LANGUAGE, [r for r in results if r.cell.prompt == "words:other"])]
    axes += [(axis.title.lower(), [r for r in results if r.cell.perturbation.startswith(f"{axis.name}=")]) for axis in _SHIFTS]
    for title, cells in axes:
        found += [*_pair(title, cells), compared(f"{title}: success less unchanged, same seeds", base, cells)]
    return found


def _pair(title: str, cells: Sequence[CellResult]) -> list[Finding]:
    went = mean_of(f"{title}: went to the right thing first", cells, "went", unit="%")
    return [*([went] if went else []), success_of(f"{title}: success", cells)]


STUDY: Final = Study(
    "intact",
    "Intention against execution",
    "Where the world is unlike training, does the policy still know where to go, and can it still do it?",
    "INT-ACT (arXiv:2506.09930) scores intention apart from execution and finds that intention stays high out of distribution while success "
    "falls. Its axes at half strength on two tasks of ours; intention is coming within 4 cm of the right thing before any other.",
    plan,
    conclude,
)
