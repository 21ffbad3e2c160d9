"""Where on the table there is room for a thing at this moment."""

from __future__ import annotations

from math import hypot

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.simulation.layout import FOOTPRINT, GAP, X_RANGE, Y_RANGE
from workbench.simulation.world import World


def draw_shift(world: World, name: str, distance: float, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a direction in which a prop can be moved by ``distance`` [m], and return ``dx, dy`` [m].

    Raises:
        InvalidInput: there is no room in any of many directions.
    """
    x, y, _ = world.position(name)
    for angle in rng.permutation(np.linspace(-np.pi, np.pi, 48, endpoint=False)):
        dx, dy = distance * float(np.cos(angle)), distance * float(np.sin(angle))
        if not why_not(world, name, x + dx, y + dy):
            return dx, dy
    raise InvalidInput(f"move of {name}", expected=f"a free place {distance:.3f} m away", found="none")


def why_not(world: World, name: str, x: float, y: float) -> str:
    """Return why a prop cannot be moved to a place, or nothing."""
    margin = 0.02
    if not (X_RANGE[0] - margin <= x <= X_RANGE[1] + margin and Y_RANGE[0] - margin <= y <= Y_RANGE[1] + margin):
        return f"({x:.2f}, {y:.2f}) m, out of reach"
    radius = FOOTPRINT[world.prop(name).kind]
    for prop in world.scene.props:
        if prop.name == name:
            continue
        other = world.position(prop.name)
        if hypot(x - other[0], y - other[1]) < radius + FOOTPRINT[prop.kind] + GAP / 2:
            return f"a place too near to {prop.name}"
    return ""
