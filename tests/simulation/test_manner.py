"""A manner in words is read back from the words, and shows in the motion."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.core.errors import UnknownName
from workbench.core.types import EpisodeConfig, Prompt
from workbench.simulation.expert import ScriptedExpert, expert_action
from workbench.simulation.manner import MANNERS, PLAIN, manner_of, say, strip_manner
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


@pytest.mark.parametrize("name", MANNERS)
def test_what_is_said_of_a_manner_is_read_back_and_can_be_taken_away(name):
    for entry in TASKS:
        instruction = TASKS.load(entry.name).initialize(np.random.default_rng(1)).instruction
        for seed in range(8):
            said = say(instruction, name, np.random.default_rng(seed))
            assert manner_of(said) == name, said
            assert strip_manner(said) == instruction, said
            assert (said == instruction) == (name == PLAIN)


def test_no_template_of_a_task_asks_for_a_manner():
    assert [t for entry in TASKS for t in TASKS.load(entry.name).templates if manner_of(t) != PLAIN] == []


def test_manners_are_read_in_the_middle_of_a_sentence_and_in_capitals():
    assert manner_of("Put the red cube CAREFULLY on the white plate") == "careful"
    assert strip_manner("put the red cube carefully on the white plate") == "put the red cube on the white plate"
    assert manner_of("put the low cube on the high shelf") == PLAIN


def test_an_unknown_manner_is_named_with_the_known_ones():
    with pytest.raises(UnknownName, match="careful"):
        say("pick up the red cube", "sneaky", RNG)


def play(simulator, task, seed, manner):
    """Run the expert to its end; return where the end-effector was after each step, and the speed of each step [m/s]."""
    simulator.reset(EpisodeConfig(task, seed))
    expert, places, speeds = ScriptedExpert(simulator, manner=manner), [], []
    for _ in range(round(simulator.task.time_limit_s * simulator.control_hz)):
        chunk = expert.act(simulator.observe(()), Prompt(), RNG)
        if chunk.scores["done"]:
            return np.array(places), np.array(speeds)
        speeds.append(float(np.linalg.norm(chunk.actions[0, :3])) * simulator.control_hz)
        simulator.step(chunk.actions[0])
        places.append(simulator.world.ee_position)
    raise AssertionError(f"{task} {seed} {manner} was not solved")


@pytest.mark.parametrize("name", MANNERS)
def test_speed_and_travel_height_are_those_of_the_manner(simulator, name):
    manner = MANNERS[name]
    places, speeds = play(simulator, "place_on_plate", 211, manner)
    assert speeds.max() == pytest.approx(manner.speed, rel=1e-4)
    world, roles = simulator.world.initial, simulator.instance.roles
    start, goal = world.position(roles["pick"])[:2], world.position(roles["place"])[:2]
    share = (places[:, :2] - start) @ (goal - start) / np.sum((goal - start) ** 2)
    carrying = places[(share > 0.3) & (share < 0.7) & (np.arange(len(places)) > len(places) // 3)]
    assert carrying[:, 2].mean() == pytest.approx(manner.travel_height, abs=0.02)


def test_who_is_careful_slows_down_before_the_touch_and_takes_up_speed_after_it(simulator):
    manner = MANNERS["careful"]
    simulator.reset(EpisodeConfig("touch", 212))
    near, far = [], []
    for _ in range(200):
        world, instance = simulator.world, simulator.instance
        found = expert_action("touch", world, instance, manner, 20.0)
        if found.is_done:
            break
        distance = float(np.linalg.norm(found.command.contact - world.ee_position))
        (near if distance < 0.06 else far).append(20 * float(np.linalg.norm(found.action[:3])))
        simulator.step(found.action.astype(np.float32))
    assert max(near) <= 0.5 * manner.speed + 1e-9 < 0.95 * manner.speed < max(far)


def test_expert_action_changes_nothing_and_depends_on_the_manner_alone(simulator):
    simulator.reset(EpisodeConfig("stack", 213))
    before = simulator.state()

    def act(manner):
        return expert_action("stack", simulator.world, simulator.instance, manner, 20.0).action

    plain = act(MANNERS[PLAIN])
    assert np.linalg.norm(act(replace(MANNERS[PLAIN], speed=0.16))[:3]) == pytest.approx(np.linalg.norm(plain[:3]) / 2)
    assert act(MANNERS[PLAIN]).tobytes() == plain.tobytes()
    assert simulator.state().equals(before)


def test_the_expert_without_a_manner_is_the_plain_one(simulator):
    simulator.reset(EpisodeConfig("stack", 213))
    chunk = ScriptedExpert(simulator).act(simulator.observe(()), Prompt(), RNG)
    plain = expert_action("stack", simulator.world, simulator.instance, MANNERS[PLAIN], 20.0)
    assert chunk.actions[0].tobytes() == plain.action.astype(np.float32).tobytes()


@pytest.mark.parametrize("name", [n for n in MANNERS if n != PLAIN])
@pytest.mark.parametrize("task", ["close_drawer", "sort_two"])
def test_what_once_failed_in_other_manners_is_solved_in_all(simulator, task, name):
    for seed in (2000, 2003, 2004) if task == "close_drawer" else (2000,):
        places, _ = play(simulator, task, seed, MANNERS[name])
        assert len(places) < 0.6 * simulator.task.time_limit_s * simulator.control_hz, "it had to try again and again"
