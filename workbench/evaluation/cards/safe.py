"""The card ``safe``: do detectors that read the inside see failure coming, also in tasks that they were not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.evaluation.bench_vla import POLICY, TARGETS
from workbench.evaluation.campaign import Cell, CellResult, TrialResult, draw_seeds
from workbench.evaluation.driver import Campaign
from workbench.evaluation.failure_meter import ALARM_AT, ALARMED, DETECTORS, LANDMARKS, NUM_ALARMS, SEEN, score_name
from workbench.evaluation.statistics import mean_interval, wilson_interval
from workbench.evaluation.studies import Finding, Study, StudyOptions, success_of
from workbench.failure.band import ALPHA
from workbench.failure.metrics import roc_auc

PERTURBATIONS: Final = ("", "observation_noise", "action_noise=0.7")
"""Nothing, and what makes the policy fail now and then in every task."""
SETTING: Final = "watch=failure"
UNSEEN_TARGET: Final = 0.75
CHANCE: Final = 0.5
RESAMPLES: Final = 1000
_CALLS: Final = "policy_calls"


def plan(options: StudyOptions) -> Campaign:
    """Return the cells."""
    seeds, policy = draw_seeds(options.episodes, options.seed), options.policy or POLICY
    cells = tuple(Cell(policy, task, "words", seeds, perturbation=p, setting=SETTING) for task in TARGETS for p in PERTURBATIONS)
    return Campaign("safe", cells)


def conclude(results: Sequence[CellResult]) -> list[Finding]:
    """Return how well each detector ranks trials, at equal length, and what the alarms come to."""
    findings = [success_of("success of all trials", results)]
    for is_seen, where in ((True, "seen tasks"), (False, "unseen tasks")):
        chosen = [(task, t) for task, t in _trials(results) if bool(t.measures[SEEN]) is is_seen]
        limits = _limits(chosen)
        for name in DETECTORS:
            target = UNSEEN_TARGET if name in ("lstm", "mlp") and not is_seen else None
            measures = {task: score_name(name, calls) for task, calls in limits.items()}
            findings += _auc(f"ROC-AUC, {name}, {where}", chosen, measures, target)
        findings += _alarms(where, [t for _, t in chosen], ALPHA if is_seen else None)
    return findings


def _trials(results: Sequence[CellResult]) -> list[tuple[str, TrialResult]]:
    return [(cell.cell.task, t) for cell in results for t in cell.trials if SEEN in t.measures]


def _limits(trials: Sequence[tuple[str, TrialResult]]) -> dict[str, int]:
    """Return for each task the last landmark that all its trials reach, at least the first: episodes are compared at equal length."""
    shortest: dict[str, float] = {}
    for task, trial in trials:
        shortest[task] = min(trial.measures[_CALLS], shortest.get(task, np.inf))
    return {task: max((n for n in LANDMARKS if n <= calls), default=LANDMARKS[0]) for task, calls in shortest.items()}


def _auc(name: str, trials: Sequence[tuple[str, TrialResult]], measures: Mapping[str, str], target: float | None) -> list[Finding]:
    """Return the finding by the measure of each task, with an interval by resampling trials; nothing where all ended alike."""
    found = [(t.measures[measures[task]], not t.is_success) for task, t in trials if measures[task] in t.measures]
    if not found:
        return []
    scores, labels = np.array([s for s, _ in found]), np.array([failed for _, failed in found])
    try:
        value = roc_auc(scores, labels)
    except InvalidInput:
        return []
    low, high = auc_interval(scores, labels)
    return [Finding(name, value, low, high, len(found), target=target, null=CHANCE)]


def auc_interval(scores: NDArray[np.float64], labels: NDArray[np.bool_], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a ROC-AUC by resampling failures and successes, each among themselves."""
    rng = np.random.default_rng(seed)
    failures, clean = scores[labels], scores[~labels]
    drawn = []
    for _ in range(RESAMPLES):
        parts = [part[rng.integers(len(part), size=len(part))] for part in (failures, clean)]
        drawn.append(roc_auc(np.concatenate(parts), np.repeat([True, False], [len(failures), len(clean)])))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _alarms(where: str, trials: Sequence[TrialResult], alpha: float | None) -> list[Finding]:
    failures, clean = ([t for t in trials if t.is_success is ended and ALARMED in t.measures] for ended in (False, True))
    findings = []
    for name, chosen, target in (("successes with a false alarm", clean, alpha), ("failures with an alarm", failures, None)):
        num = sum(t.measures[ALARMED] > 0 for t in chosen)
        if chosen:
            found = Finding(f"{name}, {where}", num / len(chosen), *wilson_interval(num, len(chosen)), len(chosen), "%", target, "at most")
            findings.append(found)
    for name, chosen, measure in (
        ("false alarms in a successful trial", clean, NUM_ALARMS),
        ("first alarm, as a share of a failing trial", failures, ALARM_AT),
    ):
        if chosen:
            mean, low, high, n = mean_interval([t.measures[measure] for t in chosen])
            findings.append(Finding(f"{name}, {where}", mean, low, high, n))
    return findings


STUDY: Final = Study(
    "safe",
    "Seeing failure coming",
    "Do detectors that read the policy's last hidden states rank failing above good trials before they end, also in tasks that they were not "
    "trained on, and are alarms in good trials as rare as the band promises?",
    "SAFE (arXiv:2506.09937) reports a ROC-AUC of 0.77 to 0.78 on unseen tasks for its LSTM and MLP, 0.74 for the best embedding distance and "
    "for the disagreement of chunks, averaged over policies and benchmarks. Trials are compared at equal length, by the largest score within "
    "the number of calls that all trials of a task reach: failures run to the end of their time, so that a clock would win otherwise. The "
    "detectors are those that come with the project, trained on other seeds; the alarm is that of the one which the page uses. The promise of "
    "the band holds for trials like those of its calibration, which here saw more kinds of perturbation.",
    plan,
    conclude,
)
