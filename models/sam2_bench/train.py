"""Training of the bench SAM 2: first pictures with simulated clicks, then clips as well; it goes on from what it last saved."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from models.sam2_bench.clicks import draw_boxes, draw_clicks, draw_corrections
from models.sam2_bench.config import Sam2BenchConfig
from models.sam2_bench.data import ClipBatch, ImageBatch, draw_clip, draw_images
from models.sam2_bench.heads import HeadOutput, embed, run_heads
from models.sam2_bench.losses import MaskLosses, affinity_loss, find_losses, size_loss
from models.sam2_bench.network import build_network
from models.sam2_bench.shards import ShardSet
from models.sam2_bench.tracking import follow_clip
from models.sam2_bench.weights import read_training, save_training, save_weights
from models.training_order import Progress
from models.training_state import autocast, follow_mean, pack_state, unpack_state

_AVERAGE: Final = 0.998
"""Share of the old in the running mean of the weights, which is what is used."""
_BOX_SHARE: Final = 0.35
_CORRECTED_SHARE: Final = 0.35
_MAX_LOGIT: Final = 32.0

Compared = tuple[dict[str, MaskLosses], Tensor]
"""Losses by kind of prompt, and that of the features."""
OnSave = Callable[["Trainer", Mapping[str, float]], None]


@dataclass(frozen=True)
class Settings:
    """How it is trained."""

    minutes: float
    """Length of the whole schedule; a run that is resumed goes on where it stopped."""
    num_pictures: int = 6
    masks_a_picture: int = 4
    window: int = 128
    """Side of the windows that are learnt from at first: a quarter of the work, and most things fit in [px]."""
    whole_from: float = 0.7
    """Share of the schedule after which whole pictures are learnt from."""
    num_frames: int = 6
    """Of a clip."""
    masks_a_clip: int = 4
    clips_after_min: float = 85.0
    """Minutes after which clips are learnt from as well: a memory of poor masks is worth nothing."""
    clip_share: float = 0.6
    """How often then."""
    learning_rate: float = 8e-4
    warmup_steps: int = 60
    weight_decay: float = 0.02
    seed: int = 0
    save_every_s: float = 120.0


class Trainer:
    """The state of one training."""

    def __init__(self, config: Sam2BenchConfig, settings: Settings, out: Path) -> None:
        torch.manual_seed(settings.seed)
        self.config, self.settings, self._out = config, settings, out
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network: SAM2Base = build_network(config).to(self._device)
        self.average: SAM2Base = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
        )
        self.step, self.seconds = 0, 0.0
        self.means: dict[str, float] = {}
        """Running means of losses and of the best IoU."""

    @property
    def share(self) -> float:
        """How much of the schedule is over, 0..1."""
        return min(1.0, self.seconds / (60 * self.settings.minutes))

    def learn_images(self, batch: ImageBatch, rng: np.random.Generator) -> None:
        """Take one step on pictures: a click or a box for each mask, often corrected by more clicks."""
        masks, owners, truth = batch.masks.to(self._device), batch.owners.to(self._device), batch.masks.numpy()
        is_box = rng.random() < _BOX_SHARE
        num_more = 1 if rng.random() < _CORRECTED_SHARE else 0
        points = draw_boxes(truth, rng) if is_box else draw_clicks(truth, rng)

        def compare() -> Compared:
            every = embed(self.network, batch.pictures.to(self._device))
            features, said = every.pick(owners), points
            output = run_heads(self.network, features, said, is_ambiguous=not is_box, origin=batch.origin)
            found = _compare(output, masks, "box" if is_box else "click")
            for _ in range(num_more):
                said = said.join(draw_corrections(truth, _wide(output, masks.shape[-1]), rng))
                logits = output.best.detach().clamp(-_MAX_LOGIT, _MAX_LOGIT)
                output = run_heads(self.network, features, said, is_ambiguous=False, logits=logits, origin=batch.origin)
                found |= _compare(output, masks, "more")
            return found, affinity_loss(every.fine[0], batch.ids, rng) + size_loss(every.deep)

        self._step(compare)

    def learn_clip(self, batch: ClipBatch, rng: np.random.Generator) -> None:
        """Take one step on a clip: a prompt on the first frame, memory from there on."""
        chance, first = rng.random(), batch.masks[0]
        points = None if chance < 0.25 else (draw_boxes if chance < 0.5 else draw_clicks)(first.numpy(), rng)

        def compare() -> Compared:
            outputs = follow_clip(self.network, batch.pictures.to(self._device), points, first.to(self._device))
            masks = batch.masks[-len(outputs) :].to(self._device)
            found = [find_losses(o.logits, o.ious, o.scores, m) for o, m in zip(outputs, masks, strict=True)]
            mean = MaskLosses(*(torch.stack(parts).mean() for parts in zip(*found, strict=True)))
            return {"track": mean}, torch.zeros((), device=self._device)

        self._step(compare)

    def _step(self, compare: Callable[[], Compared]) -> None:
        self.network.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate()
        with autocast(self._device):
            found, affinity = compare()
            total = torch.stack([losses.total for losses in found.values()]).mean() + affinity
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self.step += 1
        follow_mean(self.average, self.network, self.step, most=_AVERAGE)
        if float(affinity.detach()):
            self._note("affinity", affinity)
        for name, losses in found.items():
            for part in ("total", "best_iou"):
                self._note(f"{name} {'loss' if part == 'total' else 'IoU'}", getattr(losses, part))

    def _note(self, name: str, tensor: Tensor) -> None:
        value = float(tensor.detach())
        self.means[name] = 0.97 * self.means.get(name, value) + 0.03 * value

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.settings.warmup_steps)
        return warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * self.share)))

    def save(self) -> None:
        """Write the weights for use, and all that is needed to go on."""
        about = {"steps": self.step, "minutes": round(self.seconds / 60, 1), "settings": asdict(self.settings)}
        save_weights(self._out / "sam2-bench.safetensors", self.config, self.average.state_dict(), about=about)
        tensors = pack_state(self._parts(), self._optimiser)
        save_training(self._out / "training.safetensors", tensors, step=self.step, seconds=self.seconds)

    def resume(self, path: Path) -> None:
        """Go on from what :meth:`save` wrote."""
        tensors, self.step, self.seconds = read_training(path)
        unpack_state(tensors, self._parts(), self._optimiser)

    def _parts(self) -> dict[str, nn.Module]:
        """Return what is kept to go on, by name."""
        return {"network": self.network, "average": self.average}


def train(trainer: Trainer, shards: ShardSet, *, progress: Progress, on_save: OnSave) -> None:
    """Train to the end of the schedule; pictures are drawn in between, and their time counts."""
    settings = trainer.settings
    rng = np.random.default_rng([settings.seed, trainer.step])
    begun, before, saved = time.perf_counter(), trainer.seconds, time.monotonic()
    side = trainer.config.image_side
    first, refreshed = trainer.step, time.monotonic()
    while trainer.share < 1.0:
        if shards.clips and trainer.seconds > 60 * settings.clips_after_min and rng.random() < settings.clip_share:
            trainer.learn_clip(draw_clip(shards, rng, num_frames=settings.num_frames, num_masks=settings.masks_a_clip), rng)
        else:
            window = settings.window if trainer.share < settings.whole_from else side
            batch = draw_images(
                shards, rng, num_pictures=settings.num_pictures, num_masks=settings.masks_a_picture, side=side, window=window
            )
            trainer.learn_images(batch, rng)
        trainer.seconds = before + time.perf_counter() - begun
        if trainer.step % 20 == 0:
            rate = (trainer.step - first) / (trainer.seconds - before)
            text = "  ".join(f"{name} {value:.3f}" for name, value in sorted(trainer.means.items()))
            progress(f"step {trainer.step}  {trainer.seconds / 60:.1f} min  {rate:.2f} steps/s  {text}")
        if time.monotonic() - refreshed > 60:
            shards.refresh()
            refreshed = time.monotonic()
        if trainer.share >= 1.0 or time.monotonic() - saved > settings.save_every_s:
            saved = time.monotonic()
            trainer.save()
            on_save(trainer, trainer.means)


def _compare(output: HeadOutput, masks: Tensor, name: str) -> dict[str, MaskLosses]:
    """Return the losses of the mask of a clear prompt, and of the best of the other three."""
    logits, ious, scores = output.logits, output.ious, output.scores
    return {
        name: find_losses(logits[:, :1], ious[:, :1], scores, masks),
        f"{name} of three": find_losses(logits[:, 1:], ious[:, 1:], scores, masks),
    }


def _wide(output: HeadOutput, side: int) -> NDArray[np.bool_]:
    """Return the masks ``(N, side, side)`` that a person would see."""
    wide = torch.nn.functional.interpolate(output.best.detach(), size=(side, side), mode="bilinear", align_corners=False)
    found: NDArray[np.bool_] = (wide[:, 0] > 0).cpu().numpy()
    return found
