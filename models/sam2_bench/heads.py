"""The image half of SAM 2 in two steps, with gradients: features of pictures, then masks of prompts."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from models.sam2_bench.clicks import BOX_CORNERS, Points
from workbench.core.masks import EXCLUDE, INCLUDE

_FINE_STRIDE: Final = 4
"""Pixels to one of the finest features."""
_LIKE: Final = 1.0
"""Squared distance of features below which a pixel counts as one of the clicked thing; they are trained for that, see ``affinity_loss``."""
_STEEP: Final = 4.0
_MOST: Final = 8.0
"""How sharp a first guess is, and the greatest logit in it."""


class Features(NamedTuple):
    """What the decoder sees of ``B`` pictures."""

    deep: Tensor
    """``(B, C, s, s)``, a token every 16 pixels, without a memory."""
    fine: tuple[Tensor, Tensor]
    """``(B, C/8, 4s, 4s)`` and ``(B, C/4, 2s, 2s)``."""

    def pick(self, owners: Tensor) -> Features:
        """Return the features of each prompt's picture; ``owners (N,)`` are numbers of pictures."""
        return Features(self.deep[owners], (self.fine[0][owners], self.fine[1][owners]))


class HeadOutput(NamedTuple):
    """What the decoder says to ``N`` prompts."""

    logits: Tensor
    """``(N, 4, 4s, 4s)``: the mask of a clear prompt, then three for an ambiguous one."""
    ious: Tensor
    """``(N, 4)``: what it expects their IoU to be, 0..1."""
    best: Tensor
    """``(N, 1, 4s, 4s)``: the mask that a person would be shown first."""
    scores: Tensor
    """``(N, 1)``: logits of whether the thing is seen."""


def embed(network: SAM2Base, pictures: Tensor) -> Features:
    """Return the features of pictures ``(B, 3, S, S)``."""
    levels = network.forward_image(pictures)["backbone_fpn"]
    deep = levels[2] + network.no_mem_embed.view(1, -1, 1, 1)
    return Features(deep, (levels[0], levels[1]))


def guess_mask(fine: Tensor, points: Points, before: Tensor | None = None) -> Tensor:
    """Return logits ``(N, 1, s, s)`` of what looks like an including click (like the middle of a box that has none) and lies in the box.

    SAM 2's prompt encoder takes a rough mask beside clicks, and uses it to refine what it said before. Here it gets one with the first
    click already: the finest features tell things apart long before the decoder has learnt to find a click's thing by itself. With a
    correcting click, both kinds of evidence are added.

    Args:
        fine: ``(N, C, s, s)``, the finest features of each prompt's picture.
        points: prompts in pixels of these pictures: a box, its corners first, or clicks, or both.
        before: ``(N, 1, s, s)`` logits of the mask before, if there was one.
    """
    guess = _find_alike(fine, points)
    return guess if before is None else (guess + before.clamp(-_MOST, _MOST)).clamp(-_MOST, _MOST)


def _find_alike(fine: Tensor, points: Points) -> Tensor:
    side, first = fine.shape[-1], points.labels[0].tolist()
    places, labels = points.coordinates.to(fine.device) / _FINE_STRIDE, points.labels.to(fine.device)
    box = places[:, :2] if first[0] == BOX_CORNERS[0] else None
    if box is not None and INCLUDE not in first:
        places = torch.cat([places, box.mean(1, keepdim=True)], dim=1)
        labels = torch.cat([labels, torch.full_like(labels[:, :1], INCLUDE)], dim=1)
    at = places.floor().long().clamp(0, side - 1)
    flat = fine.flatten(2)
    clicked = flat.gather(2, (at[..., 1] * side + at[..., 0])[:, None].expand(-1, fine.shape[1], -1))  # (N, C, P)
    apart = (flat[:, :, None] - clicked[..., None]).square().sum(1)  # (N, P, s * s)
    wanted, other = (apart.masked_fill((labels != label)[..., None], torch.inf).amin(1) for label in (INCLUDE, EXCLUDE))
    logits = (_STEEP * (_LIKE - wanted)).clamp(-_MOST, _MOST).masked_fill(other < wanted, -_MOST).view(-1, 1, side, side)
    if box is None:
        return logits
    cells = torch.arange(side, device=fine.device)
    inside = (cells + 1 > box[:, 0, :, None]) & (cells < box[:, 1, :, None] + 1 / _FINE_STRIDE)  # (N, uv, s)
    return logits.masked_fill(~(inside[:, 1, :, None] & inside[:, 0, None, :])[:, None], -_MOST)


def run_heads(
    network: SAM2Base,
    features: Features,
    points: Points,
    *,
    is_ambiguous: bool,
    logits: Tensor | None = None,
    origin: tuple[int, int] = (0, 0),
) -> HeadOutput:
    """Return masks for prompts, one for each picture of ``features``.

    Args:
        network: a SAM 2.
        features: of the pictures, or of windows of them.
        points: prompts, in pixels of the picture or window.
        is_ambiguous: whether a person would be shown three masks.
        logits: ``(N, 1, 4s, 4s)`` of the mask before.
        origin: where in the whole picture a window stands (u, v) [px].
    """
    device, side = features.deep.device, features.deep.shape[-1]
    prompts = network.sam_prompt_encoder
    guess = guess_mask(features.fine[0].detach(), points, logits)
    coordinates = points.coordinates + torch.tensor(origin, dtype=torch.float32)
    sparse, dense = prompts(points=(coordinates.to(device), points.labels.to(device)), boxes=None, masks=guess)
    column, row = (at // (network.image_size // prompts.image_embedding_size[0]) for at in origin)
    # All four masks, where the decoder itself would return those asked for: all of them learn from every prompt.
    low, ious, _, scores = network.sam_mask_decoder.predict_masks(
        image_embeddings=features.deep,
        image_pe=prompts.get_dense_pe()[..., row : row + side, column : column + side],
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense[..., :side, :side],
        repeat_image=False,
        high_res_features=list(features.fine),
    )
    shown = 1 + ious[:, 1:].argmax(1) if is_ambiguous else torch.zeros(len(low), dtype=torch.int64, device=device)
    best = low[torch.arange(len(low), device=device), shown][:, None]
    return HeadOutput(low, ious, best, scores)
