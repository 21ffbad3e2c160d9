"""Exactness, halting and observations of the bench simulator."""

import gc
import json
import threading
import weakref

import mujoco
import numpy as np
import pytest

from workbench.core.errors import InvalidInput, InvalidShape, UnknownName
from workbench.core.protocols import Simulator
from workbench.core.types import CameraRequest, EpisodeConfig, SimState, Takeover
from workbench.simulation.simulator import BenchSimulator, count_periods
from workbench.simulation.tasks import TASKS

NUM_STEPS = 200
HALTS = {40: 2, 90: 0, 130: 4}
HOLD = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)


def wandering_actions(num_steps, seed=7):
    """Smooth wandering that reaches the table, opens and closes."""
    rng = np.random.default_rng(seed)
    moves = np.repeat(rng.normal(size=(num_steps // 10 + 1, 7)), 10, axis=0)[:num_steps]
    actions = moves * [0.012, 0.012, 0.015, 0.03, 0.03, 0.06, 1.0]
    actions[:, 2] -= 0.006
    actions[:, 6] = moves[:, 6] > 0
    return actions.astype(np.float32)


@pytest.fixture
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def run(simulator, actions, first, last):
    """Step, and return the serialised states after each step."""
    states = []
    for index in range(first, last):
        simulator.step(actions[index], halt_slice=HALTS.get(index))
        states.append(simulator.state().to_bytes())
    return states


def test_bench_implements_the_simulator_protocol(simulator):
    missing = [
        name for name in ("spec", "reset", "step", "observe", "state", "restore", "open_view", "close") if not hasattr(simulator, name)
    ]
    assert not missing
    typed: Simulator = simulator
    assert typed.spec.num_slices == 5


@pytest.mark.parametrize("task", [entry.name for entry in TASKS])
def test_same_seed_and_actions_give_bit_equal_states_also_after_restoring_elsewhere(task):
    config, actions = EpisodeConfig(task, 11), wandering_actions(NUM_STEPS)
    first, second, third = BenchSimulator(), BenchSimulator(), BenchSimulator()
    first.reset(config)
    truth = run(first, actions, 0, NUM_STEPS)
    half = NUM_STEPS // 2
    second.reset(config)
    assert run(second, actions, 0, half) == truth[:half]
    third.reset(config)
    third.step(HOLD)
    third.restore(SimState.from_bytes(second.state().to_bytes()))
    assert third.state().equals(second.state())
    assert run(third, actions, half, NUM_STEPS) == truth[half:]
    assert truth[-1] != truth[0]


def test_another_seed_gives_another_start(simulator):
    simulator.reset(EpisodeConfig("pick", 1))
    one = simulator.state()
    simulator.reset(EpisodeConfig("pick", 2))
    assert not simulator.state().equals(one)


def test_views_and_pictures_do_not_disturb_the_physics(simulator):
    config, actions = EpisodeConfig("stack", 4), wandering_actions(20)
    simulator.reset(config)
    truth = run(simulator, actions, 0, 20)
    simulator.reset(config)
    open_view, physics, done = simulator.open_view(), [simulator.state().physics], threading.Event()

    def watch():
        view = open_view()
        while not done.is_set():
            view.render(physics[-1], CameraRequest("front", 96, 96), "live")
        view.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    seen = []
    for action in actions:
        simulator.step(action, on_slice=lambda _, state: physics.append(state.copy()) or False)
        simulator.observe([CameraRequest("wrist", 64, 64)]).images["wrist"]
        seen.append(simulator.state().to_bytes())
    done.set()
    watcher.join()
    assert seen == truth


@pytest.mark.parametrize("hz", [20.0, 10.0])
@pytest.mark.parametrize("direction", [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 1), (0, 0, 1)])
def test_halt_in_any_slice_stops_the_arm_within_its_control_step(simulator, hz, direction):
    action = np.array([*direction, 0, 0, 0, 1], dtype=np.float32)
    for halt_slice in range(round(100 / hz)):
        simulator.reset(EpisodeConfig("touch", 3, control_hz=hz))
        for _ in range(round(0.6 * hz)):
            simulator.step(np.array([0.4 / hz, 0, -0.1 / hz, 0, 0, 0, 1], dtype=np.float32))
        for _ in range(round(0.3 * hz)):
            simulator.step(action)
        assert simulator.world.ee_speed > 0.4
        result = simulator.step(action, on_slice=lambda index, _, at=halt_slice: index == at)
        assert result.halt_slice == halt_slice
        assert simulator.world.ee_speed < 0.01
        stopped = simulator.world.ee_position
        for _ in range(3):
            simulator.step(HOLD)
        assert np.linalg.norm(simulator.world.ee_position - stopped) < 0.001


def test_halting_by_callback_equals_replaying_the_halt(simulator):
    config, actions = EpisodeConfig("pick", 5), wandering_actions(6)
    states = []
    for replay in (False, True):
        simulator.reset(config)
        for index, action in enumerate(actions):
            if replay:
                simulator.step(action, halt_slice=3 if index == 4 else None)
            else:
                simulator.step(action, on_slice=lambda i, _, now=index: now == 4 and i == 3)
        states.append(simulator.state())
    assert states[0].equals(states[1])


def test_a_take_over_by_callback_equals_replaying_it_also_before_a_halt(simulator):
    config, actions = EpisodeConfig("pick", 5), wandering_actions(12)
    states = []
    for is_replayed in (False, True):
        simulator.reset(config)
        for index, action in enumerate(actions):
            other, first, halt = actions[-1 - index], 1 + index % 4, 3 if index in (4, 9) else None
            if is_replayed:
                simulator.step(action, halt_slice=halt, takeover=Takeover(first, other))
                continue

            def wish(i, _, first=first, other=other, halt=halt):
                return other if i == first else i == halt

            result = simulator.step(action, on_slice=wish)
            assert (result.takeover is None, result.halt_slice) == (halt is not None and halt <= first, halt)
        states.append(simulator.state())
    assert states[0].equals(states[1])


@pytest.mark.parametrize("first", range(1, 5))
def test_after_a_take_over_each_action_is_executed_in_its_share_of_the_step(simulator, first):
    one = np.array([0.02, 0, 0.004, 0, 0, 0.05, 1], dtype=np.float32)
    other = np.array([-0.01, 0.015, 0, 0.04, 0, 0, 0], dtype=np.float32)
    simulator.reset(EpisodeConfig("touch", 3))
    simulator.step(one)
    before = simulator.state().controller[1:4]
    simulator.step(one, takeover=Takeover(first, other))
    share = first / 5
    expected = before + share * one[:3] + (1 - share) * other[:3]
    np.testing.assert_allclose(simulator.state().controller[1:4], expected, atol=1e-9)
    assert simulator.world.gripper < 1.0, "the fingers do what the hand wants"


@pytest.mark.parametrize("first", range(1, 5))
def test_who_takes_over_with_the_same_action_changes_nothing(simulator, first):
    action = np.array([0.01, 0.01, -0.005, 0, 0.02, 0.05, 1], dtype=np.float32)
    places = []
    for takeover in (None, Takeover(first, action)):
        simulator.reset(EpisodeConfig("touch", 3))
        for _ in range(6):
            simulator.step(action, takeover=takeover)
        places.append(np.append(simulator.world.ee_position, simulator.world.ee_quaternion))
    np.testing.assert_allclose(places[0], places[1], atol=5e-4)


def test_on_slice_sees_time_pass_evenly(simulator):
    simulator.reset(EpisodeConfig("touch", 0))
    model, data = simulator.model, mujoco.MjData(simulator.model)
    times = []

    def watch(_, physics):
        mujoco.mj_setState(model, data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        times.append(data.time)
        return False

    simulator.step(HOLD, on_slice=watch)
    assert times == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.04])
    assert simulator.observe([]).time_s == pytest.approx(0.05)


def test_pictures_are_refused_once_the_simulator_has_moved_on(simulator):
    simulator.reset(EpisodeConfig("touch", 0))
    observation = simulator.observe([CameraRequest("front", 64, 48), CameraRequest("top", 32, 32)])
    picture = observation.images["front"]
    assert picture.shape == (48, 64, 3)
    assert picture.dtype == np.uint8
    simulator.step(HOLD)
    assert observation.images["front"] is picture
    with pytest.raises(InvalidInput, match="moves on"):
        observation.images["top"]
    with pytest.raises(UnknownName, match="front, top"):
        observation.images["side"]


def test_later_episodes_are_drawn_as_by_a_fresh_simulator(simulator):
    cameras = [CameraRequest("front", 128, 128), CameraRequest("wrist", 64, 64)]
    for config in (EpisodeConfig("stack", 3, options={"look": {"table_texture": {"pattern": "checker"}}}), EpisodeConfig("pick", 4)):
        fresh = BenchSimulator()
        for drawn_by in (simulator, fresh):
            drawn_by.reset(config)
        ours, theirs = simulator.observe(cameras), fresh.observe(cameras)
        for camera in cameras:
            assert np.array_equal(ours.images[camera.name], theirs.images[camera.name])
        fresh.close()


def test_restoring_makes_old_pictures_stale_too(simulator):
    simulator.reset(EpisodeConfig("touch", 0))
    observation = simulator.observe([CameraRequest("front", 32, 32)])
    simulator.restore(simulator.state())
    with pytest.raises(InvalidInput, match="moves on"):
        observation.depth["front"]


def test_proprioception_matches_the_truth(simulator):
    simulator.reset(EpisodeConfig("pick", 8))
    for action in wandering_actions(10):
        simulator.step(action)
    observation = simulator.observe([])
    assert observation.proprio.dtype == np.float32
    assert observation.part("ee_position") == pytest.approx(simulator.world.ee_position, abs=1e-6)
    assert observation.part("joints") == pytest.approx(simulator.world.joints, abs=1e-6)
    assert abs(float(observation.part("ee_quaternion") @ simulator.world.ee_quaternion)) == pytest.approx(1, abs=1e-6)
    assert observation.part("gripper")[0] == pytest.approx(simulator.world.gripper, abs=1e-6)
    assert observation.step == 10


def test_an_instruction_in_the_configuration_overrides_the_tasks_own(simulator):
    assert simulator.reset(EpisodeConfig("pick", 1, instruction="lift the thing")) == "lift the thing"
    assert simulator.reset(EpisodeConfig("pick", 1)) == simulator.instance.instruction


def test_states_of_another_scene_are_refused(simulator):
    simulator.reset(EpisodeConfig("open_drawer", 1))
    state = simulator.state()
    simulator.reset(EpisodeConfig("sort_two", 1))
    with pytest.raises(InvalidInput, match="own configuration"):
        simulator.restore(state)


@pytest.mark.parametrize("hz", [0.0, -5.0, 7.0, 60.0, float("nan")])
def test_control_rates_that_do_not_divide_are_refused(simulator, hz):
    with pytest.raises(InvalidInput, match="control rate"):
        simulator.reset(EpisodeConfig("touch", 0, control_hz=hz))


def test_unknown_task_is_refused_and_leaves_the_simulator_usable(simulator):
    simulator.reset(EpisodeConfig("touch", 0))
    before = simulator.state()
    with pytest.raises(UnknownName):
        simulator.reset(EpisodeConfig("tuch", 0))
    assert simulator.state().equals(before)


@pytest.mark.parametrize("action", [np.zeros(6), np.zeros((1, 7)), np.full(7, np.nan), np.full(7, np.inf)])
def test_malformed_actions_are_refused_before_anything_moves(simulator, action):
    simulator.reset(EpisodeConfig("touch", 0))
    before = simulator.state()
    with pytest.raises((InvalidShape, InvalidInput)):
        simulator.step(action.astype(np.float32))
    assert simulator.state().equals(before)


def test_the_random_generator_is_part_of_the_state(simulator):
    simulator.reset(EpisodeConfig("pick", 1))
    held = json.loads(simulator.state().rng)
    assert held["bit_generator"] == "PCG64"


def test_object_ids_name_what_is_seen(simulator):
    simulator.reset(EpisodeConfig("place_on_plate", 2))
    camera = CameraRequest("top", 224, 224)
    ids, names = simulator.object_ids(camera)
    pinhole = simulator.observe([camera]).cameras["top"]
    for prop in simulator.instance.scene.props:
        (u, v), depth = (a[0] for a in pinhole.project(simulator.world.position(prop.name)))
        assert depth > 0
        seen = np.argwhere(ids == names.index(prop.name))
        assert len(seen) > 20
        if names[ids[int(v), int(u)]] == prop.name:
            assert np.linalg.norm(seen.mean(axis=0) + 0.5 - [v, u]) < 6
    assert {"table", "arm", "gripper"} <= set(names)


def test_periods_must_divide():
    assert count_periods(0.05, 0.01, "x") == 5
    with pytest.raises(InvalidInput, match=r"multiple of 0\.01 s"):
        count_periods(0.055, 0.01, "x")


def test_a_closed_simulator_is_freed_at_once():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("pick", 1))
    simulator.close()
    alive = weakref.ref(simulator)
    gc.disable()
    try:
        del simulator
        assert alive() is None
    finally:
        gc.enable()
