"""What training makes small: focal and dice loss of masks, the error of the IoU that the network expects, whether a thing is seen.

Source: Ravi et al. 2024, arXiv:2408.00714 (weights 20, 1, 1, 1). We differ in the side at which masks are compared.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from numpy.typing import NDArray
from torch import Tensor

_FINER: Final = 2
"""How much finer than the decoder's masks the chosen one is compared."""
_FOCAL_WEIGHT: Final = 20.0
_ALPHA: Final = 0.25
_GAMMA: Final = 2.0
_NUM_COMPARED: Final = 160
"""Pixels of a picture that are compared with each other."""
_SIZE_WEIGHT: Final = 0.1
_MARGIN: Final = 2.0
"""Squared distance of features at which two pixels are as likely of one thing as of two."""


class MaskLosses(NamedTuple):
    """Means over prompts."""

    focal: Tensor
    dice: Tensor
    iou_error: Tensor
    seen: Tensor
    best_iou: Tensor
    """Mean IoU of the best of the masks; to be watched, not to be learnt from."""

    @property
    def total(self) -> Tensor:
        """What is made small."""
        return _FOCAL_WEIGHT * self.focal + self.dice + self.iou_error + self.seen


def affinity_loss(features: Tensor, ids: Tensor, rng: np.random.Generator) -> Tensor:
    """Return how badly pixels of one thing lie together, and those of two apart: dense supervision, which costs next to nothing.

    SAM 2 has no such loss; without it most of the training goes into telling things apart at all.

    Args:
        features: ``(B, C, s, s)`` the finest that the decoder sees.
        ids: ``(B, S, S) uint8`` which thing each pixel is of, 0 for none.
        rng: draws the pixels that are compared.
    """
    side = features.shape[-1]
    step = ids.shape[-1] // side
    small = ids[:, step // 2 :: step, step // 2 :: step].flatten(1)
    # As many pixels of small things as of large ones; the background is one thing of several looks.
    chosen = torch.from_numpy(np.stack([_draw_evenly(row, rng) for row in small.numpy()])).to(features.device)
    points = features.flatten(2).gather(2, chosen[:, None].expand(-1, features.shape[1], -1))
    names = small.to(features.device).gather(1, chosen)
    apart = torch.cdist(points.transpose(1, 2), points.transpose(1, 2), compute_mode="donot_use_mm_for_euclid_dist") ** 2
    same = names[:, :, None] == names[:, None]
    counted = (names[:, :, None] > 0) | (names[:, None] > 0)
    cross = F.binary_cross_entropy_with_logits(_MARGIN - apart, same.float(), reduction="none")
    alike, other = counted & same, counted & ~same
    return 0.5 * ((cross * alike).sum() / alike.sum().clamp(min=1) + (cross * other).sum() / other.sum().clamp(min=1))


def size_loss(features: Tensor) -> Tensor:
    """Return by how much features ``(B, C, s, s)`` are too large.

    They are added to codes of their places, of size 1; when they outgrow those, no prompt is found any more, and nothing brings them back.
    """
    return _SIZE_WEIGHT * (features.square().mean() - 1.0).clamp(min=0.0)


def _draw_evenly(names: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw pixels of a flat picture of names, as many of each name."""
    weights = 1.0 / np.maximum(np.bincount(names), 1)[names]
    return np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(_NUM_COMPARED)).clip(max=len(names) - 1)


def find_losses(logits: Tensor, ious: Tensor, scores: Tensor, targets: Tensor) -> MaskLosses:
    """Compare masks with the truth; of several masks only the best is learnt from, of the expected IoUs all.

    Args:
        logits: ``(N, M, s, s)`` masks.
        ious: ``(N, M)`` what the network expects their IoU to be.
        scores: ``(N, 1)`` logits of whether the thing is seen.
        targets: ``(N, S, S) bool``; a thing that is not seen has an empty mask, and only ``scores`` learn from it.
    """
    seen, side = targets.flatten(1).any(1).float(), _FINER * logits.shape[-1]
    num_seen = seen.sum().clamp(min=1)
    with torch.no_grad():
        coarse, truth = _shrink(targets, logits.shape[-1]), _shrink(targets, side)
        best = (_FOCAL_WEIGHT * _focal(logits, coarse) + _dice(logits, coarse)).argmin(1)
        hard, real = logits > 0, coarse > 0.5
        actual = (hard & real).flatten(2).sum(2) / (hard | real).flatten(2).sum(2).clamp(min=1)
    chosen = logits[torch.arange(len(logits)), best][:, None]
    wide = F.interpolate(chosen, size=(side, side), mode="bilinear", align_corners=False)
    return MaskLosses(
        (_focal(wide, truth)[:, 0] * seen).sum() / num_seen,
        (_dice(wide, truth)[:, 0] * seen).sum() / num_seen,
        ((ious - actual).abs().mean(1) * seen).sum() / num_seen,
        F.binary_cross_entropy_with_logits(scores[:, 0], seen),
        (actual.max(1).values * seen).sum() / num_seen,
    )


def _shrink(masks: Tensor, side: int) -> Tensor:
    """Return ``(N, 1, side, side) float32``: how much of each larger pixel is of the mask."""
    factor = masks.shape[-1] // side
    counted = masks.view(len(masks), side, factor, side, factor).sum((2, 4), dtype=torch.float32)
    return counted[:, None] / factor**2


def _focal(logits: Tensor, truth: Tensor) -> Tensor:
    """Return ``(N, M)``."""
    cross = F.binary_cross_entropy_with_logits(logits, truth.expand_as(logits), reduction="none")
    share = logits.sigmoid()
    likely = share * truth + (1 - share) * (1 - truth)
    return ((_ALPHA * truth + (1 - _ALPHA) * (1 - truth)) * (1 - likely) ** _GAMMA * cross).flatten(2).mean(2)


def _dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Return ``(N, M)``."""
    share = logits.sigmoid()
    inner = (share * truth).flatten(2).sum(2)
    return 1 - (2 * inner + 1) / (share.flatten(2).sum(2) + truth.flatten(2).sum(2) + 1)
