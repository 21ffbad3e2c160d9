"""Boxes that stand in the way."""

import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.core.types import EpisodeConfig
from workbench.simulation.collision_probe import CollisionProbe
from workbench.simulation.simulator import BenchSimulator

BOX = {"x": 0.5, "y": 0.0, "width": 0.2, "depth": 0.03, "height": 0.15}


def config(*boxes):
    return EpisodeConfig("place_on_plate", 3, options={"obstacles": {"boxes": list(boxes)}})


def test_an_obstacle_stands_on_the_table_and_is_named():
    simulator = BenchSimulator()
    simulator.reset(config(BOX))
    geom = simulator.model.geom("obstacle_1/body")
    assert geom.pos.tolist() == [0.5, 0.0, 0.075] and geom.size.tolist() == [0.015, 0.1, 0.075]
    assert "obstacle_1" in simulator.world.geom_owners
    simulator.close()


@pytest.mark.parametrize(
    "box", [{**BOX, "height": float("nan")}, {**BOX, "height": 9.0}, {**BOX, "x": "0.5"}, {"x": 0.5}, {**BOX, "colour": 1}, 5]
)
def test_a_box_of_another_form_is_refused(box):
    with pytest.raises(InvalidInput, match="obstacle 1"):
        BenchSimulator().reset(config(box))


def test_a_state_goes_over_into_the_same_scene_with_a_box_and_runs_on_there():
    simulator = BenchSimulator()
    simulator.reset(config())
    action = np.array([0.01, 0, 0, 0, 0, 0, 1], dtype=np.float32)
    for _ in range(5):
        simulator.step(action)
    state = simulator.state()
    away = {**BOX, "x": 0.8, "y": 0.5, "width": 0.05}
    simulator.reset(config(away))
    simulator.restore(state)
    assert simulator.state().equals(state)
    simulator.step(action)
    with_box = simulator.world.ee_position.copy()
    simulator.reset(config())
    simulator.restore(state)
    simulator.step(action)
    assert np.allclose(simulator.world.ee_position, with_box, atol=1e-9), "a box far away changes nothing"
    simulator.close()


def test_a_box_in_a_thing_or_in_the_arm_is_told():
    simulator = BenchSimulator()
    simulator.reset(config())
    state = simulator.state()
    cube = next(p for p in simulator.instance.scene.props if "cube" in p.label)
    for place, said in ((simulator.world.position(cube.name), "cube"), (simulator.world.ee_position, "the hand")):
        box = {**BOX, "x": float(place[0]), "y": float(place[1]), "width": 0.04, "depth": 0.04, "height": 0.5}
        simulator.reset(config(box))
        probe = CollisionProbe(simulator.model, simulator.instance.scene)
        probe.set_state(state.physics)
        assert any(said in name for name in probe.inside_obstacles())
    simulator.reset(config({**BOX, "x": 0.85, "y": 0.55, "width": 0.04}))
    probe = CollisionProbe(simulator.model, simulator.instance.scene)
    probe.set_state(state.physics)
    assert probe.inside_obstacles() == ()
    simulator.close()
