"""``python app.py train detector``: lets the bench VLA play, watches its calls, and fits what tells failures early."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from models.catalog import POLICIES
from models.failure.card import write_card
from models.failure.checkpoint import save_model
from models.failure.fitting import FitPlan, describe, fit_model, split_tracks
from models.failure.tracks import Track, load_track, save_track, track_of
from models.steering import as_steerable
from models.training_order import Progress, TrainingOrder
from workbench.core.protocols import SteerablePolicy
from workbench.core.types import EpisodeConfig
from workbench.evaluation.bench_vla import POLICY, TARGETS
from workbench.evaluation.watched_trials import WatchedTrial, plan_trials, watch_trial
from workbench.failure.features import Pooling
from workbench.failure.training import FitSettings
from workbench.simulation.simulator import BenchSimulator
from workbench.steering.concepts import fingerprint
from workbench.steering.sites import as_module

NAME: Final = "detector.safetensors"
CARD: Final = "MODEL_CARD.md"
FIRST_SEED: Final = 600_000
"""Of the watched episodes; published figures use seeds from 1,000,000 on."""
PERTURBATIONS: Final = ("", "observation_noise", "action_noise=0.7", "camera", "start=0.6", "events")
"""What makes a policy fail now and then, and nothing: every task is played under each."""
_FIT: Final = FitPlan()


@dataclass(frozen=True)
class Plan:
    """How much is watched, and how it is fitted."""

    tasks: tuple[str, ...] = tuple(TARGETS)
    perturbations: tuple[str, ...] = PERTURBATIONS
    episodes: int = 5
    """Of each task under each perturbation."""
    minutes: float = 10.0
    """Longest time of watching."""
    fit: FitPlan = _FIT


SMOKE: Final = Plan(
    tasks=("touch", "press_button", "turn_knob"),
    perturbations=("", "observation_noise"),
    episodes=2,
    minutes=2.0,
    fit=FitPlan(FitSettings(2), FitSettings(2), (Pooling.MEAN,), (1e-2,), (1e-3,)),
)
"""Goes through everything in a minute; what it trains knows nothing."""


def run_training(order: TrainingOrder) -> dict[str, Any]:
    """Watch what episodes are missing, fit, measure, and write the detector with its report.

    ``minutes`` is the longest time of watching, ``workers`` are threads of the fitting, ``episodes`` are of each task under each perturbation;
    what was watched of the present weights is used.

    Raises:
        InvalidInput: no episode failed, or all did.
    """
    plan, weights = SMOKE if order.smoke else Plan(), order.out / NAME
    torch.set_num_threads(order.num_workers)
    trials = plan_trials(plan.tasks, plan.perturbations, episodes=order.episodes or plan.episodes, first_seed=FIRST_SEED)
    minutes = plan.minutes if order.minutes is None else order.minutes
    tracks = watch_all(trials, order.data, minutes=minutes, progress=order.progress)
    begun = time.monotonic()
    model = fit_model(split_tracks(tracks, order.seed), plan.fit, progress=order.progress)
    save_model(model, weights)
    facts = {**describe(model), "weights": str(weights), "bytes": weights.stat().st_size, "seed": order.seed}
    facts["fitting_s"] = round(time.monotonic() - begun, 1)
    write_card(order.out / CARD, facts)
    return facts


def watch_all(trials: Sequence[WatchedTrial], data: Path, *, minutes: float, progress: Progress) -> tuple[Track, ...]:
    """Return the tracks of the trials, in their order; those that are not on disk yet are played, for so long at most."""
    simulator = BenchSimulator()
    try:
        simulator.reset(EpisodeConfig(trials[0].task, trials[0].seed))
        policy: SteerablePolicy = as_steerable(POLICIES.load(POLICY)(simulator))
        mine = fingerprint(as_module(policy.module))
        begun = time.monotonic()
        found: list[Track] = []
        for number, trial in enumerate(trials):
            path = data / mine / f"{trial.name}.safetensors"
            if not path.exists():
                if time.monotonic() - begun > 60 * minutes:
                    progress(f"the time for watching is over: {len(found)} of {len(trials)} episodes")
                    break
                episode = watch_trial(policy, simulator, trial)
                if episode.calls:
                    save_track(track_of(episode, mine), path)
                ended = "failed" if episode.is_failure else "solved"
                progress(f"{number + 1} of {len(trials)}: {trial.name} {ended} after {len(episode.calls)} calls")
            if path.exists():
                found.append(load_track(path))
        return tuple(found)
    finally:
        simulator.close()
