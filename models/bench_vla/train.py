"""Training of the bench VLA: imitation of the scripted expert, with maps, trace and end beside the actions."""

from __future__ import annotations

import copy
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.bench_vla.batches import BatchMaker, Labels
from models.bench_vla.checkpoint import save_network
from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.losses import PlanHeads, Weights, find_losses, weigh
from models.bench_vla.network import Batch, BenchVla
from models.training_state import autocast, below, follow_mean, pack_state, unpack_state
from workbench.core.errors import InvalidInput

_QUEUE: Final = 3
_AVERAGE: Final = 0.999
"""Share of the old in the running mean of the weights, which is what is used."""

Progress = Callable[[str], None]
OnSave = Callable[["Trainer", Mapping[str, float]], None]
"""Told of the training and the running means of the losses [nat]."""


def tell_nobody(trainer: Trainer, means: Mapping[str, float]) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Settings:
    """How it is trained."""

    minutes: float
    """Length of the whole schedule; a run that is resumed goes on where it stopped."""
    num_steps: int = 0
    """Length of the schedule in steps instead; 0 for none."""
    num_frames: int = 32
    asks_per_frame: int = 4
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 0.02
    seed: int = 0
    save_every_s: float = 120.0
    num_threads: int = 2
    losses: Weights = field(default_factory=Weights)


class Trainer:
    """The state of one training; it goes on from what it last saved."""

    def __init__(self, config: BenchVlaConfig, settings: Settings, out: Path) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self._out = settings, out
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = BenchVla(config).to(self._device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._heads = PlanHeads(config).to(self._device)
        self._optimiser = torch.optim.AdamW(
            [*self.network.parameters(), *self._heads.parameters()],
            lr=settings.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=settings.weight_decay,
        )
        self.step, self.seconds = 0, 0.0
        self._centres = torch.from_numpy(self.network.vocabulary.bin_centres).to(self._device)
        self._means: dict[str, float] = {}

    @property
    def share(self) -> float:
        """How much of the schedule is done, 0..1."""
        length = self.settings.num_steps
        return min(1.0, self.step / length if length else self.seconds / (60 * self.settings.minutes))

    @property
    def is_done(self) -> bool:
        """Whether the schedule has ended."""
        return self.share >= 1.0

    def begin_with(self, network: BenchVla) -> None:
        """Begin with the weights of a network of the same configuration."""
        for own in (self.network, self.average):
            own.load_state_dict(network.state_dict())

    def learn(self, batch: Batch, labels: Labels) -> dict[str, float]:
        """Take one step, and return the running means of the losses [nat]."""
        begun = time.perf_counter()
        self.network.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._schedule()
        batch, labels = _to(batch, self._device), Labels(*(t.to(self._device) for t in labels))
        with autocast(self._device):
            output = self.network(batch, labels.chosen)
            losses = find_losses(output, self._heads(output.plan), labels, self._centres)
            total = weigh(losses, self.settings.losses)
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self.step += 1
        follow_mean(self.average, self.network, self.step, most=_AVERAGE)
        self.seconds += time.perf_counter() - begun
        for name, loss in losses.items():
            value = float(loss.detach())
            self._means[name] = value if self.step == 1 else 0.98 * self._means.get(name, value) + 0.02 * value
        return dict(self._means)

    def _schedule(self) -> float:
        warm = min(1.0, (self.step + 1) / self.settings.warmup_steps)
        return warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * self.share)))

    def save(self, about: dict[str, Any]) -> None:
        """Write the weights for use, and all that is needed to go on."""
        facts = {**about, "steps": self.step, "minutes": round(self.seconds / 60, 1), "settings": asdict(self.settings)}
        save_network(self._out / "bench-vla.safetensors", self.network.config, self.average.state_dict(), about=facts, dtype=torch.float16)
        tensors = pack_state(self._parts(), self._optimiser)
        part = self._out / "training.safetensors.part"
        head = {"step": str(self.step), "seconds": str(self.seconds), "config": json.dumps(self.network.config.to_dict())}
        save_file({n: t.contiguous() for n, t in tensors.items()}, part, metadata=head)
        part.replace(self._out / "training.safetensors")

    def resume(self, path: Path) -> None:
        """Go on from what :meth:`save` wrote.

        Raises:
            InvalidInput: it was written by a training with another configuration, or with another network.
        """
        with safe_open(path, framework="pt") as file:
            head = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        self._check(path, BenchVlaConfig.from_dict(json.loads(head["config"])), below("network", tensors))
        self.step, self.seconds = int(head["step"]), float(head["seconds"])
        unpack_state(tensors, self._parts(), self._optimiser)

    def _parts(self) -> dict[str, nn.Module]:
        """Return what is kept to go on, by name."""
        return {"network": self.network, "average": self.average, "heads": self._heads}

    def _check(self, path: Path, config: BenchVlaConfig, tensors: Mapping[str, Tensor]) -> None:
        """Refuse what another training wrote, before anything is changed."""
        ours, theirs = self.network.config.to_dict(), config.to_dict()
        differing = [name for name in ours if ours[name] != theirs[name]]
        if not differing:
            state = self.network.state_dict()
            differing = sorted(n for n in {*state, *tensors} if n not in state or n not in tensors or state[n].shape != tensors[n].shape)
        if differing:
            raise InvalidInput(
                f"training file {path}",
                expected="the configuration and the network of this training",
                found=f"a difference in {', '.join(differing[:4])}",
                fix="Train into another folder (--out), or move that file away to begin anew.",
            )


def train(
    trainer: Trainer,
    maker: BatchMaker,
    *,
    progress: Progress,
    on_save: OnSave = tell_nobody,
    on_step: OnSave = tell_nobody,
    about: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, float]:
    """Train to the end of the schedule, and return the last means of the losses; batches are made in a thread of its own.

    Args:
        trainer: what is trained.
        maker: draws the batches.
        progress: told a line now and then.
        on_save: told each time the weights were written.
        on_step: told after each step.
        about: written into the head of the weights.
    """
    saved, means = time.monotonic(), {}
    if trainer.is_done:
        return {}
    for batch, labels in _prefetch(maker, trainer.settings.seed + trainer.step):
        means = trainer.learn(batch, labels)
        on_step(trainer, means)
        if trainer.step % 20 == 0:
            rate = trainer.step / max(trainer.seconds, 1e-9)
            text = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
            progress(f"step {trainer.step}  {trainer.seconds / 60:.1f} min  {rate:.2f} steps/s  {text}")
        if trainer.is_done or time.monotonic() - saved > trainer.settings.save_every_s:
            saved = time.monotonic()
            trainer.save({**about, "losses": {n: round(v, 4) for n, v in means.items()}})
            on_save(trainer, means)
        if trainer.is_done:
            break
    return means


def _prefetch(maker: BatchMaker, seed: int) -> Iterator[tuple[Batch, Labels]]:
    """Draw batches ahead, taking in new shards now and then."""
    ready: queue.Queue[tuple[Batch, Labels] | Exception] = queue.Queue(_QUEUE)
    stop, rng = threading.Event(), np.random.default_rng(seed)

    def make() -> None:
        refreshed = time.monotonic()
        try:
            while not stop.is_set():
                if time.monotonic() - refreshed > 60:
                    maker.shards.refresh()
                    refreshed = time.monotonic()
                _put(ready, maker.draw(rng), stop)
        except Exception as error:
            _put(ready, error, stop)

    thread = threading.Thread(target=make, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def _put(ready: queue.Queue[Any], item: Any, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.2)
            return
        except queue.Full:
            continue


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(**{f.name: getattr(batch, f.name).to(device) for f in fields(Batch)})
