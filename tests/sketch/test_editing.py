import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sketch.drawings import random_arrow, random_circle, sketch_of
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.sketches import Verb
from workbench.sketch.editing import (
    add_stroke,
    delete_stroke,
    delete_way_point,
    find_stroke,
    insert_way_point,
    move_point,
    move_stroke,
    reorder_stroke,
    reverse_arrow,
    set_colour,
    set_order,
    set_verb,
)
from workbench.sketch.strokes import circle_radius_px

SEEDS = st.integers(0, 2**32 - 1)
SHIFT = st.floats(-2, 2)


def drawing(seed):
    rng = np.random.default_rng(seed)
    return sketch_of(random_arrow(rng, "a"), random_circle(rng, "c"), random_arrow(rng, "b"))


@given(SEEDS, SHIFT, SHIFT)
def test_moving_a_stroke_keeps_its_shape_and_stays_in_the_frame(seed, dx, dy):
    sketch = drawing(seed)
    moved = move_stroke(sketch, "a", dx, dy)
    before, after = (np.array(find_stroke(s, "a").points) for s in (sketch, moved))
    assert np.allclose(np.diff(before, axis=0), np.diff(after, axis=0), atol=1e-9)
    assert after.min() >= -1e-12 and after.max() <= 1 + 1e-12


@given(SEEDS, st.floats(0, 1), st.floats(0, 1))
def test_moving_a_centre_keeps_the_radius(seed, x, y):
    sketch = drawing(seed)
    moved = move_point(sketch, "c", 0, (x, y))
    assert circle_radius_px(find_stroke(moved, "c"), 480, 480) == pytest.approx(circle_radius_px(find_stroke(sketch, "c"), 480, 480))


@given(SEEDS, st.floats(0, 1), st.floats(0, 1))
def test_inserting_then_deleting_a_way_point_changes_nothing(seed, x, y):
    sketch = drawing(seed)
    assert delete_way_point(insert_way_point(sketch, "a", 1, (x, y)), "a", 1) == sketch


@given(SEEDS, st.integers(0, 2))
def test_reordering_keeps_the_strokes(seed, position):
    sketch = drawing(seed)
    again = reorder_stroke(sketch, "a", position)
    assert again.strokes[position].id == "a"
    assert sorted(s.id for s in again.strokes) == ["a", "b", "c"]
    assert [s.id for s in again.strokes if s.id != "a"] == ["c", "b"]


def test_deleting_and_adding_again_changes_only_the_order():
    sketch = drawing(1)
    stroke = find_stroke(sketch, "c")
    assert set(add_stroke(delete_stroke(sketch, "c"), stroke).strokes) == set(sketch.strokes)
    with pytest.raises(InvalidInput, match="stroke 4, id"):
        add_stroke(sketch, stroke)


def test_reversing_twice_changes_nothing():
    sketch = drawing(2)
    assert find_stroke(reverse_arrow(sketch, "a"), "a").points[0] == find_stroke(sketch, "a").points[-1]
    assert reverse_arrow(reverse_arrow(sketch, "a"), "a") == sketch


def test_colour_number_and_verb_are_set_on_the_named_stroke_only():
    sketch = drawing(3)
    edited = set_verb(set_order(set_colour(sketch, "b", (1, 2, 3)), "b", 5), "b", Verb.PUSH)
    stroke = find_stroke(edited, "b")
    assert (stroke.colour, stroke.order, stroke.verb) == ((1, 2, 3), 5, Verb.PUSH)
    assert edited.strokes[:2] == sketch.strokes[:2]


def test_impossible_edits_are_refused_with_a_message():
    sketch = drawing(4)
    with pytest.raises(UnknownName, match="Known: a, b, c"):
        move_point(sketch, "z", 0, (0, 0))
    with pytest.raises(InvalidInput, match=r"from -0\.05 to 1\.05"):
        move_point(sketch, "a", 0, (3, 0))
    with pytest.raises(InvalidInput, match="expected 0 to 1"):
        move_point(sketch, "c", 2, (0, 0))
    with pytest.raises(InvalidInput, match="an arrow"):
        insert_way_point(sketch, "c", 1, (0, 0))
    with pytest.raises(InvalidInput, match="between tail and head"):
        delete_way_point(sketch, "a", 0)
    with pytest.raises(InvalidInput, match="0 to 2"):
        reorder_stroke(sketch, "a", 3)
