"""A trained failure detector on disk: networks, what baselines compare with, calibration scores, and whose calls all that is about."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import nn

from workbench.core.calls import Detector
from workbench.core.errors import InvalidInput, NotStored, UnknownName
from workbench.failure.alarms import WatchKit
from workbench.failure.detectors import ChunkDisagreement, CumulativeDetector, EmbeddingDistance, LstmDetector, TokenEntropy
from workbench.failure.features import Pooling
from workbench.failure.networks import CumulativeMlp, StepLstm

WEIGHTS: Final = Path(__file__).parent / "weights" / "detector.safetensors"
"""The detector that comes with the project."""
WEIGHTS_ENV: Final = "VLA_WORKBENCH_DETECTOR"
"""Environment variable that names another one, also for worker processes."""
_FORMAT: Final = "failure-detector-1"
_CURVES: Final = "curves"

KINDS: Final[Mapping[str, str]] = {
    "lstm": "SAFE, LSTM: reads the calls in order",
    "mlp": "SAFE, MLP: adds up what each call looks like",
    "mahalanobis": "Embedding distance: farther from successes than from failures",
    "neighbours": "Nearest calls: farther from successes than from failures",
    "disagreement": "Chunk disagreement: what it plans now against what it planned before",
    "entropy": "Token entropy: how unsure it is of its actions, mean",
    "largest-entropy": "Token entropy: how unsure it is of its actions, largest",
}
"""Every detector by name, with what it looks at."""
TRAINED: Final = ("lstm", "mlp")

N = TypeVar("N", bound=nn.Module)
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class FailureModel:
    """Everything that watches one policy."""

    policy: str
    """Fingerprint of the weights of the policy that it was trained on."""
    pooling: Pooling
    arrays: Arrays
    """``lstm/...`` and ``mlp/...`` networks, ``successes`` and ``failures`` ``(n, D)``, ``scale`` ``(7,)``."""
    curves: Mapping[str, tuple[NDArray[np.float64], ...]]
    """Name of a detector -> its scores of successful episodes of seen tasks that it was not trained on."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it was made and what was measured; JSON values."""

    @property
    def best(self) -> str:
        """The trained detector that told seen episodes apart best."""
        aucs: Mapping[str, float] = self.about.get("selection", {})
        return max(TRAINED, key=lambda name: aucs.get(name, 0.0))

    def make(self, name: str) -> Detector:
        """Return a detector of its own memory.

        Raises:
            UnknownName: there is none of that name.
        """
        match name:
            case "lstm":
                return LstmDetector(self._network(StepLstm(self._width), name), self.pooling)
            case "mlp":
                return CumulativeDetector(self._network(CumulativeMlp(self._width), name), self.pooling)
            case "mahalanobis" | "neighbours":
                near = (self.arrays["successes"].astype(np.float32), self.arrays["failures"].astype(np.float32))
                return EmbeddingDistance(*near, self.pooling, is_mahalanobis=name == "mahalanobis")
            case "disagreement":
                return ChunkDisagreement(self.arrays["scale"].astype(np.float32))
            case "entropy" | "largest-entropy":
                return TokenEntropy(is_largest=name == "largest-entropy")
        raise UnknownName("detector", name, KINDS)

    @property
    def _width(self) -> int:
        return int(self.arrays["mlp/inner.weight"].shape[1])

    def _network(self, network: N, name: str) -> N:
        prefix = f"{name}/"
        found = {
            key.removeprefix(prefix): torch.from_numpy(a.astype(np.float32)) for key, a in self.arrays.items() if key.startswith(prefix)
        }
        network.load_state_dict(found)
        return network


def load_kit() -> WatchKit:
    """Return what the policy can be watched by; errors as :func:`load_model`."""
    model = load_model(find_detector())
    return WatchKit(model.policy, KINDS, model.best, model.make, model.curves, model.about)


def network_arrays(name: str, network: nn.Module) -> dict[str, NDArray[np.float16]]:
    """Return the state of a trained network, as :attr:`FailureModel.arrays` names it."""
    return {f"{name}/{key}": tensor.detach().numpy().astype(np.float16) for key, tensor in network.state_dict().items()}


def find_detector() -> Path:
    """Return the file that is used: what :data:`WEIGHTS_ENV` names, or what comes with the project."""
    return Path(os.environ.get(WEIGHTS_ENV) or WEIGHTS)


def save_model(model: FailureModel, path: Path) -> None:
    """Write a detector; the file appears whole or not at all."""
    tensors = {name: np.ascontiguousarray(array) for name, array in model.arrays.items()}
    for name, curves in model.curves.items():
        tensors[f"{_CURVES}/{name}"] = np.concatenate(curves).astype(np.float32)
        tensors[f"{_CURVES}/{name}/lengths"] = np.array([len(c) for c in curves], dtype=np.int32)
    head = {"format": _FORMAT, "policy": model.policy, "pooling": str(model.pooling), "about": json.dumps(dict(model.about))}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata=head)
    part.replace(path)


def load_model(path: Path) -> FailureModel:
    """Read what :func:`save_model` wrote.

    Raises:
        NotStored: there is no such file.
        InvalidInput: the file is of something else, or is damaged.
    """
    fix = "Train one: python app.py train detector"
    if not path.exists():
        raise NotStored(f"Failure detector {path.name}", reason=f"there is no file {path}", fix=fix)
    try:
        with safe_open(path, framework="numpy") as file:
            head = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        if head.get("format") != _FORMAT:
            raise KeyError(f"format {head.get('format')!r}")
        lengths = {n.split("/")[1]: tensors[n] for n in tensors if n.startswith(f"{_CURVES}/") and n.endswith("/lengths")}
        curves = {name: _split(tensors[f"{_CURVES}/{name}"], ends) for name, ends in lengths.items()}
        arrays = {name: array for name, array in tensors.items() if not name.startswith(f"{_CURVES}/")}
        return FailureModel(head["policy"], Pooling(head["pooling"]), arrays, curves, json.loads(head["about"]))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InvalidInput(f"failure detector {path.name}", expected=_FORMAT, found=str(error)[:120], fix=fix) from error


def _split(values: NDArray[Any], lengths: NDArray[Any]) -> tuple[NDArray[np.float64], ...]:
    return tuple(part.astype(np.float64) for part in np.split(values, np.cumsum(lengths)[:-1]))
