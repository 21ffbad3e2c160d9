"""Where in the world a masked object is: its visible surface, lifted by depth."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.masks import Picture
from workbench.core.types import PROPRIO
from workbench.rollout.history import EpisodeHistory
from workbench.segmentation.carrying import cloud_of
from workbench.segmentation.masks import Pixels

HAND_M: Final = 0.09
"""What is no further than this from the tool centre point of a shut gripper may be in the hand, and hidden by it."""
_SHUT: Final = 0.5


class Place(NamedTuple):
    """What depth tells of a mask."""

    centre: NDArray[np.float64]
    """``(3,)`` middle of the visible surface [m]."""
    top_m: float
    """Height of its highest part [m]."""
    yaw_rad: float
    """World direction of its longer axis, seen from above, modulo pi."""


def place_of(mask: Pixels, picture: Picture) -> Place | None:
    """Return where a mask lies in the world; None where depth or camera are not known, or nothing is measured."""
    if picture.depth is None or picture.pinhole is None or not mask.any():
        return None
    cloud = cloud_of(mask, picture.depth, picture.pinhole)
    if len(cloud) < 3:
        return None
    low, high = np.percentile(cloud, [4, 96], axis=0)
    spread = cloud[:, :2] - cloud[:, :2].mean(axis=0)
    _, axes = np.linalg.eigh(spread.T @ spread)
    yaw = float(np.arctan2(axes[1, 1], axes[0, 1])) % np.pi
    return Place(0.5 * (low + high), float(high[2]), yaw)


def is_in_hand(place: Place | None, history: EpisodeHistory) -> bool:
    """Tell whether an object was last seen so near to the shut gripper that the hand may hide it."""
    if place is None or history.num_steps == 0:
        return False
    proprio = history.step(history.num_steps - 1).proprio
    if proprio is None or float(proprio[PROPRIO["gripper_command"]][0]) > _SHUT:
        return False
    return float(np.linalg.norm(proprio[PROPRIO["ee_position"]] - place.centre)) < HAND_M
