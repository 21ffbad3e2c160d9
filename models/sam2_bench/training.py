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
from models.sam2_bench.evaluation import draw_questions, measure_prompts, measure_tracking
from models.sam2_bench.segmenter import load_segmenter
from models.sam2_bench.shards import Progress, ShardSet, generate
from models.sam2_bench.train import Settings, Trainer, train
from models.sam2_bench.weights import note_about
from models.training_state import Curve
from workbench.core.errors import InvalidInput
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


def run_training(
    *,
    out: Path,
    data: Path,
    smoke: bool = False,
    minutes: float | None = None,
    seed: int = 1,
    workers: int = 2,
    progress: Progress,
    episodes: int | None = None,
) -> dict[str, Any]:
    """Make what pictures are missing, train or go on training, and return what came out.

    Args:
        out: folder of the weights and of what is needed to go on.
        data: folder of the pictures.
        smoke: the smallest sizes, for tests.
        minutes: length of the whole schedule instead of the plan's.
        seed: of the pictures and the training.
        workers: threads of the training.
        progress: told of every step.
        episodes: episodes in which tracking is measured; 0 measures nothing at all.

    Raises:
        InvalidInput: the length is not positive.
    """
    plan = SMOKE if smoke else Plan()
    length = plan.minutes if minutes is None else minutes
    if not length > 0:
        raise InvalidInput("minutes of training", expected="a positive number", found=str(length))
    out.mkdir(parents=True, exist_ok=True)
    generate(data, scenes=plan.num_scenes, side=plan.config.image_side, seed=seed, progress=progress)
    torch.set_num_threads(max(1, workers))
    trainer = Trainer(plan.config, Settings(minutes=length, seed=seed, num_pictures=plan.num_pictures), out)
    state = out / "training.safetensors"
    if state.exists():
        trainer.resume(state)
        progress(f"going on after step {trainer.step}, {trainer.seconds / 60:.1f} min")
    shards, curve = ShardSet(data), Curve(out)
    train(trainer, shards, progress=progress, on_save=curve.note)
    facts = {
        "weights": str(out / WEIGHTS_NAME),
        "parameters": sum(p.numel() for p in trainer.network.parameters()),
        "steps": trainer.step,
        "minutes": round(trainer.seconds / 60, 1),
        "pictures": len(shards.stills),
        "clips": len(shards.clips),
    }
    num_episodes = plan.episodes if episodes is None else episodes
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
    questions = draw_questions(prompts)
    report = {
        "prompts": {
            "sam2-bench": measure_prompts(segmenter, questions, progress=progress),
            "classical": measure_prompts(ClassicalSegmenter(), questions, progress=progress),
        }
    }
    makers: dict[str, Callable[[], Tracker]] = {
        "memory": segmenter.make_memory_tracker,
        "association": lambda: AssociationTracker(segmenter),
    }
    report["tracking"] = {
        name: measure_tracking(make, episodes=episodes, frames=frames, progress=progress) for name, make in makers.items()
    }
    return report
