"""What our trainings share: their state in named tensors, the running mean of the weights, number formats, and the curve of the losses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

_OPTIMISER: Final = "optimiser"


class Counted(Protocol):
    """A training that tells how far it is."""

    step: int
    seconds: float


class Curve:
    """The losses over the training, kept beside the weights."""

    def __init__(self, out: Path) -> None:
        self._path = out / "curve.json"
        self.points: list[dict[str, float]] = json.loads(self._path.read_text()) if self._path.exists() else []

    def note(self, trainer: Counted, means: Mapping[str, float]) -> None:
        """Add a point: steps, minutes and means of what was measured in training."""
        point = {"steps": trainer.step, "minutes": round(trainer.seconds / 60, 1)}
        self.points.append({**point, **{name: round(value, 4) for name, value in means.items()}})
        self._path.write_text(json.dumps(self.points))


def pack_state(modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the states of modules, by their names, and of the optimiser as one mapping of tensors."""
    tensors = {f"{name}.{n}": t for name, module in modules.items() for n, t in module.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"{_OPTIMISER}.{number}.{n}": t for n, t in state.items()}
    return tensors


def unpack_state(tensors: Mapping[str, Tensor], modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer) -> None:
    """Put back what :func:`pack_state` gave."""
    for name, module in modules.items():
        module.load_state_dict(below(name, tensors))
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in below(_OPTIMISER, tensors).items():
        number, field = name.split(".")
        states.setdefault(int(number), {})[field] = tensor
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})


def below(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of one part, by their names in it."""
    return {full.removeprefix(f"{name}."): tensor for full, tensor in tensors.items() if full.startswith(f"{name}.")}


@torch.no_grad()
def follow_mean(mean: nn.Module, network: nn.Module, step: int, *, most: float) -> None:
    """Move the running mean of the weights on; it keeps little at first, and the share ``most`` of the old later."""
    keep = min(most, step / (step + 20))
    for old, new in zip(mean.parameters(), network.parameters(), strict=True):
        old.lerp_(new, 1 - keep)


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Use bfloat16 where the hardware has it; elsewhere it is far slower than float32."""
    if device.type == "cuda" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
