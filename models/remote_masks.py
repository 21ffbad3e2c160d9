"""A mask for a policy server that knows nothing of masks: drawn on the picture, sent as a picture of its own, or told as a box in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.remote_settings import ImageSource, RemoteSettings
from workbench.core.types import Interaction, Mask, Prompt

TINT: Final = (255, 64, 255)
SHARE: Final = 0.45
"""Of the tint where the mask is, as in ROCKET-1's own pictures."""
WORDS: Final[Mapping[Interaction, str]] = {
    Interaction.APPROACH: "go to",
    Interaction.GRASP: "pick up",
    Interaction.PLACE_ON: "put it on",
    Interaction.PUSH: "push",
    Interaction.PRESS: "press",
    Interaction.OPEN: "open",
    Interaction.CLOSE: "close",
    Interaction.TURN: "turn",
}


def drawn_on(image: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Return a picture ``(H, W, 3) uint8`` with a mask of the same camera painted over it; the picture stays as it is."""
    inside = _at_size(mask, image.shape[1], image.shape[0])
    painted = image.copy()
    painted[inside] = ((1 - SHARE) * image[inside] + SHARE * np.array(TINT)).astype(np.uint8)
    return painted


def as_picture(mask: Mask | None, source: ImageSource) -> NDArray[np.uint8]:
    """Return a mask as a picture ``(h, w, 3) uint8`` of 0 and 255, at a source's size; black for none."""
    picture = np.zeros((source.height, source.width, 3), dtype=np.uint8)
    if mask is not None:
        picture[_at_size(mask, source.width, source.height)] = 255
    return picture


def told(prompt: Prompt, settings: RemoteSettings) -> str:
    """Return the words for a server: with a box in 0..1 of the picture where the settings ask for that."""
    mask = prompt.mask
    if settings.mask != "text" or mask is None or not mask.pixels.any():
        return prompt.text
    rows, columns = np.flatnonzero(mask.pixels.any(axis=1)), np.flatnonzero(mask.pixels.any(axis=0))
    height, width = mask.pixels.shape
    box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    place = f"the object in the box {', '.join(f'{x:.2f}' for x in box)} of the {mask.camera} picture"
    words = WORDS[prompt.interaction] if prompt.interaction else "act on"
    return f"{prompt.text}: {words} {place}" if prompt.text else f"{words} {place}"


def _at_size(mask: Mask, width: int, height: int) -> NDArray[np.bool_]:
    if mask.pixels.shape == (height, width):
        return mask.pixels
    resized = Image.fromarray(mask.pixels.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(resized).astype(bool)
