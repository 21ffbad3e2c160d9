"""The card ``haon``: concepts that are read off the feed-forward neurons' value vectors, clamped; and directions between two instructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.steering_findings import BASELINE, Arms, arms_of, effect, pace_change, success_change
from workbench.evaluation.studies import Finding, Study, StudyOptions
from workbench.steering.comparison import MATCHED
from workbench.steering.dose import Difference

TASK: Final = "place_on_plate"
ALPHAS: Final = (2, 4)
SIZES: Final = (10, 20)
CONCEPTS: Final = ("up", "down", "quick", "slow")
DOSE: Final = 1.0
"""Of the directions, in units of the layer's norm."""
NUM_RANDOM: Final = 5
RAISED: Final = 0.03
"""How far the mean height is hoped to move [m]."""
FASTER: Final = 0.25
"""By which share a fast step is hoped to be longer than a slow one."""


def neurons(concept: str, alpha: float = ALPHAS[-1], size: int = SIZES[0]) -> str:
    """Return the edits that clamp a concept's neurons."""
    return f"neurons:{concept}={alpha:g}" if size == SIZES[0] else f"neurons:{concept}/{size}={alpha:g}"


def directions() -> dict[str, str]:
    """Return the edits along the directions between two instructions, by what they should do."""
    return {name: f"direction:{manner}={dose:g}" for name, manner, dose in _SIGNED}


_SIGNED: Final = (("up", "high", DOSE), ("down", "high", -DOSE), ("quick", "quick", DOSE), ("slow", "quick", -DOSE))


def random_sets() -> list[str]:
    """Return the count-matched random sets: as many neurons of the layers that ``up`` has."""
    return [f"{neurons('up')}~{draw}" for draw in range(1, NUM_RANDOM + 1)]


def random_directions() -> list[str]:
    """Return directions as long as that from low to high, with random orientation."""
    return [f"{directions()['up']}~{draw}" for draw in range(1, NUM_RANDOM + 1)]


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: no edits, each concept at each strength and in two sizes, directions, random sets of both kinds."""
    steered = [neurons(concept, alpha) for concept in CONCEPTS for alpha in ALPHAS]
    steered += [neurons(concept, size=SIZES[1]) for concept in CONCEPTS]
    every = [BASELINE, *steered, *random_sets(), *directions().values(), *random_directions()]
    seeds = draw_seeds(options.episodes, options.seed)
    return Campaign("haon", tuple(Cell(options.policy or POLICY, TASK, "words", seeds, edits) for edits in every))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return what each edit does to height and pace beside the random sets, and to success."""
    arms = arms_of(results)
    found = arms.differences()
    findings: list[Finding] = []
    for how, edits, controls in (
        ("neurons", {name: neurons(name) for name in CONCEPTS}, random_sets()),
        ("direction", directions(), random_directions()),
    ):
        if found:
            findings += _heights(how, found, edits, controls)
        pace = pace_change(f"{how}: step of quick against slow, equal length", arms, edits["slow"], edits["quick"], FASTER)
        findings += [f for f in (pace, *(_paces(how, arms, edits, controls))) if f]
    findings += _sweep(found)
    steered = [*(c.cell.edits for c in results if c.cell.edits)]
    changes = [success_change(f"success, {edits} less none", arms, edits) for edits in dict.fromkeys(steered)]
    return [*findings, *(f for f in changes if f)]


def _heights(how: str, found: dict[str, dict[str, Difference]], edits: dict[str, str], controls: Sequence[str]) -> list[Finding]:
    """Return the change of the mean height for up and down, and the band of the random controls."""
    band = control_band([found[c]["height"].change for c in controls])
    up, down = found[edits["up"]]["height"], found[edits["down"]]["height"]
    findings = [
        effect(f"{how}: mean height, up", up, "m", RAISED),
        effect(f"{how}: mean height, down", down, "m", -RAISED, goal="at most"),
        Finding(
            f"{how}: mean height, {len(controls)} random controls, band of 95 %", band[0], band[1], band[2], len(controls), "m", null=0.0
        ),
    ]
    beyond = up.change > band[2] and down.change < band[1]
    findings.append(Finding(f"{how}: up and down lie beyond the band (1: yes)", float(beyond), float(beyond), float(beyond), up.n))
    return findings


def control_band(changes: Sequence[float]) -> tuple[float, float, float]:
    """Return mean, lower and upper end of the range in which 95 % of random controls are expected, by Student's distribution."""
    from scipy.stats import t

    values = np.asarray(changes, dtype=float)
    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) * np.sqrt(1 + 1 / len(values))) if len(values) > 1 else 0.0
    return float(values.mean()), float(values.mean()) - half, float(values.mean()) + half


def _paces(how: str, arms: Arms, edits: dict[str, str], controls: Sequence[str]) -> list[Finding | None]:
    told = [pace_change(f"{how}: step of {name} against no edits, equal length", arms, BASELINE, edits[name]) for name in ("quick", "slow")]
    return [*told, pace_change(f"{how}: step of random control 1 against no edits, equal length", arms, BASELINE, controls[0])]


def _sweep(found: dict[str, dict[str, Difference]]) -> list[Finding]:
    """Return height and pace at every strength and size of the neurons."""
    rows = []
    for concept in CONCEPTS:
        quantity, unit = ("height", "m") if concept in ("up", "down") else (f"speed{MATCHED}", "m/s")
        for size, alpha in ((SIZES[0], ALPHAS[0]), (SIZES[1], ALPHAS[-1])):
            edits = neurons(concept, alpha, size)
            if edits in found:
                rows.append(effect(f"{size} neurons {concept} at {alpha:g}: {quantity}", found[edits][quantity], unit))
    return rows


STUDY: Final = Study(
    "haon",
    "Concepts from value vectors",
    "Neurons whose value vectors say up, down, quick or slow are clamped: does the arm go higher, lower, faster, slower, "
    "more than with as many random neurons, and does it still do its task?",
    "Häon et al. 2025 (arXiv:2509.00328) clamp neurons that were chosen by hand from their top tokens, measure displacement and give no "
    "success. Ours are chosen by the projection on action tokens alone: up and down by their push on dz, quick and slow by how far they "
    "prefer the outer bins of the motion. Beside them stand directions between two instructions (keep high and keep low, quickly and "
    "slowly). Paths are also compared at equal length, and every claim stands beside random neurons of the same layers or random "
    "directions of the same length.",
    plan,
    conclude,
)
