"""Obstacles that suit a scene: there, apart from the things, and with room for the hand."""

import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.simulation.obstacle_layouts import BESIDE_M, HAND_M, LOW_M, apply_blocks, apply_hurdle
from workbench.simulation.tasks import TASKS


def instance_of(task, seed):
    return TASKS.load(task).initialize(np.random.default_rng(seed))


def gap(box, x, y):
    return np.hypot(*np.maximum(np.abs([x - box.x, y - box.y]) - [box.depth / 2, box.width / 2], 0))


def test_blocks_leave_room_around_everything():
    counts = []
    for seed in range(15):
        scene = apply_blocks(instance_of("touch", seed), {"num": 5, "seed": seed}).scene
        counts.append(len(scene.obstacles))
        assert all(gap(b, p.x, p.y) >= HAND_M for b in scene.obstacles for p in scene.props)
    assert min(counts) >= 1 and max(counts) == 5


def test_a_hurdle_stands_half_way_and_is_low_where_the_hand_goes_down_beside_it():
    heights = []
    for seed in range(30):
        instance = apply_hurdle(instance_of("place_on_plate", seed), {"height": 0.13})
        for box in instance.scene.obstacles:
            pick, place = (instance.scene.prop(instance.roles[r]) for r in ("pick", "place"))
            assert np.allclose([box.x, box.y], [(pick.x + place.x) / 2, (pick.y + place.y) / 2])
            heights.append(box.height)
            assert box.height <= LOW_M or min(gap(box, p.x, p.y) for p in (pick, place)) >= BESIDE_M
    assert heights.count(0.13) >= 5


@pytest.mark.parametrize("value", [{"num": -1}, {"num": 2.5}, {"num": 99}, {"number": 3}])
def test_blocks_that_are_not_of_their_form_are_refused(value):
    with pytest.raises(InvalidInput):
        apply_blocks(instance_of("touch", 1), value)


@pytest.mark.parametrize("value", [{}, {"height": 2}, {"height": "high"}, {"height": 0.1, "width": 1}])
def test_a_hurdle_that_is_not_of_its_form_is_refused(value):
    with pytest.raises(InvalidInput):
        apply_hurdle(instance_of("place_on_plate", 1), value)
