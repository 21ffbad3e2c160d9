"""Chance in an episode is what it says, at the rate it says, and the same whenever a step is repeated."""

import json

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import CameraRequest, EpisodeConfig, SimState
from workbench.simulation.noise import Noise, read_noise
from workbench.simulation.noise_process import SLIP_STEPS, NoiseProcess
from workbench.simulation.perturbations import apply_perturbation
from workbench.simulation.simulator import BenchSimulator

FRONT = CameraRequest("front", 48, 48)
HOLD = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)
EVERYTHING = {
    "seed": 3,
    "replaced": 0.2,
    "shake": 0.1,
    "sticky": 0.25,
    "sticky_steps": 3,
    "nudge": 0.1,
    "slip": 0.1,
    "teleport": 0.1,
    "pixels": 8.0,
    "dropout": 0.3,
    "proprio": 0.01,
    "proprio_dropout": 0.1,
    "friction": 1.0,
    "mass": 1.0,
    "gain": 0.5,
    "action_delay": 2,
    "observation_delay": 3,
}


@pytest.fixture
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def wandering(num_steps, seed=7):
    rng = np.random.default_rng(seed)
    moves = np.repeat(rng.normal(size=(num_steps // 5 + 1, 7)), 5, axis=0)[:num_steps]
    return (moves * [0.012, 0.012, 0.012, 0.03, 0.03, 0.06, 1.0]).astype(np.float32)


def config(noise, task="sort_two", seed=5):
    return EpisodeConfig(task, seed, options={"noise": noise})


def see(simulator):
    observation = simulator.observe([FRONT])
    return observation.images["front"].tobytes() + observation.depth["front"].tobytes() + observation.proprio.tobytes()


def process(simulator, **noise):
    """Return noise that stands apart from the simulator's."""
    return NoiseProcess(Noise(**noise), simulator.model, simulator._rig, 20.0)


@pytest.mark.parametrize("drift", ["none", "sudden", "cyclic", "ramp"])
def test_a_noisy_episode_is_bit_equal_when_it_is_run_again_restored_elsewhere_and_observed_twice(drift):
    noise, actions = {**EVERYTHING, "drift": drift, "drift_steps": 7}, wandering(24)
    first, second = BenchSimulator(), BenchSimulator()
    first.reset(config(noise))
    states, sights = [first.state()], [see(first)]
    for action in actions:
        first.step(action)
        states.append(SimState.from_bytes(first.state().to_bytes()))
        sights.append(see(first))
    assert see(first) == sights[-1]
    assert len(set(sights)) > len(sights) // 2
    second.reset(EpisodeConfig.from_dict(json.loads(json.dumps(config(noise).to_dict()))))
    for index in (16, 3, 0):
        second.restore(states[index])
        assert second.state().equals(states[index])
        assert see(second) == sights[index]
        for step in range(index, min(index + 8, len(actions))):
            second.step(actions[step])
            assert second.state().equals(states[step + 1]), (index, step)
        assert see(second) == sights[min(index + 8, len(actions))]
    first.close()
    second.close()


def test_no_noise_at_all_is_the_plain_episode(simulator):
    states = []
    for options in ({}, {"noise": {}}, {"noise": {"seed": 9}}, {"noise": {"drift": "none", "replaced": 0.0}}):
        simulator.reset(EpisodeConfig("stack", 4, options=options))
        simulator.step(HOLD)
        states.append(simulator.state().to_bytes())
    assert len(set(states)) == 1


def test_another_seed_gives_another_course(simulator):
    ends = []
    for seed in (1, 2):
        simulator.reset(config({"replaced": 0.5, "seed": seed}))
        for action in wandering(6):
            simulator.step(action)
        ends.append(simulator.state().to_bytes())
    assert ends[0] != ends[1]


def test_actions_are_replaced_and_repeated_at_the_stated_rates(simulator):
    simulator.reset(config({}))
    commanded = np.random.default_rng(0).uniform(-0.01, 0.01, (4000, 7)).astype(np.float32)
    replacing, sticky = process(simulator, replaced=0.3), process(simulator, sticky=0.25)
    executed = np.array([replacing.execute(i, a) for i, a in enumerate(commanded)])
    assert np.any(executed != commanded, axis=1).mean() == pytest.approx(0.3, abs=0.03)
    executed = np.array([sticky.execute(i, a) for i, a in enumerate(commanded)])
    repeats = np.all(executed[1:] == executed[:-1], axis=1)
    assert repeats.mean() == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(executed[0], commanded[0]), "the first action has none before it"


def test_streaks_are_no_longer_than_stated_but_one_may_follow_another(simulator):
    simulator.reset(config({}))
    noise = process(simulator, sticky=0.05, sticky_steps=4)
    executed = np.array([noise.execute(i, np.full(7, i + 1, dtype=np.float32)) for i in range(3000)])[:, 0]
    lengths = np.diff(np.flatnonzero(np.diff(executed, prepend=0.0, append=-1.0) != 0)) - 1
    assert set(range(5)) <= set(lengths.tolist())
    assert np.mean(lengths > 4) < 0.01


def test_an_action_is_executed_as_late_as_stated(simulator):
    simulator.reset(config({}))
    noise = process(simulator, action_delay=3)
    noise.start(simulator.state().physics, simulator.observe(()).proprio, 1.0)
    executed = [float(noise.execute(i, np.full(7, i + 1, dtype=np.float32))[0]) for i in range(6)]
    assert executed == [0, 0, 0, 1, 2, 3]


def test_observations_are_as_old_as_stated(simulator):
    actions, plain = wandering(6), []
    simulator.reset(config({}))
    plain.append(see(simulator))
    for action in actions:
        simulator.step(action)
        plain.append(see(simulator))
    simulator.reset(config({"observation_delay": 2}))
    late = [see(simulator)]
    for action in actions:
        simulator.step(action)
        late.append(see(simulator))
    assert late == [plain[0], plain[0], *plain[:-2]]


def test_the_gripper_slips_for_some_steps(simulator):
    simulator.reset(config({}))
    noise = process(simulator, slip=0.05)
    shut = np.zeros(7, dtype=np.float32)
    openings = np.array([noise.execute(i, shut)[6] for i in range(2000)])
    assert 0.05 < openings.mean() < 0.05 * SLIP_STEPS
    starts = np.flatnonzero(np.diff(openings) > 0) + 1
    assert all(openings[s : s + SLIP_STEPS].all() for s in starts if s + SLIP_STEPS <= len(openings))


@pytest.mark.parametrize("kind, least", [("nudge", 0.01), ("teleport", 0.079)])
def test_things_are_moved_by_events(simulator, kind, least):
    simulator.reset(config({kind: 1.0}))
    before = {p.name: simulator.world.position(p.name) for p in simulator.world.scene.props}
    simulator.step(HOLD)
    moved = {name: float(np.linalg.norm(simulator.world.position(name) - place)) for name, place in before.items()}
    assert max(moved.values()) > least
    assert sum(distance > 0.005 for distance in moved.values()) == 1


def test_pictures_are_noisy_and_drop_out_at_the_stated_rate(simulator):
    simulator.reset(config({}))
    grey = np.full((40, 40, 3), 128, dtype=np.uint8)
    noise = process(simulator, pixels=10.0)
    assert noise.picture(0, "front", grey).std() == pytest.approx(10.0, abs=0.5)
    assert not np.array_equal(noise.picture(0, "front", grey), noise.picture(0, "wrist", grey))
    dropping = process(simulator, dropout=0.4)
    black = np.array([np.mean(dropping.picture(i, "front", grey) == 0) for i in range(600)])
    assert np.mean(black > 0) == pytest.approx(0.4, abs=0.06)
    assert {0.5, 1.0} <= set(black.tolist())


def test_drift_decides_when_there_is_noise():
    def presence(**noise):
        return [Noise(**noise).presence(step) for step in range(20)]

    assert presence() == [1.0] * 20
    assert presence(drift="sudden", drift_steps=5) == [0.0] * 4 + [1.0] * 16
    assert presence(drift="cyclic", drift_steps=5) == ([0.0] * 5 + [1.0] * 5) * 2
    assert presence(drift="ramp", drift_steps=10) == pytest.approx([min(1.0, i / 10) for i in range(20)])


def test_dynamics_are_changed_either_way_and_restored_with_the_state(simulator):
    simulator.reset(config({}))
    plain = simulator.model
    cube = simulator.instance.roles["pick"]
    factors = []
    for seed in range(12):
        simulator.reset(config({"friction": 1.0, "mass": 1.0, "gain": 0.5, "seed": seed, "drift": "sudden", "drift_steps": 3}))
        start, model = simulator.state(), simulator.model
        assert np.array_equal(model.body_mass, plain.body_mass)
        for _ in range(4):
            simulator.step(HOLD)
        factors.append([model.body(cube).mass[0] / plain.body(cube).mass[0], model.geom_friction[0, 0] / plain.geom_friction[0, 0]])
        assert model.body("robot/base").mass == plain.body("robot/base").mass
        simulator.restore(start)
        assert np.array_equal(model.body_mass, plain.body_mass)
        assert np.array_equal(model.geom_friction, plain.geom_friction)
        assert np.array_equal(model.stat.center, plain.stat.center) and model.stat.extent == plain.stat.extent
    logs = np.log2(factors)
    assert np.all((np.abs(logs) >= 0.5) & (np.abs(logs) <= 1.0))
    assert np.all(np.ptp(np.sign(logs), axis=0) == 2), "both ways"


def test_a_disturbance_by_hand_keeps_the_memory_of_the_noise(simulator):
    simulator.reset(config(EVERYTHING))
    simulator.step(HOLD)
    name = simulator.instance.roles["pick"]
    before, world = simulator.state(), simulator.world
    apply_perturbation(simulator, {"prop": name, "position": world.position(name).tolist(), "quaternion": world.quaternion(name).tolist()})
    assert simulator.state().controller.tobytes() == before.controller.tobytes()


@pytest.mark.parametrize(
    "noise, words",
    [
        ({"stiky": 0.1}, "Did you mean 'sticky'"),
        ({"sticky": 1.5}, "from 0 to 1"),
        ({"sticky": float("nan")}, "from 0 to 1"),
        ({"pixels": "many"}, "from 0 to 255"),
        ({"sticky_steps": 0}, "whole number from 1"),
        ({"action_delay": 1.5}, "whole number"),
        ({"seed": True}, "whole number"),
        ({"drift": "slow"}, "sudden"),
    ],
)
def test_noise_that_is_none_is_refused_with_a_message(simulator, noise, words):
    with pytest.raises((InvalidInput, UnknownName), match=words):
        read_noise(noise)
    with pytest.raises((InvalidInput, UnknownName), match=words):
        simulator.reset(config(noise))


def test_an_action_that_is_none_is_refused_and_nothing_moves(simulator):
    simulator.reset(config(EVERYTHING))
    before = simulator.state()
    for wrong in (np.zeros(3, dtype=np.float32), np.full(7, np.nan, dtype=np.float32)):
        with pytest.raises(InvalidInput):
            simulator.step(wrong)
    assert simulator.state().equals(before)
