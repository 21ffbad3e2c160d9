"""The kinematic stand-in moves as the simulator does, and the expert solves tasks in it."""

from math import pi

import numpy as np
import pytest

from models.bench_vla.demonstrations import read_world
from models.bench_vla.labels import role_point
from models.bench_vla.motion import ProxyWorld, roll_out
from workbench.core.types import EpisodeConfig
from workbench.simulation.expert import expert_action
from workbench.simulation.manner import MANNERS
from workbench.simulation.simulator import BenchSimulator

PLAIN = MANNERS["plain"]


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def start(simulator, task, seed=3):
    simulator.reset(EpisodeConfig(task, seed))
    return read_world(simulator)


@pytest.mark.parametrize("task", ["pick", "push_to_zone", "turn_knob", "open_drawer", "press_button"])
def test_a_kinematic_chunk_is_what_the_expert_really_does(simulator, task):
    initial = start(simulator, task)
    errors, turns = [], []
    is_free = True
    while is_free:
        command = simulator.state().controller
        proxy = ProxyWorld.of(simulator.world, command[1:4], command[4:8], initial)
        found = roll_out(task, proxy, simulator.instance, PLAIN)
        for planned, is_known in zip(found.actions, found.valid, strict=True):
            real = expert_action(task, simulator.world, simulator.instance, PLAIN, 20.0).action
            is_free = bool(is_known)
            if is_known:
                errors.append(np.linalg.norm(planned[:3] - real[:3]))
                turns.append(np.linalg.norm(planned[3:6] - real[3:6]))
            simulator.step(real.astype(np.float32))
    assert len(errors) >= 15
    assert np.median(errors) < 0.0005
    assert np.percentile(errors, 90) < 0.003
    assert np.percentile(turns, 90) < 0.02


TASKS = ["touch", "pick", "place_on_plate", "place_in_bowl", "stack", "push_to_zone", "open_drawer", "close_drawer", "press_button"]


@pytest.mark.parametrize("task", [*TASKS, "turn_knob", "rotate_block", "sort_two"])
def test_the_expert_reaches_the_end_of_every_task_in_the_stand_in(simulator, task):
    world = start(simulator, task)
    found = roll_out(task, world, simulator.instance, PLAIN, num_path_steps=140)
    assert found.is_finished
    assert not found.is_done


def test_what_is_gripped_is_carried_to_its_goal(simulator):
    world = start(simulator, "place_on_plate")
    roles = simulator.instance.roles
    found = roll_out("place_on_plate", world, simulator.instance, PLAIN, num_path_steps=140)
    opens = np.flatnonzero((found.path[1:, 3] > 0.5) & (found.path[:-1, 3] < 0.5))
    place = found.path[opens[-1], :2]
    assert np.linalg.norm(place - role_point(world, roles["place"])[:2]) < 0.02
    shuts = np.flatnonzero((found.path[1:, 3] < 0.5) & (found.path[:-1, 3] > 0.5))
    assert np.linalg.norm(found.path[shuts[0], :2] - role_point(world, roles["pick"])[:2]) < 0.01


def test_a_roll_out_leaves_its_start_as_it_was(simulator):
    world = start(simulator, "turn_knob")
    name = simulator.instance.roles["target"]
    before = (world.joint(name), world.ee_position.copy(), world.position(name).copy())
    roll_out("turn_knob", world, simulator.instance, PLAIN, num_path_steps=100)
    after = (world.joint(name), world.ee_position, world.position(name))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_known_chunk_ends_where_the_fingers_touch(simulator):
    world = start(simulator, "press_button")
    cap = role_point(world, simulator.instance.roles["target"])
    above = np.add(cap, (0, 0, 0.03))
    arm = world.arm._replace(position=above, commanded_position=above, gripper=0.0, gripper_command=0.0)
    found = roll_out("press_button", ProxyWorld(world.scene, world.things, arm), simulator.instance, PLAIN)
    assert found.valid[0]
    assert not found.valid[-1]
    assert np.all(found.valid[:-1] >= found.valid[1:])


def test_manners_change_speed_and_height(simulator):
    world = start(simulator, "place_on_plate")
    found = {name: roll_out("place_on_plate", world, simulator.instance, manner, num_path_steps=200) for name, manner in MANNERS.items()}
    speed = {name: np.linalg.norm(f.actions[:, :3], axis=1).max() for name, f in found.items()}
    assert speed["quick"] / speed["slow"] > 1.8
    # From where the cube is gripped on: before, the arm comes down from its start.
    height = {name: f.path[np.argmax(f.path[:, 3] < 0.5) :, 2].max() for name, f in found.items()}
    assert height["high"] - height["low"] > 0.08
    assert all(f.is_finished for f in found.values())


def test_a_knob_that_is_held_turns_with_the_gripper(simulator):
    world = start(simulator, "turn_knob").copy()
    name = simulator.instance.roles["target"]
    world.held, before = name, world.joint(name)
    for _ in range(10):
        world.step(np.array([0, 0, 0, 0, 0, pi / 60, 0.0]), name, 20.0)
    assert world.joint(name) - before == pytest.approx(pi / 6, abs=1e-3)
