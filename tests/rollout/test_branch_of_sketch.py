"""A branch in the middle of a drawn motion continues exactly as its parent did, although the follower remembers things."""

import numpy as np
import pytest

from models.catalog import POLICIES
from workbench.core.events import Event, EventKind
from workbench.core.sketches import PlanStep, SketchPlan, Verb, plan_to_dict
from workbench.core.types import CameraRequest, EpisodeConfig, Prompt
from workbench.rollout.branching import standing_at
from workbench.rollout.controller import RolloutController
from workbench.simulation.simulators import SIMULATORS

CONFIG = EpisodeConfig(task="place_on_plate", seed=3)
WAIT_S = 60


def plan_of(simulator):
    camera = simulator.observe([CameraRequest("front", 480, 480)]).cameras["front"]
    roles, world = simulator.instance.roles, simulator.world
    ends = camera.project([world.position(roles["pick"]), world.position(roles["place"])])[0]
    return SketchPlan("plan", "sketch", "front", 480, 480, (PlanStep(Verb.MOVE, tuple((float(u), float(v)) for u, v in ends)),))


@pytest.fixture
def controller():
    made = RolloutController(simulators=SIMULATORS, policies=POLICIES, session_id="s")
    made.set_speed(float("inf"))
    yield made
    made.close()


def run_steps(controller, count):
    done = controller.history().num_steps + count
    controller.step_once(count)
    for _ in range(WAIT_S * 100):
        if controller.history().num_steps >= done:
            return
        controller.call(lambda _: None).result(WAIT_S)
    raise AssertionError("the steps were not run")


def branch(controller, step):
    history = controller.history()
    standing = standing_at(history.events(), step, instruction="", policy=history.start.policy)
    controller.branch(
        CONFIG,
        history.state(step),
        parent_id=history.episode_id,
        step=step,
        policy=standing.policy,
        prompt=standing.prompt,
        lead=history.lead(standing, step),
    ).result(WAIT_S)


def test_a_branch_and_a_branch_of_it_continue_like_the_parent(controller):
    controller.start(CONFIG, policy="hold").result(WAIT_S)
    run_steps(controller, 5)
    plan = controller.call(plan_of).result(WAIT_S)
    controller.set_policy("sketch")
    controller.set_prompt(plan=plan)
    run_steps(controller, 90)
    parent = controller.history()
    branch(controller, 45)
    run_steps(controller, 20)
    child = controller.history()
    assert child.num_steps == 20
    assert all(child.state(i).equals(parent.state(45 + i)) for i in range(20))
    assert np.ptp([parent.step(45 + i).action[:3] for i in range(20)]) > 0.005  # it moved, so equality says something
    branch(controller, 12)
    run_steps(controller, 25)
    grandchild = controller.history()
    assert all(grandchild.state(i).equals(parent.state(57 + i)) for i in range(25))


def test_without_its_lead_the_follower_starts_again(controller):
    controller.start(CONFIG, policy="sketch", prompt=None).result(WAIT_S)
    plan = controller.call(plan_of).result(WAIT_S)
    controller.set_prompt(plan=plan)
    run_steps(controller, 60)
    parent = controller.history()
    controller.branch(CONFIG, parent.state(50), parent_id="p", step=50, policy="sketch", prompt=Prompt(plan=plan)).result(WAIT_S)
    run_steps(controller, 5)
    assert not controller.history().state(5 - 1).equals(parent.state(54))


def test_what_was_in_force_is_read_from_the_events():
    plan = plan_to_dict(SketchPlan("plan", "sketch", "front", 480, 480, (PlanStep(Verb.PICK, ((100.0, 100.0),)),)))
    begun = [Event(EventKind.START, 0, 0.0), Event(EventKind.PLAN, 0, 0.0, {"plan": plan})]
    standing = standing_at(begun, 4, instruction="go", policy="sketch")
    assert (standing.prompt.plan.id, standing.prompt.text, standing.lead_start, standing.is_inherited) == ("plan", "go", 0, True)
    again = [*begun, Event(EventKind.PLAN, 0, 0.0, {"plan": plan})]
    assert not standing_at(again, 4, instruction="", policy="sketch").is_inherited
    later = [*begun, Event(EventKind.INSTRUCTION, 3, 0.15, {"text": "stop"}), Event(EventKind.POLICY, 9, 0.45, {"policy": "hold"})]
    standing = standing_at(later, 4, instruction="go", policy="sketch")
    assert (standing.prompt.text, standing.policy, standing.lead_start, standing.is_inherited) == ("stop", "sketch", 3, False)
    assert standing_at(later, 9, instruction="go", policy="sketch").policy == "hold"
