"""What every task draws: wording, places, colours; laws over many seeds, without physics."""

from itertools import combinations
from math import hypot

import numpy as np
import pytest

from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.layout import FOOTPRINT, GRIPPER_YAW, Want, cubes, draw_layout, draw_turn, grasp_yaw, said_turn, turn_words
from workbench.simulation.scene import COLOURS, PropKind
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.task import Task
from workbench.simulation.tasks import TASKS

NAMES = [entry.name for entry in TASKS]
SEEDS = range(100)
FLAT = {PropKind.ZONE, PropKind.DOT}


def drawn(name):
    task = TASKS.load(name)
    return [task.initialize(np.random.default_rng(seed)) for seed in SEEDS]


def test_fifteen_tasks_two_of_them_ambiguous():
    tasks = [entry.load() for entry in TASKS]
    assert len(tasks) == 15
    assert {t.name for t in tasks if t.is_ambiguous} == {"ambiguous_cubes", "ambiguous_plates"}


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_names_a_task_as_the_task_names_itself(name):
    task = TASKS.load(name)
    assert isinstance(task, Task)
    assert (task.name, task.title) == (name, TASKS.entry(name).description)
    assert 5.0 <= task.time_limit_s <= 60.0


@pytest.mark.parametrize("name", NAMES)
def test_every_wording_is_used_and_filled_in(name):
    instructions = [i.instruction for i in drawn(name)]
    assert all(text and "{" not in text for text in instructions)
    openings = {t.split("{")[0] for t in TASKS.load(name).templates}
    assert len(openings) >= 2
    assert all(any(text.startswith(opening) for text in instructions) for opening in openings)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_and_another_seed_something_else(name):
    task = TASKS.load(name)
    assert task.initialize(np.random.default_rng(5)) == task.initialize(np.random.default_rng(5))
    assert task.initialize(np.random.default_rng(5)) != task.initialize(np.random.default_rng(6))


@pytest.mark.parametrize("name", NAMES)
def test_things_have_their_own_names_known_colours_and_free_space(name):
    for instance in drawn(name):
        props = instance.scene.props
        assert len({p.name for p in props}) == len(props)
        assert all(p.colour in COLOURS for p in props)
        assert set(instance.roles.values()) <= {p.name for p in props}
        for a, b in combinations(props, 2):
            gap = hypot(a.x - b.x, a.y - b.y) - FOOTPRINT[a.kind] - FOOTPRINT[b.kind]
            assert gap >= (0.0 if {a.kind, b.kind} & FLAT else 0.035), (a, b)


@pytest.fixture(scope="module")
def cameras():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("pick", 0))
    found = simulator.observe([CameraRequest("front", 480, 480), CameraRequest("top", 480, 480)]).cameras
    simulator.close()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_everything_stands_within_reach_and_in_the_front_and_top_pictures(name, cameras):
    for instance in drawn(name):
        centres = np.array([[p.x, p.y, 0.02] for p in instance.scene.props])
        assert (centres[:, 0] >= 0.3).all() and (centres[:, 0] <= 0.7).all() and (np.abs(centres[:, 1]) <= 0.32).all()
        for camera in cameras.values():
            pixels, depth = camera.project(centres)
            assert (depth > 0).all()
            assert (pixels >= 12).all() and (pixels <= 468).all(), (camera.name, instance)


@pytest.mark.parametrize("name", ["ambiguous_cubes", "ambiguous_plates"])
def test_words_of_an_ambiguous_task_do_not_tell_which_is_meant(name):
    role = "pick" if name == "ambiguous_cubes" else "place"
    instances = drawn(name)
    for i in instances:
        meant, other = i.scene.prop(i.roles[role]), i.scene.prop(i.roles["other"])
        assert (meant.kind, meant.colour, meant.scale) == (other.kind, other.colour, other.scale)
        assert not any(ending in i.instruction for ending in ("1", "2", "left", "right"))
    first = np.mean([i.roles[role].endswith("_1") for i in instances])
    assert 0.3 < first < 0.7


@pytest.mark.parametrize("name", ["turn_knob", "rotate_block"])
def test_turns_are_said_as_they_are_and_one_grasp_can_do_them(name):
    for instance in drawn(name):
        angle = instance.numbers["angle_rad"]
        degrees = round(np.rad2deg(abs(angle)))
        assert 40 <= degrees <= 120
        assert f"{degrees} degrees" in instance.instruction
        assert ("counter-clockwise" in instance.instruction) == (angle > 0)
        prop = instance.scene.prop(instance.roles["target"])
        start = grasp_yaw(prop.yaw + prop.opening, angle)
        assert start is not None
        assert GRIPPER_YAW[0] <= min(start, start + angle) and max(start, start + angle) <= GRIPPER_YAW[1]
    assert {np.sign(i.numbers["angle_rad"]) for i in drawn(name)} == {-1.0, 1.0}


def test_drawn_turns_go_both_ways_within_their_range():
    turns = np.rad2deg([draw_turn(np.random.default_rng(s)) for s in range(500)])
    assert turns.min() == pytest.approx(-120) and turns.max() == pytest.approx(120)
    assert np.abs(turns).min() == pytest.approx(40)
    assert turn_words(-np.pi / 4) == {"angle": "45", "direction": "clockwise"}


def test_a_path_goes_in_strides_and_bends_gently():
    for instance in drawn("follow_path"):
        path = np.array(instance.path)[:, :2]
        strides = np.diff(path, axis=0)
        lengths = np.linalg.norm(strides, axis=1)
        assert 4 <= len(path) <= 6
        assert (lengths >= 0.07 - 1e-9).all() and (lengths <= 0.10 + 1e-9).all()
        bends = (strides[:-1] * strides[1:]).sum(1) / (lengths[:-1] * lengths[1:])
        assert (bends >= np.cos(np.deg2rad(50)) - 1e-9).all()
        assert [(p.x, p.y) for p in instance.scene.props] == [tuple(p) for p in path]


def test_a_puck_has_a_run_up_within_reach_and_a_free_way_to_its_zone():
    for instance in drawn("push_to_zone"):
        puck, zone = (instance.scene.prop(instance.roles[role]) for role in ("pick", "place"))
        start, end = np.array([puck.x, puck.y]), np.array([zone.x, zone.y])
        way = (end - start) / np.linalg.norm(end - start)
        assert 0.17 <= np.linalg.norm(end - start) <= 0.34
        behind = start - 0.12 * way
        assert 0.36 <= behind[0] <= 0.68 and abs(behind[1]) <= 0.34
        for other in instance.scene.props:
            if other.kind is PropKind.CUBE:
                offset = np.array([other.x, other.y]) - start
                ahead = np.clip(offset @ way, 0.0, np.linalg.norm(end - start))
                assert np.linalg.norm(offset - ahead * way) > 0.12


def test_nothing_stands_where_a_drawer_comes_out():
    for instance in drawn("open_drawer") + drawn("close_drawer"):
        drawer, *others = instance.scene.props
        outward = np.array([np.cos(drawer.yaw), np.sin(drawer.yaw)])
        for other in others:
            offset = np.array([other.x - drawer.x, other.y - drawer.y])
            ahead = np.clip(offset @ outward, 0.0, 0.24)
            assert np.linalg.norm(offset - ahead * outward) > 0.13


def test_a_layout_that_cannot_be_is_refused():
    with pytest.raises(AssertionError, match="no layout"):
        draw_layout(np.random.default_rng(0), [Want(PropKind.PLATE, f"plate_{i}", "white") for i in range(30)])


def test_validity_of_a_layout_is_asked_for():
    rng = np.random.default_rng(0)
    for _ in range(20):
        props = draw_layout(rng, cubes(["red", "blue"]), is_valid=lambda props: props[0].x < props[1].x)
        assert props[0].x < props[1].x


@pytest.mark.parametrize("task", ["turn_knob", "rotate_block"])
@pytest.mark.parametrize("seed", range(10))
def test_the_turn_is_read_back_from_the_instruction(task, seed):
    instance = TASKS.load(task).sample(np.random.default_rng(seed))
    assert said_turn(instance.instruction) == pytest.approx(instance.numbers["angle_rad"], abs=np.deg2rad(0.51))


@pytest.mark.parametrize("instruction", ["", "pick the red cube", "turn the red knob clockwise", "wait 30 degrees"])
def test_an_instruction_without_angle_or_sense_tells_no_turn(instruction):
    assert said_turn(instruction) == 0.0
