"""Which encoder films are written with."""

from __future__ import annotations

import av


def best_codec() -> str:
    """Return the best encoder that this build of FFmpeg has."""
    return "libx264" if "libx264" in av.codecs_available else "mpeg4"
