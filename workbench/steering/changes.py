"""What each kind of edit does to a tensor: functions from the tokens of its scope to new ones, ``(B, n, C)`` to the same shape."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.steering.assets import Conceptor, Probe, Sae
from workbench.steering.edits import FeatureMode
from workbench.steering.hooks import Change
from workbench.steering.sae import TorchSae


def clamp_neurons(indices: Tensor, alpha: float) -> Change:
    """Override some channels."""
    return lambda x: x.index_fill(-1, indices, alpha)


def add_direction(vector: NDArray[np.float32], length: float, like: Tensor) -> Change:
    """Add a vector of the direction's orientation and the given length to every token."""
    push = _tensor(length * _unit(vector), like)
    return lambda h: h + push


def remove_direction(vector: NDArray[np.float32], share: float, like: Tensor) -> Change:
    """Take away a share of every token's component along the direction."""
    unit = _tensor(_unit(vector), like, torch.float32)

    def change(h: Tensor) -> Tensor:
        wide = h.float()
        return (wide - share * (wide @ unit)[..., None] * unit).to(h.dtype)

    return change


def clamp_reading(probe: Probe, bounds: tuple[float, float], like: Tensor) -> Change:
    """Push tokens by the smallest amount that brings the probe's reading into the range; inside it nothing changes.

    A pooled probe reads the mean over the tokens: all of them get the same push, which is the smallest one that moves the mean.
    """
    weight = _tensor(probe.weight, like, torch.float64)
    square = float(weight @ weight)

    def change(h: Tensor) -> Tensor:
        wide = h.double()
        seen = wide.mean(dim=1, keepdim=True) if probe.is_pooled else wide
        reading = seen @ weight + probe.bias
        excess = reading.clamp(*bounds) - reading
        moved = wide + (excess / square)[..., None] * weight
        return torch.where(excess[..., None] == 0, h, moved.to(h.dtype))

    return change


def steer_feature(sae: Sae, feature: int, mode: FeatureMode, value: float, like: Tensor) -> Change:
    """Add the difference that a changed feature makes to the reconstruction; the rest of the token is kept."""
    net = TorchSae(sae, like.device)
    direction = net.decoder[feature]

    def change(h: Tensor) -> Tensor:
        wide = h.float()
        code = net.encode(wide)
        old = code.values[..., feature]
        new = {FeatureMode.SET: torch.full_like(old, value), FeatureMode.ADD: old + value, FeatureMode.SCALE: old * (1 + value)}[mode]
        delta = (new.clamp(min=0) - old)[..., None] * direction * code.scale
        return (wide + delta).to(h.dtype)

    return change


def apply_conceptor(conceptor: Conceptor, beta: float, like: Tensor) -> Change:
    """Multiply every token by ``(1 - beta) I + beta C``."""
    matrix = (1 - beta) * np.eye(len(conceptor.matrix)) + beta * conceptor.matrix.astype(np.float64)
    turned = _tensor(matrix.astype(np.float32).T, like, torch.float32)
    return lambda h: (h.float() @ turned).to(h.dtype)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vector.astype(np.float64)
    return wide / math.sqrt(float(wide @ wide))


def _tensor(values: NDArray[np.floating], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=dtype or like.dtype, device=like.device)
