"""One frame of one or several objects through SAM 2's memory: what training and streaming have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

UNBOUNDED: Final = 1 << 30
"""Number of frames of a stream, of which nobody knows the end."""


class FrameFeatures(NamedTuple):
    """What the trunk makes of one picture, in the form in which SAM 2 keeps it."""

    levels: list[Tensor]
    """``(h * w, 1, C)`` each, finest first."""
    positions: list[Tensor]
    sizes: list[tuple[int, int]]

    def repeat(self, count: int) -> FrameFeatures:
        """Return the same features for ``count`` objects."""
        levels, positions = ([t.expand(-1, count, -1) for t in tensors] for tensors in (self.levels, self.positions))
        return FrameFeatures(levels, positions, self.sizes)


class FrameOutput(NamedTuple):
    """What the network says of ``N`` objects on one frame."""

    logits: Tensor
    """``(N, M, s, s)``: the masks that it considers."""
    ious: Tensor
    """``(N, M)``: what it expects their IoU to be, 0..1."""
    best: Tensor
    """``(N, 1, s, s)``: the mask that is remembered."""
    scores: Tensor
    """``(N, 1)``: logits of whether the object is seen."""


@dataclass
class Memory:
    """What is remembered of ``N`` objects: frames by number."""

    prompted: dict[int, dict[str, Any]] = field(default_factory=dict)
    tracked: dict[int, dict[str, Any]] = field(default_factory=dict)

    def as_outputs(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Return it as SAM 2 names it."""
        return {"cond_frame_outputs": self.prompted, "non_cond_frame_outputs": self.tracked}

    def forget(self, frame: int, *, num_frames: int, num_prompted: int) -> None:
        """Keep the last ``num_frames`` tracked frames, the first prompted one and the latest others, ``num_prompted`` in all."""
        for old in [f for f in self.tracked if f <= frame - num_frames]:
            del self.tracked[old]
        for old in sorted(self.prompted)[1 : len(self.prompted) - num_prompted + 1]:
            del self.prompted[old]


def frame_features(network: SAM2Base, pictures: Tensor) -> list[FrameFeatures]:
    """Return the features of each of the pictures ``(T, 3, S, S)``."""
    _, levels, positions, sizes = network._prepare_backbone_features(network.forward_image(pictures))
    return [FrameFeatures([t[:, i : i + 1] for t in levels], [p[:, i : i + 1] for p in positions], sizes) for i in range(len(pictures))]


def step(
    network: SAM2Base,
    features: FrameFeatures,
    memory: Memory,
    frame: int,
    *,
    points: Mapping[str, Tensor] | None = None,
    masks: Tensor | None = None,
    logits: Tensor | None = None,
) -> FrameOutput:
    """Find objects on a frame, and remember what was found; with a prompt the frame counts as a prompted one.

    Args:
        network: a SAM 2.
        features: of the frame, for as many objects as the memory is of.
        memory: of the objects; changed.
        frame: its number.
        points: ``point_coords (N, P, 2)`` [px of the network's picture] and ``point_labels (N, P)``.
        masks: ``(N, 1, S, S)`` masks that are taken as they are.
        logits: ``(N, 1, s, s)`` of the mask that the points correct.
    """
    is_prompt = points is not None or masks is not None
    current, heads, _, _ = network._track_step(
        frame,
        not memory.prompted,
        features.levels,
        features.positions,
        features.sizes,
        points,
        masks,
        memory.as_outputs(),
        UNBOUNDED,
        False,
        logits,
    )
    low, _, ious, best, wide, pointer, scores = heads
    network._encode_memory_in_output(features.levels, features.sizes, points, True, wide, scores, current)
    # No more than what later frames look at: the rest would grow with the length of the stream.
    kept = {name: current[name] for name in ("maskmem_features", "maskmem_pos_enc")} | {"obj_ptr": pointer}
    memory.tracked.pop(frame, None)
    (memory.prompted if is_prompt else memory.tracked)[frame] = kept
    return FrameOutput(low, ious, best, scores)
