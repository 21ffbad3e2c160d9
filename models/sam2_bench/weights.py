"""Weights on disk: safetensors with the configuration in the header; nothing is unpickled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from models.sam2_bench.config import Sam2BenchConfig
from models.sam2_bench.network import build_network
from workbench.core.errors import InvalidInput, NotStored

WEIGHTS: Final = Path(__file__).parent / "weights" / "sam2-bench.safetensors"
"""The weights that come with the project."""
WEIGHTS_ENV: Final = "VLA_WORKBENCH_SAM2_BENCH"
"""Environment variable that names another file of weights, also for worker processes."""
_FORMAT: Final = "sam2-bench-1"


def save_weights(path: Path, config: Sam2BenchConfig, tensors: dict[str, Tensor], *, about: dict[str, Any]) -> None:
    """Write weights as half-precision numbers; the file appears whole or not at all."""
    stored = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in tensors.items()}
    _save(path, stored, {"format": _FORMAT, "config": json.dumps(config.to_dict()), "about": json.dumps(about)})


def save_training(path: Path, tensors: dict[str, Tensor], *, step: int, seconds: float) -> None:
    """Write all that a training needs to go on."""
    _save(path, {name: tensor.contiguous() for name, tensor in tensors.items()}, {"step": str(step), "seconds": str(seconds)})


def _save(path: Path, tensors: dict[str, Tensor], head: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata=head)
    part.replace(path)


def read_training(path: Path) -> tuple[dict[str, Tensor], int, float]:
    """Return tensors, step and seconds of what :func:`save_training` wrote."""
    with _open(path) as file:
        head = file.metadata()
        return _tensors(file), int(head["step"]), float(head["seconds"])


def find_weights() -> Path:
    """Return the file of weights that is used: what :data:`WEIGHTS_ENV` names, or what comes with the project."""
    return Path(os.environ.get(WEIGHTS_ENV) or WEIGHTS)


def load_network(path: Path) -> SAM2Base:
    """Return the network of a file, for use, with float32 numbers.

    Raises:
        NotStored: there is no such file.
        InvalidInput: the file is not of a bench SAM 2, or is damaged.
    """
    if not path.exists():
        raise NotStored(f"Weights {path.name}", reason=f"there is no file {path}", fix="Train them: python app.py train sam2-bench")
    with _open(path) as file:
        head = file.metadata() or {}
        if head.get("format") != _FORMAT:
            raise InvalidInput(f"weights {path.name}", expected=f"a file of format {_FORMAT}", found=str(head.get("format")))
        try:
            config = Sam2BenchConfig.from_dict(json.loads(head["config"]))
        except (KeyError, ValueError) as error:
            raise InvalidInput(f"weights {path.name}", expected="a configuration in its header", found=str(error)) from error
        tensors = _tensors(file)
    network = build_network(config)
    expected = network.state_dict()
    wrong = sorted(set(expected) ^ set(tensors)) or [n for n in expected if expected[n].shape != tensors[n].shape]
    if wrong:
        raise InvalidInput(f"weights {path.name}", expected="the tensors of its configuration", found=f"a difference in {wrong[:4]}")
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval()


def read_about(path: Path) -> dict[str, Any]:
    """Return how weights were made; errors as :func:`load_network`."""
    with _open(path) as file:
        about: dict[str, Any] = json.loads((file.metadata() or {}).get("about", "{}"))
    return about


def note_about(path: Path, **facts: Any) -> None:
    """Add facts to what a file of weights says of itself; errors as :func:`load_network`."""
    with _open(path) as file:
        head, tensors = dict(file.metadata() or {}), _tensors(file)
    _save(path, tensors, {**head, "about": json.dumps({**json.loads(head["about"]), **facts})})


def _tensors(file: Any) -> dict[str, Tensor]:
    return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise InvalidInput(f"weights {path.name}", expected="a whole safetensors file", found=str(error)) from error
