"""The policy's intention on its way to the page: trace, targets with their heat maps, and how sure it is of each action."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.events import EventKind
from workbench.core.types import ACTION_NAMES, Intention, Target, Trace

ASKED_AFTER = frozenset(
    {
        EventKind.START,
        EventKind.INSTRUCTION,
        EventKind.TRACE,
        EventKind.MASK,
        EventKind.POLICY,
        EventKind.PAUSE,
        EventKind.BRANCH,
        EventKind.STEERING,
    }
)
"""Events after which a paused policy may have another intention."""


@dataclass(frozen=True)
class IntentionWish:
    """What a tab wants to see."""

    is_on: bool = True
    has_heat: bool = False
    """Whether the target maps are sent as well."""


def intention_message(intention: Intention | None, wish: IntentionWish) -> dict[str, Any]:
    """Return the JSON message that the stage draws from; without anything to show all parts are empty."""
    found = intention or Intention()
    return {
        "type": "intention",
        "trace": _trace(found.trace) if found.trace else None,
        "targets": [_target(t, wish.has_heat) for t in found.targets],
        "names": list(ACTION_NAMES),
        "proposals": {who: np.round(way, 4).tolist() for who, way in found.proposals.items()},
        "confidences": None if found.confidences is None else np.round(found.confidences.astype(float), 2).tolist(),
    }


def _trace(trace: Trace) -> dict[str, Any]:
    """Return a trace in 0..1 of its picture."""
    return {
        "camera": trace.camera,
        "points": [[round(u / trace.width, 4), round(v / trace.height, 4)] for u, v in trace.points],
        "gripper": None if trace.gripper is None else [round(g, 2) for g in trace.gripper],
        "source": trace.source,
    }


def _target(target: Target, has_heat: bool) -> dict[str, Any]:
    return {
        "camera": target.camera,
        "role": target.role,
        "point": [round(float(c), 4) for c in target.point],
        "confidence": round(float(target.confidence), 3),
        "heat": _heat(target.heatmap) if has_heat and target.heatmap is not None else None,
    }


def _heat(heatmap: NDArray[np.float32]) -> dict[str, Any]:
    """Return a map as bytes 0..255 of its peak, row by row, in base64."""
    peak = float(heatmap.max())
    levels = np.round(255 * heatmap / peak if peak > 0 else 0 * heatmap).astype(np.uint8)
    return {"width": int(heatmap.shape[1]), "height": int(heatmap.shape[0]), "levels": base64.b64encode(levels.tobytes()).decode()}
