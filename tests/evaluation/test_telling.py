"""Ways of telling: read and written back, and true to what the scene shows."""

from itertools import pairwise

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import EpisodeConfig, Interaction, Prompt
from workbench.evaluation.planned import plan_path, trace_of, trace_pinhole
from workbench.evaluation.pointing import MASK_TASKS
from workbench.evaluation.telling import MASK_CAMERA, Teller, Telling, parse_telling
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.manner import manner_of

SEED = 1000


def drive(simulator, teller, look, max_steps=400):
    """Let the expert play the present episode; ``look(prompt)`` hears what a policy would be told at each step."""
    expert, rng, prompt = ScriptedExpert(simulator), np.random.default_rng(0), teller.first
    for _ in range(max_steps):
        observation = simulator.observe(())
        prompt = teller.refresh(prompt)
        look(prompt)
        if simulator.step(expert.act(observation, Prompt(), rng).actions[0]).is_success:
            return
    raise AssertionError("the expert did not solve the task")


@pytest.mark.parametrize("text", ["none", "words", "words:slow", "mask", "trace", "trace:flat", "sketch:hand", "words:high+mask+trace"])
def test_a_way_of_telling_is_written_as_it_was_read(text):
    assert str(parse_telling(text)) == text


@pytest.mark.parametrize("text", ["word", "", "words:loudly", "trace:3d", "mask+shout", "none+words"])
def test_an_unknown_way_of_telling_is_refused_with_those_that_there_are(text):
    with pytest.raises(UnknownName, match="Known"):
        parse_telling(text)


def test_a_part_that_comes_twice_is_refused():
    with pytest.raises(InvalidInput, match="once"):
        parse_telling("mask+words+mask")


def test_words_carry_the_manner_and_nothing_else_is_told(simulator):
    instruction = simulator.reset(EpisodeConfig("pick", SEED))
    first = Teller(simulator, parse_telling("words:slow"), instruction, seed=SEED).first
    assert manner_of(first.text) == "slow" and instruction in first.text
    assert first.mask is first.trace is first.sketch is None
    silent = Teller(simulator, Telling(), instruction, seed=SEED).first
    assert silent.text == "" and silent.mask is silent.trace is silent.sketch is None


def test_the_same_seed_says_the_same_words(simulator):
    instruction = simulator.reset(EpisodeConfig("pick", SEED))
    said = {Teller(simulator, parse_telling("words:quick"), instruction, seed=3).first.text for _ in range(4)}
    assert len(said) == 1


@pytest.mark.parametrize("task", MASK_TASKS)
def test_the_mask_lies_on_the_thing_of_the_first_sub_step(simulator, task):
    instruction = simulator.reset(EpisodeConfig(task, SEED))
    first = Teller(simulator, parse_telling("mask"), instruction, seed=SEED).first
    name = next(simulator.instance.roles[role] for role in ("target", "pick") if role in simulator.instance.roles)
    ids, names = simulator.object_ids(MASK_CAMERA)
    assert first.text == "" and first.interaction is not None
    assert first.mask.pixels.any() and np.array_equal(first.mask.pixels, ids == names.index(name))


@pytest.mark.parametrize("task", ["place_on_plate", "stack", "place_in_bowl"])
def test_a_held_thing_turns_the_mask_to_where_it_goes_and_letting_go_does_not_turn_it_back(simulator, task):
    instruction = simulator.reset(EpisodeConfig(task, SEED))
    teller, told = Teller(simulator, parse_telling("mask"), instruction, seed=SEED), []
    drive(simulator, teller, lambda prompt: told.append(prompt.interaction))
    changes = [told[0], *[b for a, b in pairwise(told) if a != b]]
    assert changes == [Interaction.GRASP, Interaction.PLACE_ON]


def test_a_task_without_a_thing_cannot_be_told_by_a_mask(simulator):
    instruction = simulator.reset(EpisodeConfig("follow_path", SEED))
    with pytest.raises(InvalidInput, match="another way"):
        Teller(simulator, parse_telling("mask"), instruction, seed=SEED)


def test_planning_a_path_leaves_the_simulator_as_it_was(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", SEED))
    before = simulator.state()
    plan_path(simulator)
    assert simulator.state().equals(before)


def test_the_trace_tells_to_open_then_to_shut_then_to_open(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", SEED))
    gripper = trace_of(plan_path(simulator), trace_pinhole(simulator)).gripper
    assert [gripper[0], *[b for a, b in pairwise(gripper) if a != b]] == [1.0, 0.0, 1.0]


def test_depths_lift_the_trace_back_to_the_planned_path(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", SEED))
    path, pinhole = plan_path(simulator), trace_pinhole(simulator)
    trace = trace_of(path, pinhole)
    lifted = pinhole.unproject(trace.points, trace.depths_m)
    gaps = np.linalg.norm(lifted[:, None] - path.positions[None], axis=-1).min(axis=1)
    assert gaps.max() < 1e-6 and len(trace.points) < 0.5 * len(path.positions)
    assert trace_of(path, pinhole, has_depth=False).depths_m is None
