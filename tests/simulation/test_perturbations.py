"""Moving things while an episode runs."""

import json

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import EpisodeConfig
from workbench.simulation.perturbations import apply_perturbation, disturb, draw_shift
from workbench.simulation.simulator import BenchSimulator

HOLD = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)


@pytest.fixture
def simulator():
    made = BenchSimulator()
    made.reset(EpisodeConfig("sort_two", 4))
    yield made
    made.close()


def test_a_disturbed_thing_lies_where_it_was_moved_and_nothing_else_moves(simulator):
    world, name = simulator.world, simulator.instance.roles["pick_2"]
    before = {p.name: world.position(p.name) for p in world.scene.props}
    dx, dy = draw_shift(world, name, 0.06, np.random.default_rng(0))
    disturb(simulator, name, dx, dy)
    for other, position in before.items():
        assert world.position(other) == pytest.approx(position + ([dx, dy, 0] if other == name else 0), abs=1e-12)
    for _ in range(10):
        simulator.step(HOLD)
    assert world.position(name) == pytest.approx(before[name] + [dx, dy, 0], abs=1e-3)
    assert np.hypot(dx, dy) == pytest.approx(0.06)


def test_replaying_the_payload_after_json_gives_bit_equal_states(simulator):
    name = simulator.instance.roles["pick"]
    for _ in range(3):
        simulator.step(HOLD)
    before = simulator.state()
    payload = disturb(simulator, name, *draw_shift(simulator.world, name, 0.05, np.random.default_rng(1)))
    after = simulator.state()
    simulator.step(HOLD)
    end = simulator.state()

    again = BenchSimulator()
    again.reset(EpisodeConfig("sort_two", 4))
    again.restore(before)
    apply_perturbation(again, json.loads(json.dumps(payload)))
    assert again.state().equals(after)
    again.step(HOLD)
    assert again.state().equals(end)
    again.close()


def test_controller_and_random_generator_are_not_touched(simulator):
    name = simulator.instance.roles["pick"]
    before = simulator.state()
    disturb(simulator, name, *draw_shift(simulator.world, name, 0.05, np.random.default_rng(1)))
    after = simulator.state()
    assert after.controller.tobytes() == before.controller.tobytes() and after.rng == before.rng
    assert after.physics.tobytes() != before.physics.tobytes()


def test_what_stands_fixed_on_the_table_can_be_moved_too(simulator):
    simulator.reset(EpisodeConfig("press_button", 4))
    name = simulator.instance.roles["target"]
    before = simulator.world.position(name)
    disturb(simulator, name, *draw_shift(simulator.world, name, 0.04, np.random.default_rng(1)))
    assert np.linalg.norm(simulator.world.position(name) - before) == pytest.approx(0.04)


def test_a_taken_place_and_one_out_of_reach_are_refused(simulator):
    world, roles = simulator.world, simulator.instance.roles
    before = simulator.state()
    dx, dy, _ = world.position(roles["place"]) - world.position(roles["pick"])
    with pytest.raises(InvalidInput, match=f"too near to {roles['place']}"):
        disturb(simulator, roles["pick"], dx, dy)
    with pytest.raises(InvalidInput, match="out of reach"):
        disturb(simulator, roles["pick"], 1.0, 0.0)
    with pytest.raises(InvalidInput):
        draw_shift(world, roles["pick"], 2.0, np.random.default_rng(0))
    assert simulator.state().equals(before)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"prop": "plate_white"},
        {"prop": "plate_white", "position": [0, 0], "quaternion": [1, 0, 0, 0]},
        {"prop": "plate_white", "position": [0, 0, float("nan")], "quaternion": [1, 0, 0, 0]},
        {"prop": "plate_white", "position": "here", "quaternion": None},
    ],
)
def test_a_payload_that_is_none_is_refused_with_a_message(simulator, payload):
    with pytest.raises(InvalidInput, match="perturbation"):
        apply_perturbation(simulator, payload)


def test_an_unknown_prop_is_named_with_the_known_ones(simulator):
    with pytest.raises(UnknownName, match=simulator.instance.roles["pick"]):
        apply_perturbation(simulator, {"prop": "teapot", "position": [0.5, 0, 0], "quaternion": [1, 0, 0, 0]})
