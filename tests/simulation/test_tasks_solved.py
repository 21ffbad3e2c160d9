"""When a task counts as solved, and when not: the right thing, at rest, let go, for long enough."""

import numpy as np
import pytest

from workbench.core.types import EpisodeConfig
from workbench.simulation.perturbations import apply_perturbation
from workbench.simulation.props import BUTTON_TRAVEL, CUBE_SIZE, PLATE_HEIGHT
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS
from workbench.simulation.tasks.follow_path import TASK as FOLLOW_PATH
from workbench.simulation.tasks.press_button import TASK as PRESS_BUTTON
from workbench.simulation.tasks.touch import TASK as TOUCH

NAMES = [entry.name for entry in TASKS]
HOLD = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)


@pytest.fixture
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def put(simulator, name, target, height, *, dx=0.0):
    """Put a thing on another one."""
    position = simulator.world.position(target) + np.array([dx, 0.0, height])
    apply_perturbation(simulator, {"prop": name, "position": position.tolist(), "quaternion": [1.0, 0.0, 0.0, 0.0]})


def wait(simulator, num_steps=12):
    return [simulator.step(HOLD).is_success for _ in range(num_steps)]


ON_PLATE = PLATE_HEIGHT + CUBE_SIZE / 2 + 0.001
SUPPORTS = {
    "place_on_plate": ON_PLATE,
    "place_in_bowl": 0.035,
    "stack": CUBE_SIZE + 0.001,
    "ambiguous_cubes": ON_PLATE,
    "ambiguous_plates": ON_PLATE,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_task_is_solved_at_the_start_whatever_the_seed(name, simulator):
    for seed in range(100):
        simulator.reset(EpisodeConfig(name, seed))
        task, world, instance = simulator.task, simulator.world, simulator.instance
        assert not task.holds(world, instance, task.start()[1:]), seed
        assert not task.is_success(world, instance)


@pytest.mark.parametrize("name", NAMES)
def test_no_task_is_solved_by_doing_nothing(name, simulator):
    simulator.reset(EpisodeConfig(name, 3))
    assert not any(wait(simulator))


@pytest.mark.parametrize("name", SUPPORTS)
def test_the_right_thing_in_the_right_place_counts_after_it_has_held_for_some_steps(name, simulator):
    simulator.reset(EpisodeConfig(name, 5))
    roles = simulator.instance.roles
    put(simulator, roles["pick"], roles["place"], SUPPORTS[name])
    solved = wait(simulator, 20)
    assert not any(solved[: simulator.task.num_hold_steps - 1])
    assert solved[-1]


@pytest.mark.parametrize("name", SUPPORTS)
def test_a_wrong_thing_in_the_right_place_does_not_count(name, simulator):
    simulator.reset(EpisodeConfig(name, 5))
    roles = simulator.instance.roles
    taken = {roles["pick"], roles["place"]}
    others = [p.name for p in simulator.instance.scene.props if p.kind == "cube" and p.name not in taken]
    if name == "ambiguous_plates":
        put(simulator, roles["pick"], roles["other"], SUPPORTS[name])
    else:
        put(simulator, others[0], roles["place"], SUPPORTS[name])
    assert not any(wait(simulator, 20))


def test_both_of_two_equal_cubes_on_the_plate_do_not_count(simulator):
    simulator.reset(EpisodeConfig("ambiguous_cubes", 5))
    roles = simulator.instance.roles
    put(simulator, roles["pick"], roles["place"], ON_PLATE, dx=0.03)
    put(simulator, roles["other"], roles["place"], ON_PLATE, dx=-0.03)
    assert not any(wait(simulator, 20))


def test_a_cube_that_leans_on_the_rim_of_its_plate_does_not_count(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", 5))
    roles = simulator.instance.roles
    put(simulator, roles["pick"], roles["place"], ON_PLATE, dx=0.085)
    assert not any(wait(simulator, 20))


def test_success_is_lost_when_the_thing_is_taken_away(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", 5))
    roles = simulator.instance.roles
    start = simulator.world.position(roles["pick"])
    put(simulator, roles["pick"], roles["place"], ON_PLATE)
    assert wait(simulator)[-1]
    apply_perturbation(simulator, {"prop": roles["pick"], "position": start.tolist(), "quaternion": [1.0, 0.0, 0.0, 0.0]})
    assert not any(wait(simulator))


def test_sorting_needs_both_cubes_each_on_its_own_plate(simulator):
    simulator.reset(EpisodeConfig("sort_two", 5))
    roles = simulator.instance.roles
    put(simulator, roles["pick"], roles["place"], ON_PLATE)
    assert not any(wait(simulator, 15))
    put(simulator, roles["pick_2"], roles["place"], ON_PLATE + CUBE_SIZE)
    assert not any(wait(simulator, 15))
    put(simulator, roles["pick_2"], roles["place_2"], ON_PLATE)
    assert wait(simulator, 15)[-1]


def test_a_puck_counts_in_its_own_zone_only(simulator):
    simulator.reset(EpisodeConfig("push_to_zone", 5))
    roles = simulator.instance.roles
    wrong = next(p.name for p in simulator.instance.scene.props if p.kind == "zone" and p.name != roles["place"])
    put(simulator, roles["pick"], wrong, 0.0155)
    assert not any(wait(simulator, 15))
    put(simulator, roles["pick"], roles["place"], 0.0155)
    assert wait(simulator, 15)[-1]


@pytest.mark.parametrize("share, is_solved", [(0.0, False), (0.6, False), (1.0, True), (1.4, False), (-1.0, False)])
def test_a_block_counts_when_turned_by_the_stated_signed_angle(simulator, share, is_solved):
    simulator.reset(EpisodeConfig("rotate_block", 5))
    world, target = simulator.world, simulator.instance.roles["target"]
    yaw = world.yaw(target) + share * simulator.instance.numbers["angle_rad"]
    quaternion = [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))]
    apply_perturbation(simulator, {"prop": target, "position": world.position(target).tolist(), "quaternion": quaternion})
    assert wait(simulator)[-1] == is_solved


def test_a_block_that_was_turned_somewhere_else_does_not_count(simulator):
    simulator.reset(EpisodeConfig("rotate_block", 5))
    world, target = simulator.world, simulator.instance.roles["target"]
    yaw = world.yaw(target) + simulator.instance.numbers["angle_rad"]
    payload = {"prop": target, "quaternion": [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))]}
    apply_perturbation(simulator, payload | {"position": (world.position(target) + np.array([0.0, 0.08, 0.0])).tolist()})
    assert not any(wait(simulator))


class FakeWorld:
    """Says what a test wants."""

    def __init__(self, *, ee=(0.5, 0.0, 0.3), touched=(), joints=None):
        self.ee_position = np.array(ee)
        self._touched, self._joints = set(touched), joints or {}
        self.initial = self

    def is_touching(self, a, b):
        return a == "gripper" and b in self._touched

    def position(self, name):
        return np.array([0.5, 0.0, 0.02])

    def joint(self, name):
        return self._joints.get(name, 0.0)


def play(task, instance, worlds):
    """Return the progress after each of ``worlds``, and whether the task is solved."""
    progress = task.start()
    for world in worlds:
        world.progress = progress = task.update(progress, world, instance)
    return progress, task.is_success(worlds[-1], instance)


def test_touching_a_wrong_cube_first_is_not_forgiven():
    instance = TOUCH.initialize(np.random.default_rng(0))
    target = instance.roles["target"]
    other = next(p.name for p in instance.scene.props if p.name != target)
    assert play(TOUCH, instance, [FakeWorld(touched=[target])] * 2)[1]
    assert not play(TOUCH, instance, [FakeWorld(touched=[target])])[1]
    assert not play(TOUCH, instance, [FakeWorld(touched=[target, other])] * 2)[1]
    assert not play(TOUCH, instance, [FakeWorld(touched=[other]), *[FakeWorld(touched=[target])] * 5])[1]


def test_pressing_a_wrong_button_first_is_not_forgiven():
    instance = PRESS_BUTTON.initialize(np.random.default_rng(0))
    target = instance.roles["target"]
    other = next(p.name for p in instance.scene.props if p.name != target)
    right, wrong = FakeWorld(joints={target: BUTTON_TRAVEL}), FakeWorld(joints={other: BUTTON_TRAVEL})
    half = FakeWorld(joints={target: BUTTON_TRAVEL / 2})
    assert play(PRESS_BUTTON, instance, [right, right])[1]
    assert not play(PRESS_BUTTON, instance, [half, half, half])[1]
    assert not play(PRESS_BUTTON, instance, [wrong, right, right, right])[1]


def test_dots_count_in_order_near_and_low_only():
    instance = FOLLOW_PATH.initialize(np.random.default_rng(0))
    dots = [np.array(p) for p in instance.path]
    through = [FakeWorld(ee=d) for d in dots]
    assert play(FOLLOW_PATH, instance, through) == (pytest.approx([1, len(dots)]), True)
    assert not play(FOLLOW_PATH, instance, through[::-1])[1]
    assert not play(FOLLOW_PATH, instance, through[:1] + through[2:])[1]
    assert play(FOLLOW_PATH, instance, [FakeWorld(ee=d + np.array([0, 0, 0.05])) for d in dots])[0][1] == 0
    assert play(FOLLOW_PATH, instance, [FakeWorld(ee=d + np.array([0.021, 0, 0])) for d in dots])[0][1] == 0
