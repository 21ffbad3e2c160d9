"""A frame serves as the clean picture only for a drawing that was made on it."""

import numpy as np
import pytest
from PIL import Image

from workbench.core.sketches import Sketch, Stroke, StrokeKind
from workbench.sketch.clean import usable_clean
from workbench.sketch.raster import draw_sketch


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    coarse = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((240, 240), Image.Resampling.BILINEAR))


def test_the_frame_that_was_drawn_on_is_given_back_in_the_drawings_size(frame):
    larger = np.asarray(Image.fromarray(frame).resize((480, 480), Image.Resampling.BICUBIC))
    drawn = draw_sketch(larger, Sketch("s", "front", 480, 480, (Stroke("a", StrokeKind.ARROW, ((0.2, 0.2), (0.8, 0.7))),)))
    clean = usable_clean(drawn, frame)
    assert clean is not None and clean.shape == drawn.shape
    assert np.abs(clean.astype(int) - larger).mean() < 1


def test_other_pictures_and_shapes_are_not_taken_for_it(frame):
    assert usable_clean(frame[::-1].copy(), frame) is None
    assert usable_clean(frame[:120].copy(), frame) is None
