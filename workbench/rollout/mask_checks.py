"""Whether what should be done with a masked object is done, judged by what a robot has: its joints, and where the mask lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.geometry import wrap_angle
from workbench.core.types import PROPRIO, Interaction
from workbench.rollout.looking import MIN_HELD_OPENING, SHUT_COMMAND
from workbench.rollout.tracking_places import Place

NEAR_M: Final = 0.035
"""Seen from above, the gripper is at a thing within this."""
ABOVE_M: Final = 0.06
"""And no higher than this above its top."""
LIFTED_M: Final = 0.05
PLACED_M: Final = 0.10
MOVED_M: Final = 0.03
PRESSED_M: Final = 0.02
TURNED_RAD: Final = np.deg2rad(15)
OPEN: Final = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Before:
    """What was seen since a step of a program began."""

    place: Place | None
    """Where the object was at first."""
    was_holding: bool
    lowest_m: float
    """Lowest the tool centre point has been [m]."""
    nearest_m: float = np.inf
    """Nearest the tool centre point came to the object's top [m]."""
    has_let_go: bool = False
    """Whether the fingers opened near the object after they had held something."""

    @staticmethod
    def at(proprio: NDArray[np.float32], place: Place | None) -> Before:
        """Begin."""
        return Before(place, is_holding(proprio), float(proprio[PROPRIO["ee_position"]][2]))

    def seen(self, ee: Floats, proprio: NDArray[np.float32], place: Place | None) -> Before:
        """Return what was seen with one more step."""
        first = self.place or place
        aim = self.place if self.place is not None else place
        away = np.inf if aim is None else float(np.linalg.norm(ee - [aim.centre[0], aim.centre[1], aim.top_m]))
        holding = self.was_holding or is_holding(proprio)
        near = first is not None and _level(ee, first.centre) < PLACED_M
        return replace(
            self,
            place=first,
            was_holding=holding,
            lowest_m=min(self.lowest_m, float(ee[2])),
            nearest_m=min(self.nearest_m, away),
            has_let_go=self.has_let_go or (holding and near and _is_open(proprio)),
        )


def is_holding(proprio: NDArray[np.float32]) -> bool:
    """Tell whether the fingers are told to be shut and something keeps them apart."""
    told, measured = float(proprio[PROPRIO["gripper_command"]][0]), float(proprio[PROPRIO["gripper"]][0])
    return told < SHUT_COMMAND and measured > MIN_HELD_OPENING


def is_done(interaction: Interaction, before: Before, proprio: NDArray[np.float32], place: Place | None) -> bool:
    """Tell whether an interaction with an object looks done.

    Args:
        interaction: what shall be done.
        before: what was seen since it began.
        proprio: ``(16,)`` now.
        place: where the object was seen last.
    """
    ee = np.asarray(proprio[PROPRIO["ee_position"]], dtype=float)
    if before.place is None or place is None:
        return False
    height = float(ee[2])
    if interaction is Interaction.APPROACH:
        return _level(ee, place.centre) < NEAR_M and height - place.top_m < ABOVE_M
    if interaction is Interaction.GRASP:
        return is_holding(proprio) and height > before.lowest_m + LIFTED_M
    if interaction is Interaction.PLACE_ON:
        return before.has_let_go
    if interaction is Interaction.PRESS:
        return before.nearest_m < PRESSED_M and height > before.lowest_m + MOVED_M
    if interaction is Interaction.TURN:
        turn = abs(wrap_angle(2 * (place.yaw_rad - before.place.yaw_rad))) / 2  # an axis has no sign
        return before.nearest_m < ABOVE_M and turn > TURNED_RAD
    return _level(place.centre, before.place.centre) > MOVED_M


def _is_open(proprio: NDArray[np.float32]) -> bool:
    return bool(proprio[PROPRIO["gripper"]][0] > OPEN and proprio[PROPRIO["gripper_command"]][0] > OPEN)


def _level(a: Floats, b: Floats) -> float:
    """Return the horizontal distance of two points [m]."""
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))
