"""Masked objects as the page draws them."""

from __future__ import annotations

from typing import Any

from workbench.rollout.picturing import PICTURE_PX
from workbench.rollout.prompts import runs_of
from workbench.segmentation.objects import MaskedObject, Moment


def object_to_dict(found: MaskedObject, moment: Moment, is_privileged: bool) -> dict[str, Any]:
    """Return an object as JSON values; points and box in 0..1, only while its frame is shown.

    Args:
        found: the object.
        moment: the frame that its mask belongs to.
        is_privileged: whether its segmenter reads the simulator's truth.
    """
    is_fresh = found.asked_at == moment
    prompt, height = found.prompt, found.mask.shape[0]
    points = [[u / PICTURE_PX, v / PICTURE_PX, label] for (u, v), label in zip(prompt.points, prompt.labels, strict=True)]
    return {
        "id": found.id,
        "name": found.name,
        "colour": found.colour,
        "camera": found.camera,
        "segmenter": found.segmenter,
        "is_privileged": is_privileged,
        "sight": found.sight.value,
        "confidence": round(found.confidence, 3),
        "is_locked": found.is_locked,
        "is_hidden": found.is_hidden,
        "width": found.mask.shape[1],
        "height": height,
        "runs": runs_of(found.mask),
        "points": points if is_fresh else [],
        "box": [x / PICTURE_PX for x in prompt.box] if prompt.box is not None and is_fresh else None,
        "candidates": [{"runs": runs_of(c.pixels), "area": int(c.pixels.sum()), "score": round(c.score, 3)} for c in found.candidates]
        if is_fresh
        else [],
        "choice": found.choice,
    }
