"""How good a detector is, at equal length: failures run to the end of their time, so that a mere clock would win otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from workbench.core.errors import InvalidInput
from workbench.failure.band import Band

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoredEpisode:
    """The scores of one episode, and how it ended."""

    task: str
    is_failure: bool
    scores: Floats
    """``(n,)``, one a call of the policy."""


@dataclass(frozen=True)
class AlarmRates:
    """What the alarms of a band come to."""

    num_failures: int
    num_clean: int
    num_caught: int
    """Failures with an alarm."""
    num_false: int
    """Successes with an alarm."""
    num_false_alarms: int
    """Alarms in successes; one episode may have several."""
    detection_time: float
    """First alarm as a share of the episode, mean over failures; 1 for a failure without one."""

    @property
    def true_positive_rate(self) -> float:
        """Share of the failures with an alarm."""
        return self.num_caught / max(self.num_failures, 1)

    @property
    def false_positive_rate(self) -> float:
        """Share of the successes with an alarm."""
        return self.num_false / max(self.num_clean, 1)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the shares that are right among failures and among successes."""
        return (self.true_positive_rate + 1 - self.false_positive_rate) / 2

    @property
    def false_alarms_per_clean_episode(self) -> float:
        """Alarms in a successful episode, on average."""
        return self.num_false_alarms / max(self.num_clean, 1)


def roc_auc(scores: ArrayLike, is_failure: ArrayLike) -> float:
    """Return the probability that a failure scores higher than a success, ties counting half.

    Raises:
        InvalidInput: all episodes ended alike.
    """
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(is_failure, dtype=bool)
    num_failures, num_clean = int(labels.sum()), int((~labels).sum())
    if not num_failures or not num_clean:
        raise InvalidInput("ROC-AUC", expected="failures and successes", found=f"{num_failures} and {num_clean}")
    ranks = rankdata(values)
    return float((ranks[labels].sum() - num_failures * (num_failures + 1) / 2) / (num_failures * num_clean))


def scores_at(episodes: Sequence[ScoredEpisode], share: float = 1.0, *, has_length_control: bool = True) -> Floats:
    """Return for each episode its largest score so far at a share of the shortest episode of its task, ``(n,)``.

    Without the control of length the share is that of each episode itself, and an episode's length leaks into its score.
    """
    shortest: dict[str, int] = {}
    for episode in episodes:
        shortest[episode.task] = min(len(episode.scores), shortest.get(episode.task, len(episode.scores)))
    lengths = [shortest[e.task] if has_length_control else len(e.scores) for e in episodes]
    return np.array([e.scores[: round((n - 1) * share) + 1].max() for e, n in zip(episodes, lengths, strict=True)])


def auc_of(episodes: Sequence[ScoredEpisode], share: float = 1.0, *, has_length_control: bool = True) -> float:
    """Return the ROC-AUC at a share of the length; errors as :func:`roc_auc`."""
    return roc_auc(scores_at(episodes, share, has_length_control=has_length_control), [e.is_failure for e in episodes])


def alarm_rates(episodes: Sequence[ScoredEpisode], band: Band) -> AlarmRates:
    """Return what the alarms of a band come to over some episodes."""
    failures, clean = [e for e in episodes if e.is_failure], [e for e in episodes if not e.is_failure]
    first = [band.first_alarm(e.scores) for e in failures]
    times = [1.0 if at is None else (at + 1) / len(e.scores) for at, e in zip(first, failures, strict=True)]
    alarms = [band.num_alarms(e.scores) for e in clean]
    return AlarmRates(
        num_failures=len(failures),
        num_clean=len(clean),
        num_caught=sum(at is not None for at in first),
        num_false=sum(n > 0 for n in alarms),
        num_false_alarms=sum(alarms),
        detection_time=float(np.mean(times)) if times else 1.0,
    )
