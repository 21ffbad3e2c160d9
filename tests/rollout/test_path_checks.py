"""Checks, repair, ghost and planning on the bench: they see what is there, and leave the live state as it is."""

import numpy as np
import pytest

from workbench.core.types import CameraRequest, EpisodeConfig, Prompt
from workbench.rollout.ghost import run_ghost, run_policy_ghost
from workbench.rollout.path_checks import PathChecker
from workbench.rollout.path_planning import plan_around, plan_by_trying
from workbench.rollout.planning_policy import planner
from workbench.rollout.trajectory_bench import bench_trajectory, carrying_path
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.compare import score_path
from workbench.trajectory.feasibility import PathProblemKind
from workbench.trajectory.paths import SpacePath, project_path, with_speeds
from workbench.trajectory.trace_editing import move_point

SEED = 17
FAR_APART = 29
"""A scene in which the cube and the plate are half a metre apart."""


@pytest.fixture(scope="module")
def simulator():
    bench = BenchSimulator()
    yield bench
    bench.close()


def walled(simulator, height=0.20, seed=FAR_APART):
    """Put a wall between the cube and the plate; return the path that goes through it."""
    simulator.reset(EpisodeConfig("place_on_plate", seed))
    path = carrying_path(simulator, 12)
    pick, place = path.positions[list(path.events)]
    x, y = 0.5 * (pick + place)[:2]
    wall = {"x": float(x), "y": float(y), "width": 0.04, "depth": 0.04, "height": height}
    simulator.reset(EpisodeConfig("place_on_plate", seed, options={"obstacles": {"boxes": [wall]}}))
    return path


def test_a_path_that_brings_a_cube_to_a_plate_is_feasible_and_its_ghost_solves_the_task(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", SEED))
    path, before = carrying_path(simulator), simulator.state()
    assert path.num_points == 50
    report = PathChecker(simulator).check(path)
    assert report.is_feasible, [p.message for p in report.problems]
    ghost = run_ghost(simulator, path)
    assert simulator.state().equals(before), "looking ahead moves nothing"
    assert ghost.is_success and ghost.trouble == "" and len(ghost.physics) == len(ghost.positions)
    assert score_path(path.positions, ghost.positions).frechet_m < 0.02


def test_touching_a_thing_on_the_way_is_a_problem_but_grasping_it_is_none(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", SEED))
    cube = simulator.instance.roles["pick"]
    x, y, _ = simulator.world.position(cube)
    through = SpacePath(np.array([simulator.world.ee_position, [x, y - 0.15, 0.03], [x, y + 0.15, 0.03]]))
    found = PathChecker(simulator).check(through).of_kind(PathProblemKind.COLLISION)
    named = [p for p in found if simulator.world.prop(cube).label in p.message]
    assert named and min(abs(p.position[1] - y) for p in named) < 0.1, [p.message for p in found]


def test_a_path_into_the_table_or_beyond_the_arms_reach_says_so(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", SEED))
    here = simulator.world.ee_position
    low, far = SpacePath(np.array([here, [0.5, 0.3, 0.006]])), SpacePath(np.array([here, [0.74, 0.39, 0.3], [0.9, 0.39, 0.3]]))
    checker = PathChecker(simulator)
    assert any("table" in p.message for p in checker.check(SpacePath(np.array([here, [0.55, 0.3, 0.001], [0.5, 0.2, 0.2]]))).problems)
    assert checker.check(far).of_kind(PathProblemKind.REACH)
    assert checker.check(with_speeds(low, 3.0)).of_kind(PathProblemKind.SPEED)


def test_a_wall_in_the_way_is_found_and_gone_around(simulator):
    path = walled(simulator)
    checker, before = PathChecker(simulator), simulator.state()
    assert checker.check(path).of_kind(PathProblemKind.COLLISION)
    repair = checker.make_feasible(path)
    assert checker.check(repair.path).is_feasible and repair.notes
    assert np.allclose(repair.path.positions[list(repair.path.events)], path.positions[list(path.events)])
    assert simulator.state().equals(before)


def test_a_warning_goes_when_the_path_is_lifted_over_a_low_wall(simulator):
    path = walled(simulator)
    checker = PathChecker(simulator)
    assert not checker.check(path).is_feasible
    first, last = path.events
    for index in range(first + 1, last):
        path = move_point(path, index, [*path.positions[index, :2], 0.27])
    assert checker.check(path).is_feasible, [p.message for p in checker.check(path).problems]


def test_a_random_tree_finds_a_free_way_past_a_wall_and_tried_actions_do_as_well(simulator):
    walled(simulator, height=0.36)
    goal = simulator.world.position(simulator.instance.roles["place"]) + np.array([0.0, 0.0, 0.15])
    before, checker = simulator.state(), PathChecker(simulator)
    way = plan_around(checker, goal, np.random.default_rng(0))
    assert np.allclose(way.path.positions[-1], goal) and not checker.check(way.path).of_kind(PathProblemKind.COLLISION)
    tried = plan_by_trying(simulator, goal, np.random.default_rng(1))
    assert np.linalg.norm(tried.positions[-1] - goal) <= 0.021 and tried.num_informed == 0
    assert simulator.state().equals(before)


def test_a_policy_draws_most_of_the_branches_when_it_is_given(simulator):
    simulator.reset(EpisodeConfig("touch", 3))
    goal = simulator.world.position(simulator.instance.roles["target"])
    found = plan_by_trying(simulator, goal, np.random.default_rng(0), policy=ScriptedExpert(simulator))
    assert found.num_informed >= 1


def test_a_policy_runs_ahead_in_the_copy_and_nothing_moves(simulator):
    simulator.reset(EpisodeConfig("touch", 3))
    before = simulator.state()
    ghost = run_policy_ghost(simulator, ScriptedExpert(simulator), Prompt(), num_steps=20)
    assert simulator.state().equals(before) and len(ghost.positions) == 21
    assert np.linalg.norm(ghost.positions[-1] - ghost.positions[0]) > 0.05


@pytest.mark.parametrize("tries_actions", [False, True])
def test_a_planning_policy_goes_past_a_wall_to_where_a_trace_ends(simulator, tries_actions):
    walled(simulator, height=0.36)
    goal = simulator.world.position(simulator.instance.roles["place"]) + np.array([0.0, 0.0, 0.15])
    camera = simulator.observe((CameraRequest("front", 256, 256),)).cameras["front"]
    trace = project_path(SpacePath(np.stack([simulator.world.ee_position, goal])), camera)
    policy = planner("tree", tries_actions=tries_actions)(simulator)
    ghost = run_policy_ghost(simulator, policy, Prompt(trace=trace), num_steps=110)
    assert ghost.trouble == "" and np.linalg.norm(ghost.positions[-1] - goal) < 0.01


def test_the_bench_tells_its_figures():
    found = bench_trajectory(rounds=1)
    assert found["details"]["points"] == 50 and found["details"]["state_bit_equal_afterwards"] and found["ratio"] == found["value"] > 1
