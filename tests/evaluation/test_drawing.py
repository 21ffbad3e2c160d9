"""The programmatic person: draws where things appear, and the drawing reads as what the task asks."""

from types import SimpleNamespace

import numpy as np
import pytest

from workbench.core.events import EventKind
from workbench.core.sketches import StrokeKind, Verb, sketch_to_dict
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.evaluation.disturbance import SecondStepDisturbance
from workbench.evaluation.drawing import GEOMETRIC, HAND, draw_prompt, draw_sketch, draw_task
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS
from workbench.sketch.strokes import parse_sketch

NAMES = [entry.name for entry in TASKS]
VERBS = {
    "touch": Verb.TOUCH,
    "pick": Verb.PICK,
    "press_button": Verb.PRESS,
    "turn_knob": Verb.ROTATE,
    "rotate_block": Verb.ROTATE,
    "open_drawer": Verb.PULL,
    "place_on_plate": Verb.MOVE,
    "stack": Verb.MOVE,
}


@pytest.fixture(scope="module")
def simulator():
    bench = BenchSimulator()
    yield bench
    bench.close()


@pytest.mark.parametrize("camera", ["front", "top"])
@pytest.mark.parametrize("task", NAMES)
def test_every_task_is_drawn_inside_of_the_picture_and_survives_its_document(simulator, task, camera):
    simulator.reset(EpisodeConfig(task, 11))
    sketch = draw_task(simulator, camera)
    points = np.array([p for s in sketch.strokes for p in s.points])
    assert points.min() >= 0 and points.max() <= 1
    assert parse_sketch(sketch_to_dict(sketch)) == sketch


@pytest.mark.parametrize("task", sorted(VERBS))
def test_the_drawing_is_read_as_what_the_task_asks(simulator, task):
    for style in (GEOMETRIC, HAND):
        instruction = simulator.reset(EpisodeConfig(task, 12))
        plan = draw_prompt(simulator, instruction, style, 12).plan
        assert [s.verb for s in plan.steps] == [VERBS[task]]


def test_the_tail_lies_on_the_thing_that_is_meant_also_when_words_cannot_tell(simulator):
    for seed in range(5):
        simulator.reset(EpisodeConfig("ambiguous_cubes", seed))
        sketch = draw_task(simulator)
        request = CameraRequest("front", sketch.width, sketch.height)
        ids, names = simulator.object_ids(request)
        u, v = np.array(sketch.strokes[0].points[0]) * (sketch.width, sketch.height)
        assert names[ids[int(v), int(u)]] == simulator.instance.roles["pick"]


def test_hand_like_drawings_are_freehand_differ_by_seed_and_repeat_for_one(simulator):
    simulator.reset(EpisodeConfig("stack", 3))
    first, same, other = (draw_sketch(simulator, HAND, seed) for seed in (1, 1, 2))
    assert first == same != other
    assert all(s.kind is StrokeKind.FREEHAND for s in first.strokes)


def test_two_steps_are_drawn_in_two_colours_in_order(simulator):
    simulator.reset(EpisodeConfig("sort_two", 3))
    first, second = draw_task(simulator).strokes
    assert first.colour != second.colour
    plan = draw_prompt(simulator, "", GEOMETRIC, 3).plan
    assert [s.stroke_ids for s in plan.steps] == [(first.id,), (second.id,)]


def test_the_disturbance_moves_the_things_of_the_second_step_once_after_the_first(simulator):
    simulator.reset(EpisodeConfig("sort_two", 4))
    roles, disturbance = simulator.instance.roles, SecondStepDisturbance(simulator, 0)
    before = {role: simulator.world.position(name) for role, name in roles.items()}
    events = []
    observer = SimpleNamespace(on_event=lambda episode_id, event: events.append(event))
    episode = SimpleNamespace(id="episode", index=7, time_s=0.35, observer=observer)
    disturbance(episode, None)
    assert all(np.array_equal(simulator.world.position(roles[r]), before[r]) for r in roles), "step 1 has not ended"
    cube, plate = roles["pick"], roles["place"]
    put_on(simulator, cube, plate)
    disturbance(episode, None)
    moved = {r: np.linalg.norm(simulator.world.position(roles[r]) - before[r]) for r in ("pick_2", "place_2")}
    assert all(0.03 < distance < 0.09 for distance in moved.values())
    after = simulator.state()
    disturbance(episode, None)
    assert simulator.state().equals(after)
    assert [(e.kind, e.payload["prop"]) for e in events] == [(EventKind.PERTURBATION, roles[r]) for r in ("pick_2", "place_2")]


def put_on(simulator, cube, plate):
    """Set a cube down on a plate by hand."""
    from workbench.simulation.perturbations import apply_perturbation

    place = simulator.world.position(plate) + np.array([0.0, 0.0, 0.012 + 0.022])
    apply_perturbation(simulator, {"prop": cube, "position": place.tolist(), "quaternion": [1.0, 0.0, 0.0, 0.0]})
    stay = np.zeros(7, dtype=np.float32)
    for _ in range(10):
        simulator.step(stay)
