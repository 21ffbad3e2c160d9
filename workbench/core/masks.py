"""What segmenters and trackers take and give: a picture, a prompt, candidate masks, tracked masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.geometry import Pinhole

INCLUDE: Final = 1
EXCLUDE: Final = 0
MAX_CANDIDATES: Final = 3
"""A segmenter proposes at most this many masks for one prompt."""


@dataclass(frozen=True, eq=False)
class ObjectIds:
    """Which thing is seen at each pixel: a simulator's truth."""

    ids: NDArray[np.int32]
    """``(H, W) int32``: 0 where no named thing is, else 1 + index in ``names``."""
    names: tuple[str, ...]
    """Name of each thing, for example ``red cube``; equal names are told apart by their ids."""

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return ``(H, W) bool`` of the thing ``names[index]``."""
        return self.ids == index + 1


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture to segment, with what is known of it."""

    pixels: NDArray[np.uint8]
    """``(H, W, 3) uint8`` RGB, contiguous."""
    camera: str = ""
    """Name of the camera; empty for an uploaded picture."""
    depth: NDArray[np.float32] | None = None
    """``(H, W) float32`` metric z-depth [m], where there is one."""
    pinhole: Pinhole | None = None
    """Intrinsics and pose, where they are known."""
    truth: ObjectIds | None = None
    """A simulator's truth; read by privileged segmenters only."""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or 0 in self.pixels.shape or self.pixels.dtype != np.uint8:
            raise InvalidShape("picture", expected=("H >= 1", "W >= 1", 3), found=self.pixels.shape, dtype="uint8")

    @property
    def height(self) -> int:
        """Rows [px]."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns [px]."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True, eq=False)
class MaskPrompt:
    """What a person says about one object on one picture."""

    points: tuple[tuple[float, float], ...] = ()
    """Pixels (u, v) of the picture."""
    labels: tuple[int, ...] = ()
    """One for each point: :data:`INCLUDE` or :data:`EXCLUDE`."""
    box: tuple[float, float, float, float] | None = None
    """``(u0, v0, u1, v1)`` [px], ``u0 < u1`` and ``v0 < v1``."""
    mask: NDArray[np.bool_] | None = None
    """``(H, W) bool``: the object as it was masked before, or in another way; alone it means "this, as it is"."""
    logits: NDArray[np.float32] | None = None
    """:attr:`Candidate.logits` of the candidate that is being refined."""

    def __post_init__(self) -> None:
        if len(self.points) != len(self.labels):
            raise InvalidInput("prompt of a mask", expected="one label a point", found=f"{len(self.points)} and {len(self.labels)}")
        if any(label not in (INCLUDE, EXCLUDE) for label in self.labels):
            raise InvalidInput("prompt of a mask, labels", expected="0 or 1", found=str(self.labels))
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise InvalidInput("prompt of a mask, box", expected="left < right and top < bottom", found=str(self.box))

    @property
    def is_empty(self) -> bool:
        """Whether nothing says where the object is: no include point, no box, no mask."""
        return INCLUDE not in self.labels and self.box is None and self.mask is None

    @property
    def is_ambiguous(self) -> bool:
        """Whether it is one click alone, which may mean a part, a thing or a group of things."""
        return len(self.points) == 1 and self.box is None and self.mask is None and self.logits is None


@dataclass(frozen=True, eq=False)
class Embedding:
    """What a segmenter computes once for a picture; opaque to everyone else."""

    picture: Picture
    data: object


@dataclass(frozen=True, eq=False)
class Candidate:
    """One mask that a segmenter proposes."""

    pixels: NDArray[np.bool_]
    """``(H, W) bool`` at the size of the picture; may be all False."""
    score: float
    """How well the segmenter thinks that it fits, 0..1 (SAM 2: its own estimate of the IoU)."""
    logits: NDArray[np.float32] | None = None
    """Small raw output, to be given back in :attr:`MaskPrompt.logits`; its shape is the segmenter's affair."""


@dataclass(frozen=True, eq=False)
class TrackedMask:
    """Where a tracked object is on the latest frame."""

    pixels: NDArray[np.bool_]
    """``(H, W) bool``; all False when the object is not seen."""
    confidence: float
    """How sure the tracker is that this is the object, 0..1; 0 with an empty mask."""
