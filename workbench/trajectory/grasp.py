"""Where a top-down parallel gripper takes hold of a thing, from one depth picture alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import Unreachable
from workbench.core.geometry import matrix_from_quat, quat_from_matrix, wrap_angle
from workbench.trajectory.lift import DepthPicture
from workbench.trajectory.things import TABLE_HEIGHT_M, Thing, find_thing

MAX_OPENING_M: Final = 0.08
"""Distance between the open fingers."""
OPENING_MARGIN_M: Final = 0.008
"""Room that the fingers need in all beside the thing."""
MAX_WIDTH_M: Final = MAX_OPENING_M - OPENING_MARGIN_M
"""What is wider than this on every side cannot be grasped."""
PAD_HALF_WIDTH_M: Final = 0.012
"""Half the width of a finger pad, across the closing axis."""
FINGER_GAP_M: Final = 0.014
"""Free room beside the thing that one finger needs."""
GRASP_DEPTH_M: Final = 0.020
"""How far below the top the fingers close, at most."""
MIN_HEIGHT_ABOVE_SUPPORT_M: Final = 0.012
"""The tool centre point stays at least this far above what the thing stands on."""
MIN_HOLD_M: Final = 0.002
"""The tool centre point stays at least this far below the top; the pads reach a little lower."""
FINGER_LENGTH_M: Final = 0.040
"""From the tool centre point up to the hand, less some room."""
HAND_HALF_LENGTH_M: Final = 0.098
HAND_HALF_WIDTH_M: Final = 0.022
"""Half the size of the hand along and across the closing axis."""
TURN_COST_M: Final = 0.006
"""Turning the wrist a right angle counts like this much more width."""
NUM_YAWS: Final = 60


class TooWide(Unreachable):
    """A thing that is wider than the gripper opens, on every side."""


@dataclass(frozen=True, eq=False)
class Grasp:
    """One top-down grasp."""

    position: NDArray[np.float64]
    """``(3,)`` world position of the tool centre point [m]."""
    yaw: float
    """World angle of the closing axis [rad], nearest to the present one; a half turn more is the same grasp."""
    width_m: float
    """What lies between the fingers [m]."""
    thing: Thing


def finger_yaw(quaternion: ArrayLike) -> float:
    """Return the world angle [rad] of the axis along which the fingers close (the end-effector's Y)."""
    y_axis = matrix_from_quat(quaternion)[:, 1]
    return float(np.arctan2(y_axis[1], y_axis[0]))


def downward(yaw: float) -> NDArray[np.float64]:
    """Return the quaternion ``(4,)`` of a gripper that looks straight down and closes along the world angle ``yaw`` [rad]."""
    c, s = np.cos(yaw), np.sin(yaw)
    return quat_from_matrix(np.array([[-s, c, 0.0], [c, s, 0.0], [0.0, 0.0, -1.0]]))


def nearest_half_turn(yaw: float, reference: float) -> float:
    """Return ``yaw`` plus the number of half turns that brings it nearest to ``reference``; both [rad]."""
    return reference + float((yaw - reference + np.pi / 2) % np.pi - np.pi / 2)


def find_grasp(picture: DepthPicture, pixel: ArrayLike, present_yaw: float) -> Grasp:
    """Return the grasp of the thing under a pixel ``(2,)`` that turns the wrist least among the narrowest ones.

    Raises:
        Unreachable: nothing stands there, or it is too wide for the gripper.
    """
    return grasp_thing(find_thing(picture, pixel), present_yaw)


def grasp_thing(thing: Thing, present_yaw: float) -> Grasp:
    """Return the grasp of a thing that turns the wrist least among the narrowest ones.

    Raises:
        TooWide: it is too wide for the gripper on every side.
        Unreachable: the hand would hit what stands beside it.
    """
    centre = hold_point(thing)
    yaws = np.arange(NUM_YAWS) * np.pi / NUM_YAWS
    spans = np.array([span_along(thing, centre, yaw) for yaw in yaws])  # (Y, 2)
    widths = spans[:, 1] - spans[:, 0]
    turns = np.array([abs(nearest_half_turn(yaw, present_yaw) - present_yaw) for yaw in yaws])
    costs = widths + TURN_COST_M * turns / (np.pi / 2)
    best = int(np.argmin(costs))
    if widths[best] > MAX_WIDTH_M:
        raise TooWide(
            "the thing under the first point",
            reason=f"it is {100 * widths[best]:.1f} cm wide and the gripper opens {100 * MAX_OPENING_M:.0f} cm",
            fix="Push it instead, or grasp it elsewhere.",
        )
    yaw = nearest_half_turn(_middle_of_plateau(yaws, widths, best), present_yaw)
    centre = _recentred(thing, centre, yaw)
    return Grasp(np.array([*centre, grasp_height(thing, centre, yaw)]), yaw, float(widths[best]), thing)


def grasp_height(thing: Thing, centre: NDArray[np.float64], yaw: float) -> float:
    """Return the height [m] of the tool centre point for a grasp of a thing at ``centre`` ``(2,)``, closing along ``yaw`` [rad].

    Raises:
        Unreachable: the hand above the fingers would hit what stands beside the thing.
    """
    depth = min(GRASP_DEPTH_M, 0.5 * (thing.top_m - thing.support_m))
    wanted = max(thing.top_m - depth, min(thing.support_m, thing.top_m - 0.01) + MIN_HEIGHT_ABOVE_SUPPORT_M, TABLE_HEIGHT_M + 0.01)
    axis, across = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    offset = thing.around[:, :2] - centre
    below_hand = (np.abs(offset @ axis) <= HAND_HALF_LENGTH_M) & (np.abs(offset @ across) <= HAND_HALF_WIDTH_M)
    lowest = float(np.percentile(thing.around[below_hand, 2], 99)) - FINGER_LENGTH_M if below_hand.any() else -np.inf
    if lowest > thing.top_m - MIN_HOLD_M:
        raise Unreachable(
            "the thing under the first point", reason="something higher stands right beside it", fix="Draw the grasp at a free place of it."
        )
    return max(wanted, lowest)


def hold_point(thing: Thing) -> NDArray[np.float64]:
    """Return where to take hold of a thing ``(2,)`` [m]: its middle when it is compact, else the place of the keypoint."""
    if float(thing.size.max()) < 1.5 * MAX_OPENING_M:
        return thing.centre
    return thing.cloud[np.argmin(np.linalg.norm(thing.cloud[:, :2] - thing.point[:2], axis=1)), :2].copy()


def span_along(thing: Thing, centre: NDArray[np.float64], yaw: float) -> tuple[float, float]:
    """Return the thing's least and greatest coordinate [m] along the world angle ``yaw``, from ``centre``, in a strip as wide as a finger.

    A gap that a finger fits in ends the thing: of a drawer, the bar of the handle counts, not the front behind it.
    """
    axis, across = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    offset = thing.cloud[:, :2] - centre
    return _run(np.sort((offset @ axis)[np.abs(offset @ across) <= PAD_HALF_WIDTH_M]))


def _run(sorted_coordinates: NDArray[np.float64]) -> tuple[float, float]:
    """Return the run of coordinates around zero that no gap wide enough for a finger interrupts."""
    if sorted_coordinates.size == 0:
        return 0.0, 0.0
    starts = np.concatenate([[0], np.flatnonzero(np.diff(sorted_coordinates) > FINGER_GAP_M) + 1])
    ends = np.concatenate([starts[1:], [sorted_coordinates.size]])
    runs = [(float(sorted_coordinates[a]), float(sorted_coordinates[b - 1])) for a, b in zip(starts, ends, strict=True)]
    return min(runs, key=lambda run: max(run[0], -run[1], 0.0))


def _middle_of_plateau(yaws: NDArray[np.float64], widths: NDArray[np.float64], best: int) -> float:
    """Return the middle [rad] of the yaws around the best that are as narrow within a millimetre."""
    limit, n = widths[best] + 0.001, len(yaws)
    before = next(i for i in range(1, n + 1) if i == n or widths[(best - i) % n] > limit)
    after = next(i for i in range(1, n + 1) if i == n or widths[(best + i) % n] > limit)
    if before + after > n // 2:  # round: every yaw is as good
        return float(yaws[best])
    return wrap_angle(float(yaws[best]) + 0.5 * (after - before) * float(yaws[1] - yaws[0]))


def _recentred(thing: Thing, centre: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    """Return ``centre`` ``(2,)`` moved to the middle between the fingers, and across them when the thing is short there."""
    axis, across = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    low, high = span_along(thing, centre, yaw)
    middle = centre + 0.5 * (low + high) * axis
    offset = thing.cloud[:, :2] - middle
    inside = np.abs(offset @ axis) <= 0.5 * (high - low) + 0.003
    low, high = _run(np.sort((offset @ across)[inside]))
    if high - low < MAX_OPENING_M * 1.5:
        middle = middle + 0.5 * (low + high) * across
    return middle
