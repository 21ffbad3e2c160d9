"""Paths before they are run, and what may go wrong on them."""

import time
from dataclasses import replace

import numpy as np
import pytest

from workbench.core.sketches import PlanProblemKind, PlanStep, SketchPlan, Verb
from workbench.core.trajectories import Phase
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.evaluation.drawing import GEOMETRIC, draw_prompt
from workbench.rollout.preview import carried_out, preview_plan
from workbench.simulation.simulator import BenchSimulator


@pytest.fixture(scope="module")
def simulator():
    bench = BenchSimulator()
    yield bench
    bench.close()


def plan_for(simulator, task, seed):
    instruction = simulator.reset(EpisodeConfig(task, seed))
    return draw_prompt(simulator, instruction, GEOMETRIC, seed).plan


def one_step(verb, *keypoints):
    return SketchPlan("plan", "sketch", "front", 480, 480, (PlanStep(verb, keypoints),))


def test_the_path_of_a_move_goes_through_the_thing_and_its_goal(simulator):
    plan = plan_for(simulator, "place_on_plate", 2)
    (path,) = preview_plan(simulator, plan)
    world, roles = simulator.world, simulator.instance.roles
    grasp = next(w for w in path.waypoints if w.phase is Phase.GRASP)
    release = next(w for w in path.waypoints if w.phase is Phase.RELEASE)
    assert np.linalg.norm(grasp.position - world.position(roles["pick"])) < 0.006
    assert np.linalg.norm((release.position - world.position(roles["place"]))[:2]) < 0.006
    assert path.problems == ()


def test_looking_ahead_moves_nothing(simulator):
    plan = plan_for(simulator, "sort_two", 2)
    before = simulator.state()
    preview_plan(simulator, plan)
    assert simulator.state().equals(before)


def test_each_step_of_a_plan_has_a_path_that_starts_where_the_last_one_ends(simulator):
    plan = plan_for(simulator, "sort_two", 2)
    paths = preview_plan(simulator, plan)
    assert [p.step for p in paths] == [0, 1] and all(p.waypoints and not p.problems for p in paths)
    assert np.linalg.norm((paths[1].waypoints[0].position - paths[0].waypoints[-1].position)[:2]) < 0.5


@pytest.mark.parametrize("size", [240, 480, 960])
def test_the_size_of_the_frame_does_not_matter(simulator, size):
    plan = plan_for(simulator, "place_on_plate", 2)
    scaled = tuple(replace(s, keypoints=tuple((u * size / 480, v * size / 480) for u, v in s.keypoints)) for s in plan.steps)
    (path,), (same,) = preview_plan(simulator, plan), preview_plan(simulator, replace(plan, width=size, height=size, steps=scaled))
    assert np.abs(path.positions() - same.positions()).max() < 0.008


def test_what_is_too_wide_to_move_is_told_as_a_push(simulator):
    plan = plan_for(simulator, "push_to_zone", 2)
    told = replace(plan.steps[0], verb=Verb.MOVE)
    (path,) = preview_plan(simulator, replace(plan, steps=(told,)))
    assert carried_out(told, path) == replace(told, verb=Verb.PUSH)


def test_what_can_be_grasped_is_told_as_it_was_asked(simulator):
    plan = plan_for(simulator, "place_on_plate", 2)
    (path,) = preview_plan(simulator, plan)
    assert carried_out(plan.steps[0], path) == plan.steps[0]


def test_an_arrow_from_the_bare_table_is_a_problem_at_its_tail(simulator):
    simulator.reset(EpisodeConfig("touch", 0))
    (path,) = preview_plan(simulator, one_step(Verb.MOVE, (240.0, 470.0), (300.0, 300.0)))
    (problem,) = path.problems
    assert path.waypoints == () and problem.kind is PlanProblemKind.NOTHING_THERE and problem.pixel == (240.0, 470.0)


def test_a_step_that_takes_up_what_an_earlier_one_puts_down_is_no_problem(simulator):
    plan = plan_for(simulator, "place_on_plate", 2)
    tail, head = plan.steps[0].keypoints[0], (240.0, 440.0)
    steps = (PlanStep(Verb.MOVE, (tail, head)), PlanStep(Verb.MOVE, (head, (200.0, 400.0))))
    first, second = preview_plan(simulator, replace(plan, steps=steps))
    assert first.waypoints and second.waypoints == () and second.problems == ()


def test_a_goal_off_the_working_area_is_a_problem(simulator):
    plan = plan_for(simulator, "place_on_plate", 2)
    tail = plan.steps[0].keypoints[0]
    (path,) = preview_plan(simulator, replace(plan, steps=(PlanStep(Verb.MOVE, (tail, (20.0, 330.0))),)))
    assert PlanProblemKind.OFF_TABLE in {p.kind for p in path.problems}


def test_what_the_arm_cannot_reach_is_a_problem_before_running(simulator):
    simulator.reset(EpisodeConfig("touch", 0))
    camera = simulator.observe((CameraRequest("front", 480, 480),)).cameras["front"]
    corner = tuple(camera.project([0.74, 0.39, 0.0])[0][0])  # on the working area, but further than the arm is long
    (path,) = preview_plan(simulator, one_step(Verb.TOUCH, corner))
    problems = {p.kind: p for p in path.problems}
    assert PlanProblemKind.REACH in problems and "cm short" in problems[PlanProblemKind.REACH].message


def test_a_two_step_plan_is_looked_ahead_in_a_fraction_of_a_second(simulator):
    plan = plan_for(simulator, "sort_two", 2)
    preview_plan(simulator, plan)
    spent = []
    for _ in range(5):
        begun = time.thread_time()
        preview_plan(simulator, plan)
        spent.append(time.thread_time() - begun)
    assert min(spent) < 0.15
