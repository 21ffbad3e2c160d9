"""Weights on disk: safetensors with the configuration in its header; nothing is unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.network import BenchVla
from models.bench_vla.versions import WEIGHTS, WEIGHTS_ENV, find_weights
from workbench.core.errors import InvalidInput, NotStored

__all__ = ["WEIGHTS", "WEIGHTS_ENV", "find_weights", "load_network", "read_about", "save_network"]

_FORMAT: Final = "bench-vla-1"


def save_network(path: Path, config: BenchVlaConfig, tensors: dict[str, Tensor], *, about: dict[str, Any], dtype: torch.dtype) -> None:
    """Write weights; the file appears whole or not at all.

    Args:
        path: where to.
        config: sizes and words.
        tensors: the network's state.
        about: how they were made; JSON values.
        dtype: what the numbers are stored as.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    stored = {name: tensor.detach().to(dtype).contiguous() for name, tensor in tensors.items()}
    head = {"format": _FORMAT, "config": json.dumps(config.to_dict()), "about": json.dumps(about)}
    save_file(stored, part, metadata=head)
    part.replace(path)


def load_network(path: Path) -> BenchVla:
    """Return the network of a file, for use, with float32 numbers.

    Raises:
        NotStored: there is no such file.
        InvalidInput: the file is not of a bench VLA, or is damaged.
    """
    if not path.exists():
        raise NotStored(f"Weights {path.name}", reason=f"there is no file {path}", fix="Train them: python app.py train bench-vla")
    config, tensors = _read(path)
    network = BenchVla(config)
    expected = network.state_dict()
    wrong = sorted(set(expected) ^ set(tensors)) or [n for n in expected if expected[n].shape != tensors[n].shape]
    if wrong:
        raise InvalidInput(f"weights {path.name}", expected="the tensors of its configuration", found=f"a difference in {wrong[:4]}")
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    # Convolutions of a single picture are a third faster in this order.
    return network.eval().to(memory_format=torch.channels_last)


def read_about(path: Path) -> dict[str, Any]:
    """Return how weights were made; errors as :func:`load_network`."""
    with _open(path) as file:
        about: dict[str, Any] = json.loads((file.metadata() or {}).get("about", "{}"))
    return about


def _read(path: Path) -> tuple[BenchVlaConfig, dict[str, Tensor]]:
    with _open(path) as file:
        head = file.metadata() or {}
        if head.get("format") != _FORMAT:
            raise InvalidInput(f"weights {path.name}", expected=f"a file of format {_FORMAT}", found=str(head.get("format")))
        try:
            config = BenchVlaConfig.from_dict(json.loads(head["config"]))
        except (KeyError, ValueError) as error:
            raise InvalidInput(f"weights {path.name}", expected="a configuration in its header", found=str(error)) from error
        return config, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise InvalidInput(f"weights {path.name}", expected="a whole safetensors file", found=str(error)) from error
