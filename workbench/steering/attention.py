"""Where action tokens look: attention to image patches, its regions, and their weighted centroids.

Attention is not attribution: it says where a layer reads from, not what the action depends on. :mod:`.occlusion` measures the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from workbench.core.anatomy import Anatomy, ImageTokens
from workbench.core.errors import InvalidInput, InvalidShape, UnknownName
from workbench.steering.scopes import spans_in
from workbench.steering.sites import Part, Site, site_module

REGION_THRESHOLD: Final = 0.3
"""Of the largest patch (Source: GUI-Actor, arXiv:2506.03143)."""


@dataclass(frozen=True)
class Region:
    """Neighbouring patches with much attention."""

    score: float
    """Mean over the patches."""
    centroid: tuple[float, float]
    """Image coordinates (u / W, v / H), 0..1, weighted by the scores."""
    patches: tuple[tuple[int, int], ...]
    """(row, column)."""


def find_regions(scores: NDArray[np.floating], threshold: float = REGION_THRESHOLD) -> tuple[Region, ...]:
    """Return the regions of a map ``(rows, columns)``, best first.

    Source: GUI-Actor, arXiv:2506.03143: patches above ``threshold`` of the largest, 4-connected, ranked by mean score, centroids of
    patch centres weighted by score.

    Raises:
        InvalidInput: the map is not a map, has values below 0, or the threshold is not from 0 to 1.
    """
    if scores.ndim != 2:
        raise InvalidShape("map of patches", expected=("rows", "columns"), found=scores.shape)
    if not 0 <= threshold < 1 or not np.isfinite(scores).all() or (scores < 0).any():
        raise InvalidInput("map of patches", expected="numbers >= 0 and a threshold in 0..1", found=f"threshold {threshold:g}")
    if not scores.max(initial=0) > 0:
        return ()
    labels, count = ndimage.label(scores > threshold * scores.max())
    regions = [_region(scores, np.argwhere(labels == i + 1)) for i in range(count)]
    return tuple(sorted(regions, key=lambda r: -r.score))


def _region(scores: NDArray[np.floating], patches: NDArray[np.int64]) -> Region:
    weights = scores[patches[:, 0], patches[:, 1]].astype(np.float64)
    row, column = (weights @ (patches + 0.5)) / weights.sum()
    rows, columns = scores.shape
    found = tuple((int(r), int(c)) for r, c in patches)
    return Region(float(weights.mean()), (float(column / columns), float(row / rows)), found)


def attention_map(
    module: nn.Module,
    anatomy: Anatomy,
    call: Callable[[], object],
    stack: str,
    *,
    camera: str,
    layers: Sequence[int] | None = None,
    tokens: str = "action",
) -> NDArray[np.float32]:
    """Return the attention ``(rows, columns) float32`` from a group of tokens to the patches of a camera, in one policy call.

    Mean over tokens, heads, layers (all of them unless some are named) and forward passes; the sum over the map is the share of
    attention that falls on this picture.

    Raises:
        UnknownName: the stack has no such camera or token group.
        InvalidInput: no token of the group ran.
    """
    found = anatomy.stack(stack)
    image = find_image(found.images, camera)
    chosen = range(len(found.blocks)) if layers is None else layers
    with attention_of(module, anatomy, stack, chosen, tokens) as weights:
        call()
    return map_of(weights, image)


def map_of(weights: Sequence[Tensor], image: ImageTokens) -> NDArray[np.float32]:
    """Return the mean attention to a picture's patches ``(rows, columns) float32`` from collected weights.

    Raises:
        InvalidInput: nothing was collected.
    """
    if not weights:
        raise InvalidInput("tokens that attend", expected="some in the policy call", found="none")
    stop = image.start + image.rows * image.columns
    total = torch.stack([w[..., image.start : stop].mean(dim=(0, 1, 2)) for w in weights]).mean(0)
    return total.reshape(image.rows, image.columns).cpu().numpy().astype(np.float32)


def find_image(images: Sequence[ImageTokens], camera: str) -> ImageTokens:
    """Return where the patches of a camera lie.

    Raises:
        UnknownName: there are none.
    """
    for image in images:
        if image.camera == camera:
            return image
    raise UnknownName("picture among the tokens", camera, (i.camera for i in images))


@contextmanager
def attention_of(module: nn.Module, anatomy: Anatomy, stack: str, layers: Sequence[int], tokens: str) -> Iterator[list[Tensor]]:
    """Collect attention weights ``(B, heads, n, keys) float32`` of a token group, one entry for each layer and forward pass.

    Computed beside the network from what its attention modules project, in the Llama and Gemma convention (rotary embedding by halves,
    grouped heads), so that its own fast kernels go on unchanged and nothing is projected twice.
    """
    found = anatomy.stack(stack)
    found.group(tokens)
    weights: list[Tensor] = []

    def keep(projected: dict[str, Tensor], name: str) -> Callable[..., None]:
        def note(_: nn.Module, args: object, output: Tensor) -> None:
            projected[name] = output.detach()

        return note

    def after(projected: dict[str, Tensor], passes: list[int]) -> Callable[..., None]:
        def look(attention: nn.Module, args: object, kwargs: dict[str, Any], _: object) -> None:
            queries, keys = projected.pop("q_proj"), projected.pop("k_proj")
            at = [p for s in spans_in(found, tokens, queries.shape[1], passes[0]) for p in range(s.start, s.stop or 0)]
            passes[0] += 1
            if at:
                weights.append(_weights(attention, queries, keys, at, kwargs))

        return look

    handles = []
    try:
        for layer in layers:
            target = site_module(module, anatomy, Site(stack, layer, Part.ATTENTION))
            projected: dict[str, Tensor] = {}
            handles += [target.get_submodule(name).register_forward_hook(keep(projected, name)) for name in ("q_proj", "k_proj")]
            handles.append(target.register_forward_hook(after(projected, [0]), with_kwargs=True))
        yield weights
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def _weights(attention: Any, projected: Tensor, projected_keys: Tensor, at: Sequence[int], kwargs: dict[str, Any]) -> Tensor:
    """Return ``(B, heads, n, keys)``: softmax of rotated queries times keys, for the tokens ``at`` of what was projected ``(B, T, -1)``."""
    cos, sin = (p[:, None] for p in kwargs["position_embeddings"])  # (B, 1, T, head)
    num_tokens, first = projected.shape[1], at[0]
    some = slice(first, at[-1] + 1) if list(at) == list(range(first, at[-1] + 1)) else list(at)  # a slice copies nothing
    queries = _rotate(_heads(projected[:, some], attention.head_dim), cos[:, :, some], sin[:, :, some]) * attention.scaling
    cache = kwargs.get("past_key_values")  # after the pass, with its own keys
    keys = _rotate(_heads(projected_keys, attention.head_dim), cos, sin) if cache is None else cache.layers[attention.layer_idx].keys
    if queries.shape[1] != keys.shape[1]:
        keys = keys.repeat_interleave(queries.shape[1] // keys.shape[1], dim=1)
    scores = (queries @ keys.transpose(2, 3)).float()
    mask = kwargs.get("attention_mask")
    if mask is not None:
        rows = mask.expand(*mask.shape[:2], num_tokens, -1)[:, :, some, : keys.shape[2]]
        scores = scores.masked_fill(~rows, -torch.inf) if rows.dtype == torch.bool else scores + rows
    elif getattr(attention, "is_causal", True) and num_tokens > 1:
        last = torch.tensor(at, device=scores.device) + keys.shape[2] - num_tokens
        scores = scores.masked_fill(torch.arange(keys.shape[2], device=scores.device) > last[:, None], -torch.inf)
    return scores.softmax(-1)


def _heads(projected: Tensor, size: int) -> Tensor:
    """Map ``(B, T, heads * size)`` to ``(B, heads, T, size)``."""
    return projected.reshape(*projected.shape[:2], -1, size).transpose(1, 2)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin
