"""Words to boxes by Grounding DINO (arXiv:2303.05499), as transformers has it; its weights are not ours to ship."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.errors import InvalidInput

THRESHOLD = 0.3
"""Boxes and words that are less sure than this are left out."""


class Grounded(NamedTuple):
    """One thing that words mean."""

    box: tuple[float, float, float, float]
    """``(u0, v0, u1, v1)`` [px]."""
    score: float
    phrase: str
    """The words that mean it."""


class GroundingDino:
    """Finds what a text names on a picture."""

    def __init__(self, model: Any, processor: Any, *, threshold: float = THRESHOLD) -> None:
        """Take a ``GroundingDinoForObjectDetection`` and its processor."""
        self._model, self._processor, self._threshold = model.eval(), processor, threshold

    @staticmethod
    @functools.lru_cache(maxsize=1)
    def load(weights: str) -> GroundingDino:
        """Load weights from a folder, or by a hub id from the local cache.

        Raises:
            InvalidInput: there are none, or they are of another model.
        """
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        try:
            model = AutoModelForZeroShotObjectDetection.from_pretrained(weights, use_safetensors=True)
            reader: Any = AutoProcessor  # untyped there
            return GroundingDino(model, reader.from_pretrained(weights))
        except (OSError, ValueError, KeyError) as error:
            raise InvalidInput(
                "Grounding DINO",
                expected="a folder or hub id with its weights, for example IDEA-Research/grounding-dino-tiny",
                found=f"{weights!r}: {str(error)[:120]}",
            ) from error

    def find(self, pixels: NDArray[np.uint8], text: str) -> tuple[Grounded, ...]:
        """Return the things that a text names on a picture ``(H, W, 3) uint8``, surest first."""
        import torch

        # The model was trained on lower-case phrases that end in a full stop.
        phrase = text.lower().strip().rstrip(".") + "."
        inputs = self._processor(images=Image.fromarray(pixels), text=phrase, return_tensors="pt")
        with torch.inference_mode():
            outputs = self._model(**inputs)
        found = self._processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=self._threshold, text_threshold=self._threshold, target_sizes=[pixels.shape[:2]]
        )[0]
        labels = found.get("text_labels", found["labels"])
        # Of a picture without boxes the labels are one empty text.
        rows = zip(found["boxes"].tolist(), found["scores"].tolist(), labels, strict=False)
        kept = [Grounded((b[0], b[1], b[2], b[3]), float(score), str(label)) for b, score, label in rows if b[0] < b[2] and b[1] < b[3]]
        return tuple(sorted(kept, key=lambda g: -g.score))
