"""The card ``haon``: concepts that are read off the feed-forward neurons' value vectors, clamped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy.stats import t

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.steering_findings import BASELINE, Arms, arms_of, effect, pace_change, success_change
from workbench.evaluation.studies import Finding, Study, StudyOptions
from workbench.steering.comparison import MATCHED
from workbench.steering.dose import Difference

TASK: Final = "place_on_plate"
SETTING: Final = "limit=8"
"""Eight seconds, twice what the policy needs without edits."""
SIZES: Final = (10, 20)
WEAK: Final = 2
STRONG: Final = {"up": 10, "down": 10, "quick": 4, "slow": 4}
"""Each concept and the strength at which its neurons are clamped; the usual strength for a Llama is 4."""
CONCEPTS: Final = tuple(STRONG)
HEIGHT: Final = f"height{MATCHED}"
"""Mean height of paths cut to the shortest of their seed: an edited episode may fail, and lasts longer then."""
NUM_RANDOM: Final = 5
RAISED: Final = 0.03
"""How far the mean height is hoped to move [m]."""
FASTER: Final = 0.25
"""By which share a fast step is hoped to be longer than a slow one."""


def neurons(concept: str, alpha: float | None = None, size: int = SIZES[0]) -> str:
    """Return the edits that clamp a concept's neurons."""
    number = "" if size == SIZES[0] else f"/{size}"
    return f"neurons:{concept}{number}={STRONG[concept] if alpha is None else alpha:g}"


def random_sets(concept: str) -> list[str]:
    """Return the count-matched random sets of a concept: as many other neurons of the same layers at the same strength."""
    return [f"{neurons(concept)}~{draw}" for draw in range(1, NUM_RANDOM + 1)]


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: no edits, each concept at two strengths and up also with more neurons, random sets."""
    steered = [neurons(concept, alpha) for concept in CONCEPTS for alpha in (None, WEAK)]
    every = [BASELINE, *steered, neurons("up", WEAK, SIZES[1]), *random_sets("up"), *random_sets("quick")]
    seeds, policy = draw_seeds(options.episodes, options.seed), options.policy or POLICY
    return Campaign("haon", tuple(Cell(policy, TASK, "words", seeds, edits, setting=SETTING) for edits in every))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return what each edit does to height and pace beside the random sets, and to success."""
    arms = arms_of(results)
    found = arms.differences()
    edits = {name: neurons(name) for name in CONCEPTS}
    findings = heights(found, edits, random_sets("up")) if found else []
    findings += paces(arms, edits, random_sets("quick"))
    findings += _sweep(found)
    steered = [*(c.cell.edits for c in results if c.cell.edits)]
    changes = [success_change(f"success, {edits} less none", arms, edits) for edits in dict.fromkeys(steered)]
    return [*findings, *(f for f in changes if f)]


def heights(found: Mapping[str, Mapping[str, Difference]], edits: Mapping[str, str], controls: Sequence[str]) -> list[Finding]:
    """Return the change of the mean height for up and down, and the band of the random controls."""
    band = control_band([found[c][HEIGHT].change for c in controls])
    up, down = found[edits["up"]][HEIGHT], found[edits["down"]][HEIGHT]
    findings = [
        effect("mean height, up", up, "m", RAISED),
        effect("mean height, down", down, "m", -RAISED, goal="at most"),
        Finding(f"mean height, {len(controls)} random controls, band of 95 %", band[0], band[1], band[2], len(controls), "m", null=0.0),
    ]
    beyond = up.change > band[2] and down.change < band[1]
    findings.append(Finding("up and down lie beyond the band (1: yes)", float(beyond), float(beyond), float(beyond), up.n))
    return findings


def control_band(changes: Sequence[float]) -> tuple[float, float, float]:
    """Return mean, lower and upper end of the range in which 95 % of random controls are expected, by Student's distribution."""
    values = np.asarray(changes, dtype=float)
    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) * np.sqrt(1 + 1 / len(values))) if len(values) > 1 else 0.0
    return float(values.mean()), float(values.mean()) - half, float(values.mean()) + half


def paces(arms: Arms, edits: Mapping[str, str], controls: Sequence[str]) -> list[Finding]:
    """Return quick against slow, each against no edits, and the band of the random controls."""
    told = [pace_change("step of quick against slow, equal length", arms, edits["slow"], edits["quick"], FASTER)]
    told += [pace_change(f"step of {name} against no edits, equal length", arms, BASELINE, edits[name]) for name in ("quick", "slow")]
    changes = [f.value for f in (pace_change("", arms, BASELINE, control) for control in controls) if f]
    if changes:
        name = f"step of {len(changes)} random controls against no edits, band of 95 %"
        told.append(Finding(name, *control_band(changes), len(changes), "%", null=0.0))
    return [f for f in told if f]


def _sweep(found: dict[str, dict[str, Difference]]) -> list[Finding]:
    """Return height and pace at every strength and size of the neurons."""
    rows = []
    for concept in CONCEPTS:
        quantity, unit = (HEIGHT, "m") if concept in ("up", "down") else (f"speed{MATCHED}", "m/s")
        for edits in (neurons(concept, WEAK), neurons(concept, WEAK, SIZES[1])):
            if edits in found:
                rows.append(effect(f"{edits}: {quantity}", found[edits][quantity], unit))
    return rows


STUDY: Final = Study(
    "haon",
    "Concepts from value vectors",
    "Neurons whose value vectors say up, down, quick or slow are clamped: does the arm go higher, lower, faster, slower, "
    "more than with as many random neurons, and does it still do its task?",
    "Häon et al. 2025 (arXiv:2509.00328) clamp neurons that were chosen by hand from their top tokens, measure displacement and give no "
    "success. Ours are chosen by the projection on action tokens alone: up and down by their push on dz, quick and slow by how far they "
    "prefer the outer bins of the motion. Paths are compared at equal length, and every claim stands beside random neurons of the same "
    "layers at the same strength. An episode ends after eight seconds.",
    plan,
    conclude,
)
