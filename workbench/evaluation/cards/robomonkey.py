"""The card ``robomonkey``: how the error of the best of k candidates falls with k, and what a verifier makes of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.evaluation.bench_vla import POLICY
from workbench.evaluation.campaign import Cell, CellResult, TrialResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.statistics import RESAMPLES
from workbench.evaluation.studies import Finding, Study, StudyOptions, compared, mean_of, success_of
from workbench.evaluation.weighing import CHOSEN_ERROR, OWN_ERROR, best_error
from workbench.rollout.candidates import OWN
from workbench.verification.action_error import COUNTS, fit_power_law

TASKS: Final = ("push_to_zone", "place_on_plate")
DRAWS: Final = {"policy": "draws of the policy", "gaussian": "draws of a Gaussian around five"}
VERIFIERS: Final = {"preference": "learned verifier", "value": "value function", "oracle": "oracle"}
COUNT: Final = 16
MEASURED: Final = 65
"""The policy's own answer and 64 draws."""


def plan(options: StudyOptions) -> Campaign:
    """Return the cells: candidates that are only looked at, drawn in two ways; and those among which a verifier chooses."""
    policy, seeds = options.policy or POLICY, draw_seeds(options.episodes, options.seed)
    settings = [f"pick={OWN},count={MEASURED - 1},draw={draw},watch=candidates" for draw in DRAWS]
    settings += [f"pick={name},count={COUNT},watch=candidates" for name in VERIFIERS]
    return Campaign("robomonkey", tuple(Cell(policy, task, "words", seeds, setting=setting) for setting in settings for task in TASKS))


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return the power law of each way to draw, the error that each verifier leaves, and success."""
    by = {name: [r for r in results if f"pick={name}," in r.cell.setting] for name in (OWN, *VERIFIERS)}
    drawn = {draw: [r for r in by[OWN] if f"draw={draw}" in r.cell.setting] for draw in DRAWS}
    found: list[Finding | None] = []
    for draw, title in DRAWS.items():
        found += power_law(title, [t for r in drawn[draw] for t in r.trials])
    found.append(mean_of("error of the policy's own action", drawn["policy"], OWN_ERROR, unit=""))
    for name, title in VERIFIERS.items():
        found.append(mean_of(f"error of the one that the {title} chooses among {COUNT}", by[name], CHOSEN_ERROR, unit=""))
    found.append(success_of("success, the policy alone", drawn["policy"]))
    for name, title in VERIFIERS.items():
        found.append(success_of(f"success, {title} among {COUNT}", by[name]))
        found.append(compared(f"success, {title} less the policy alone, same scenes", drawn["policy"], by[name]))
    return [f for f in found if f is not None]


def power_law(title: str, trials: Sequence[TrialResult]) -> list[Finding | None]:
    """Return exponent and factor of the error of the best of k, with intervals by drawing the trials anew; nothing where none was measured."""
    counts = [k for k in COUNTS if all(best_error(k) in t.measures for t in trials)]
    if len(counts) < 3 or not trials:
        return []
    errors = np.array([[t.measures[best_error(k)] for k in counts] for t in trials])  # (trials, counts)
    rng = np.random.default_rng(0)
    samples = errors[rng.integers(len(errors), size=(RESAMPLES // 4, len(errors)))].mean(axis=1)
    whole, drawn = _fit(counts, errors.mean(axis=0)), np.array([_fit(counts, sample) for sample in samples])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    names = (f"power law, {title}: error of one", f"power law, {title}: exponent")
    laws: list[Finding | None] = [
        Finding(name, float(whole[i]), float(min(low[i], whole[i])), float(max(high[i], whole[i])), len(trials), null=0.0 if i else None)
        for i, name in enumerate(names)
    ]
    return [*laws, Finding(f"best of {counts[-1]}, {title}: error", float(errors[:, -1].mean()), *_spread(samples[:, -1]), len(trials))]


def _fit(counts: Sequence[int], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(fit_power_law(np.array(counts, dtype=float), errors))


def _spread(samples: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


STUDY: Final = Study(
    "robomonkey",
    "Best of many",
    "How does the error of the best of k candidates fall with k, and does a learned verifier find a better one than the policy's own?",
    "RoboMonkey (arXiv:2506.17811): the error follows a power law of the number of samples, for repeated sampling and for Gaussian perturbation; "
    "a verifier trained on preference pairs lifts success from 38.5 to 47.5 % in SIMPLER. Here the demonstrator is the scripted expert, asked in a "
    "copy of each state; errors are root mean squares of four actions, normalised to what a control step can do; the Gaussian is fitted to five "
    "draws; verifiers are perceptrons that were trained on episodes with other seeds.",
    plan,
    conclude,
)
