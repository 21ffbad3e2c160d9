import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.sketch.drawings import sketch_of
from workbench.core.errors import InvalidInput, InvalidShape, TooLarge, WorkbenchError
from workbench.core.sketches import STEP_COLOURS, Stroke, StrokeKind, sketch_to_dict
from workbench.evaluation.sketch_parsing import score_reading
from workbench.sketch.colours import through_jpeg
from workbench.sketch.parser import decode_image, parse_image
from workbench.sketch.plan import interpret
from workbench.sketch.raster import draw_sketch
from workbench.sketch.skeleton import thin, trace_curves
from workbench.sketch.strokes import parse_sketch

GREY = np.full((480, 480, 3), 96, np.uint8)


def arrow(step, *points, **more):
    return Stroke(f"a{step}", StrokeKind.ARROW, points, STEP_COLOURS[step], **more)


def circle(step, x, y, radius, **more):
    return Stroke(f"c{step}", StrokeKind.CIRCLE, ((x, y), (x + radius, y)), STEP_COLOURS[step], **more)


@pytest.mark.parametrize("is_geometric", [True, False])
@pytest.mark.parametrize("width_px", [3.0, 5.0, 8.0])
def test_the_parser_agrees_with_the_vectors(is_geometric, width_px):
    look = {"is_geometric": is_geometric, "width_px": width_px}
    turn = np.linspace(0.3, 2.6, 12)
    around = [(float(0.7 + 0.12 * np.cos(t)), float(0.75 + 0.12 * np.sin(t))) for t in turn]
    truth = sketch_of(
        arrow(0, (0.1, 0.2), (0.35, 0.1), (0.6, 0.3), **look),
        circle(1, 0.2, 0.7, 0.06, **look),
        circle(2, 0.7, 0.75, 0.06, **look),
        arrow(2, *around, **look),
        arrow(3, (0.9, 0.1), (0.8, 0.5), **look),
    )
    read = parse_image(draw_sketch(GREY, truth))
    score = score_reading(truth, read)
    assert score.num_extra == 0 and score.is_order_right
    assert score.distances.max() <= 15 and score.distances.mean() <= 6
    assert [s.verb for s in interpret(read).steps] == [s.verb for s in interpret(truth).steps]
    assert parse_sketch(sketch_to_dict(read)) == read


def test_solid_things_in_symbol_colours_are_not_strokes():
    picture = GREY.copy()
    picture[60:110, 60:110] = STEP_COLOURS[0]
    rows, columns = np.mgrid[0:480, 0:480]
    picture[np.hypot(rows - 300, columns - 300) < 30] = STEP_COLOURS[1]
    assert parse_image(picture).strokes == ()
    truth = sketch_of(arrow(0, (0.3, 0.3), (0.8, 0.4)), circle(1, 0.3, 0.8, 0.06))
    read = parse_image(draw_sketch(picture, truth))
    assert score_reading(truth, read).distances.max() <= 8 and len(read.strokes) == 2


def test_thin_things_in_symbol_colours_are_told_apart_by_the_clean_picture():
    clean = draw_sketch(GREY, sketch_of(circle(0, 0.3, 0.3, 0.08), arrow(1, (0.1, 0.6), (0.5, 0.7))))
    truth = sketch_of(circle(2, 0.7, 0.7, 0.08))
    assert [s.kind for s in parse_image(draw_sketch(clean, truth), clean).strokes] == [StrokeKind.CIRCLE]


def test_a_stroke_that_is_crossed_by_another_stays_one():
    truth = sketch_of(arrow(0, (0.1, 0.5), (0.9, 0.5), width_px=3.0), arrow(1, (0.5, 0.1), (0.5, 0.9), width_px=8.0))
    read = parse_image(draw_sketch(GREY, truth))
    assert len(read.strokes) == 2 and score_reading(truth, read).distances.max() <= 6


def test_an_arrow_with_a_leg_that_is_hidden_in_part_stays_one():
    path = ((0.225, 0.254), (0.871, 0.312), (0.835, 0.617), (0.446, 0.623))
    truth = sketch_of(arrow(0, *path), arrow(1, (0.748, 0.927), (0.925, 0.073)))
    read = parse_image(draw_sketch(GREY, truth), GREY)
    score = score_reading(truth, read)
    assert len(read.strokes) == 2 and score.num_extra == 0 and score.distances.max() <= 15


def test_a_path_round_a_square_is_no_circle_and_nor_is_the_gap_beside_its_head():
    path = [(270, 70), (410, 174), (332, 288), (210, 226), (214, 198), (346, 92)]
    barbs = [(319, 98), (346, 92), (343, 118)]
    lines = [tuple((x / 480, y / 480) for x, y in line) for line in (path, barbs)]
    drawn = [Stroke(f"f{i}", StrokeKind.FREEHAND, line, STEP_COLOURS[1], width_px=3.0) for i, line in enumerate(lines)]
    read = parse_image(draw_sketch(GREY, sketch_of(*drawn)), GREY)
    assert [s.kind for s in read.strokes] == [StrokeKind.ARROW]
    assert score_reading(sketch_of(arrow(1, *lines[0])), read).distances.max() <= 12


def test_a_head_that_touches_a_circle_stays_at_its_arrow():
    turn = np.radians(np.linspace(-70, -275, 24))
    around = [(float(332 + 64 * np.cos(t)) / 480, float(232 + 64 * np.sin(t)) / 480) for t in turn]
    barbs = [(321 / 480, 264 / 480), around[-1], (316 / 480, 304 / 480)]
    look = {"colour": STEP_COLOURS[1], "width_px": 8.0}
    ring = circle(1, 332 / 480, 232 / 480, 29 / 480, width_px=8.0)
    drawn = [Stroke(f"f{i}", StrokeKind.FREEHAND, tuple(line), **look) for i, line in enumerate((around, barbs))]
    read = parse_image(draw_sketch(GREY, sketch_of(ring, *drawn)), GREY)
    score = score_reading(sketch_of(ring, arrow(1, *around)), read)
    assert score.num_extra == 0 and score.is_order_right and score.distances.max() <= 15


def test_a_circle_is_a_circle_where_half_of_it_lies_on_nearly_its_colour():
    clean = np.full((480, 480, 3), (222, 125, 165), np.uint8)
    clean[:, :248] = (248, 118, 54)
    truth = sketch_of(circle(2, 0.517, 0.5, 0.04, width_px=3.0, is_geometric=True))
    read = parse_image(through_jpeg(draw_sketch(clean, truth), 80), clean)
    assert [s.kind for s in read.strokes] == [StrokeKind.CIRCLE]
    assert score_reading(truth, read).distances.max() <= 8


@pytest.mark.parametrize("degrees", [15, 20, 25, 30, 40, 60, 90])
@pytest.mark.parametrize("width_px", [3.0, 8.0])
def test_two_strokes_of_one_colour_go_straight_on_where_they_cross(degrees, width_px):
    half = 0.38 * np.array([np.cos(np.radians(degrees / 2)), np.sin(np.radians(degrees / 2))])
    ends = [(0.5 - half * (1, sign), 0.5 + half * (1, sign)) for sign in (1, -1)]
    first, second = (tuple((float(x), float(y)) for x, y in line) for line in ends)
    look = {"width_px": width_px, "is_geometric": True}
    truth = sketch_of(arrow(0, *first, **look), Stroke("b0", StrokeKind.ARROW, second, STEP_COLOURS[0], **look))
    read = parse_image(draw_sketch(GREY, truth))
    assert len(read.strokes) == 2 and score_reading(truth, read).distances.max() <= 8


@pytest.mark.parametrize("size", [(360, 640), (1080, 1920)])
def test_other_frame_sizes_give_the_same_fractions(size):
    picture = np.full((*size, 3), 96, np.uint8)
    truth = sketch_of(
        arrow(0, (0.1, 0.2), (0.6, 0.3), width_px=6.0), circle(1, 0.4, 0.7, 0.06, width_px=6.0), width=size[1], height=size[0]
    )
    read = parse_image(draw_sketch(picture, truth))
    assert (read.width, read.height) == size[::-1] and len(read.strokes) == 2
    for a, b in zip(truth.strokes, read.strokes, strict=True):
        assert np.allclose(a.points[0], b.points[0], atol=0.015)


PICTURES = st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.booleans())


@given(PICTURES, st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_small_picture_is_read_without_an_accident(shape, has_clean):
    height, width, seed, is_blocky = shape
    rng = np.random.default_rng(seed)
    colours = np.array([*STEP_COLOURS, (0, 0, 0), (255, 255, 255)], dtype=np.uint8)
    picture = colours[rng.integers(len(colours), size=(height, width))] if is_blocky else rng.integers(0, 256, (height, width, 3), np.uint8)
    clean = rng.integers(0, 256, (height, width, 3), np.uint8) if has_clean else None
    read = parse_image(picture, clean)
    assert parse_sketch(sketch_to_dict(read)) == read


def encoded(picture: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_pictures_of_every_mode_are_decoded(mode):
    picture = Image.new(mode if mode != "I;16" else "I", (40, 30)).convert(mode)
    data = encoded(picture, "JPEG" if mode == "CMYK" else "PNG")
    assert decode_image(data).shape == (30, 40, 3)


@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
@settings(deadline=None)
def test_damaged_files_are_refused_with_a_message(noise, cut, is_png):
    good = encoded(Image.fromarray(draw_sketch(GREY[:64, :64], sketch_of(circle(0, 0.5, 0.5, 0.3)))), "PNG" if is_png else "JPEG")
    for data in (noise, good[:cut], good[:cut] + noise + good[cut + len(noise) :]):
        try:
            assert decode_image(data).dtype == np.uint8
        except WorkbenchError as error:
            assert "picture" in str(error)


def test_huge_pictures_are_refused_before_they_are_unpacked():
    with pytest.raises(TooLarge, match="24 million"):
        decode_image(encoded(Image.new("1", (8000, 6000)), "PNG"))
    with pytest.raises(TooLarge, match="8192"):
        decode_image(encoded(Image.new("1", (20000, 4)), "PNG"))
    with pytest.raises(TooLarge):
        parse_image(np.zeros((2, 9000, 3), np.uint8))


def test_arrays_of_another_shape_are_refused():
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(InvalidShape):
            parse_image(wrong)
    with pytest.raises(InvalidInput):
        decode_image(b"")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_thinning_keeps_the_parts_and_holes_of_a_mask(seed):
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    mask = np.pad(ndimage.gaussian_filter(rng.normal(size=(40, 40)), 2.5) > 0.02, 2)
    skeleton = thin(mask)
    around, across = np.ones((3, 3)), None
    assert not (skeleton & ~mask).any()
    assert ndimage.label(mask, around)[1] == ndimage.label(skeleton, around)[1]
    assert ndimage.label(~mask, across)[1] == ndimage.label(~skeleton, across)[1]
    covered = np.zeros(mask.shape, bool)
    for curve in trace_curves(skeleton):
        covered[curve.points[:, 1].astype(int), curve.points[:, 0].astype(int)] = True
    assert (ndimage.binary_dilation(covered, around, iterations=2) >= skeleton).all()
