"""Numbers as the network reads them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

_JOINT_MIDDLE: Final = (0.0, -0.3, 0.0, -2.2, 0.0, 2.1, 0.8)
_MIDDLE: Final = np.array([*_JOINT_MIDDLE, 0.5, 0.0, 0.15, 0.0, 0.5, 0.0, 0.0, 0.5, 0.5] + [0.5] + [0.0] * 8 + [0.5])
_SPREAD: Final = np.array([0.6] * 7 + [0.12, 0.18, 0.10, 0.1, 0.6, 0.6, 0.1, 0.5, 0.5] + [0.5] + ([0.1] * 3 + [0.8]) * 2 + [0.5])
"""Of proprioception (16) and short memory (10): joints [rad], position [m], quaternion, openings; shut, ways [m], turns [rad], time."""
_MIDDLE_TENSOR: Final = torch.tensor(_MIDDLE, dtype=torch.float32)
_SPREAD_TENSOR: Final = torch.tensor(_SPREAD, dtype=torch.float32)
_POSE: Final = slice(7, 14)
"""Where a state has position and quaternion."""
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


def to_pictures(pictures: NDArray[np.uint8]) -> Tensor:
    """Return ``(n, 3, h, w) float`` in -1..1 from ``(n, h, w, 3) uint8``."""
    tensor = torch.from_numpy(np.require(pictures, requirements=["C", "W"])).permute(0, 3, 1, 2)
    return tensor.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1.0)


def read_turns(state: Tensor) -> Tensor:
    """Return ``(A, 2)``: how far the gripper has turned since its last change and over the segment before it [rad], from ``(A, 26)``."""
    return state[:, _TURNED] * _SPREAD_TENSOR.to(state)[_TURNED]


class ArmPose(NamedTuple):
    """Where the end-effector is in the world, ask by ask."""

    position: Tensor
    """``(A, 3)`` [m]."""
    rotation: Tensor
    """``(A, 3, 3)``, end-effector to world."""


def read_pose(state: Tensor) -> ArmPose:
    """Return the end-effector's pose from normalised states ``(A, 26)``."""
    values = state[:, _POSE] * _SPREAD_TENSOR.to(state)[_POSE] + _MIDDLE_TENSOR.to(state)[_POSE]
    quaternion = torch.nn.functional.normalize(values[:, 3:], dim=-1)
    w, x, y, z = quaternion.unbind(-1)
    xx, yy, zz = quaternion[:, 1:].square().unbind(-1)
    xy, xz, yz, wx, wy, wz = x * y, x * z, y * z, w * x, w * y, w * z
    rows = [0.5 - yy - zz, xy - wz, xz + wy, xy + wz, 0.5 - xx - zz, yz - wx, xz - wy, yz + wx, 0.5 - xx - yy]
    return ArmPose(values[:, :3], 2 * torch.stack(rows, dim=-1).view(-1, 3, 3))
