"""Every axis changes what it says, more with more strength, and gives options that an episode understands."""

import json

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import EpisodeConfig, Prompt
from workbench.simulation.appearance import read_look
from workbench.simulation.axes import AXES, NOISE, OBSTACLES, merge_options
from workbench.simulation.build import build_model
from workbench.simulation.episode_options import apply_options
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.noise import Noise, read_noise
from workbench.simulation.rig import find_rig
from workbench.simulation.scene import PropKind, Scene
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.starts import MAX_RADIUS, draw_start
from workbench.simulation.tasks import TASKS


def instance_of(task="place_on_plate", seed=5):
    return TASKS.load(task).initialize(np.random.default_rng(seed))


@pytest.mark.parametrize("name", AXES)
def test_options_are_plain_data_that_an_episode_understands_and_follow_from_strength_and_seed(name):
    axis = AXES[name]
    assert axis.options(0.0, 7) == {}
    for strength in (0.01, 0.5, 1.0):
        options = axis.options(strength, 7)
        assert json.loads(json.dumps(options)) == options == axis.options(strength, 7)
        assert options != axis.options(strength, 8)
        for task in axis.tasks or [entry.name for entry in TASKS]:
            plain = instance_of(task)
            changed = apply_options(plain, options)
            assert axis.group in (NOISE, OBSTACLES) or changed.scene != plain.scene
            assert changed.roles == plain.roles
    with pytest.raises(InvalidInput, match=name):
        axis.options(1.1, 0)


@pytest.mark.parametrize("name", [a.name for a in AXES.values() if a.group == NOISE])
def test_axes_of_noise_act_and_leave_the_scene_alone(name):
    noise = read_noise(AXES[name].options(1.0, 3)["noise"])
    assert noise.seed == 3
    assert noise != Noise(seed=3)
    assert AXES[name].options(1.0, 3).keys() == {"noise"}


def test_cameras_move_by_the_stated_distance_in_proportion_to_strength():
    for seed in range(20):
        half, full = (read_look(AXES["camera"].options(s, seed)["look"]).camera_jitter["front"] for s in (0.5, 1.0))
        assert np.linalg.norm(full[:3]) == pytest.approx(0.10)
        assert np.rad2deg(np.linalg.norm(full[3:])) == pytest.approx(6.0)
        assert np.array(half) == pytest.approx(0.5 * np.array(full))


def test_lights_are_twice_or_half_as_bright():
    drawn = {round(AXES["light"].options(1.0, seed)["look"]["light"], 6) for seed in range(20)}
    assert drawn == {0.5, 2.0}


def test_another_object_plays_the_part_and_the_instruction_says_so():
    plain = instance_of()
    changed = apply_options(plain, {"objects": {"scale": 1.2, "shape": "cylinder"}})
    pick, place = (changed.scene.prop(changed.roles[role]) for role in ("pick", "place"))
    assert (pick.kind, pick.scale, place.kind, place.scale) == (PropKind.CYLINDER, 1.2, PropKind.PLATE, 1.2)
    assert pick.label in changed.instruction and plain.scene.prop(plain.roles["pick"]).label not in changed.instruction
    others = [p for p in changed.scene.props if p.name not in changed.roles.values()]
    assert others == [p for p in plain.scene.props if p.name not in plain.roles.values()]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"objects": {"scale": 3.0}}, "0.7 to 1.35"),
        ({"objects": {"scale": "large"}}, "a number"),
        ({"objects": {"shape": "teapot"}}, "cylinder"),
        ({"objects": {"size": 1.0}}, "scale"),
        ({"start": {"radius_rad": 2.0}}, f"0 to {MAX_RADIUS:g}"),
        ({"start": {"radius": 0.1}}, "Did you mean 'radius_rad'"),
        ({"start": {"radius_rad": 0.1, "seed": -1}}, "whole number"),
    ],
)
def test_objects_and_starts_that_are_none_are_refused_with_a_message(options, words):
    with pytest.raises((InvalidInput, UnknownName), match=words):
        apply_options(instance_of(), options)


def test_a_task_without_objects_that_can_be_changed_says_so():
    with pytest.raises(InvalidInput, match="cubes, plates or bowls"):
        apply_options(instance_of("press_button"), {"objects": {"scale": 1.2}})


def test_starts_are_as_far_away_as_stated_within_limits_and_differ():
    usual = Scene(()).arm_joints
    rig = find_rig(build_model(Scene(())))
    drawn = [np.array(draw_start(np.random.default_rng(seed), usual, 0.4)) for seed in range(10)]
    for joints in drawn:
        assert np.linalg.norm(joints - usual) == pytest.approx(0.4)
        assert np.all((joints > rig.lower) & (joints < rig.upper))
    assert np.std(drawn, axis=0).min() > 0.02


def test_options_of_two_axes_are_merged_part_by_part():
    light, camera = AXES["light"].options(0.5, 1), AXES["camera"].options(0.5, 1)
    merged = merge_options(light, camera)
    assert merged == {"look": {**light["look"], **camera["look"]}}
    assert merge_options(merged, {"look": {"light": 1.5}})["look"]["light"] == 1.5
    assert light == AXES["light"].options(0.5, 1)


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


@pytest.mark.parametrize(
    "task, name", [("place_on_plate", "object"), ("place_in_bowl", "object"), ("stack", "object"), ("pick", "start"), ("pick", "camera")]
)
def test_the_expert_solves_tasks_at_full_strength(simulator, task, name):
    simulator.reset(EpisodeConfig(task, 6, options=AXES[name].options(1.0, 6)))
    expert = ScriptedExpert(simulator)
    for _ in range(round(simulator.task.time_limit_s * simulator.control_hz)):
        chunk = expert.act(simulator.observe(()), Prompt(), np.random.default_rng(0))
        if chunk.scores["done"]:
            return
        simulator.step(chunk.actions[0])
    raise AssertionError(f"{task} was not solved")


def test_a_start_of_the_built_in_arm_is_refused_for_another_one(simulator):
    with pytest.raises(InvalidInput, match="built-in arm"):
        simulator.reset(EpisodeConfig("pick", 1, robot="some.xml", options={"start": {"radius_rad": 0.1}}))
