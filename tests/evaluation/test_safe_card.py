"""The card on failure detectors: what it makes of trials, and what is measured of one."""

import numpy as np
import pytest

from tests.steering.tiny import TinyPolicy, make_observation
from workbench.core.errors import InvalidInput
from workbench.core.types import Prompt
from workbench.evaluation.campaign import Cell, CellResult, TrialResult
from workbench.evaluation.cards.safe import STUDY, auc_interval
from workbench.evaluation.failure_meter import (
    ALARM_AT,
    ALARMED,
    DETECTORS,
    LANDMARKS,
    NUM_ALARMS,
    SEEN,
    FailureMeter,
    check_kit,
    score_name,
)
from workbench.evaluation.settings import parse_setting
from workbench.evaluation.studies import StudyOptions
from workbench.failure.alarms import WatchKit
from workbench.failure.metrics import roc_auc


def trial(seed, *, is_success, calls, scores, is_seen=True, alarm_at=None):
    """A trial whose score of every detector by each landmark is given, as far as it lasted."""
    measures = {
        SEEN: float(is_seen),
        "policy_calls": float(calls),
        ALARMED: float(alarm_at is not None),
        NUM_ALARMS: float(alarm_at is not None),
    }
    measures |= {ALARM_AT: alarm_at or 1.0}
    measures |= {score_name(name, n): scores(n) for name in DETECTORS for n in LANDMARKS if n <= calls}
    return TrialResult(seed, is_success, 4 * calls, measures=measures)


def findings(*tasks):
    cells = [CellResult(Cell("p", task, "words", tuple(t.seed for t in trials)), tuple(trials)) for task, trials in tasks]
    return {f.name: f for f in STUDY.conclude(cells)}


def test_it_asks_for_every_task_under_every_perturbation_and_watches():
    campaign = STUDY.plan(StudyOptions(episodes=2))
    assert all(parse_setting(cell.setting).watched == "failure" and len(cell.seeds) == 2 for cell in campaign.cells)
    assert len({(c.task, c.perturbation) for c in campaign.cells}) == len(campaign.cells) >= 20


def test_a_score_that_is_but_a_clock_is_worth_nothing():
    trials = [trial(i, is_success=True, calls=9, scores=float) for i in range(6)] + [
        trial(10 + i, is_success=False, calls=40, scores=float) for i in range(6)
    ]
    assert findings(("pick", trials))["ROC-AUC, lstm, seen tasks"].value == 0.5


def test_trials_are_ranked_within_what_all_of_a_task_reach():
    def scores(is_failure):
        return lambda n: 1.0 + is_failure if n <= 8 else 100.0 * (1 - is_failure)

    trials = [trial(i, is_success=i % 2 == 0, calls=9 if i % 2 == 0 else 40, scores=scores(i % 2)) for i in range(12)]
    found = findings(("pick", trials), ("stack", [trial(99, is_success=True, calls=4, scores=float, is_seen=False)]))
    assert found["ROC-AUC, mlp, seen tasks"].value == 1.0 and found["ROC-AUC, mlp, seen tasks"].n == 12
    assert not any("ROC-AUC" in name and "unseen" in name for name in found), "all trials of other tasks ended alike"


def test_alarms_of_good_trials_are_held_against_the_promise():
    trials = [trial(i, is_success=True, calls=9, scores=float, alarm_at=0.5 if i < 1 else None) for i in range(10)]
    trials += [trial(20 + i, is_success=False, calls=40, scores=float, alarm_at=0.25) for i in range(4)]
    found = findings(("pick", trials))
    false = found["successes with a false alarm, seen tasks"]
    assert (false.value, false.n, false.is_met) == (0.1, 10, True)
    assert found["failures with an alarm, seen tasks"].value == 1.0
    assert found["first alarm, as a share of a failing trial, seen tasks"].value == 0.25
    assert found["false alarms in a successful trial, seen tasks"].value == 0.1


def test_the_interval_of_an_auc_holds_it_and_shrinks_with_more_trials():
    rng = np.random.default_rng(0)
    widths = []
    for count in (20, 200):
        labels = np.arange(count) % 2 == 0
        scores = rng.normal(size=count) + labels
        low, high = auc_interval(scores, labels)
        assert low <= roc_auc(scores, labels) <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


class Count:
    """The score is the number of calls."""

    def reset(self):
        self.calls = 0

    def score(self, call):
        self.calls += 1
        return float(self.calls)


def kit(policy="w"):
    curves = [np.linspace(0, 4, 5) + 0.1 * (i % 3) for i in range(12)]
    return WatchKit(
        policy, dict.fromkeys(DETECTORS, ""), "lstm", lambda name: Count(), dict.fromkeys(DETECTORS, curves), {"seen_tasks": ["pick"]}
    )


def test_a_trial_is_scored_at_the_landmarks_that_it_reached():
    meter = FailureMeter(TinyPolicy(), kit(), "stack")
    for step in range(6):
        meter.policy.act(make_observation(step=step), Prompt(text="lift red cube"), np.random.default_rng(0))
    found = meter.measures()
    assert found[SEEN] == 0.0 and found[score_name("lstm", 3)] == 3.0 and found[score_name("lstm", 5)] == 5.0
    assert score_name("lstm", 8) not in found
    assert found[ALARMED] == 1.0 and 0 < found[ALARM_AT] <= 1


def test_detectors_of_other_weights_are_refused():
    with pytest.raises(InvalidInput, match="train detector"):
        check_kit(kit("0123456789abcdef"), TinyPolicy())
