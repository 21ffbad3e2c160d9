import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sketch.drawings import random_arrow, random_circle, sketch_of
from workbench.core.errors import InvalidInput, TooLarge, WorkbenchError
from workbench.core.sketches import STEP_COLOURS, Sketch, Stroke, StrokeKind, Verb, sketch_to_dict
from workbench.sketch.curves import swept_angle
from workbench.sketch.strokes import ordered_steps, parse_sketch, step_numbers, turns_about

UNIT = st.floats(0, 1)
POINT = st.tuples(UNIT, UNIT)
COLOUR = st.tuples(*[st.integers(0, 255)] * 3)


def strokes(name: str) -> st.SearchStrategy[Stroke]:
    def make(kind, points, colour, order, verb, width, is_geometric):
        count = {"circle": 2, "arrow": max(2, len(points)), "freehand": len(points)}[kind.value]
        points = (points * 2)[:count]
        return Stroke(name, kind, tuple(points), colour, order, verb, width, is_geometric, tuple(points))

    return st.builds(
        make,
        st.sampled_from(StrokeKind),
        st.lists(POINT, min_size=2, max_size=8),
        COLOUR,
        st.none() | st.integers(1, 64),
        st.none() | st.sampled_from(Verb),
        st.floats(0.5, 64),
        st.booleans(),
    )


@st.composite
def sketches(draw) -> Sketch:
    count = draw(st.integers(0, 4))
    made = tuple(draw(strokes(f"s{i}")) for i in range(count))
    return Sketch("k", draw(st.sampled_from(["front", "top"])), draw(st.integers(1, 8192)), draw(st.integers(1, 8192)), made, 7)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(sketches())
def test_reading_what_was_written_gives_the_same_sketch(sketch):
    assert parse_sketch(sketch_to_dict(sketch)) == sketch


@given(sketches(), st.data())
def test_a_document_with_one_part_replaced_by_anything_is_read_or_refused_with_a_message(sketch, data):
    document = copy.deepcopy(sketch_to_dict(sketch))
    place: object = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    try:
        assert isinstance(parse_sketch(document), Sketch)
    except WorkbenchError as error:
        assert "expected" in str(error)


@given(JSON)
def test_anything_that_is_not_a_sketch_is_refused(value):
    with pytest.raises(InvalidInput):
        parse_sketch(value)


def document(**changes):
    stroke = {"id": "a", "kind": "arrow", "points": [[0.1, 0.2], [0.5, 0.6]]} | changes
    return {"version": 1, "id": "k", "camera": "front", "width": 480, "height": 480, "strokes": [stroke]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": [[0.1, 0.2], [1.2, 0.5]]}, "point 2, x"),
        ({"points": [[0.1, 0.2], [math.nan, 0.5]]}, "point 2, x"),
        ({"points": [[0.1, 0.2], [10**400, 0.5]]}, "more than 30 digits"),
        ({"points": [[0.1, True], [0.2, 0.5]]}, "a number"),
        ({"points": [[0.1, 0.2]]}, "at least 2"),
        ({"kind": "circle", "points": [[0.1, 0.2]] * 3}, "at most 2"),
        ({"kind": "square"}, "arrow, circle, freehand"),
        ({"colour": [0, 300, 0]}, "0 to 255"),
        ({"order": 0}, "1 to 64"),
        ({"order": 1.5}, "a whole number"),
        ({"verb": "fly"}, "one of move"),
        ({"is_geometric": 1}, "true or false"),
        ({"size": 3}, "'size'"),
        ({"id": ""}, "at least 1"),
        ({"id": "\ud800"}, "surrogates"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_found(changes, message):
    with pytest.raises(InvalidInput, match=message):
        parse_sketch(document(**changes))


def test_points_just_outside_the_frame_move_to_its_border():
    sketch = parse_sketch(document(points=[[-0.03, 0.2], [0.5, 1.04]]))
    assert sketch.strokes[0].points == ((0.0, 0.2), (0.5, 1.0))


def test_the_rim_of_a_circle_may_lie_outside_the_frame():
    assert parse_sketch(document(kind="circle", points=[[0.95, 0.5], [1.2, 0.5]])).strokes[0].points[1] == (1.2, 0.5)


def test_two_strokes_of_one_id_are_refused():
    twice = document()
    twice["strokes"] *= 2
    with pytest.raises(InvalidInput, match="stroke 2, id"):
        parse_sketch(twice)


def test_limits_on_strokes_and_points_are_stated():
    many = document()
    many["strokes"] = [many["strokes"][0] | {"id": str(i)} for i in range(65)]
    with pytest.raises(TooLarge, match="64"):
        parse_sketch(many)
    with pytest.raises(TooLarge, match="2000"):
        parse_sketch(document(points=[[0.5, 0.5]] * 2001))


def arrow(name, *points, **more):
    return Stroke(name, StrokeKind.ARROW, points, **more)


def circle(name, x, y, radius, **more):
    return Stroke(name, StrokeKind.CIRCLE, ((x, y), (x + radius, y)), **more)


def ids(sketch):
    return [tuple(s.id for s in step.strokes) for step in ordered_steps(sketch)]


def test_steps_follow_the_colours_of_the_paper_not_the_order_of_drawing():
    drawn = [arrow(n, (0.1, 0.1), (0.5, 0.1), colour=STEP_COLOURS[i]) for n, i in (("pink", 2), ("green", 0), ("blue", 1))]
    assert ids(sketch_of(*drawn)) == [("green",), ("blue",), ("pink",)]


def test_an_explicit_number_overrides_the_colour():
    green = arrow("green", (0.1, 0.1), (0.5, 0.1), colour=STEP_COLOURS[0], order=3)
    blue = arrow("blue", (0.1, 0.5), (0.5, 0.5), colour=STEP_COLOURS[1])
    assert ids(sketch_of(green, blue)) == [("blue",), ("green",)]


def test_unknown_colours_come_last_as_first_drawn():
    odd = [arrow(n, (0.1, 0.1), (0.5, 0.1), colour=c) for n, c in (("x", (9, 9, 9)), ("y", (8, 8, 8)), ("g", STEP_COLOURS[1]))]
    assert step_numbers(odd) == (3, 4, 2)
    assert ids(sketch_of(*odd)) == [("g",), ("x",), ("y",)]


def test_strokes_of_one_colour_are_steps_in_the_order_of_drawing():
    assert ids(sketch_of(arrow("b", (0.1, 0.1), (0.5, 0.1)), arrow("a", (0.1, 0.6), (0.5, 0.6)))) == [("b",), ("a",)]


@given(st.integers(0, 2**32 - 1))
def test_every_stroke_is_in_exactly_one_step(seed):
    rng = np.random.default_rng(seed)
    made = [(random_arrow if rng.random() < 0.5 else random_circle)(rng, f"s{i}") for i in range(5)]
    assert sorted(i for step in ids(sketch_of(*made)) for i in step) == [f"s{i}" for i in range(5)]


@pytest.mark.parametrize("degrees", [25, -60, 120, 200, -300])
@pytest.mark.parametrize("distance", [1.1, 1.8])
def test_an_arrow_round_a_circle_makes_one_rotation(degrees, distance):
    turn = np.radians(np.linspace(10, 10 + degrees, 12))
    around = [(0.5 + 0.06 * distance * math.cos(t), 0.5 + 0.06 * distance * math.sin(t)) for t in turn]
    (step,) = ordered_steps(sketch_of(circle("c", 0.5, 0.5, 0.06), arrow("a", *around)))
    assert step.is_rotation and [s.id for s in step.strokes] == ["c", "a"]


def test_a_circle_and_an_arrow_of_other_numbers_are_two_steps():
    around = [(0.5 + 0.08 * math.cos(t), 0.5 + 0.08 * math.sin(t)) for t in np.linspace(0, 2, 8)]
    sketch = sketch_of(circle("c", 0.5, 0.5, 0.06), arrow("a", *around, colour=STEP_COLOURS[1]))
    assert ids(sketch) == [("c",), ("a",)]


def test_an_arrow_out_of_a_circle_makes_one_move():
    (step,) = ordered_steps(sketch_of(circle("c", 0.3, 0.3, 0.05), arrow("a", (0.31, 0.3), (0.7, 0.7))))
    assert not step.is_rotation and len(step.strokes) == 2


def test_an_arrow_far_from_a_circle_stays_apart():
    assert len(ordered_steps(sketch_of(circle("c", 0.2, 0.2, 0.05), arrow("a", (0.6, 0.8), (0.9, 0.7))))) == 2
    assert not turns_about(arrow("a", (0.6, 0.8), (0.9, 0.7)), circle("c", 0.2, 0.2, 0.05), 480, 480)


@given(st.floats(-6 * math.pi, 6 * math.pi), st.floats(0, 6.28), st.floats(5, 200))
def test_the_swept_angle_keeps_sign_and_full_turns(angle, start, radius):
    turn = np.linspace(start, start + angle, 60)
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius + (100, 50)
    assert swept_angle(points, (100, 50)) == pytest.approx(angle, abs=1e-6)
