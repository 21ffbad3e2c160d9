"""Distractors stand in nobody's way and mean nothing to the task; options bring them and the look into an episode."""

import json
from itertools import combinations
from math import hypot

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import CameraRequest, EpisodeConfig, Prompt
from workbench.simulation.appearance import draw_look
from workbench.simulation.distractors import MAX_DISTRACTORS, add_distractors
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.layout import FOOTPRINT
from workbench.simulation.scene import PropKind
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

NAMES = [entry.name for entry in TASKS]
HOLD = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def draw(task, seed, num):
    plain = TASKS.load(task).initialize(np.random.default_rng(seed))
    return plain, add_distractors(plain, np.random.default_rng(seed + 1000), num)


@pytest.mark.parametrize("task", NAMES)
def test_distractors_leave_the_task_as_it_is_and_touch_nothing(task):
    for seed in range(20):
        plain, more = draw(task, seed, 4)
        added = more.scene.props[len(plain.scene.props) :]
        assert len(added) == 4
        assert more.scene.props[: len(plain.scene.props)] == plain.scene.props
        assert (more.instruction, more.roles, more.numbers, more.path) == (plain.instruction, plain.roles, plain.numbers, plain.path)
        labels = [p.label for p in more.scene.props]
        assert all(labels.count(p.label) == 1 for p in added), "an instruction might mean two things"
        for a, b in combinations(more.scene.props, 2):
            if {a, b} & set(added):
                assert hypot(a.x - b.x, a.y - b.y) > FOOTPRINT[a.kind] + FOOTPRINT[b.kind]


def test_one_of_a_kind_stays_one_of_a_kind():
    # "put the cube on this plate", "open the drawer", "the block": words that tell no colour.
    for task, kind in (("ambiguous_plates", PropKind.CUBE), ("open_drawer", PropKind.DRAWER), ("rotate_block", PropKind.BLOCK)):
        for seed in range(20):
            _, more = draw(task, seed, 4)
            roles = [p for p in more.scene.props if p.name in more.roles.values() and p.kind is kind]
            others = [p for p in TASKS.load(task).initialize(np.random.default_rng(seed)).scene.props if p.kind is kind]
            assert len([p for p in more.scene.props if p.kind is kind]) == len(others) >= len(roles)


@pytest.mark.parametrize("task", ["place_on_plate", "push_to_zone", "open_drawer", "follow_path", "press_button"])
def test_the_expert_solves_the_task_among_distractors_and_moves_none_of_them(simulator, task):
    for seed in (301, 302):
        simulator.reset(EpisodeConfig(task, seed, options={"distractors": {"num": 4, "seed": seed}}))
        expert = ScriptedExpert(simulator)
        for _ in range(round(simulator.task.time_limit_s * 20)):
            chunk = expert.act(simulator.observe(()), Prompt(), np.random.default_rng(0))
            if chunk.scores["done"]:
                break
            simulator.step(chunk.actions[0])
        assert chunk.scores["done"], (task, seed)
        world = simulator.world
        names = [p.name for p in world.scene.props if p.name.startswith("distractor")]
        assert len(names) == 4
        assert max(np.linalg.norm(world.position(n) - world.initial.position(n)) for n in names) < 0.003


def test_options_reach_the_episode_and_replay_after_json_is_bit_equal(simulator):
    options = {"look": draw_look(np.random.default_rng(8)), "distractors": {"num": 3, "seed": 5}}
    config = EpisodeConfig("stack", 9, options=options)
    states = []
    for each in (config, EpisodeConfig.from_dict(json.loads(json.dumps(config.to_dict())))):
        simulator.reset(each)
        picture = simulator.observe([CameraRequest("front", 64, 64)]).images["front"]
        for _ in range(5):
            simulator.step(HOLD)
        states.append((simulator.state().to_bytes(), picture.tobytes()))
    assert states[0] == states[1]
    assert sum(p.name.startswith("distractor") for p in simulator.world.scene.props) == 3


def test_a_look_alone_changes_the_picture_and_no_physics(simulator):
    pictures, states = [], []
    for options in ({}, {"look": {"table": [0.2, 0.4, 0.3]}}):
        simulator.reset(EpisodeConfig("stack", 9, options=options))
        simulator.step(HOLD)
        states.append(simulator.state().to_bytes())
        pictures.append(simulator.observe([CameraRequest("front", 64, 64)]).images["front"])
    assert states[0] == states[1]
    assert np.any(pictures[0] != pictures[1])


@pytest.mark.parametrize(
    "options, words",
    [
        ({"lok": {}}, "Did you mean 'look'"),
        ({"look": 3}, "named values"),
        ({"look": {"tabel": 1}}, "Did you mean 'table'"),
        ({"distractors": 3}, "named values"),
        ({"distractors": {}}, "num"),
        ({"distractors": {"num": 1.5}}, "whole number"),
        ({"distractors": {"num": True}}, "whole number"),
        ({"distractors": {"num": 2, "seed": -1}}, "whole number"),
        ({"distractors": {"num": MAX_DISTRACTORS + 1}}, f"0 to {MAX_DISTRACTORS}"),
        ({"distractors": {"number": 2}}, "Did you mean 'num'"),
    ],
)
def test_options_that_are_none_are_refused_and_the_episode_of_before_goes_on(simulator, options, words):
    simulator.reset(EpisodeConfig("pick", 1))
    before = simulator.state()
    with pytest.raises((InvalidInput, UnknownName), match=words):
        simulator.reset(EpisodeConfig("pick", 1, options=options))
    assert simulator.state().equals(before)
