"""The card ``ditree``: a planner with and without a learned sampler, over layouts of obstacles that the sampler never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.statistics import ratio_interval
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of

TASK: Final = "touch"
BLOCKS: Final = "blocks=1"
PLANNERS: Final = {
    "random-tree": "random tree of straight ways",
    "action-tree": "tree of actions",
    "informed-tree": "tree with the VLA as sampler",
}


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: the VLA by itself, and three planners that are given the goal."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    planned = [Cell(name, TASK, "words+trace", seeds, perturbation=BLOCKS) for name in PLANNERS]
    return Campaign("ditree", (Cell(policy, TASK, "words", seeds, perturbation=BLOCKS), *planned))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return success, collisions and effort, and what the learned sampler changes."""
    cells = {name: [r for r in results if r.cell.policy == name] for name in PLANNERS}
    alone = [r for r in results if r.cell.policy not in PLANNERS]
    found: list[Finding | None] = [
        success_of("success, VLA without a planner", alone),
        mean_of("ran into something, VLA without a planner", alone, "bumped", unit="%"),
    ]
    for name, title in PLANNERS.items():
        found += [
            success_of(f"success, {title}", cells[name]),
            mean_of(f"ran into something, {title}", cells[name], "bumped", unit="%"),
            mean_of(f"time to plan, {title}", cells[name], "planning_s", unit="s"),
            mean_of(f"tries, {title}", cells[name], "planning_tries", unit=""),
        ]
    found.append(compared("success, VLA as sampler less none, same layouts", cells["action-tree"], cells["informed-tree"]))
    found += [_ratio(f"{title}, VLA as sampler / none", cells, measure) for measure, title in _EFFORTS.items()]
    return [f for f in found if f is not None]


_EFFORTS: Final = {"planning_tries": "tries", "planning_s": "time to plan"}


def _ratio(name: str, cells: dict[str, list[CellResult]], measure: str) -> Finding | None:
    """Return the ratio of a measure on the layouts that both trees solved."""
    values = [
        {t.seed: t.measures[measure] for r in cells[kind] for t in r.trials if measure in t.measures}
        for kind in ("action-tree", "informed-tree")
    ]
    common = sorted(set(values[0]) & set(values[1]))
    if not common:
        return None
    found = ratio_interval(*(np.array([v[seed] for seed in common]) for v in values))
    return Finding(name, found.mean, found.low, found.high, found.n)


STUDY: Final = Study(
    "ditree",
    "A policy as sampler of a planner",
    "Does a planner that asks a learned policy for its branches find a way around unseen obstacles more often, or sooner, than one without?",
    "DiTree (arXiv:2508.21001) draws the branches of a kinodynamic tree from a diffusion policy: complete, free of collisions, and faster than "
    "planners without learning. Here the bench VLA is the sampler; its actions are shaken, as it has no noise of its own, and three branches in "
    "ten are drawn without it. The goal is where the expert's path ends; five blocks of up to 30 cm stand on the table.",
    plan,
    conclude,
)
