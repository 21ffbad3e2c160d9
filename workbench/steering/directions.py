"""Directions from contrasts: two instructions, or two sets of episodes.

Mean difference, first principal component of the paired differences (as repeng does it), or the weights of a logistic regression.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.protocols import Policy, SteerablePolicy
from workbench.core.types import Observation, Prompt
from workbench.steering.activity import Call, Pool, collect
from workbench.steering.assets import Direction, Place, Probe
from workbench.steering.probes import HOLDOUT, area_under_curve, logistic_weights, split_groups
from workbench.steering.sites import as_module


class Method(StrEnum):
    """How two sets of states become a direction."""

    MEAN_DIFFERENCE = "mean difference"
    PAIRED_PCA = "principal component of pairs"
    LOGISTIC = "logistic regression"


class Contrast(NamedTuple):
    """States with and without something."""

    positive: NDArray[np.float32]
    """``(n, d)``."""
    negative: NDArray[np.float32]
    """``(k, d)``; for pairs, row i belongs to row i of the positive."""
    positive_groups: NDArray[np.int64]
    """``(n,)``: episode or observation of each row; none is both in fitting and in measuring."""
    negative_groups: NDArray[np.int64]


def policy_calls(policy: Policy, observations: Iterable[Observation], prompt: Prompt, seed: int = 0) -> list[Call]:
    """Return one policy call for each stored observation, each from a fresh start with the same random numbers."""

    def call(observation: Observation) -> Call:
        def act() -> object:
            policy.reset(np.random.default_rng(seed))
            return policy.act(observation, prompt, np.random.default_rng(seed))

        return act

    return [call(o) for o in observations]


def contrast_prompts(
    policy: SteerablePolicy, observations: Sequence[Observation], prompts: tuple[Prompt, Prompt], place: Place, *, pool: Pool = Pool.MEAN
) -> Contrast:
    """Show the same observations under two prompts; what differs is what the words do.

    Raises:
        InvalidInput: there are no observations.
    """
    module = as_module(policy.module)
    sides = []
    for prompt in prompts:
        calls = policy_calls(policy, observations, prompt)
        sides.append(collect(module, policy.sites, calls, [place.site], tokens=place.tokens, pool=pool)[place.site])
    groups = np.arange(len(observations))
    return Contrast(sides[0], sides[1], groups, groups)


def fit_direction(
    contrast: Contrast, method: Method, *, name: str, place: Place, norm: float, rng: np.random.Generator, source: str = ""
) -> Direction:
    """Fit a direction from negative to positive states; its ``measures`` tell how well it parts held-out ones.

    ``auc`` is measured on held-out groups with a direction fitted on the others, ``random_auc`` with a random direction on the same
    groups (0.5 says nothing); the direction itself is then fitted on everything.

    Args:
        contrast: the states.
        method: how.
        name: what to call it.
        place: where the states come from.
        norm: median norm of the residual stream there, the unit of doses.
        rng: chooses what is held out.
        source: what was contrasted, in words.

    Raises:
        InvalidInput: too few states, not finite, or equal on both sides.
    """
    _check(contrast, method)
    auc = random_auc = float("nan")
    every = np.unique(np.concatenate([contrast.positive_groups, contrast.negative_groups]))
    if len(every) >= 2:
        held = every[split_groups(every, HOLDOUT, rng)]
        kept, test = _take(contrast, every[~np.isin(every, held)]), _take(contrast, held)
        if min(len(side) for side in kept) > 1 and min(len(side) for side in test) > 0:
            auc = _separation(_fit(kept, method), test)
            random_auc = _separation(rng.normal(size=(contrast.positive.shape[1],)), test)
    vector = _fit(contrast, method)
    if not np.linalg.norm(vector) > 0:
        fix = "Choose prompts or episodes that differ."
        raise InvalidInput("contrast", expected="states that differ between the two sides", found="equal ones", fix=fix)
    measures = {"n_positive": float(len(contrast.positive)), "n_negative": float(len(contrast.negative))}
    measures |= {k: v for k, v in (("auc", auc), ("random_auc", random_auc)) if np.isfinite(v)}
    text = f"{method} of {source}" if source else str(method)
    return Direction(name, place, vector.astype(np.float32), norm, text, measures)


def direction_of_probe(probe: Probe, norm: float) -> Direction:
    """Return the direction in which a probe's reading grows."""
    return Direction(probe.name, probe.place, probe.weight, norm, f"weight of the probe {probe.name!r}", probe.measures)


def combine(name: str, parts: Sequence[tuple[float, Direction]]) -> Direction:
    """Return the weighted sum of the unit vectors of directions of one place.

    Raises:
        InvalidInput: they are of different places, or cancel out.
    """
    if len({d.place for _, d in parts}) != 1:
        raise InvalidInput("directions to combine", expected="directions of one place", found="several places" if parts else "none")
    total = sum(weight * d.vector.astype(np.float64) / np.linalg.norm(d.vector) for weight, d in parts)
    text = " + ".join(f"{weight:g} {d.name}" for weight, d in parts)
    return Direction(name, parts[0][1].place, np.asarray(total, dtype=np.float32), parts[0][1].norm, text)


def _fit(contrast: Contrast, method: Method) -> NDArray[np.float64]:
    positive, negative = contrast.positive.astype(np.float64), contrast.negative.astype(np.float64)
    if method is Method.MEAN_DIFFERENCE:
        return positive.mean(0) - negative.mean(0)
    if method is Method.PAIRED_PCA:
        differences = positive - negative
        # Signs are mirrored so that the component is that of the differences, not of their scatter around the mean.
        component = np.linalg.svd(np.concatenate([differences, -differences]), full_matrices=False)[2][0]
        return component * (1.0 if (differences @ component > 0).mean() >= 0.5 else -1.0)
    rows = np.concatenate([positive, negative])
    return logistic_weights(rows, np.arange(len(rows)) < len(positive))


def _separation(vector: NDArray[np.floating], contrast: Contrast) -> float:
    rows = np.concatenate([contrast.positive, contrast.negative])
    return area_under_curve(rows @ vector, np.arange(len(rows)) < len(contrast.positive))


def _take(contrast: Contrast, groups: NDArray[np.int64]) -> Contrast:
    positive, negative = np.isin(contrast.positive_groups, groups), np.isin(contrast.negative_groups, groups)
    return Contrast(
        contrast.positive[positive],
        contrast.negative[negative],
        contrast.positive_groups[positive],
        contrast.negative_groups[negative],
    )


def _check(contrast: Contrast, method: Method) -> None:
    positive, negative = contrast.positive, contrast.negative
    if positive.ndim != 2 or negative.ndim != 2 or positive.shape[1] != negative.shape[1]:
        raise InvalidShape("negative states", expected=("k", *positive.shape[1:]), found=negative.shape)
    if not len(positive) or not len(negative) or not (np.isfinite(positive).all() and np.isfinite(negative).all()):
        raise InvalidInput("contrast", expected="finite states on both sides", found=f"{len(positive)} and {len(negative)}")
    if method is Method.PAIRED_PCA and len(positive) != len(negative):
        raise InvalidInput("pairs", expected="as many positive as negative states", found=f"{len(positive)} and {len(negative)}")
