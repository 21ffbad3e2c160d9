"""The sketch policy on the real bench: what it does, what it never reads, how it recovers."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.core.errors import Unreachable
from workbench.core.events import Event, EventKind
from workbench.core.sketches import PlanStep, SketchPlan, Verb
from workbench.core.types import EpisodeConfig, Prompt
from workbench.evaluation.disturbance import SECOND_STEP
from workbench.evaluation.drawing import GEOMETRIC, draw_prompt
from workbench.evaluation.episodes import run_trial
from workbench.evaluation.perturbing import happenings_of
from workbench.evaluation.worker import EpisodeTape
from workbench.rollout.sketch_policy import SketchPolicy
from workbench.simulation.perturbations import disturb
from workbench.simulation.simulator import BenchSimulator


class Blind:
    """Offers what a robot offers, and nothing of the truth."""

    def __init__(self, simulator):
        self.observe, self.kinematics, self.spec = simulator.observe, simulator.kinematics, simulator.spec


@pytest.fixture(scope="module")
def simulator():
    bench = BenchSimulator()
    yield bench
    bench.close()


def start(simulator, task, seed, style=GEOMETRIC):
    instruction = simulator.reset(EpisodeConfig(task, seed))
    return draw_prompt(simulator, instruction, style, seed)


def drive(simulator, policy, prompt, max_steps, until=lambda scores: False):
    """Run until success, done, or ``until``; return the actions, the last scores and whether the task was solved."""
    rng = np.random.default_rng(0)
    actions, scores = [], {}
    for _ in range(max_steps):
        chunk = policy.act(simulator.observe(()), prompt, rng)
        scores = chunk.scores
        actions.append(chunk.actions[0])
        if simulator.step(chunk.actions[0]).is_success:
            return np.array(actions), scores, True
        if scores["done"] or until(scores):
            break
    return np.array(actions), scores, False


@pytest.mark.parametrize(
    ("task", "telling"),
    [
        ("place_on_plate", "words+sketch:hand"),
        ("open_drawer", "words+sketch"),
        ("turn_knob", "words+sketch"),
        ("push_to_zone", "words+sketch:hand"),
        ("press_button", "words+sketch:hand"),
    ],
)
def test_a_drawn_task_is_done_as_drawn(simulator, task, telling):
    assert run_trial(simulator, SketchPolicy(simulator), task, 3, telling).is_success


def test_things_moved_before_the_second_step_are_found_again(simulator):
    happenings, tape = happenings_of(SECOND_STEP, simulator, 3), EpisodeTape()
    policy = SketchPolicy(simulator)
    assert run_trial(simulator, policy, "sort_two", 3, "words+sketch", on_tick=happenings, observers=(tape,)).is_success
    moved = [e for e in tape.entries if isinstance(e, Event) and e.kind is EventKind.PERTURBATION]
    assert len(moved) == 2, "nothing was moved, so nothing was shown"


def test_it_needs_nothing_but_observations_and_kinematics(simulator):
    prompt = start(simulator, "place_on_plate", 5)
    _, _, is_solved = drive(simulator, SketchPolicy(Blind(simulator)), prompt, 300)
    assert is_solved


def test_equal_observations_give_bit_equal_actions_also_after_a_reset(simulator):
    policy = SketchPolicy(simulator)
    runs = []
    for _ in range(2):
        prompt = start(simulator, "stack", 2)
        policy.reset(np.random.default_rng(1))
        runs.append(drive(simulator, policy, prompt, 60)[0])
    assert np.array_equal(runs[0], runs[1])


def test_without_a_plan_it_holds_still_with_the_gripper_as_it_is(simulator):
    simulator.reset(EpisodeConfig("touch", 0))
    observation = simulator.observe(())
    chunk = SketchPolicy(simulator).act(observation, Prompt(text="touch it"), np.random.default_rng(0))
    assert np.allclose(chunk.actions[0, :6], 0) and chunk.actions[0, 6] == observation.part("gripper_command")[0]


def test_a_new_plan_starts_at_its_first_step(simulator):
    prompt = start(simulator, "sort_two", 1)
    policy = SketchPolicy(simulator)
    _, scores, _ = drive(simulator, policy, prompt, 250, until=lambda s: s["plan_step"] == 1)
    assert scores["plan_step"] == 1
    second = replace(prompt, plan=replace(prompt.plan, id="another", steps=prompt.plan.steps[1:]))
    scores = policy.act(simulator.observe(()), second, np.random.default_rng(0)).scores
    assert scores["plan_step"] == 0 and scores["waypoint"] == 0


def test_a_grasp_that_closed_on_nothing_is_tried_again_where_the_thing_is_now(simulator):
    prompt = start(simulator, "pick", 4)
    policy = SketchPolicy(simulator)
    # Way point 2 is the descent: take the cube away under the fingers.
    drive(simulator, policy, prompt, 100, until=lambda s: s["waypoint"] >= 2)
    disturb(simulator, simulator.instance.roles["target"], 0.0, 0.06)
    _, scores, is_solved = drive(simulator, policy, prompt, 300)
    assert is_solved and scores["tries"] == 2


def test_with_the_thing_already_in_hand_it_goes_on_to_the_goal(simulator):
    prompt = start(simulator, "place_on_plate", 6)
    drive(simulator, SketchPolicy(simulator), prompt, 200, until=lambda s: s["waypoint"] >= 5)
    assert simulator.world.is_held(simulator.instance.roles["pick"])
    # A fresh policy, as in a branch from here, knows nothing of how the cube was taken.
    actions, scores, is_solved = drive(simulator, SketchPolicy(simulator), prompt, 200)
    assert is_solved and scores["tries"] == 1 and len(actions) < 100


def test_an_arrow_from_the_bare_table_is_told_before_anything_moves(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", 0))
    step = PlanStep(Verb.MOVE, ((240.0, 470.0), (300.0, 300.0)))
    prompt = Prompt(plan=SketchPlan("plan", "sketch", "front", 480, 480, (step,)))
    with pytest.raises(Unreachable, match="nothing stands there"):
        SketchPolicy(simulator).act(simulator.observe(()), prompt, np.random.default_rng(0))


def test_a_sketch_on_the_top_camera_is_followed_too(simulator):
    from workbench.core.types import CameraRequest
    from workbench.evaluation.drawing import draw_task
    from workbench.sketch.plan import interpret

    instruction = simulator.reset(EpisodeConfig("place_on_plate", 7))
    sketch = draw_task(simulator, "top")
    plan = interpret(sketch, instruction=instruction, observation=simulator.observe((CameraRequest("top", 480, 480),)))
    _, _, is_solved = drive(simulator, SketchPolicy(simulator), Prompt(plan=plan), 300)
    assert is_solved
