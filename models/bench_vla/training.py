"""``python app.py train bench-vla``: makes demonstrations, trains, evaluates, writes weights and their model card."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from models.bench_vla.batches import BatchMaker
from models.bench_vla.card import write_card
from models.bench_vla.checkpoint import WEIGHTS_ENV
from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.demonstrations import generate
from models.bench_vla.shards import ShardSet
from models.bench_vla.train import Settings, Trainer, train
from models.bench_vla.vocabulary import collect_words
from models.training_order import Progress, TrainingOrder
from models.training_state import Curve
from workbench.evaluation.cards import STUDIES
from workbench.evaluation.driver import MemoryJournal, run_campaign
from workbench.evaluation.launching import runner_maker
from workbench.evaluation.studies import StudyOptions, study_report
from workbench.evaluation.worker import WorkerSetup
from workbench.simulation.manner import MANNERS, say
from workbench.simulation.sayings import TURNS_DEG
from workbench.simulation.scene import COLOURS, PropKind
from workbench.simulation.tasks import TASKS

_FIELD: Final = re.compile(r"\{[^}]*\}")
_WORDINGS: Final = 40
"""Draws that bring out every wording of a manner."""


@dataclass(frozen=True)
class Plan:
    """How much data, and how long a training."""

    num_episodes: int = 3000
    num_scenes: int = 12000
    minutes: float = 75.0
    episodes: int = 100
    """Episodes a cell of the evaluation."""
    num_frames: int = 32
    """Frames a batch."""
    setting: str = ""
    """Of the evaluation's trials, see :mod:`workbench.evaluation.settings`."""


SMOKE: Final = Plan(num_episodes=2, num_scenes=4, minutes=0.1, episodes=1, num_frames=8, setting="limit=0.4")
"""Goes through everything in about a minute; what it trains knows nothing."""


def known_words() -> tuple[str, ...]:
    """Return every word that a task's instruction may have, in any manner."""
    rng = np.random.default_rng(0)
    templates = [_FIELD.sub(" ", t) for entry in TASKS for t in TASKS.load(entry.name).templates]
    manners = [say("", manner, rng) for manner in MANNERS for _ in range(_WORDINGS)]
    names = [*COLOURS, *(kind.value for kind in PropKind), *(str(d) for d in TURNS_DEG), "clockwise counter-clockwise"]
    return collect_words([*templates, *manners, *names])


def run_training(order: TrainingOrder) -> dict[str, Any]:
    """Make what data is missing, train or go on training, and return what came out.

    ``minutes`` is the length of the whole schedule, ``workers`` make data and evaluate, ``episodes`` are of a cell of the evaluation; 0 leaves it out.

    Raises:
        InvalidInput: the length is not positive.
    """
    plan, out, progress = SMOKE if order.smoke else Plan(), order.out, order.progress
    settings = Settings(minutes=order.length(plan.minutes), num_frames=plan.num_frames, seed=order.seed)
    out.mkdir(parents=True, exist_ok=True)
    generate(
        order.data,
        episodes=plan.num_episodes,
        scenes=plan.num_scenes,
        seed=order.seed,
        workers=order.num_workers,
        progress=progress,
    )
    config = BenchVlaConfig(words=known_words())
    torch.set_num_threads(settings.num_threads)
    trainer = Trainer(config, settings, out)
    state = out / "training.safetensors"
    if state.exists():
        trainer.resume(state)
        progress(f"going on after step {trainer.step}, {trainer.seconds / 60:.1f} min")
    shards = ShardSet(order.data)
    maker = BatchMaker(shards, config, num_frames=plan.num_frames, asks_per_frame=settings.asks_per_frame)
    curve = Curve(out)
    losses = train(trainer, maker, progress=progress, on_save=curve.note)
    facts = {
        "weights": str(out / "bench-vla.safetensors"),
        "parameters": sum(p.numel() for p in trainer.network.parameters()),
        "steps": trainer.step,
        "minutes": round(trainer.seconds / 60, 1),
        "frames": shards.num_frames,
        "asks": shards.num_asks,
        "losses": losses,
    }
    num_episodes = plan.episodes if order.episodes is None else order.episodes
    report: dict[str, Any] = {}
    if num_episodes:
        weights = out / "bench-vla.safetensors"
        report = evaluate(weights, episodes=num_episodes, setting=plan.setting, workers=order.num_workers, progress=progress)
    write_card(out / "MODEL_CARD.md", facts, report, curve.points)
    return {**facts, "findings": report.get("findings", []), "card": str(out / "MODEL_CARD.md")}


def evaluate(weights: Path, *, episodes: int, setting: str = "", workers: int, progress: Progress) -> dict[str, Any]:
    """Return the report of the campaign ``bench-vla`` on a file of weights; ``setting`` is that of its trials."""
    os.environ[WEIGHTS_ENV] = str(weights.resolve())
    study = STUDIES.load("bench-vla")
    planned = study.plan(StudyOptions(episodes))
    campaign = replace(planned, cells=tuple(replace(cell, setting=setting) for cell in planned.cells))
    setup = WorkerSetup("models.catalog:POLICIES")
    runner = runner_maker(setup, workers=workers)("")
    run = run_campaign(campaign, runner, MemoryJournal(), progress=lambda now: progress(now.tell()))
    return study_report(study, run.report(), run.results)
