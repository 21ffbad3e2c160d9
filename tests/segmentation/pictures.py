"""Small pictures whose masks are known."""

import numpy as np

from workbench.core.geometry import Pinhole
from workbench.core.masks import ObjectIds, Picture

TABLE, RED, BLUE = (168, 158, 145), (214, 38, 40), (30, 90, 204)


def scene(*discs, side=96, has_truth=True):
    """Return a picture of coloured discs ``(u, v, radius, colour)`` on a table, the last one on top."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    pixels = np.full((side, side, 3), TABLE, dtype=np.uint8)
    ids = np.zeros((side, side), dtype=np.int32)
    for index, (u, v, radius, colour) in enumerate(discs):
        inside = np.hypot(columns - u, rows - v) <= radius
        pixels[inside] = colour
        ids[inside] = index + 1
    truth = ObjectIds(ids, tuple(f"thing {i + 1}" for i in range(len(discs)))) if has_truth else None
    return Picture(pixels, "front", truth=truth)


def camera(name, position, *, side=96, focal=90.0):
    """Return a camera that looks straight down from a position [m]."""
    T = np.eye(4)
    T[:3, :3] = np.diag([1.0, -1.0, -1.0])
    T[:3, 3] = position
    return Pinhole(name, side, side, focal, focal, side / 2, side / 2, T)
