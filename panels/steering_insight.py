"""What instruments showed of one policy call, as a small message that the page draws from."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from panels.steering_lab import token_spans
from workbench.core.anatomy import Anatomy

if TYPE_CHECKING:
    from panels.steering_desk import InstrumentWish
    from workbench.steering.instruments import Reading


def no_insight() -> dict[str, Any]:
    """Return the message that clears what instruments showed."""
    return {"type": "insight", "step": 0, "strip": None, "lens": None, "attention": None, "contributions": None}


def insight_message(reading: Reading, anatomy: Anatomy, wish: InstrumentWish, *, step: int) -> dict[str, Any]:
    """Return what the page draws of a reading; what is off is null."""
    stack = anatomy.stack(wish.stack or anatomy.stacks[0].name)
    message = {**no_insight(), "step": step}
    if reading.strip is not None:
        spans = token_spans(stack, reading.strip.shape[1])
        message["strip"] = {**levels_of(reading.strip), "peak": round(float(reading.strip.max()), 3), "spans": spans}
    lens = reading.lens
    if lens is not None:
        first = lens.values[:, 0]
        message["lens"] = {
            "dimensions": list(lens.dimensions),
            "units": [bins.unit for bins in stack.readout.bins] if stack.readout else [],
            "values": np.round(first.astype(float), 5).tolist(),
            "entropies": None if lens.entropies is None else np.round(lens.entropies[:, 0].astype(float), 3).tolist(),
            "sure": None if lens.confidences is None else np.round(lens.confidences[:, 0].astype(float), 3).tolist(),
        }
    if reading.attention is not None:
        message["attention"] = attention_of(reading.attention, wish.attention_to)
    if wish.contributions_to:
        message["contributions"] = [
            {"flat": c.flat, "layer": c.flat // stack.inner, "unit": c.flat % stack.inner, "activation": c.activation, "push": c.push}
            for c in reading.contributions
        ]
    return message


def attention_of(scores: NDArray[np.floating], camera: str, what: str = "attention") -> dict[str, Any]:
    """Return a map of patches over a camera's picture, with its regions."""
    from workbench.steering.attention import find_regions

    regions = find_regions(np.maximum(scores, 0))
    return {
        "camera": camera,
        "what": what,
        "total": round(float(scores.sum()), 4),
        "peak": round(float(scores.max()), 4),
        **levels_of(scores),
        "regions": [{"at": [round(c, 4) for c in region.centroid], "score": round(region.score, 5)} for region in regions[:4]],
    }


def levels_of(values: NDArray[np.floating]) -> dict[str, Any]:
    """Return a map as bytes 0..255 of its peak, row by row, in base64."""
    peak = float(values.max(initial=0.0))
    levels = np.round(255 * np.maximum(values, 0) / peak if peak > 0 else 0 * values).astype(np.uint8)
    return {"width": int(values.shape[1]), "height": int(values.shape[0]), "levels": base64.b64encode(levels.tobytes()).decode()}
