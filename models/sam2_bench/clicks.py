"""A person simulated: where they click on a thing, the box that they draw, and how they correct a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor

BOX_CORNERS: Final = (2, 3)
"""Labels of a box's corners, as SAM's prompt encoder has them."""
_NUM_CENTRAL: Final = 6


@dataclass(frozen=True, eq=False)
class Points:
    """Clicks and corners of boxes of ``N`` prompts."""

    coordinates: Tensor
    """``(N, P, 2) float32`` (u, v) [px]."""
    labels: Tensor
    """``(N, P) int32``: 1 include, 0 exclude, 2 and 3 corners of a box, -1 nothing."""

    def join(self, other: Points) -> Points:
        """Return both."""
        return Points(torch.cat([self.coordinates, other.coordinates], 1), torch.cat([self.labels, other.labels], 1))

    def as_inputs(self) -> dict[str, Tensor]:
        """Return what SAM 2 calls ``point_inputs``."""
        return {"point_coords": self.coordinates, "point_labels": self.labels}


def draw_clicks(masks: NDArray[np.bool_], rng: np.random.Generator) -> Points:
    """Draw one including click in each mask ``(N, S, S)``: half of them anywhere, half towards its middle."""
    places = [_pixel(mask, rng, is_central=rng.random() < 0.5) for mask in masks]
    return Points(torch.from_numpy(np.stack(places))[:, None], torch.ones(len(masks), 1, dtype=torch.int32))


def _pixel(mask: NDArray[np.bool_], rng: np.random.Generator, *, is_central: bool) -> NDArray[np.float32]:
    """Draw a pixel ``(2,)`` (u, v) of a mask; a central one is the most central of a few."""
    inside = np.flatnonzero(mask)
    rows, columns = np.divmod(inside[rng.integers(0, len(inside), _NUM_CENTRAL if is_central else 1)], mask.shape[1])
    if not is_central:
        return np.array([columns[0], rows[0]], dtype=np.float32)
    middle = np.divmod(inside[:: max(1, len(inside) // 64)], mask.shape[1])
    nearest = int(np.argmin((rows - middle[0].mean()) ** 2 + (columns - middle[1].mean()) ** 2))
    return np.array([columns[nearest], rows[nearest]], dtype=np.float32)


def draw_boxes(masks: NDArray[np.bool_], rng: np.random.Generator, *, wobble: float = 0.08) -> Points:
    """Draw a box around each mask ``(N, S, S)``, each side off by up to ``wobble`` of the box (and at least a pixel)."""
    boxes = np.stack([bounding_box(mask) for mask in masks])
    sizes = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    off = rng.uniform(-1.0, 1.0, boxes.shape) * np.clip(wobble * sizes, 1.0 if wobble else 0.0, 20.0)
    corners = np.clip(boxes + off, 0, masks.shape[-1] - 1).astype(np.float32).reshape(-1, 2, 2)
    return Points(torch.from_numpy(corners), torch.tensor(BOX_CORNERS, dtype=torch.int32).repeat(len(masks), 1))


def bounding_box(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return ``(4,)`` (u0, v0, u1, v1) [px] of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], dtype=np.float32)


def draw_corrections(masks: NDArray[np.bool_], found: NDArray[np.bool_], rng: np.random.Generator) -> Points:
    """Draw one correcting click for each mask: anywhere in what is wrong with ``found``, both ``(N, S, S)``."""
    places, labels = [], []
    for mask, guess in zip(masks, found, strict=True):
        wrong = mask ^ guess
        # Where nothing is wrong, one more click on the thing does no harm.
        place = _pixel(wrong if wrong.any() else mask, rng, is_central=False)
        places.append(place)
        labels.append(int(mask[int(place[1]), int(place[0])]))
    return Points(torch.from_numpy(np.stack(places))[:, None], torch.tensor(labels, dtype=torch.int32)[:, None])


def deepest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the pixel (u, v) that is farthest from the edge of a mask's largest piece."""
    pieces, count = label(mask)
    if count > 1:
        mask = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return int(column), int(row)


def correct(mask: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[tuple[int, int], int]:
    """Return the click (pixel, label) that a careful person corrects with: in the middle of the largest error."""
    missing, extra = mask & ~found, found & ~mask
    errors = [(deepest_of(part), value) for part, value in ((missing, 1), (extra, 0)) if part.any()]
    if not errors:
        return deepest(mask), 1
    (_, place), value = max(errors, key=lambda e: e[0][0])
    return place, value


def deepest_of(part: NDArray[np.bool_]) -> tuple[int, tuple[int, int]]:
    """Return the area of the largest piece of a mask [px] and its deepest pixel."""
    pieces, _ = label(part)
    area = int(np.bincount(pieces.ravel())[1:].max())
    return area, deepest(part)
