"""A drawn step as a trace on the camera of the policy, in the real scene."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.sketches import PlanStep, SketchPlan, Verb
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.rollout.preview import preview_plan
from workbench.rollout.tracing import TRACE_PX, trace_of_step
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.trimming import measure


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    made.reset(EpisodeConfig("place_on_plate", 3))
    yield made
    made.close()


def plan_on(simulator, camera, verb=Verb.MOVE):
    """Return an arrow from the meant cube to the meant plate, as its camera sees them."""
    pinhole = simulator.observe((CameraRequest(camera, 480, 480),)).cameras[camera]
    roles = simulator.instance.roles
    pixels, _ = pinhole.project(np.array([simulator.world.position(roles[r]) for r in ("pick", "place")]))
    points = tuple((float(u), float(v)) for u, v in pixels)
    step = PlanStep(verb, points if verb is Verb.MOVE else points[:1], angle_rad=1.0 if verb is Verb.ROTATE else None)
    return SketchPlan("p", "s", camera, 480, 480, (step,))


@pytest.mark.parametrize("camera", ["front", "top"])
def test_an_arrow_closes_at_its_tail_and_opens_at_its_head_wherever_it_was_drawn(simulator, camera):
    before = simulator.state()
    trace = trace_of_step(simulator, plan_on(simulator, camera), 0)
    assert simulator.state().equals(before)
    assert (trace.camera, trace.width, trace.height) == ("front", TRACE_PX, TRACE_PX)
    begin, close, release = measure(trace).events
    assert (begin.opening, close.opening, release.opening) == (1.0, 0.0, 1.0) and begin.point == 0
    pinhole = simulator.observe((CameraRequest("front", TRACE_PX, TRACE_PX),)).cameras["front"]
    roles = simulator.instance.roles
    for event, name in ((close, roles["pick"]), (release, roles["place"])):
        wanted = pinhole.project(simulator.world.position(name))[0][0]
        assert np.hypot(*np.subtract(trace.points[event.point], wanted)) < 0.08 * TRACE_PX


def test_the_depths_lift_the_trace_to_the_path_that_the_preview_shows(simulator):
    plan = plan_on(simulator, "top")
    trace = trace_of_step(simulator, plan, 0)
    pinhole = simulator.observe((CameraRequest("front", TRACE_PX, TRACE_PX),)).cameras["front"]
    lifted = pinhole.unproject(trace.points, trace.depths_m)
    path = preview_plan(simulator, plan)[0].positions()
    np.testing.assert_allclose(lifted[0], simulator.world.ee_position, atol=1e-4)
    np.testing.assert_allclose(lifted[1:], path[: len(lifted) - 1], atol=1e-4)


def test_a_circle_on_a_cube_ends_in_it_with_the_gripper_shut(simulator):
    trace = trace_of_step(simulator, plan_on(simulator, "front", Verb.PICK), 0)
    assert trace.gripper[-1] == 0.0 and [e.opening for e in measure(trace).events] == [1.0, 0.0]


def test_a_turn_on_the_spot_cannot_be_told_as_a_trace(simulator):
    with pytest.raises(Unreachable, match="turn on the spot"):
        trace_of_step(simulator, plan_on(simulator, "front", Verb.ROTATE), 0)


def test_an_arrow_from_the_bare_table_says_that_nothing_is_there(simulator):
    plan = plan_on(simulator, "front")
    away = replace(plan.steps[0], keypoints=((20.0, 460.0), (240.0, 240.0)))
    with pytest.raises(Unreachable, match="Step 1"):
        trace_of_step(simulator, replace(plan, steps=(away,)), 0)


@pytest.mark.parametrize("index", [-1, 1])
def test_a_step_that_is_not_drawn_is_refused(simulator, index):
    with pytest.raises(InvalidInput, match="step"):
        trace_of_step(simulator, plan_on(simulator, "front"), index)


def test_a_camera_that_is_not_there_is_named_with_those_that_are(simulator):
    with pytest.raises(InvalidInput, match="front"):
        trace_of_step(simulator, plan_on(simulator, "front"), 0, camera="left")
