"""Teaching the bench VLA further: from given weights, on corrections mixed with demonstrations, by a short schedule that can be resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.bench_vla.batches import BatchMaker
from models.bench_vla.checkpoint import load_network
from models.bench_vla.lessons import LESSON_KINDS
from models.bench_vla.losses import Weights
from models.bench_vla.shards import EPISODE, ShardSet
from models.bench_vla.train import Settings, Trainer, train
from workbench.core.errors import InvalidInput
from workbench.learning.lessons import Mode
from workbench.learning.mixing import Shares, mix, shares_of
from workbench.learning.plan import TeachSettings

WEIGHTS_NAME: Final = "bench-vla.safetensors"
STATE_NAME: Final = "training.safetensors"
SAVE_EVERY_S: Final = 20.0
"""How often what is needed to go on is written."""
_EYES: Final = ("front_stem", "wrist_stem", "prompt_stem")
"""Parts that read pictures: most of the work of a step."""


@dataclass(frozen=True)
class Taught:
    """What came of it."""

    weights: Path
    digest: str
    """SHA-256 of the file of weights."""
    num_steps: int
    seconds: float
    """Spent on learning, over all sittings."""
    shares: Shares
    """How much of what was shown was of each kind."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """Running means at the end [nat]."""


class LessonMaker(BatchMaker):
    """Draws demonstrations as in training, and steps of lessons by their chances."""

    def __init__(self, shards: ShardSet, trainer: Trainer, settings: TeachSettings) -> None:
        """Take shards of both; their frames' kinds tell which is which.

        Raises:
            InvalidInput: there are no lessons among them.
        """
        super().__init__(shards, trainer.network.config, num_frames=settings.num_frames, asks_per_frame=1)
        modes = modes_of_asks(shards)
        chances = mix(modes, settings.weighting, demonstrations=settings.demonstrations)
        self._lessons = np.flatnonzero((modes != Mode.DEMONSTRATION) & (chances > 0))
        if not len(self._lessons):
            raise InvalidInput("lessons", expected="at least one step to learn from", found="none", fix="Correct the policy first.")
        self.shares = shares_of(modes, chances)
        self._share = 1.0 - self.shares.demonstrations
        self._chances = chances[self._lessons] / chances[self._lessons].sum()

    def draw_asks(self, rng: np.random.Generator, num_frames: int) -> NDArray[np.int64]:
        """Draw asks of demonstrations and of lessons, each about a frame of its own as far as there are enough; in the order of frames."""
        num = int(rng.binomial(num_frames, self._share))
        is_scarce = num > len(self._lessons)
        asks = rng.choice(self._lessons, num, replace=is_scarce, p=self._chances)
        _, places = np.unique(self.shards.column("ask_frame")[asks], return_index=True)
        parts = [asks[places].astype(np.int64)]
        if num < num_frames:
            parts.append(super().draw_asks(rng, num_frames - num))
        return np.sort(np.concatenate(parts))


def modes_of_asks(shards: ShardSet) -> NDArray[np.int64]:
    """Return the :class:`~workbench.learning.lessons.Mode` of each ask."""
    kinds = shards.column("kind")[shards.column("ask_frame")]
    modes = np.full(len(kinds), Mode.DEMONSTRATION, dtype=np.int64)
    for mode, kind in LESSON_KINDS.items():
        modes[kinds == kind] = mode
    assert not ((kinds > EPISODE) & (modes == Mode.DEMONSTRATION)).any(), "a frame of an unknown kind"
    return modes


def finetune(
    parent: Path,
    data: Path,
    out: Path,
    settings: TeachSettings,
    *,
    about: Mapping[str, Any],
    progress: Callable[[int, Mapping[str, float]], None],
) -> Taught:
    """Teach a copy of some weights, or go on where it was cut off, and write the new ones.

    Args:
        parent: file of weights that it begins with.
        data: folder of shards, lessons and demonstrations.
        out: folder of the new weights and of what is needed to go on.
        settings: how.
        about: what is written into the head of the new file; JSON values.
        progress: told the number of steps done, and the running means of the losses [nat].

    Raises:
        NotStored: there are no such weights.
        InvalidInput: there is nothing to learn from, or ``out`` holds another training.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(settings.num_threads)
    network = load_network(parent)
    schedule = Settings(
        minutes=0.0,
        num_steps=settings.num_steps,
        num_frames=settings.num_frames,
        asks_per_frame=1,
        learning_rate=settings.learning_rate,
        warmup_steps=max(1, settings.num_steps // 10),
        seed=settings.seed,
        save_every_s=SAVE_EVERY_S,
        num_threads=settings.num_threads,
        losses=Weights(rough=0.0, turn=0.0),  # what reads the plan off for learning alone is not kept with the weights
    )
    trainer = Trainer(network.config, schedule, out)
    trainer.begin_with(network)
    if not settings.has_eyes:
        for name in _EYES:
            trainer.network.get_submodule(name).requires_grad_(False)
    if (out / STATE_NAME).exists():
        trainer.resume(out / STATE_NAME)
    maker = LessonMaker(ShardSet(data), trainer, settings)
    told = {**about, "taught": settings.to_dict()}
    means = train(trainer, maker, progress=lambda text: None, on_step=lambda t, losses: progress(t.step, losses), about=told)
    if not (out / WEIGHTS_NAME).exists():
        trainer.save(told)
    return Taught(out / WEIGHTS_NAME, digest_of(out / WEIGHTS_NAME), trainer.step, trainer.seconds, maker.shares, means)


def digest_of(weights: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(weights.read_bytes()).hexdigest()
