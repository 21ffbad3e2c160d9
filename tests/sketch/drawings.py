"""Random symbols for the tests of this folder."""

import numpy as np

from workbench.core.sketches import Sketch, Stroke, StrokeKind


def random_arrow(rng: np.random.Generator, name: str = "a") -> Stroke:
    """An arrow of two to five points that does not double back sharply."""
    while True:
        points = rng.uniform(0.06, 0.94, (int(rng.integers(2, 6)), 2))
        legs = np.diff(points, axis=0)
        lengths = np.linalg.norm(legs, axis=1)
        bends = (legs[1:] * legs[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1])
        if lengths.min() > 0.12 and bends.min(initial=1.0) > -0.5:
            return Stroke(name, StrokeKind.ARROW, tuple((float(x), float(y)) for x, y in points))


def random_circle(rng: np.random.Generator, name: str = "c") -> Stroke:
    """A circle of 12 to 48 pixels on a frame of 480."""
    x, y = rng.uniform(0.1, 0.9, 2)
    return Stroke(name, StrokeKind.CIRCLE, ((float(x), float(y)), (float(x + rng.uniform(0.025, 0.1)), float(y))))


def sketch_of(*strokes: Stroke, width: int = 480, height: int = 480) -> Sketch:
    return Sketch("sketch", "front", width, height, strokes)
