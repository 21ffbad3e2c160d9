"""The memory half of SAM 2 on a short clip, with gradients."""

from __future__ import annotations

from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from models.sam2_bench.clicks import Points
from models.sam2_memory import FrameOutput, Memory, frame_features, step


def follow_clip(network: SAM2Base, pictures: Tensor, points: Points | None, first: Tensor) -> list[FrameOutput]:
    """Follow things through the frames of a clip.

    Args:
        network: a SAM 2.
        pictures: ``(T, 3, S, S)``.
        points: prompts on the first frame; without them its true masks are the prompt.
        first: ``(N, S, S) bool`` true masks of the first frame.

    Returns:
        What it says of each frame, but for a first frame whose masks were given.
    """
    memory = Memory()
    inputs = {name: tensor.to(pictures.device) for name, tensor in points.as_inputs().items()} if points is not None else None
    masks = first[:, None].float() if points is None else None
    said: list[FrameOutput] = []
    for frame, features in enumerate(frame_features(network, pictures)):
        is_first = frame == 0
        now = features.repeat(len(first))
        said.append(step(network, now, memory, frame, points=inputs if is_first else None, masks=masks if is_first else None))
    return said[1:] if points is None else said
