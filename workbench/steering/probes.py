"""Linear probes of the residual stream on simulator labels, with held-out scores and a shuffled control.

Source: Observing and Controlling Features, arXiv:2603.05487: regression for continuous labels, logistic for binary ones.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.steering.assets import Place, Probe

HOLDOUT: Final = 0.25
_RIDGES: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Penalties that are tried, per sample on standardised inputs."""
_MIN_SAMPLES: Final = 8


class Samples(NamedTuple):
    """What a probe is fitted on: one row a policy call."""

    rows: NDArray[np.float32]
    """``(n, d)``."""
    labels: NDArray[np.float64]
    """``(n,)``: a number, or 0 and 1 for a classifier."""
    groups: NDArray[np.int64]
    """``(n,)``: which episode each row comes from; no episode is in both halves of a split."""


class _Fit(NamedTuple):
    weight: NDArray[np.float64]
    bias: float

    def read(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        return rows @ self.weight + self.bias


def fit_probe(samples: Samples, *, name: str, place: Place, is_classifier: bool, unit: str = "", rng: np.random.Generator) -> Probe:
    """Fit a probe on three quarters of the episodes and measure it on the rest, beside the same fit on shuffled labels.

    Its ``measures``: ``score`` (R^2, or area under the ROC curve), ``accuracy`` of a classifier and ``majority``, the accuracy of always
    giving the more frequent answer, ``shuffled_score``, ``n_train``, ``n_test``.

    Raises:
        InvalidInput: too few episodes or rows, labels that do not vary, or not finite.
    """
    _check(samples, is_classifier)
    is_test = split_groups(samples.groups, HOLDOUT, rng)
    train, test = _part(samples, ~is_test), _part(samples, is_test)
    for half, half_name in ((train, "training"), (test, "held-out")):
        if len(np.unique(half.labels)) < 2:
            fix = "Record more episodes of both kinds."
            raise InvalidInput(f"labels of the {half_name} episodes", expected="at least two values", found="one", fix=fix)
    fit = _fit_best(train, is_classifier, rng)
    shuffled = _fit_best(train._replace(labels=rng.permutation(train.labels)), is_classifier, rng)
    measures = {
        "score": _score(fit, test, is_classifier),
        "shuffled_score": _score(shuffled, test, is_classifier),
        "n_train": float(len(train.rows)),
        "n_test": float(len(test.rows)),
    }
    if is_classifier:
        share = float(test.labels.mean())
        measures["accuracy"] = float(((fit.read(test.rows) > 0) == (test.labels > 0.5)).mean())
        measures["majority"] = max(share, 1 - share)
    source = f"{'logistic' if is_classifier else 'ridge'} regression, {len(np.unique(samples.groups))} episodes"
    return Probe(
        name, place, fit.weight.astype(np.float32), fit.bias, is_classifier=is_classifier, unit=unit, source=source, measures=measures
    )


def score_of_chance(chance: float) -> float:
    """Return the reading of a classifier at which it says a probability: the bound that a range in probabilities becomes.

    Raises:
        InvalidInput: not strictly between 0 and 1.
    """
    if not 0 < chance < 1:
        raise InvalidInput("probability", expected="a number between 0 and 1", found=f"{chance:g}")
    return float(np.log(chance / (1 - chance)))


def split_groups(groups: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which rows are held out ``(n,) bool``: about a share of the groups, at least one, never all.

    Raises:
        InvalidInput: there are not two groups.
    """
    names = rng.permutation(np.unique(groups))
    if len(names) < 2:
        fix = "Record more episodes."
        raise InvalidInput("episodes", expected="at least two, so that one can be held out", found=str(len(names)), fix=fix)
    held = names[: min(len(names) - 1, max(1, round(share * len(names))))]
    mask: NDArray[np.bool_] = np.isin(groups, held)
    return mask


def area_under_curve(scores: NDArray[np.floating], is_positive: NDArray[np.bool_]) -> float:
    """Return the probability that a positive sample scores higher than a negative one; ties count half."""
    num_positive, num_negative = int(is_positive.sum()), int((~is_positive).sum())
    if not num_positive or not num_negative:
        return float("nan")
    ranks = rankdata(scores)[is_positive].sum()
    return float((ranks - num_positive * (num_positive + 1) / 2) / (num_positive * num_negative))


def logistic_weights(rows: NDArray[np.floating], is_positive: NDArray[np.bool_], ridge: float = 1e-2) -> NDArray[np.float64]:
    """Return the weight ``(d,)`` of a logistic regression, in the units of the rows."""
    return _fit(rows.astype(np.float64), is_positive.astype(np.float64), ridge, is_classifier=True).weight


def _fit_best(samples: Samples, is_classifier: bool, rng: np.random.Generator) -> _Fit:
    """Choose the penalty on a part of the episodes, then fit all of them."""
    if len(np.unique(samples.groups)) < 2:
        return _fit(samples.rows.astype(np.float64), samples.labels, _RIDGES[2], is_classifier)
    is_test = split_groups(samples.groups, HOLDOUT, rng)
    train, test = _part(samples, ~is_test), _part(samples, is_test)
    rows = train.rows.astype(np.float64)

    def loss(ridge: float) -> float:
        reading = _fit(rows, train.labels, ridge, is_classifier).read(test.rows)
        if is_classifier:
            return float(np.logaddexp(0, -reading * np.where(test.labels > 0.5, 1, -1)).mean())
        return float(((reading - test.labels) ** 2).mean())

    return _fit(samples.rows.astype(np.float64), samples.labels, min(_RIDGES, key=loss), is_classifier)


def _fit(rows: NDArray[np.float64], labels: NDArray[np.float64], ridge: float, is_classifier: bool) -> _Fit:
    mean, spread = rows.mean(0), rows.std(0)
    scale = np.where(spread > 1e-12, spread, np.inf)  # channels that never vary get no weight
    normal = (rows - mean) / scale
    if is_classifier:
        weight, bias = _fit_logistic(normal, labels, ridge)
    else:
        square = normal.T @ normal + ridge * len(rows) * np.eye(rows.shape[1])
        weight, bias = np.linalg.solve(square, normal.T @ (labels - labels.mean())), float(labels.mean())
    weight = weight / scale
    return _Fit(weight, float(bias - mean @ weight))


def _fit_logistic(rows: NDArray[np.float64], labels: NDArray[np.float64], ridge: float) -> tuple[NDArray[np.float64], float]:
    signs = np.where(labels > 0.5, 1.0, -1.0)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = signs * (rows @ w[:-1] + w[-1])
        slope = -signs * expit(-margin) / len(rows)
        value = np.logaddexp(0, -margin).mean() + ridge / 2 * w[:-1] @ w[:-1]
        return float(value), np.append(rows.T @ slope + ridge * w[:-1], slope.sum())

    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def _score(fit: _Fit, samples: Samples, is_classifier: bool) -> float:
    reading = fit.read(samples.rows)
    if is_classifier:
        return area_under_curve(reading, samples.labels > 0.5)
    spread = ((samples.labels - samples.labels.mean()) ** 2).sum()
    return float(1 - ((reading - samples.labels) ** 2).sum() / spread)


def _part(samples: Samples, keep: NDArray[np.bool_]) -> Samples:
    return Samples(samples.rows[keep], samples.labels[keep], samples.groups[keep])


def _check(samples: Samples, is_classifier: bool) -> None:
    rows, labels, groups = samples
    if rows.ndim != 2 or labels.shape != (len(rows),) or groups.shape != (len(rows),):
        raise InvalidShape("samples of a probe", expected=("n", "d"), found=rows.shape)
    if len(rows) < _MIN_SAMPLES or not np.isfinite(rows).all() or not np.isfinite(labels).all():
        raise InvalidInput("samples of a probe", expected=f"at least {_MIN_SAMPLES}, all finite", found=f"{len(rows)}")
    if is_classifier and not np.isin(labels, (0.0, 1.0)).all():
        raise InvalidInput("labels of a classifier", expected="0 and 1", found="other numbers")
