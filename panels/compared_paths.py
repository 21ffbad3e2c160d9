"""Ghost paths over the picture: the ways of episodes that are compared, in the colours of their figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from panels.render.paths import COLOURS, EpisodePath

if TYPE_CHECKING:
    from panels.live import LiveSession

MAX_POINTS: Final = 200
"""Points sent of one path; on the picture more cannot be told apart."""


def draw_compared(session: LiveSession, paths: Sequence[EpisodePath]) -> None:
    """Draw these paths over the picture of every viewer, in place of those before; none takes them away."""
    session.push({"type": "compared", "paths": [_path_to_dict(path, i) for i, path in enumerate(paths)]})


def _path_to_dict(path: EpisodePath, index: int) -> dict[str, Any]:
    known = path.ee[np.isfinite(path.ee).all(axis=1)] if len(path.ee) else path.ee
    kept = np.unique(np.linspace(0, len(known) - 1, min(MAX_POINTS, len(known))).round().astype(int))
    return {"label": path.label, "colour": COLOURS[index % len(COLOURS)], "points": np.round(known[kept], 4).tolist()}
