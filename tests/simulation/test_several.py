import numpy as np
import pytest

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import EpisodeConfig
from workbench.evaluation.perturbing import options_of
from workbench.simulation.episode_options import apply_options
from workbench.simulation.layout import FOOTPRINT, distance
from workbench.simulation.sayings import sayings_of
from workbench.simulation.scene import PropKind
from workbench.simulation.several import add_several
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

SEEDS = range(1000, 1030)


def drawn(task, seed, steps=3):
    instance = TASKS.load(task).initialize(np.random.default_rng(seed))
    return instance, add_several(instance, np.random.default_rng(seed), steps)


@pytest.mark.parametrize("task", ["place_in_bowl", "pick", "press_button", "stack"])
def test_there_is_a_bowl_a_plate_a_button_and_three_cubes_and_none_overlap(task):
    for seed in SEEDS:
        before, after = drawn(task, seed)
        props = after.scene.props
        assert props[: len(before.scene.props)] == before.scene.props and after.roles == before.roles
        kinds = [p.kind for p in props]
        assert {PropKind.BOWL, PropKind.PLATE, PropKind.BUTTON} <= set(kinds) and kinds.count(PropKind.CUBE) >= 3
        assert len({p.name for p in props}) == len(props) == len({p.label for p in props})
        for i, a in enumerate(props):
            assert all(distance(a, b) > FOOTPRINT[a.kind] + FOOTPRINT[b.kind] for b in props[:i])


def test_each_step_is_something_that_the_scene_has_words_for_and_no_two_share_a_thing():
    for seed in SEEDS:
        before, after = drawn("place_in_bowl", seed)
        steps = after.instruction.split(", then ")
        assert len(steps) == 3 and steps[0] == before.instruction
        meant = [next(s for s in sayings_of(after.scene.props) if step in s.wordings) for step in steps]
        things = [name for saying in meant for name in saying.roles.values()]
        assert len(things) == len(set(things))


def test_one_step_leaves_the_instruction_as_it_is():
    before, after = drawn("place_in_bowl", 3, steps=1)
    assert after.instruction == before.instruction


def test_the_option_gives_the_same_scene_each_time_and_another_for_another_seed():
    def props(seed):
        instance = TASKS.load("place_in_bowl").initialize(np.random.default_rng(5))
        return apply_options(instance, {"several": {"steps": 2, "seed": seed}}).scene.props

    assert props(1) == props(1) != props(2)


@pytest.mark.parametrize("value", [{"steps": 0}, {"steps": 4}, {"steps": 1.5}])
def test_a_wrong_number_of_steps_is_refused(value):
    with pytest.raises(InvalidInput):
        apply_options(TASKS.load("pick").initialize(np.random.default_rng(0)), {"several": value})
    with pytest.raises(UnknownName):
        apply_options(TASKS.load("pick").initialize(np.random.default_rng(0)), {"several": {"number": 2}})


def test_a_campaign_names_the_tables_by_their_steps():
    assert options_of("several-two,events=0.5", 7)["several"] == {"steps": 2, "seed": 7}
    with pytest.raises(InvalidInput):
        options_of("several-two=0.5", 7)


def test_the_simulator_builds_such_a_table_and_nothing_falls_over():
    simulator = BenchSimulator()
    words = simulator.reset(EpisodeConfig("place_in_bowl", 11, options={"several": {"steps": 3, "seed": 11}}))
    assert words.count("then") == 2
    for prop in simulator.instance.scene.props:
        assert abs(simulator.world.position(prop.name)[0] - prop.x) < 0.01
    simulator.close()
