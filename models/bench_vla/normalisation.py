"""Numbers as the network reads them."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

_JOINT_MIDDLE: Final = (0.0, -0.3, 0.0, -2.2, 0.0, 2.1, 0.8)
_MIDDLE: Final = np.array([*_JOINT_MIDDLE, 0.5, 0.0, 0.15, 0.0, 0.5, 0.0, 0.0, 0.5, 0.5] + [0.5] + [0.0] * 8 + [0.5])
_SPREAD: Final = np.array([0.6] * 7 + [0.12, 0.18, 0.10, 0.1, 0.6, 0.6, 0.1, 0.5, 0.5] + [0.5] + ([0.1] * 3 + [0.8]) * 2 + [0.5])
"""Of proprioception (16) and short memory (10): joints [rad], position [m], quaternion, openings; shut, ways [m], turns [rad], time."""


_TURNED: Final = [20, 24]
"""Where the short memory has its turns."""


def normalise_state(proprio: ArrayLike, memory: ArrayLike) -> NDArray[np.float32]:
    """Return ``(..., 26) float32`` from proprioception ``(..., 16)`` and memory ``(..., 10)``.

    The sign of the quaternion is chosen so that equal rotations look equal: the gripper points down, so its x is not small.
    """
    values = np.concatenate([np.asarray(proprio, dtype=float), np.asarray(memory, dtype=float)], axis=-1)
    sign = np.where(values[..., 11:12] < 0, -1.0, 1.0)
    values[..., 10:14] *= sign
    normalised: NDArray[np.float32] = np.clip((values - _MIDDLE) / _SPREAD, -5.0, 5.0).astype(np.float32)
    return normalised


def to_pictures(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Return ``(n, 3, h, w) float`` in -1..1 from ``(n, h, w, 3) uint8``."""
    tensor = torch.from_numpy(np.require(pictures, requirements=["C", "W"])).permute(0, 3, 1, 2)
    return tensor.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1.0)


def read_turns(state: torch.Tensor) -> torch.Tensor:
    """Return ``(A, 2)``: how far the gripper has turned since its last change and over the segment before it [rad], from ``(A, 26)``."""
    return state[:, _TURNED] * torch.tensor(_SPREAD[_TURNED], dtype=state.dtype, device=state.device)


def read_pose(state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the end-effector's position ``(A, 3)`` [m] and rotation ``(A, 3, 3)`` from normalised states ``(A, 26)``."""
    middle, spread = (torch.tensor(n[7:14], dtype=state.dtype, device=state.device) for n in (_MIDDLE, _SPREAD))
    values = state[:, 7:14] * spread + middle
    w, x, y, z = torch.nn.functional.normalize(values[:, 3:], dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return values[:, :3], torch.stack(rows, dim=1)
