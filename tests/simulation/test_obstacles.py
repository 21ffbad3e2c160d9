"""Boxes that stand in the way."""

import pytest

from workbench.core.errors import InvalidInput
from workbench.core.types import EpisodeConfig
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
