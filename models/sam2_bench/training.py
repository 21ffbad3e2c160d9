"""``python app.py train sam2-bench``: makes pictures, trains, measures, writes weights and their model card."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from models.sam2_bench.card import write_card
from models.sam2_bench.config import Sam2BenchConfig
from models.sam2_bench.evaluation import draw_bench_questions, draw_questions, measure_prompts, measure_tracking
from models.sam2_bench.segmenter import load_segmenter
from models.sam2_bench.shards import ShardSet, generate
from models.sam2_bench.train import Settings, Trainer, train
from models.sam2_bench.weights import note_about
from models.training_order import Progress, TrainingOrder
from models.training_state import Curve
from workbench.core.protocols import Tracker
from workbench.segmentation.association import AssociationTracker
from workbench.segmentation.classical import ClassicalSegmenter

WEIGHTS_NAME: Final = "sam2-bench.safetensors"


@dataclass(frozen=True)
class Plan:
    """How much data, how long a training, how much is measured."""

    num_scenes: int = 1200
    minutes: float = 85.0
    prompts: int = 500
    episodes: int = 4
    frames: int = 300
    config: Sam2BenchConfig = field(default_factory=Sam2BenchConfig)
    num_pictures: int = 6
    """Of a batch."""


SMOKE: Final = Plan(
    num_scenes=2,
    minutes=0.2,
    prompts=6,
    episodes=1,
    frames=6,
    config=Sam2BenchConfig(embed_dim=8, blocks=(1, 1, 2, 1), hidden_dim=32, decoder_ffn_dim=32, memory_dim=16, memory_ffn_dim=32),
    num_pictures=2,
)
"""Goes through everything in about a minute; what it trains knows nothing."""


def run_training(order: TrainingOrder) -> dict[str, Any]:
    """Make what pictures are missing, train or go on training, and return what came out.

    ``minutes`` is the length of the whole schedule, ``workers`` are threads, ``episodes`` those in which tracking is measured; 0 measures nothing at all.

    Raises:
        InvalidInput: the length is not positive.
    """
    plan, out, progress = SMOKE if order.smoke else Plan(), order.out, order.progress
    settings = Settings(minutes=order.length(plan.minutes), seed=order.seed, num_pictures=plan.num_pictures)
    out.mkdir(parents=True, exist_ok=True)
    generate(order.data, scenes=plan.num_scenes, side=plan.config.image_side, seed=order.seed, progress=progress)
    torch.set_num_threads(order.num_workers)
    trainer = Trainer(plan.config, settings, out)
    state = out / "training.safetensors"
    if state.exists():
        trainer.resume(state)
        progress(f"going on after step {trainer.step}, {trainer.seconds / 60:.1f} min")
    shards, curve = ShardSet(order.data), Curve(out)
    train(trainer, shards, progress=progress, on_save=curve.note)
    facts = {
        "weights": str(out / WEIGHTS_NAME),
        "parameters": sum(p.numel() for p in trainer.network.parameters()),
        "steps": trainer.step,
        "minutes": round(trainer.seconds / 60, 1),
        "pictures": len(shards.stills),
        "clips": len(shards.clips),
        "num_frames": settings.num_frames,
        "clips_after_min": settings.clips_after_min,
    }
    num_episodes = plan.episodes if order.episodes is None else order.episodes
    report = evaluate(out / WEIGHTS_NAME, plan.prompts, num_episodes, plan.frames, progress) if num_episodes else {}
    if report:
        # The panel follows things by whichever was measured to be better.
        note_about(out / WEIGHTS_NAME, tracks_by=max(report["tracking"], key=lambda name: report["tracking"][name]["J"]["mean"]))
    (out / "report.json").write_text(json.dumps(report, indent=2))
    write_card(out / "MODEL_CARD.md", facts, report, curve.points)
    return {**facts, "report": report, "card": str(out / "MODEL_CARD.md")}


def evaluate(weights: Path, prompts: int, episodes: int, frames: int, progress: Progress) -> dict[str, Any]:
    """Measure a file of weights, and what needs none, on held-out scenes."""
    segmenter = load_segmenter(weights)
    report: dict[str, Any] = {}
    for name, questions in (("prompts", draw_questions(prompts)), ("bench_prompts", draw_bench_questions(prompts))):
        report[name] = {
            "sam2-bench": measure_prompts(segmenter, questions, progress=progress),
            "classical": measure_prompts(ClassicalSegmenter(), questions, progress=progress),
        }
    makers: dict[str, Callable[[], Tracker]] = {
        "memory": segmenter.make_memory_tracker,
        "association": lambda: AssociationTracker(segmenter),
        "colour": lambda: AssociationTracker(ClassicalSegmenter(), pointed_by=segmenter),
    }
    report["tracking"] = {
        name: measure_tracking(make, episodes=episodes, frames=frames, progress=progress) for name, make in makers.items()
    }
    return report
