"""Things on the table as a camera shows them: cut from one colour and depth picture, without any privileged knowledge.

A drawing asks *which* thing is meant, so a picture is cut by colour and depth together. How to take hold of it is another question, and
:mod:`workbench.trajectory.things` cuts by height alone: two colours painted on one block are one thing to a gripper.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from workbench.core.geometry import Pinhole
from workbench.core.sketches import Point
from workbench.core.types import Observation

FLAT_M: Final = 0.005
"""Lower than this above the table is flat: paint, a goal zone, the table itself."""
LINK_M: Final = 0.011
"""Neighbouring pixels whose world points are farther apart than this belong to different surfaces."""
LINK_CHROMA: Final = 0.05
"""Neighbouring pixels whose shares of red, green and blue differ more than this belong to different things."""
MIN_PIXELS: Final = 12
HIGHER_M: Final = 0.015
"""A body is higher than its handle by this."""
BESIDE_M: Final = 0.03
"""A body is this near to its handle, seen from above."""
LEVEL_M: Final = 0.007
NEAR_SHARE: Final = 0.015
"""How far beside a thing its symbol may be drawn, as a share of the picture's width."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Thing:
    """One connected surface of one colour."""

    label: int
    cloud: Array
    """``(N, 3)`` world points [m]."""
    rgb: Array
    """``(3,)`` median colour, 0..255."""
    pixel: Point
    """Middle of its pixels."""
    length: float
    """Longer and shorter side [m] of the smallest upright box around its points."""
    width: float
    fill: float
    """Share of that box's base that its points cover; about 1 for a box, low for a bent bar."""
    top: float
    """Height above the table [m]."""

    @property
    def chroma(self) -> Array:
        """Shares of red, green and blue ``(2,)`` and brightness 0..1, weighted for comparison: ``(3,)``."""
        return np.append(chroma_of(self.rgb)[:2], 0.25 * float(self.rgb.mean()) / 255)

    @property
    def centre(self) -> Array:
        """Middle of its points ``(3,)`` in the world [m]."""
        low, high = np.percentile(self.cloud, [2, 98], axis=0)
        return np.asarray(0.5 * (low + high))


@dataclass(frozen=True, eq=False)
class Cut:
    """A picture cut into surfaces."""

    labels: NDArray[np.int64]
    """``(H, W)``: label of each pixel."""
    cloud: Array
    """``(H, W, 3)`` world points [m]."""
    rgb: NDArray[np.uint8]
    """``(H, W, 3)``."""


@dataclass(frozen=True, eq=False)
class Look:
    """What the picture shows under one keypoint."""

    ground: Array
    """World point ``(3,)`` [m] at the keypoint."""
    thing: Thing | None
    """None where nothing stands above the table."""
    grasp_width: float = 0.0
    """Narrow side [m] of what the gripper would have to span."""
    is_handle: bool = False
    """A bar that stands off a larger body."""
    towards_body: Array = field(default_factory=lambda: np.zeros(3))
    """Handles only: unit vector ``(3,)`` in the world from the handle to its body."""


def chroma_of(rgb: NDArray[np.generic]) -> Array:
    """Return the shares ``(..., 3)`` of red, green and blue of colours ``(..., 3)`` 0..255; black counts as grey."""
    colours = np.asarray(rgb, dtype=float) + 12.0
    return np.asarray(colours / colours.sum(axis=-1, keepdims=True))


def has_depth(observation: Observation | None, camera: str) -> bool:
    """Tell whether an observation holds colour, depth and pose of a camera."""
    return observation is not None and all(camera in m for m in (observation.images, observation.depth, observation.cameras))


def cut_picture(observation: Observation, camera: str) -> Cut:
    """Cut a camera's picture into surfaces of one colour without steps in depth.

    Two neighbouring pixels are linked when their world points are close, their colours alike, and both or neither lie flat on
    the table.
    """
    rgb, depth, pinhole = observation.images[camera], observation.depth[camera], observation.cameras[camera]
    cloud = world_points(depth, pinhole)
    chroma = chroma_of(rgb)
    is_flat = cloud[..., 2] < FLAT_M
    height, width = depth.shape
    index = np.arange(height * width).reshape(height, width)
    heads, tails = [], []
    for a, b in (((slice(None), slice(None, -1)), (slice(None), slice(1, None))), ((slice(None, -1),), (slice(1, None),))):
        close = np.linalg.norm(cloud[a] - cloud[b], axis=-1) < LINK_M
        alike = np.abs(chroma[a] - chroma[b]).sum(axis=-1) < LINK_CHROMA
        linked = close & alike & (is_flat[a] == is_flat[b])
        heads.append(index[a][linked])
        tails.append(index[b][linked])
    rows, columns = np.concatenate(heads), np.concatenate(tails)
    graph = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(index.size, index.size))
    _, labels = connected_components(graph, directed=False)
    return Cut(labels.reshape(height, width).astype(np.int64), cloud, rgb)


def world_points(depth: NDArray[np.float32], pinhole: Pinhole) -> Array:
    """Return the world point ``(H, W, 3)`` [m] of every pixel of a depth picture ``(H, W)`` [m]; far away where nothing was measured."""
    height, width = depth.shape
    return pinhole.resized(width, height).unproject_cells(np.nan_to_num(depth, nan=1e3, posinf=1e3))


def thing_of(cut: Cut, label: int) -> Thing:
    """Measure the surface of that label."""
    mask = cut.labels == label
    cloud = cut.cloud[mask]
    v, u = np.nonzero(mask)
    length, width, fill = _upright_box(cloud[:, :2])
    top = float(np.percentile(cloud[:, 2], 98))
    rgb = np.median(cut.rgb[mask], axis=0)
    return Thing(label, cloud, rgb, (float(u.mean()) + 0.5, float(v.mean()) + 0.5), length, width, fill, top)


def _upright_box(ground: Array) -> tuple[float, float, float]:
    """Return length, width [m] and fill of the smallest rectangle around points ``(N, 2)``."""
    best = (np.inf, 0.0, 0.0)
    for angle in np.linspace(0, np.pi / 2, 30, endpoint=False):
        along = ground @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        low, high = np.percentile(along, [1, 99], axis=0)
        sides = np.maximum(high - low, 1e-4)
        if sides.prod() < best[0]:
            best = (float(sides.prod()), float(sides.max()), float(sides.min()))
    cells = np.unique(np.floor(ground / 0.004).astype(int), axis=0)
    return best[1], best[2], float(min(1.0, len(cells) * 0.004**2 / best[0]))


def label_near(cut: Cut, pixel: Point) -> int | None:
    """Return the label of the raised surface at, or nearest to, a pixel (u, v); None when nothing stands near it."""
    height, width = cut.labels.shape
    radius = max(2, round(NEAR_SHARE * width))
    u, v = int(np.clip(pixel[0], 0, width - 1)), int(np.clip(pixel[1], 0, height - 1))
    rows, columns = slice(max(0, v - radius), v + radius + 1), slice(max(0, u - radius), u + radius + 1)
    labels = cut.labels[rows, columns]
    raised = cut.cloud[rows, columns, 2] >= FLAT_M
    vv, uu = np.nonzero(raised)
    distances = np.hypot(vv + rows.start - v, uu + columns.start - u)
    for nearest in np.argsort(distances, kind="stable"):
        label = int(labels[vv[nearest], uu[nearest]])
        if distances[nearest] <= radius and np.count_nonzero(cut.labels == label) >= MIN_PIXELS:
            return label
    return None


def look_at(observation: Observation | None, camera: str, at: Point) -> Look | None:
    """Return what stands at a point (0..1 of the picture); None without a depth picture of that camera."""
    if observation is None or not has_depth(observation, camera):
        return None
    cut = cut_picture(observation, camera)
    height, width = cut.labels.shape
    pixel = (at[0] * width, at[1] * height)
    u, v = int(np.clip(pixel[0], 0, width - 1)), int(np.clip(pixel[1], 0, height - 1))
    label = label_near(cut, pixel)
    if label is None:
        return Look(cut.cloud[v, u], None)
    thing = thing_of(cut, label)
    body = _body_behind(cut, thing)
    if body is None:
        return Look(cut.cloud[v, u], thing, _grasp_width(cut, thing))
    towards = (body - thing.centre) * (1, 1, 0)
    return Look(cut.cloud[v, u], thing, thing.width, True, towards / max(float(np.linalg.norm(towards)), 1e-9))


def _body_behind(cut: Cut, thing: Thing) -> Array | None:
    """Return the middle ``(3,)`` of the larger, higher body that a slender or bent thing stands off, or None."""
    if thing.fill > 0.65 and thing.length < 3.5 * thing.width:
        return None
    mask = cut.labels == thing.label
    is_higher = cut.cloud[..., 2] > thing.top + 0.3 * HIGHER_M
    around = ndimage.binary_dilation(mask, iterations=max(3, round(0.02 * mask.shape[1]))) & is_higher
    beside = cut.cloud[around]
    if not len(beside):
        return None
    near = np.linalg.norm(thing.cloud[:, None, :2] - beside[None, ::3, :2], axis=-1).min(axis=0) < BESIDE_M
    labels = np.unique(cut.labels[around][::3][near])
    body = cut.cloud[np.isin(cut.labels, labels) & is_higher]
    is_body = len(body) > 0.5 * len(thing.cloud) and float(np.percentile(body[:, 2], 95)) > thing.top + HIGHER_M
    return np.asarray(np.median(body, axis=0)) if is_body else None


def _grasp_width(cut: Cut, thing: Thing) -> float:
    """Return the narrow side [m] of the level surface at a thing's top, whatever is painted on it."""
    level = np.abs(cut.cloud[..., 2] - thing.top) < LEVEL_M
    parts, _ = ndimage.label(level, structure=np.ones((3, 3)))
    touched = parts[(cut.labels == thing.label) & level]
    if not len(touched):
        return thing.width
    part = parts == np.bincount(touched).argmax()
    return max(thing.width, _upright_box(cut.cloud[part][:, :2])[1])
