"""From watched episodes to a failure model: the split, what is chosen on held-out seen episodes, and what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from models.failure.checkpoint import KINDS, TRAINED, FailureModel, network_arrays
from models.failure.tracks import Track
from models.training_order import Progress
from workbench.core.errors import InvalidInput
from workbench.failure.detectors import score_calls
from workbench.failure.features import Pooling
from workbench.failure.metrics import ScoredEpisode, auc_of
from workbench.failure.training import FitSettings, LabelledEpisode, fit_lstm, fit_mlp

UNSEEN_SHARE: Final = 0.3
"""Of the tasks, which no detector is trained on."""
TRAIN_SHARE: Final = 0.6
"""Of the episodes of the other tasks; the rest chooses and calibrates."""
MAX_REFERENCES: Final = 128
"""Calls of each outcome that embedding distances are measured to."""
_MLP: Final = FitSettings(epochs=300)
_LSTM: Final = FitSettings(epochs=100)


@dataclass(frozen=True)
class FitPlan:
    """How long each network is trained, and what is tried."""

    mlp: FitSettings = _MLP
    lstm: FitSettings = _LSTM
    poolings: tuple[Pooling, ...] = (Pooling.MEAN, Pooling.FIRST, Pooling.LAST)
    mlp_decays: tuple[float, ...] = (1e-3, 1e-2)
    lstm_decays: tuple[float, ...] = (1e-3,)


class Split(NamedTuple):
    """Which episodes are for what."""

    train: tuple[Track, ...]
    seen: tuple[Track, ...]
    """Of tasks that were trained on, but not these episodes."""
    unseen: tuple[Track, ...]
    """Of tasks that were not trained on."""

    @property
    def unseen_tasks(self) -> tuple[str, ...]:
        """Names of the tasks that were kept away."""
        return tuple(dict.fromkeys(t.trial.task for t in self.unseen))


def split_tracks(tracks: Sequence[Track], seed: int) -> Split:
    """Split by task first, then by episode, successes and failures alike."""
    rng = np.random.default_rng(seed)
    tasks = sorted({t.trial.task for t in tracks})
    away = set(rng.permutation(tasks)[: round(UNSEEN_SHARE * len(tasks))].tolist())
    train: list[Track] = []
    seen: list[Track] = []
    for is_failure in (False, True):
        alike = [t for t in tracks if t.trial.task not in away and t.is_failure is is_failure]
        order, cut = rng.permutation(len(alike)), round(TRAIN_SHARE * len(alike))
        train += [alike[i] for i in order[:cut]]
        seen += [alike[i] for i in order[cut:]]
    return Split(tuple(train), tuple(seen), tuple(t for t in tracks if t.trial.task in away))


def fit_model(split: Split, plan: FitPlan, *, progress: Progress) -> FailureModel:
    """Return the detectors that tell held-out seen episodes apart best, with what calibrates them.

    Raises:
        InvalidInput: no episode failed, or all did.
    """
    arrays, pooling, chosen = _fit_mlp(split, plan, progress)
    lstm, of_lstm = _fit_lstm(split, plan, pooling, progress)
    arrays |= lstm | _references(split.train, pooling)
    policy = split.train[0].policy
    bare = FailureModel(policy, pooling, arrays, {}, {})
    clean = [t for t in split.seen if not t.is_failure]
    curves = {name: tuple(e.scores for e in scored(bare, name, clean)) for name in KINDS}
    about: dict[str, Any] = {
        "seen_tasks": sorted({t.trial.task for t in split.train}),
        "unseen_tasks": sorted(split.unseen_tasks),
        "perturbations": sorted({t.trial.perturbation for t in split.train}),
        "episodes": {name: len(part) for name, part in split._asdict().items()},
        "failures": {name: sum(t.is_failure for t in part) for name, part in split._asdict().items()},
        "selection": {"mlp": chosen, "lstm": of_lstm},
    }
    return replace(bare, curves=curves, about=about | {"auc": measured_aucs(bare, split)})


def scored(model: FailureModel, name: str, tracks: Sequence[Track]) -> list[ScoredEpisode]:
    """Return what a detector says of some episodes."""
    detector = model.make(name)
    return [ScoredEpisode(t.trial.task, t.is_failure, score_calls(detector, t.calls(model.pooling))) for t in tracks]


def measured_aucs(model: FailureModel, split: Split) -> dict[str, dict[str, float | None]]:
    """Return the ROC-AUC under length control of every detector on seen and unseen tasks; None where all ended alike."""
    return {
        name: {part: _auc(scored(model, name, tracks)) for part, tracks in (("seen", split.seen), ("unseen", split.unseen))}
        for name in KINDS
    }


def _fit_mlp(split: Split, plan: FitPlan, progress: Progress) -> tuple[dict[str, Any], Pooling, float]:
    tried: list[tuple[float, Pooling, float]] = []
    networks: dict[tuple[Pooling, float], dict[str, Any]] = {}

    def attempt(pooling: Pooling, decay: float) -> None:
        network = fit_mlp(_labelled(split.train, pooling), replace(plan.mlp, decay=decay))
        networks[pooling, decay] = network_arrays("mlp", network)
        auc = _auc(scored(FailureModel("", pooling, networks[pooling, decay], {}), "mlp", split.seen)) or 0.0
        tried.append((auc, pooling, decay))
        progress(f"mlp, {pooling} of the tokens, decay {decay:g}: AUC {auc:.3f} on held-out episodes of seen tasks")

    for pooling in plan.poolings:
        attempt(pooling, plan.mlp.decay)
    best = max(tried, key=lambda t: t[0])[1]
    for decay in plan.mlp_decays:
        if (best, decay) not in networks:
            attempt(best, decay)
    auc, pooling, decay = max(tried, key=lambda t: t[0])
    return networks[pooling, decay], pooling, auc


def _fit_lstm(split: Split, plan: FitPlan, pooling: Pooling, progress: Progress) -> tuple[dict[str, Any], float]:
    tried: list[tuple[float, dict[str, Any]]] = []
    width = {"mlp/inner.weight": np.zeros((1, split.train[0].features(pooling).shape[1]))}
    for decay in plan.lstm_decays:
        arrays = network_arrays("lstm", fit_lstm(_labelled(split.train, pooling), replace(plan.lstm, decay=decay)))
        auc = _auc(scored(FailureModel("", pooling, {**width, **arrays}, {}), "lstm", split.seen)) or 0.0
        tried.append((auc, arrays))
        progress(f"lstm, decay {decay:g}: AUC {auc:.3f} on held-out episodes of seen tasks")
    auc, arrays = max(tried, key=lambda t: t[0])
    return arrays, auc


def _references(tracks: Sequence[Track], pooling: Pooling) -> dict[str, Any]:
    """Return what baselines compare with: calls of successes and failures, and the spread of the actions."""
    rng, found = np.random.default_rng(0), {}
    for name, is_failure in (("successes", False), ("failures", True)):
        rows = np.concatenate([t.features(pooling) for t in tracks if t.is_failure is is_failure])
        found[name] = rows[rng.permutation(len(rows))[:MAX_REFERENCES]].astype(np.float16)
    actions = np.concatenate([t.actions.reshape(-1, t.actions.shape[-1]) for t in tracks])
    return found | {"scale": actions.std(axis=0).astype(np.float32)}


def _labelled(tracks: Sequence[Track], pooling: Pooling) -> list[LabelledEpisode]:
    return [LabelledEpisode(t.features(pooling), t.is_failure) for t in tracks]


def _auc(episodes: Sequence[ScoredEpisode]) -> float | None:
    try:
        return auc_of(episodes)
    except InvalidInput:
        return None


def describe(model: FailureModel) -> Mapping[str, Any]:
    """Return what a training tells at its end."""
    return {"policy": model.policy, "pooling": str(model.pooling), "default": model.best, "detectors": list(TRAINED), **model.about}
