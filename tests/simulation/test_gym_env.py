"""The simulator over Gymnasium environments."""

import builtins

import numpy as np
import pytest

from workbench.core.errors import InvalidInput, InvalidShape, MissingDependency, UnknownName
from workbench.core.types import CameraRequest, EpisodeConfig, SimState
from workbench.simulation.gym_env import FREE_CAMERA, FULL_MOVE, GymSimulator, map_action
from workbench.simulation.gym_loading import in_words
from workbench.simulation.simulators import SIMULATORS

pytest.importorskip("gymnasium")
HOLD = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)


def fetch(seed=3, **more):
    pytest.importorskip("gymnasium_robotics")
    return EpisodeConfig("FetchPickAndPlace-v4", seed, simulator="gym", control_hz=25.0, **more)


def pusher(seed=3):
    return EpisodeConfig("Pusher-v5", seed, simulator="gym", control_hz=20.0)


@pytest.fixture
def simulator():
    made = SIMULATORS.load("gym")
    yield made
    made.close()


def random_actions(num_steps):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(num_steps, 7)) * [0.03, 0.03, 0.03, 0.1, 0.1, 0.1, 1]).astype(np.float32)


@pytest.mark.parametrize("make_config", [fetch, pusher])
def test_same_seed_and_actions_give_bit_equal_states_also_after_restoring_elsewhere(simulator, make_config):
    config, actions = make_config(), random_actions(60)
    simulator.reset(config)
    truth = []
    for action in actions:
        simulator.step(action)
        truth.append(simulator.state().to_bytes())
    other = GymSimulator()
    other.reset(config)
    other.restore(SimState.from_bytes(truth[29]))
    again = []
    for action in actions[30:]:
        other.step(action)
        again.append(other.state().to_bytes())
    other.close()
    assert again == truth[30:]


def test_delta_positions_move_the_gripper_that_way(simulator):
    assert simulator.reset(fetch()) == "fetch pick and place"
    start = simulator.observe([]).part("ee_position").copy()
    for _ in range(10):
        simulator.step(np.array([0, 0.02, 0, 0, 0, 0, 1], dtype=np.float32))
    moved = simulator.observe([]).part("ee_position") - start
    assert moved[1] > 0.05
    assert abs(moved[0]) < 0.03
    assert simulator.observe([]).time_s == pytest.approx(0.4)


def test_gripper_command_opens_and_closes_the_fingers(simulator):
    simulator.reset(fetch())
    openings = []
    for target in (1.0, 0.0):
        for _ in range(15):
            simulator.step(np.array([0, 0, 0, 0, 0, 0, target], dtype=np.float32))
        openings.append(float(simulator.observe([]).part("gripper")[0]))
    assert openings[0] > 0.8
    assert openings[1] < 0.2


def test_halt_stops_the_arm_and_replays(simulator):
    config, forward = fetch(), np.array([0.04, 0, 0, 0, 0, 0, 1], dtype=np.float32)
    states = []
    for replay in (False, True):
        simulator.reset(config)
        for _ in range(3):
            simulator.step(forward)
        halt = {"halt_slice": 0} if replay else {"on_slice": lambda *_: True}
        assert simulator.step(forward, **halt).halt_slice == 0
        states.append(simulator.state())
    assert states[0].equals(states[1])


def test_pictures_depth_and_pinholes_agree(simulator):
    simulator.reset(fetch())
    requests = [CameraRequest(name, 160, 120) for name in simulator.spec.cameras]
    observation = simulator.observe(requests)
    for request in requests:
        picture, depth = observation.images[request.name], observation.depth[request.name]
        assert picture.shape == (120, 160, 3)
        assert depth.shape == (120, 160)
    assert observation.images[FREE_CAMERA].std() > 5
    # The end-effector's site lies between the fingers: what is drawn at its pixel is at most a finger's width away.
    pinhole = observation.cameras[FREE_CAMERA]
    (pixel,), (distance,) = pinhole.project(observation.part("ee_position"))
    assert observation.depth[FREE_CAMERA][int(pixel[1]), int(pixel[0])] == pytest.approx(distance, abs=0.08)


def test_view_draws_what_the_simulator_sees(simulator):
    simulator.reset(fetch())
    view = simulator.open_view()()
    seen = view.render(simulator.state().physics, CameraRequest(FREE_CAMERA, 96, 96), "policy")
    pinhole = view.pinhole(simulator.state().physics, CameraRequest(FREE_CAMERA, 96, 96))
    view.close()
    observation = simulator.observe([CameraRequest(FREE_CAMERA, 96, 96)])
    assert np.array_equal(seen, observation.images[FREE_CAMERA])
    assert pinhole.T_world_camera == pytest.approx(observation.cameras[FREE_CAMERA].T_world_camera)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 9])
def test_mapped_actions_stay_in_bounds_and_zero_maps_to_the_middle(size):
    low, high = -np.arange(1.0, size + 1), np.arange(1.0, size + 1)
    wild = np.array([9, -9, 9, 9, -9, 9, 5.0])
    assert np.all((map_action(wild, low, high) >= low) & (map_action(wild, low, high) <= high))
    neutral = np.array([0, 0, 0, 0, 0, 0, 0.5])
    assert map_action(neutral, low, high) == pytest.approx(np.zeros(size))


def test_fetch_like_boxes_read_position_and_gripper():
    low, high = np.full(4, -1.0), np.full(4, 1.0)
    sent = map_action(np.array([FULL_MOVE, 0, -FULL_MOVE / 2, 1, 1, 1, 0.0]), low, high)
    assert sent == pytest.approx([1, 0, -0.5, -1])


def test_unknown_environment_names_near_ones(simulator):
    with pytest.raises(UnknownName, match="Did you mean"):
        simulator.reset(EpisodeConfig("Pushr-v5", 0, simulator="gym"))


def test_environments_without_mujoco_are_refused(simulator):
    with pytest.raises(InvalidInput, match="MuJoCo"):
        simulator.reset(EpisodeConfig("CartPole-v1", 0, simulator="gym", control_hz=50.0))


def test_wrong_control_rate_names_the_right_one_and_keeps_the_present_episode(simulator):
    simulator.reset(pusher())
    before = simulator.state()
    with pytest.raises(InvalidInput, match="50 Hz"):
        simulator.reset(EpisodeConfig("Reacher-v5", 0, simulator="gym"))
    assert simulator.state().equals(before)


def test_malformed_actions_are_refused(simulator):
    simulator.reset(pusher())
    with pytest.raises(InvalidShape):
        simulator.step(np.zeros(4, dtype=np.float32))


def test_missing_gymnasium_says_how_to_install_it(simulator, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "gymnasium":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependency, match="pip install"):
        simulator.reset(pusher())


def test_environment_ids_become_words():
    assert in_words("FetchPickAndPlace-v4") == "fetch pick and place"
    assert in_words("space/HalfCheetah-v5") == "half cheetah"
