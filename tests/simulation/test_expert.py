"""The scripted expert solves every task, remembers nothing, and takes again what it lost."""

import numpy as np
import pytest

from workbench.core.protocols import Policy
from workbench.core.types import EpisodeConfig, Prompt
from workbench.evaluation.campaign import FIRST_SEED
from workbench.evaluation.episodes import run_trial
from workbench.evaluation.settings import Setting
from workbench.simulation.expert import MAX_STEP, ScriptedExpert
from workbench.simulation.manner import Manner
from workbench.simulation.perturbations import disturb, draw_shift
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

NAMES = [entry.name for entry in TASKS]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def play(simulator, task, seed, *, on_step=lambda step: None, change=lambda step, action: action, control_hz=20.0):
    """Run the expert to its end; return its actions, and whether it said that it had finished."""
    simulator.reset(EpisodeConfig(task, seed, control_hz=control_hz))
    expert, actions = ScriptedExpert(simulator), []
    for step in range(round(simulator.task.time_limit_s * control_hz)):
        on_step(step)
        chunk = expert.act(simulator.observe(()), Prompt(), RNG)
        if chunk.scores["done"]:
            return np.array(actions), True
        actions.append(change(step, chunk.actions[0]))
        simulator.step(actions[-1])
    return np.array(actions), False


def run_whole(simulator, task, seed):
    """Run an episode until the expert says that it is done."""
    return run_trial(simulator, ScriptedExpert(simulator), task, seed, "none", setting=Setting(is_until_done=True))


def test_the_expert_is_a_privileged_policy(simulator):
    expert = ScriptedExpert(simulator)
    assert isinstance(expert, Policy)
    assert expert.spec.is_privileged


@pytest.mark.parametrize("task", NAMES)
def test_each_task_is_solved_on_three_seeds(simulator, task):
    trials = [run_whole(simulator, task, seed) for seed in (101, 102, 103)]
    assert all(t.is_success for t in trials), trials
    assert simulator.task.is_success(simulator.world, simulator.instance)


@pytest.mark.slow
@pytest.mark.parametrize("task", NAMES)
def test_each_task_is_solved_on_twenty_published_seeds(simulator, task):
    trials = [run_whole(simulator, task, seed) for seed in range(FIRST_SEED, FIRST_SEED + 20)]
    assert all(t.is_success for t in trials), [t.seed for t in trials if not t.is_success]


@pytest.mark.parametrize("control_hz, longest", [(20.0, 0.0165), (10.0, MAX_STEP)])
def test_steps_are_short_at_both_control_rates(simulator, control_hz, longest):
    actions, is_done = play(simulator, "place_on_plate", 104, control_hz=control_hz)
    assert is_done
    assert np.linalg.norm(actions[:, :3], axis=1).max() <= longest + 1e-6


def test_a_slower_expert_takes_shorter_steps(simulator):
    simulator.reset(EpisodeConfig("pick", 104))
    steps = [ScriptedExpert(simulator, manner=Manner(speed=v)).act(simulator.observe(()), Prompt(), RNG).actions[0, :3] for v in (0.1, 0.3)]
    assert 3 * np.linalg.norm(steps[0]) == pytest.approx(np.linalg.norm(steps[1]), rel=1e-4)


@pytest.mark.parametrize("task", ["stack", "turn_knob", "push_to_zone"])
def test_actions_follow_from_the_present_state_alone(simulator, task):
    moments = []

    def keep(step):
        if step % 9 == 4:
            moments.append((simulator.state(), ScriptedExpert(simulator).act(simulator.observe(()), Prompt(), RNG).actions))

    play(simulator, task, 105, on_step=keep)
    for state, actions in moments[::-1]:
        simulator.restore(state)
        again = ScriptedExpert(simulator).act(simulator.observe(()), Prompt(), RNG)
        assert again.actions.tobytes() == actions.tobytes()


def test_a_dropped_cube_is_taken_again(simulator):
    held = []

    def drop(step, action):
        if simulator.world.is_held(simulator.instance.roles["pick"]):
            held.append(step)
        if len(held) > 14 and step < held[14] + 8:
            action = action.copy()
            action[6] = 1.0
        return action

    actions, is_done = play(simulator, "place_on_plate", 106, change=drop)
    assert is_done
    gripper = actions[:, 6] < 0.5
    assert np.count_nonzero(gripper[1:] & ~gripper[:-1]) >= 2, "it closed once only: nothing was dropped"


def test_the_second_cube_may_be_moved_before_its_turn(simulator):
    moved = []

    def push(step):
        world, roles = simulator.world, simulator.instance.roles
        if not moved and world.is_held(roles["pick"]):
            rng = np.random.default_rng(0)
            moved.extend(disturb(simulator, roles["pick_2"], *draw_shift(world, roles["pick_2"], 0.08, rng))["position"])

    _, is_done = play(simulator, "sort_two", 107, on_step=push)
    assert moved and is_done
