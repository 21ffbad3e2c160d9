import copy
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sketch.drawings import random_arrow, random_circle, sketch_of
from tests.sketch.scenes import observe, pixel_of
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.sketches import STEP_COLOURS, PlanStep, SketchPlan, Stroke, StrokeKind, Verb, plan_to_dict
from workbench.simulation.scene import Prop, PropKind
from workbench.sketch.hand import hand_noise
from workbench.sketch.plan import call_text, interpret, parse_plan, sentence, validate_plan
from workbench.sketch.words import spoken_verbs

SEEDS = st.integers(0, 2**32 - 1)


def arrow(*points, **more):
    return Stroke(more.pop("id", "a"), StrokeKind.ARROW, points, **more)


def circle(x, y, radius=0.05, **more):
    return Stroke(more.pop("id", "c"), StrokeKind.CIRCLE, ((x, y), (x + radius, y)), **more)


def arc(degrees, radius=0.08, **more):
    turn = np.radians(np.linspace(0, degrees, 2 + int(abs(degrees) / 15)))
    return arrow(*((0.5 + radius * math.cos(t), 0.5 + radius * math.sin(t)) for t in turn), **more)


def verbs(sketch, **more):
    return [s.verb for s in interpret(sketch, **more).steps]


def test_an_arrow_moves_and_a_circle_picks():
    plan = interpret(sketch_of(arrow((0.2, 0.3), (0.4, 0.4), (0.6, 0.4)), circle(0.7, 0.7, colour=STEP_COLOURS[1])))
    assert [s.verb for s in plan.steps] == [Verb.MOVE, Verb.PICK]
    assert np.allclose(plan.steps[0].keypoints, [(96, 144), (192, 192), (288, 192)])
    assert np.allclose(plan.steps[1].keypoints, [(336, 336)])
    assert plan.steps[0].stroke_ids == ("a",) and plan.source == "built-in" and plan.sketch_id == "sketch"


@pytest.mark.parametrize("degrees", [30, -45, 90, -180, 229, -320])
def test_circle_and_arrow_turn_by_the_signed_angle_also_beyond_half_a_turn(degrees):
    (step,) = interpret(sketch_of(circle(0.5, 0.5), arc(degrees))).steps
    assert step.verb is Verb.ROTATE and step.angle_rad == pytest.approx(math.radians(degrees), abs=1e-6)
    assert step.keypoints[0] == pytest.approx((240, 240)) and step.stroke_ids == ("c", "a")


@given(SEEDS, st.sampled_from([(480, 480), (640, 480), (320, 480)]))
@settings(max_examples=50)
def test_keypoints_are_the_strokes_points_and_plans_are_valid(seed, size):
    rng = np.random.default_rng(seed)
    strokes = [(random_arrow if rng.random() < 0.5 else random_circle)(rng, f"s{i}") for i in range(4)]
    sketch = sketch_of(*strokes, width=size[0], height=size[1])
    plan = interpret(sketch)
    validate_plan(plan)
    assert parse_plan(json.loads(json.dumps(plan_to_dict(plan)))) == plan
    points = {(round(x * size[0], 6), round(y * size[1], 6)) for s in strokes for x, y in s.points}
    for step in plan.steps:
        assert all((round(u, 6), round(v, 6)) in points for u, v in step.keypoints)


def test_hand_drawn_strokes_give_the_same_steps_as_exact_ones():
    exact = sketch_of(arrow((0.2, 0.2), (0.7, 0.3)), circle(0.7, 0.7, colour=STEP_COLOURS[1]))
    for seed in range(10):
        drawn = interpret(hand_noise(exact, np.random.default_rng(seed))).steps
        assert [s.verb for s in drawn] == [Verb.MOVE, Verb.PICK]
        for a, b in zip(interpret(exact).steps, drawn, strict=True):
            assert np.linalg.norm(np.subtract(a.keypoints[0], b.keypoints[0])) < 15
            assert np.linalg.norm(np.subtract(a.keypoints[-1], b.keypoints[-1])) < 15


@pytest.mark.parametrize(
    ("stroke", "instruction", "verb"),
    [
        (circle(0.5, 0.5), "press the red button", Verb.PRESS),
        (circle(0.5, 0.5), "push the button", Verb.PRESS),
        (circle(0.5, 0.5), "tap on the cube", Verb.TOUCH),
        (circle(0.5, 0.5), "lift the red cube", Verb.PICK),
        (arrow((0.2, 0.2), (0.6, 0.2)), "push the puck into the zone", Verb.PUSH),
        (arrow((0.2, 0.2), (0.6, 0.2)), "open the drawer", Verb.PULL),
        (arrow((0.2, 0.2), (0.6, 0.2)), "closing the drawer", Verb.PUSH),
        (arrow((0.2, 0.2), (0.6, 0.2)), "follow the line", Verb.FOLLOW),
        (arrow((0.2, 0.2), (0.6, 0.2)), "pick up the cube and place it on the plate", Verb.MOVE),
        (arrow((0.2, 0.2), (0.6, 0.2)), "", Verb.MOVE),
    ],
)
def test_words_choose_among_what_the_symbol_can_mean(stroke, instruction, verb):
    assert verbs(sketch_of(stroke), instruction=instruction) == [verb]


def test_each_clause_speaks_of_its_own_step():
    found = spoken_verbs("Push the puck to the zone, press the button and then put the cube on the plate.", [True, False, True])
    assert [f and f.verb for f in found] == [Verb.PUSH, Verb.PRESS, Verb.MOVE]


def test_a_bent_arrow_turns_when_the_words_say_so():
    (step,) = interpret(sketch_of(arc(120)), instruction="turn the knob").steps
    assert step.verb is Verb.ROTATE and step.angle_rad == pytest.approx(math.radians(120), abs=0.05)
    assert step.keypoints[0] == pytest.approx((240, 240), abs=3)
    (step,) = interpret(sketch_of(arrow((0.2, 0.2), (0.6, 0.2))), instruction="turn the knob").steps
    assert step.verb is Verb.MOVE and "too straight" in step.note


def test_what_the_person_set_on_the_stroke_comes_before_words():
    assert verbs(sketch_of(arrow((0.2, 0.2), (0.6, 0.2), verb=Verb.FOLLOW)), instruction="push it") == [Verb.FOLLOW]
    with pytest.raises(InvalidInput, match="Draw a circle"):
        interpret(sketch_of(arrow((0.2, 0.2), (0.6, 0.2), verb=Verb.PRESS)))
    with pytest.raises(InvalidInput, match="Draw an arrow"):
        interpret(sketch_of(circle(0.5, 0.5, verb=Verb.MOVE)))


def test_a_circle_at_the_tail_marks_what_the_arrow_moves():
    (step,) = interpret(sketch_of(circle(0.3, 0.3), arrow((0.32, 0.31), (0.7, 0.7)))).steps
    assert step.verb is Verb.MOVE and step.keypoints[0] == pytest.approx((144, 144)) and step.keypoints[-1] == pytest.approx((336, 336))


def test_dots_are_left_out_and_scribbles_are_refused():
    dot = Stroke("dot", StrokeKind.FREEHAND, ((0.5, 0.5), (0.501, 0.5)))
    assert interpret(sketch_of(dot)).steps == ()
    scribble = Stroke("x", StrokeKind.FREEHAND, tuple(map(tuple, (0.5 + 0.1 * np.random.default_rng(0).uniform(-1, 1, (60, 2))).tolist())))
    with pytest.raises(InvalidInput, match="scribble"):
        interpret(sketch_of(scribble))


SCENE = (
    Prop(PropKind.CUBE, "cube", "red", 0.50, 0.20),
    Prop(PropKind.PUCK, "puck", "blue", 0.42, -0.15),
    Prop(PropKind.DRAWER, "drawer", "green", 0.42, 0.02, 0.0, opening=0.0),
)


@pytest.fixture(scope="module", params=["front", "top"])
def seen(request):
    return request.param, observe(*SCENE, camera=request.param, size=360)


def drawn_from(seen, start, shift, colour=0):
    camera, scene = seen
    points = [np.array(pixel_of(scene, camera, p)) / 360 for p in (start, np.add(start, shift))]
    stroke = arrow(*(tuple(map(float, p)) for p in points), colour=STEP_COLOURS[colour])
    sketch = sketch_of(stroke)
    return interpret(type(sketch)("k", camera, 480, 480, (stroke,)), observation=scene).steps[0]


@pytest.mark.parametrize(
    ("start", "shift", "verb"),
    [
        ((0.50, 0.20, 0.044), (0.0, -0.1, 0.0), Verb.MOVE),
        ((0.42, -0.15, 0.03), (0.1, 0.0, 0.0), Verb.PUSH),
        ((0.62, -0.28, 0.0), (0.0, 0.2, 0.0), Verb.FOLLOW),
        ((0.42 + 0.065 + 0.005 + 0.062, 0.02, 0.057), (0.1, 0.0, 0.0), Verb.PULL),
        ((0.42 + 0.065 + 0.005 + 0.062, 0.02, 0.057), (-0.06, 0.0, 0.0), Verb.PUSH),
    ],
    ids=["cube", "puck", "table", "handle outwards", "handle inwards"],
)
def test_what_lies_under_the_tail_chooses_the_verb_when_no_words_do(seen, start, shift, verb):
    step = drawn_from(seen, start, shift)
    assert step.verb is verb, step.note


def test_sentences_and_calls_name_every_keypoint_that_matters():
    move = PlanStep(Verb.MOVE, ((212.2, 143), (250, 160), (260, 170), (270, 180), (300, 200)))
    assert sentence(move, 1) == "1 grasp at (212, 143); move via 3 points; release at (300, 200)"
    assert call_text(move) == "move(from=(212,143), via=[(250,160), (260,170), (270,180)], to=(300,200))"
    rotate = PlanStep(Verb.ROTATE, ((10, 20),), angle_rad=-math.pi / 2)
    assert sentence(rotate) == "grasp at (10, 20); turn 90° counter-clockwise in the picture; release"
    assert call_text(rotate) == "rotate(pivot=(10,20), angle_deg=-90)"
    assert sentence(PlanStep(Verb.PICK, ((1, 2),)), 3) == "3 pick at (1, 2); lift"
    assert sentence(move, 1, has_pixels=False) == "1 grasp at its start; move via 3 points; release at its end"
    assert sentence(PlanStep(Verb.PICK, ((1, 2),)), 3, has_pixels=False) == "3 pick at the circle; lift"
    assert call_text(PlanStep(Verb.PRESS, ((1, 2),))) == "press(at=(1,2))"


def plan_document(**changes):
    step = {"verb": "move", "keypoints": [[10, 20], [30, 40]]} | changes
    return {"version": 1, "id": "p", "sketch_id": "s", "camera": "front", "width": 480, "height": 480, "steps": [step]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": [[10, 20]]}, "a goal"),
        ({"verb": "press"}, "one keypoint"),
        ({"verb": "rotate", "keypoints": [[10, 20]]}, "an angle"),
        ({"angle_rad": 1.0}, "no angle"),
        ({"keypoints": [[10, 20], [500, 40]]}, "480 x 480 frame"),
        ({"verb": "rotate", "keypoints": [[10, 20]], "angle_rad": 99}, "from -12"),
        ({"keypoints": []}, "at least 1"),
        ({"verb": "dance"}, "one of"),
        ({"speed": 3}, "'speed'"),
    ],
)
def test_an_incomplete_edited_plan_is_refused_with_what_is_missing(changes, message):
    with pytest.raises(InvalidInput, match=message):
        parse_plan(plan_document(**changes))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(st.data())
def test_a_plan_with_one_part_replaced_by_anything_is_read_or_refused(data):
    document = copy.deepcopy(plan_document())
    place: object = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    try:
        assert isinstance(parse_plan(document), SketchPlan)
    except WorkbenchError as error:
        assert "expected" in str(error)
