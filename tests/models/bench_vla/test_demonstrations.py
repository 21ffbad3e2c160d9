"""Demonstrations: labels are what was executed, targets lie on the things they name, and a stopped generation goes on."""

from dataclasses import replace

import numpy as np
import pytest

from models.bench_vla import static_scenes
from models.bench_vla.asks import is_clear, possible_asks, take_turns
from models.bench_vla.demonstrations import Bench, generate, plan, read_world
from models.bench_vla.demonstrations_episodes import Record, play
from models.bench_vla.labels import convex_hull, find_stage, outline_in, path_in, point_in, role_point, solid_points
from models.bench_vla.shards import EPISODE, STATIC, TASK_NAMES, ShardSet
from workbench.core.errors import InvalidInput
from workbench.core.types import CameraRequest, EpisodeConfig, Interaction
from workbench.simulation.scene import Prop, PropKind, Scene

FRONT = CameraRequest("front", 256, 256)


@pytest.fixture(scope="module")
def bench():
    made = Bench()
    yield made
    made.simulator.close()


@pytest.fixture(scope="module")
def records(bench):
    """One or two episodes of each of some tasks."""
    found = {}
    for task in ("touch", "place_on_plate", "turn_knob"):
        played = [play(bench.simulator, task, seed) for seed in range(2)]
        found[task] = [record for record in played if record is not None]
        assert found[task]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("shards")
    generate(out, episodes=2, scenes=4, seed=3, workers=1, progress=lambda text: None)
    return out


# --- Episodes ----------------------------------------------------------------------------------------------------------------------


def test_a_recorded_episode_can_be_executed_again_to_the_same_places(bench, records):
    record = records["place_on_plate"][0]
    simulator = bench.simulator
    simulator.reset(EpisodeConfig(record.task, 0), instance=record.instance)
    last = next((i for i, is_clean in enumerate(record.is_clean) if not is_clean), len(record.actions))
    for action, position in zip(record.actions[:last], record.positions[:last], strict=True):
        np.testing.assert_array_equal(simulator.world.ee_position, position)
        simulator.step(action.astype(np.float32))
    assert last > 3


def test_a_chunk_is_known_only_where_nothing_pushed(records):
    for record in (r for several in records.values() for r in several):
        for index in range(len(record.actions)):
            window = record.is_clean[index : index + 8]
            assert (record.chunk(index) is not None) == all(window)


def test_chunks_after_the_end_stay(records):
    for record in (r for several in records.values() for r in several):
        ends = [m for m in record.moments if m.is_done]
        assert ends
        for moment in ends:
            chunk = record.chunk(moment.index)
            assert not np.any(chunk[:, :6])
            assert len(set(chunk[:, 6])) == 1


def test_a_path_leaves_out_what_was_pushed():
    spot = [np.array([0.01 * i, 0, 0]) for i in range(10)]
    record = Record("touch", None, "plain", False, [np.ones(7)] * 10, [True] * 4 + [False] * 2 + [True] * 4, spot)
    np.testing.assert_allclose(record.path(1)[:, 0], [0.01, 0.02, 0.03])
    np.testing.assert_allclose(record.path(6)[:, 0], [0.06, 0.07, 0.08, 0.09])


def test_a_detour_is_told_until_its_points_are_passed(bench):
    for seed in range(20):
        record = play(bench.simulator, "pick", seed)
        flags = [m.is_detour for m in record.moments]
        if any(flags):
            assert flags == sorted(flags, reverse=True)
            assert not flags[-1]
            return
    raise AssertionError("no detour in twenty episodes")


# --- Roles and pictures ------------------------------------------------------------------------------------------------------------


def test_role_changes_when_the_thing_is_held(records):
    record = records["place_on_plate"][0]
    stages = [(m.world.held, find_stage(record.task, m.world, record.instance)) for m in record.moments]
    assert stages[0][1].interaction is Interaction.GRASP
    assert stages[-1][1].interaction is Interaction.PLACE_ON
    assert all(stage.role_now == 1 and stage.interaction is Interaction.PLACE_ON for held, stage in stages if held)


KINDS = [PropKind.CUBE, PropKind.PLATE, PropKind.PUCK, PropKind.BLOCK, PropKind.BUTTON, PropKind.KNOB, PropKind.DRAWER, PropKind.ZONE]


@pytest.mark.parametrize("kind", [*KINDS, PropKind.BOWL])
def test_targets_and_outlines_lie_on_the_thing_that_they_name(bench, kind):
    yaw = np.pi if kind is PropKind.DRAWER else 0.3
    scene = Scene((Prop(kind, "thing", "white", 0.55, 0.15, yaw), Prop(PropKind.CUBE, "cube", "red", 0.5, -0.2)))
    static_scenes.start_scene(bench.simulator, scene, 0)
    world = read_world(bench.simulator)
    camera = bench.simulator.observe([FRONT]).cameras["front"]
    ids, names = bench.simulator.object_ids(FRONT)
    is_thing = ids == names.index("thing")
    u, v, is_in = point_in(camera, role_point(world, "thing"))
    assert is_in
    row, column = int(v * 256), int(u * 256)
    assert is_thing[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3].any()
    outline = 256 * outline_in(camera, solid_points(world, "thing"))
    rows, columns = np.nonzero(is_thing)
    low, high = outline.min(0) - 4, outline.max(0) + 4
    assert np.all((columns >= low[0]) & (columns <= high[0]) & (rows >= low[1]) & (rows <= high[1]))
    seen = np.array([columns.max() - columns.min(), rows.max() - rows.min()])
    assert np.all(high - low - 8 < seen + 10)


def test_the_hull_of_a_square_with_points_inside_is_its_corners():
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5], [0.2, 0.7]])
    assert {tuple(p) for p in convex_hull(points)} == {(0, 0), (1, 0), (1, 1), (0, 1)}


def test_a_path_keeps_exactly_where_the_gripper_shuts_and_opens(bench, records):
    camera = bench.simulator.observe([FRONT]).cameras["front"]
    path = records["place_on_plate"][0].path(0)
    found = path_in(camera, path)
    events = np.flatnonzero(np.diff(path[:, 3])) + 1
    assert len(events) >= 2
    for event in events:
        where = camera.project(path[event : event + 1, :3])[0][0] / 256
        is_there = np.linalg.norm(found[:, :2] - where, axis=1) < 1e-5
        assert path[event, 3] in found[is_there, 3]
    np.testing.assert_allclose(found[[0, -1], 2], path[[0, -1], 2], atol=1e-6)


# --- Asks --------------------------------------------------------------------------------------------------------------------------


def test_words_that_fit_two_things_are_told_as_ambiguous(bench):
    cubes = [Prop(PropKind.CUBE, f"cube_{i}", c, 0.4 + 0.1 * i, 0.0) for i, c in enumerate(["red", "red", "blue"])]
    scene = Scene((*cubes, Prop(PropKind.PLATE, "plate", "white", 0.5, 0.2)))
    static_scenes.start_scene(bench.simulator, scene, 0)
    asks = possible_asks(read_world(bench.simulator), np.random.default_rng(0))
    for ask in asks:
        names = set(ask.instance.roles.values())
        assert ask.is_ambiguous == bool(names & {"cube_0", "cube_1"})
        assert (ask.task == "ambiguous_cubes") == ("plate" in names and ask.is_ambiguous)
    assert {a.task for a in asks} == {"touch", "pick", "stack", "place_on_plate", "ambiguous_cubes"}
    assert len({a.key for a in asks}) == len(asks)


def test_tasks_take_turns(bench):
    scene = Scene(tuple(Prop(PropKind.CUBE, f"cube_{c}", c, 0.4 + 0.1 * i, 0.0) for i, c in enumerate(["red", "green", "blue"])))
    scene = replace(scene, props=(*scene.props, Prop(PropKind.BUTTON, "button", "yellow", 0.5, 0.2)))
    static_scenes.start_scene(bench.simulator, scene, 0)
    asks = possible_asks(read_world(bench.simulator), np.random.default_rng(0))
    assert {a.task for a in take_turns(asks, 4)} == {"touch", "pick", "stack", "press_button"}
    assert len(take_turns(asks, 100)) == len(asks)


def test_an_open_gripper_around_a_cube_is_not_asked_to_touch_it(bench):
    static_scenes.start_scene(bench.simulator, Scene((Prop(PropKind.CUBE, "cube_red", "red", 0.5, 0.0),)), 0)
    world = read_world(bench.simulator)
    near = world.arm._replace(position=np.add(world.position("cube_red"), (0.0, 0.0, 0.03)))
    around = type(world)(world.scene, world.things, near)
    clear = {a.task: is_clear(a, around) for a in possible_asks(around, np.random.default_rng(0))}
    assert clear == {"touch": False, "pick": True}
    assert all(is_clear(a, world) for a in possible_asks(world, np.random.default_rng(0)))


# --- Shards ------------------------------------------------------------------------------------------------------------------------


def test_kinds_come_in_turn_and_all_is_made(tmp_path):
    jobs = plan(tmp_path, episodes=600, scenes=3000, seed=1)
    assert sum(j.count for j in jobs if j.kind == EPISODE) == 600
    assert sum(j.count for j in jobs if j.kind == STATIC) == 3000
    for end in range(2, len(jobs)):
        assert abs(sum(j.kind == STATIC for j in jobs[:end]) - end / 2) <= 1
    assert len({j.seed for j in jobs}) == len(jobs)


@pytest.mark.parametrize("wrong", [{"seed": 10}, {"workers": 0}, {"episodes": -1}])
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    numbers = {"episodes": 1, "scenes": 1, "seed": 0, "workers": 1, **wrong}
    with pytest.raises(InvalidInput, match="seed from 0 to 9"):
        generate(tmp_path, progress=lambda text: None, **numbers)


def test_a_shard_is_made_the_same_again_after_a_stop(folder):
    names = sorted(p.name for p in folder.iterdir())

    def again():
        return generate(folder, episodes=2, scenes=4, seed=3, workers=1, progress=lambda text: None)

    assert again()["frames"] == 0
    for name in names:
        lost = folder / name
        before = {p.name: p.read_bytes() for p in lost.iterdir()}
        for path in lost.iterdir():
            path.unlink()
        lost.rmdir()
        assert again()["frames"] > 0
        assert {p.name: p.read_bytes() for p in lost.iterdir()} == before
    assert sorted(p.name for p in folder.iterdir()) == names


def test_what_a_shard_tells_agrees_with_itself(folder):
    shards = ShardSet(folder)
    batch = shards.gather(range(shards.num_asks))
    asks, frames = batch.asks, batch.frames
    assert set(frames["kind"]) == {STATIC, EPISODE}
    np.testing.assert_array_equal(frames["memory"][:, 0], frames["proprio"][:, 15] < 0.25)
    assert np.all(asks["valid"][:, 0])
    assert np.all(np.isfinite(asks["actions"])) and np.all(np.isfinite(asks["path"]))
    # A path begins where the end-effector is.
    has_path = asks["has_path"]
    np.testing.assert_allclose(asks["path"][has_path, 0, 2], frames["proprio"][batch.frame[has_path], 9], atol=1e-5)
    # Whoever asks for a place has a goal with an outline.
    has_goal = np.isin(asks["ask_task"], [TASK_NAMES.index(t) for t in ("place_on_plate", "place_in_bowl", "stack", "push_to_zone")])
    assert np.all(np.isfinite(asks["outlines"][has_goal]))
    assert np.all(np.isfinite(asks["outlines"][:, 0]))
    assert all(text == text.lower() for text in batch.texts)
