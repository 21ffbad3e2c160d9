import numpy as np

from workbench.simulation.sayings import ROLE_KINDS, sayings_of
from workbench.simulation.scene import Prop, PropKind
from workbench.simulation.tasks import TASKS


def test_the_instruction_of_a_task_is_among_what_can_be_asked_of_its_scene():
    for name in ROLE_KINDS:
        for seed in range(3):
            instance = TASKS.load(name).initialize(np.random.default_rng(seed))
            asked = [(s.task, w) for s in sayings_of(instance.scene.props) for w in s.wordings]
            assert (name, instance.instruction) in asked


def test_the_parts_are_played_by_different_things_of_the_right_kind():
    instance = TASKS.load("place_on_plate").initialize(np.random.default_rng(0))
    kinds = {prop.name: prop.kind for prop in instance.scene.props}
    for saying in sayings_of(instance.scene.props):
        assert [kinds[name] for name in saying.roles.values()] == list(ROLE_KINDS[saying.task].values())
        assert len(set(saying.roles.values())) == len(saying.roles)


def test_things_that_look_alike_are_asked_for_once():
    twins = [Prop(PropKind.CUBE, f"cube_red_{i}", "red", 0.4 + 0.1 * i, 0.0) for i in range(2)]
    assert [s.task for s in sayings_of(twins)] == ["touch", "pick", "stack"]


def test_nothing_can_be_asked_of_an_empty_table():
    assert sayings_of(()) == ()
