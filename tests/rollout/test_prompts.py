import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workbench.core.errors import InvalidInput
from workbench.core.events import Event, EventKind
from workbench.core.types import Interaction, Mask, Trace
from workbench.rollout.branching import standing_at
from workbench.rollout.prompts import mask_to_dict, parse_interaction, parse_mask, parse_trace, trace_to_dict

NUMBERS = st.floats(-1e4, 1e4)


@st.composite
def traces(draw):
    points = draw(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6))
    row = st.none() | st.lists(NUMBERS, min_size=len(points), max_size=len(points)).map(tuple)
    side = st.integers(1, 2000)
    words = st.text(max_size=20)
    parent = draw(st.none() | words)
    return Trace(draw(words), draw(side), draw(side), tuple(points), draw(row), draw(row), draw(row), draw(words), parent)


@given(traces())
def test_a_trace_comes_back_from_json_with_all_its_fields(trace):
    assert parse_trace(json.loads(json.dumps(trace_to_dict(trace)))) == trace


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)))
def test_a_mask_comes_back_from_json_pixel_by_pixel(pixels):
    mask = parse_mask(json.loads(json.dumps(mask_to_dict(Mask("front", pixels, "tracker")))))
    np.testing.assert_array_equal(mask.pixels, pixels)
    assert mask.pixels.dtype == bool and (mask.camera, mask.source) == ("front", "tracker")


def test_a_mask_of_one_thing_is_told_in_few_numbers():
    v, u = np.mgrid[0:480, 0:480]
    disc = (u - 240) ** 2 + (v - 200) ** 2 < 60**2
    assert len(json.dumps(mask_to_dict(Mask("front", disc)))) < 2500


def test_a_trace_stored_without_what_belongs_to_its_points_can_be_read():
    old = {"camera": "front", "width": 8, "height": 8, "points": [[1, 2]], "source": "human", "parent_id": None}
    assert parse_trace(old) == Trace("front", 8, 8, ((1.0, 2.0),))


@pytest.mark.parametrize(
    "change",
    [
        {"points": "no"},
        {"points": [[1]]},
        {"points": [[1, float("nan")]]},
        {"points": [[0, 0]] * 10_001},
        {"gripper": [1.0]},
        {"depths_m": ["a", "b"]},
        {"width": 0},
        {"width": True},
        {"camera": 3},
        {"camera": "x" * 300},
    ],
)
def test_a_broken_trace_is_refused(change):
    good = trace_to_dict(Trace("front", 8, 8, ((1.0, 2.0), (3.0, 4.0))))
    with pytest.raises(InvalidInput):
        parse_trace({**good, **change})


@pytest.mark.parametrize(
    "change", [{"runs": [3]}, {"runs": [-1, 5]}, {"runs": None}, {"height": 10**6}, {"width": "8"}, {"runs": [True] * 4}]
)
def test_a_broken_mask_is_refused(change):
    good = mask_to_dict(Mask("front", np.ones((2, 2), dtype=bool)))
    with pytest.raises(InvalidInput):
        parse_mask({**good, **change})


@pytest.mark.parametrize("data", [None, 3, [], "x"])
def test_what_is_no_object_is_refused(data):
    for parse in (parse_trace, parse_mask):
        with pytest.raises(InvalidInput):
            parse(data)


def test_an_unknown_interaction_is_refused_with_the_known_ones():
    assert parse_interaction(None) is None and parse_interaction("grasp") is Interaction.GRASP
    with pytest.raises(InvalidInput, match="grasp"):
        parse_interaction("juggle")


def test_everything_that_was_told_is_read_back_from_the_events():
    trace = Trace("front", 8, 8, ((1.0, 2.0), (3.0, 4.0)), (0.0, 1.0), (0.7, 0.8), (1.0, 0.0), "human", "t0")
    mask = Mask("front", np.eye(4, dtype=bool))
    told = {"mask": mask_to_dict(mask), "interaction": "push"}
    payloads = [(EventKind.INSTRUCTION, {"text": "go"}), (EventKind.TRACE, {"trace": trace_to_dict(trace)}), (EventKind.MASK, told)]
    events = [Event(kind, 0, 0.0, json.loads(json.dumps(payload))) for kind, payload in payloads]
    prompt = standing_at(events, 3, instruction="", policy="p").prompt
    assert (prompt.text, prompt.trace, prompt.interaction) == ("go", trace, Interaction.PUSH)
    np.testing.assert_array_equal(prompt.mask.pixels, mask.pixels)
    gone = [*events, Event(EventKind.TRACE, 2, 0.1, {"trace": None}), Event(EventKind.MASK, 2, 0.1, {"mask": None, "interaction": None})]
    later = standing_at(gone, 2, instruction="", policy="p").prompt
    assert later.trace is None and later.mask is None and later.interaction is None
