"""Whether a frame of the camera is the picture that somebody drew on."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAME_LEVELS: Final = 28
"""Grey levels by which a pixel may differ through compression, scaling or soft shadows."""
SAME_SHARE: Final = 0.8
"""Share of a picture's pixels that must be as in the frame; strokes and shadows take the rest."""
ASPECT_TOLERANCE: Final = 0.02


def usable_clean(image: NDArray[np.uint8], frame: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the frame in the size of a picture with a drawing, when that was drawn on it; None for any other picture.

    Args:
        image: ``(H, W, 3) uint8`` RGB with strokes.
        frame: ``(h, w, 3) uint8`` RGB of the camera as it is now, in any size.
    """
    height, width = image.shape[:2]
    if abs(width / height * frame.shape[0] / frame.shape[1] - 1) > ASPECT_TOLERANCE:
        return None
    clean = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)
    difference = np.abs(image.astype(np.int16) - clean).max(axis=2)
    return clean if (difference < SAME_LEVELS).mean() >= SAME_SHARE else None
