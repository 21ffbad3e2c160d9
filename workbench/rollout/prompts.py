"""Traces and masks as JSON, as events hold them: nothing of them is lost on the way to the disk and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, TooLarge
from workbench.core.types import Interaction, Mask, Trace

TRACKED: Final = "is_tracked"
"""Marks an event that only tells where a masked object has moved to: nobody was told anything else."""
MAX_POINTS: Final = 10_000
MAX_SIDE_PX: Final = 8192
_PARTS: Final = frozenset({"text", "sketch", "plan", "trace", "mask", "interaction"})
_POINT_FIELDS: Final = ("times_s", "depths_m", "gripper")
"""Fields of a trace that hold one number for each point, or nothing."""


def trace_to_dict(trace: Trace) -> dict[str, Any]:
    """Return a JSON-able dictionary; :func:`parse_trace` gives an equal trace."""
    return {
        "camera": trace.camera,
        "width": trace.width,
        "height": trace.height,
        "points": [list(p) for p in trace.points],
        **{name: None if getattr(trace, name) is None else list(getattr(trace, name)) for name in _POINT_FIELDS},
        "source": trace.source,
        "parent_id": trace.parent_id,
        "weight": trace.weight,
    }


def parse_trace(data: object) -> Trace:
    """Read what :func:`trace_to_dict` wrote, also by an older version that left out what belongs to the points.

    Raises:
        InvalidInput: it does not follow the format.
    """
    fields = _mapping("trace", data)
    points = _numbers("trace, points", fields.get("points"), width=2)
    per_point = {name: _per_point(name, fields.get(name), len(points)) for name in _POINT_FIELDS}
    parent_id = fields.get("parent_id")
    return Trace(
        camera=_word("trace, camera", fields.get("camera")),
        width=_side("trace, width", fields.get("width")),
        height=_side("trace, height", fields.get("height")),
        points=tuple((u, v) for u, v in points),
        source=_word("trace, source", fields.get("source", "human")),
        parent_id=None if parent_id is None else _word("trace, parent_id", parent_id),
        weight=_share("trace, weight", fields.get("weight", 1.0)),
        **per_point,
    )


def mask_to_dict(mask: Mask) -> dict[str, Any]:
    """Return a JSON-able dictionary; :func:`parse_mask` gives an equal mask.

    The pixels, row by row, are told as lengths of runs: off, on, off, ...
    """
    height, width = mask.pixels.shape
    return {"camera": mask.camera, "width": width, "height": height, "runs": runs_of(mask.pixels), "source": mask.source}


def parse_mask(data: object) -> Mask:
    """Read what :func:`mask_to_dict` wrote.

    Raises:
        InvalidInput: it does not follow the format.
    """
    fields = _mapping("mask", data)
    width, height = _side("mask, width", fields.get("width")), _side("mask, height", fields.get("height"))
    runs = fields.get("runs")
    if not isinstance(runs, list) or not all(_is_count(n) for n in runs) or sum(runs) != width * height:
        raise InvalidInput("mask, runs", expected=f"lengths that add up to {width * height}", found=repr(runs)[:60])
    is_on = np.arange(len(runs)) % 2 == 1
    pixels = np.repeat(is_on, runs).reshape(height, width)
    return Mask(_word("mask, camera", fields.get("camera")), pixels, _word("mask, source", fields.get("source", "human")))


def runs_of(pixels: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of runs of equal pixels ``(H, W) bool``, row by row; the first run is off and may be empty."""
    flat = np.asarray(pixels, dtype=bool).ravel()
    ends = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    runs = [b - a for a, b in pairwise(ends)]
    return [0, *runs] if flat.size and flat[0] else runs


def parse_interaction(data: object) -> Interaction | None:
    """Read the name of an interaction; None stays None.

    Raises:
        InvalidInput: there is no such interaction.
    """
    if data is None:
        return None
    if data not in [i.value for i in Interaction]:
        raise InvalidInput("interaction", expected=", ".join(i.value for i in Interaction), found=repr(data)[:60])
    return Interaction(data)


def check_parts(changes: Mapping[str, Any]) -> None:
    """Raise InvalidInput unless all changes are parts of a prompt."""
    unknown = set(changes) - _PARTS
    if unknown:
        raise InvalidInput("prompt", expected=f"parts {sorted(_PARTS)}", found=str(sorted(unknown)))


def _mapping(what: str, data: object) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise InvalidInput(what, expected="an object", found=type(data).__name__)
    return data


def _word(what: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise InvalidInput(what, expected="at most 200 letters", found=repr(value)[:60])
    return value


def _side(what: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SIDE_PX:
        raise InvalidInput(what, expected=f"1 to {MAX_SIDE_PX} pixels", found=repr(value)[:60])
    return value


def _numbers(what: str, value: object, *, width: int) -> list[tuple[float, ...]]:
    """Return rows of finite numbers."""
    if not isinstance(value, list | tuple):
        raise InvalidInput(what, expected="a list", found=type(value).__name__)
    if len(value) > MAX_POINTS:
        raise TooLarge(what, limit=f"{MAX_POINTS} points", found=str(len(value)))
    for row in value:
        if not isinstance(row, list | tuple) or len(row) != width or not all(is_number(n) for n in row):
            raise InvalidInput(what, expected=f"rows of {width} numbers", found=repr(row)[:60])
    return [tuple(float(n) for n in row) for row in value]


def _per_point(name: str, value: object, num_points: int) -> tuple[float, ...] | None:
    if value is None:
        return None
    is_row = isinstance(value, list | tuple) and len(value) == num_points and all(is_number(n) for n in value)
    if not is_row:
        raise InvalidInput(f"trace, {name}", expected=f"{num_points} numbers", found=repr(value)[:60])
    assert isinstance(value, list | tuple)
    return tuple(float(n) for n in value)


def _share(what: str, value: object) -> float:
    if not is_number(value) or not 0 <= value <= 1:  # type: ignore[operator]
        raise InvalidInput(what, expected="0 to 1", found=repr(value)[:60])
    return float(value)  # type: ignore[arg-type]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value: object) -> bool:
    """Tell whether a value of JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
