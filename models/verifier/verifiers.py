"""The learned verifiers in use, and their weights on disk: safetensors, nothing is unpickled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.training_state import below
from models.verifier.features import NUM_MOTION, NUM_SITUATION, motions_of, situation_of
from workbench.core.candidates import Occasion, VerifierSpec
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.protocols import Simulator
from workbench.verification.value import Critics, Perceptron

WEIGHTS: Final = Path(__file__).parent / "weights" / "verifier.safetensors"
"""The weights that come with the project."""
WEIGHTS_ENV: Final = "VLA_WORKBENCH_VERIFIER"
"""Environment variable that names another file of weights, also for worker processes."""
WIDTH: Final = 128
VALUE: Final = "value"
PREFERENCE: Final = "preference"
_FORMAT: Final = "verifier-1"

Floats = NDArray[np.float64]


def make_value() -> Critics:
    """Return an untrained value function."""
    return Critics(NUM_SITUATION, NUM_MOTION, WIDTH)


def make_preference() -> Perceptron:
    """Return an untrained preference model."""
    return Perceptron(NUM_SITUATION + NUM_MOTION, WIDTH)


def save_weights(path: Path, value: Critics, preference: Perceptron, about: dict[str, Any]) -> None:
    """Write both; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    tensors = {f"{VALUE}.{n}": t.contiguous() for n, t in value.state_dict().items()}
    tensors |= {f"{PREFERENCE}.{n}": t.contiguous() for n, t in preference.state_dict().items()}
    save_file(tensors, part, metadata={"format": _FORMAT, "about": json.dumps(about)})
    part.replace(path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file.

    Raises:
        NotStored: there is none.
        InvalidInput: it is not of verifiers, or is damaged.
    """
    if not path.exists():
        raise NotStored(f"Weights {path.name}", reason=f"there is no file {path}", fix="Train them: python app.py train value")
    try:
        with safe_open(path, "pt") as opened:
            if (opened.metadata() or {}).get("format") != _FORMAT:
                raise InvalidInput(f"weights {path.name}", expected=f"the format {_FORMAT}", found="another")
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise InvalidInput(f"weights {path.name}", expected="an undamaged safetensors file", found=str(error)[:80]) from error


class ValueVerifier:
    """Scores by the lesser one of two Q functions."""

    spec = VerifierSpec(VALUE, "a small value function, learnt from recorded episodes: how soon the task is done from there")

    def __init__(self, critics: Critics) -> None:
        self._critics = critics.eval()

    def score(self, occasion: Occasion, candidates: Floats) -> Floats:
        """Return the scores ``(K,)`` of candidates ``(K, T, 7)``: minus the calls that are left, discounted."""
        situations, motions = _inputs(occasion, candidates)
        with torch.inference_mode():
            return np.asarray(self._critics.score(situations, motions).double().numpy())


class PreferenceVerifier:
    """Scores by a model that was trained on pairs of candidates."""

    spec = VerifierSpec(PREFERENCE, "trained on pairs of candidates: the one nearer to the expert's action wins")

    def __init__(self, model: Perceptron) -> None:
        self._model = model.eval()

    def score(self, occasion: Occasion, candidates: Floats) -> Floats:
        """Return the scores ``(K,)`` of candidates ``(K, T, 7)``."""
        situations, motions = _inputs(occasion, candidates)
        with torch.inference_mode():
            return np.asarray(self._model(torch.cat([situations, motions], -1)).double().numpy())


def _inputs(occasion: Occasion, candidates: Floats) -> tuple[Tensor, Tensor]:
    motions = torch.from_numpy(motions_of(candidates).astype(np.float32))
    situation = torch.from_numpy(situation_of(occasion).astype(np.float32))
    return situation.expand(len(motions), -1), motions


def find_weights() -> Path:
    """Return the file of weights that is used: what :data:`WEIGHTS_ENV` names, or what comes with the project."""
    return Path(os.environ.get(WEIGHTS_ENV) or WEIGHTS)


def load_value(simulator: Simulator) -> ValueVerifier:
    """Return the value function; errors as :func:`read_weights`."""
    critics = make_value()
    critics.load_state_dict(below(VALUE, read_weights(find_weights())))
    return ValueVerifier(critics)


def load_preference(simulator: Simulator) -> PreferenceVerifier:
    """Return the preference model; errors as :func:`read_weights`."""
    model = make_preference()
    model.load_state_dict(below(PREFERENCE, read_weights(find_weights())))
    return PreferenceVerifier(model)
