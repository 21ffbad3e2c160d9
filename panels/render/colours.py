"""Colours of figures that are read on a light and on a dark page: a figure does not know which it stands on."""

from __future__ import annotations

from typing import Final

INK: Final = "#7d8797"
"""Text: at least 3.5 to 1 against both."""
GRID: Final = "rgba(127, 127, 127, 0.25)"
