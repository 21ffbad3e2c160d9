import numpy as np
import pytest

from sessions.comparison import compare, ee_path
from sessions.recorder import Recorder
from sessions.replay import branch_point, open_episode_view, render_step, replay
from sessions.store import Store
from tests.sessions.recordings import record, start
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.events import EpisodeStart, EventKind, Outcome, new_id
from workbench.core.protocols import PolicySpec
from workbench.core.sketches import Sketch, Stroke, StrokeKind
from workbench.core.types import ActionChunk, Actor, CameraRequest, EpisodeConfig, Interaction, Mask, Prompt, Trace
from workbench.rollout.loop import Choice, begin_episode, change_prompt, emit, finish_episode, tick
from workbench.simulation.perturbations import disturb, draw_shift
from workbench.simulation.scene import PropKind
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.simulators import SIMULATORS
from workbench.simulation.tasks import TASKS

NAMES = [entry.name for entry in TASKS]
MINE = np.array([0.02, 0, 0, 0, 0, 0.1, 0], dtype=np.float32)


class Wild:
    """Moves at random, as far as one step may."""

    spec = PolicySpec(name="wild")

    def reset(self, rng):
        pass

    def act(self, observation, prompt, rng):
        action = np.append(rng.uniform(-0.03, 0.03, 6), rng.integers(2)).astype(np.float32)
        return ActionChunk(action[None], control_hz=20.0)


def run(recorder, config, num_steps, *, halts=(), human=(), taken=(), parent=None, simulator=None):
    """Run an episode of a policy that moves at random, halted and taken over at and within given steps; return its id."""
    simulator = simulator or BenchSimulator()
    text = simulator.reset(config)
    head = EpisodeStart(new_id(), "replays", config.to_dict(), text, "wild")
    if parent is not None:
        parent_id, step, state = parent
        simulator.restore(state)
        head = EpisodeStart(new_id(), "replays", config.to_dict(), text, "wild", parent_id, step, state.to_bytes())
    episode = begin_episode(simulator, Wild(), head, prompt=Prompt(text=text), observer=recorder)
    for index in range(num_steps):

        def oversee(observation, proposal, by_hand=index in human):
            return Choice(MINE, Actor.HUMAN) if by_hand else Choice(proposal, Actor.POLICY)

        def wish(k, physics, index=index):
            return MINE if k == 1 and index in taken else k == 2 and index in halts

        tick(episode, oversee, on_slice=wish)
    finish_episode(episode, Outcome.STOPPED)
    simulator.close()
    return head.episode_id


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A closed database with one short episode of four tasks each, and a branch of the first."""
    path = tmp_path_factory.mktemp("replays") / "workbench.db"
    with Store.open(path) as store, Recorder(store) as recorder:
        ids = [run(recorder, EpisodeConfig(name, 5), 12, halts=(4, 5), human=(7, 8), taken=(5, 6)) for name in NAMES[:4]]
        recorder.flush()
        state = store.state_at(ids[0], 6)
        ids.append(run(recorder, EpisodeConfig(NAMES[0], 5), 8, parent=(ids[0], 6, state)))
    return path, ids


def test_episodes_with_halts_and_a_human_replay_bit_equal_after_reopening_the_file(recorded):
    path, ids = recorded
    with Store.open(path, read_only=True) as store:
        for episode in ids:
            report = replay(store, episode, SIMULATORS.load)
            assert report.is_equal, report
            assert report.num_compared == store.episode(episode).num_steps + 1
        steps = list(store.steps(ids[0]))
        assert [step.index for step in steps if step.halt_slice is not None] == [4, 5]
        assert [(step.index, step.takeover.slice) for step in steps if step.takeover] == [(5, 1), (6, 1)]
        np.testing.assert_array_equal(steps[6].takeover.action, MINE)
        np.testing.assert_array_equal(steps[6].action, steps[6].proposal)


def test_a_changed_state_is_found_at_its_step(recorded, tmp_path):
    path, ids = recorded
    copy = tmp_path / "changed.db"
    copy.write_bytes(path.read_bytes())
    with Store.open(copy) as store:
        with store.transaction() as connection:
            connection.execute(
                "UPDATE steps SET dz = dz + 1e-4 WHERE step = 6 AND episode = (SELECT num FROM episodes WHERE id = ?)", [ids[1]]
            )
        report = replay(store, ids[1], SIMULATORS.load)
    assert not report.is_equal
    assert report.difference.step == 7
    assert "physics" in report.difference.what


def test_missing_steps_are_told(recorded, tmp_path):
    path, ids = recorded
    copy = tmp_path / "changed.db"
    copy.write_bytes(path.read_bytes())
    with Store.open(copy) as store:
        with store.transaction() as connection:
            connection.execute("DELETE FROM steps WHERE step = 6 AND episode = (SELECT num FROM episodes WHERE id = ?)", [ids[1]])
        with pytest.raises(InvalidInput, match="step 6, found step 7"):
            replay(store, ids[1], SIMULATORS.load)


def test_any_step_is_drawn_from_any_camera_as_the_simulator_would(recorded):
    path, ids = recorded
    with Store.open(path, read_only=True) as store:
        with open_episode_view(store, ids[1], SIMULATORS.load) as view:
            first, last = (view.image(step, CameraRequest("front", 96, 64)) for step in (0, 12))
            top = view.image(12, CameraRequest("top", 64, 64), "policy")
            assert view.pinhole(0, CameraRequest("front", 96, 64)).width == 96
        assert (first.shape, top.shape) == ((64, 96, 3), (64, 64, 3))
        assert (first != last).any()
        np.testing.assert_array_equal(render_step(store, ids[1], 12, SIMULATORS.load, CameraRequest("front", 96, 64)), last)
        with pytest.raises(NotStored):
            render_step(store, ids[1], 13, SIMULATORS.load, CameraRequest("front", 96, 64))


def test_a_branch_point_holds_what_was_in_force_at_its_step(tmp_path):
    sketch = Sketch("s", "front", 480, 480, (Stroke("a", StrokeKind.ARROW, ((0.2, 0.2), (0.6, 0.6))),))
    with Store.open(tmp_path / "workbench.db") as store, Recorder(store) as recorder:
        simulator = BenchSimulator()
        config = EpisodeConfig(NAMES[0], 5)
        text = simulator.reset(config)
        head = EpisodeStart(new_id(), "replays", config.to_dict(), text, "wild")
        episode = begin_episode(simulator, Wild(), head, prompt=Prompt(text=text), observer=recorder)
        for index in range(6):
            if index == 2:
                change_prompt(episode, {"text": "go left", "sketch": sketch})
            if index == 4:
                change_prompt(episode, {"sketch": None})
            tick(episode, lambda observation, proposal: Choice(proposal, Actor.POLICY))
        finish_episode(episode, Outcome.STOPPED)
        simulator.close()
        recorder.flush()
        points = [branch_point(store, head.episode_id, k) for k in (1, 3, 5, 6)]
        assert [p.prompt.text for p in points] == [text, "go left", "go left", "go left"]
        assert [p.prompt.sketch.strokes if p.prompt.sketch else None for p in points] == [None, sketch.strokes, None, None]
        assert all(p.state.equals(store.state_at(head.episode_id, p.step)) for p in points)
        assert points[0].config == config
        assert points[0].policy == "wild"
        with pytest.raises(NotStored):
            branch_point(store, head.episode_id, 7)
        assert EventKind.SKETCH in [e.kind for e in store.events(head.episode_id)]


def test_traces_and_masks_come_back_whole_from_the_disk(tmp_path):
    trace = Trace("front", 256, 256, ((1.5, 2.0), (30.0, 40.25)), (0.0, 1.5), (0.9, 0.8), (1.0, 0.0), "human", "drawn")
    mask = Mask("front", np.random.default_rng(0).random((48, 64)) > 0.7, "oracle")
    with Store.open(tmp_path / "workbench.db") as store, Recorder(store) as recorder:
        simulator = BenchSimulator()
        config = EpisodeConfig(NAMES[0], 5)
        text = simulator.reset(config)
        head = EpisodeStart(new_id(), "replays", config.to_dict(), text, "wild")
        episode = begin_episode(simulator, Wild(), head, prompt=Prompt(text=text, trace=trace), observer=recorder)
        tick(episode, lambda observation, proposal: Choice(proposal, Actor.POLICY))
        change_prompt(episode, {"mask": mask, "interaction": Interaction.PUSH})
        tick(episode, lambda observation, proposal: Choice(proposal, Actor.POLICY))
        finish_episode(episode, Outcome.STOPPED)
        simulator.close()
    with Store.open(tmp_path / "workbench.db", read_only=True) as store:
        before, after = (branch_point(store, head.episode_id, k).prompt for k in (0, 2))
    assert (before.trace, before.mask, before.interaction) == (trace, None, None)
    assert (after.text, after.trace, after.interaction) == (text, trace, Interaction.PUSH)
    np.testing.assert_array_equal(after.mask.pixels, mask.pixels)
    assert (after.mask.camera, after.mask.source) == (mask.camera, mask.source)


def test_branches_are_compared_on_their_common_time_line(recorded):
    path, ids = recorded
    with Store.open(path, read_only=True) as store:
        found = compare(store, [ids[0], ids[4]], SIMULATORS.load)
        parent, child = found.episodes
        assert (parent.offset, child.offset) == (0, 6)
        np.testing.assert_array_equal(parent.path[6], child.path[0])
        np.testing.assert_allclose(found.max_gap, found.max_gap.T)
        assert found.max_gap[0, 1] > 1e-4, "the policy's random generator goes its own way"
        assert found.max_gap[0, 0] == 0.0
        assert parent.num_human_steps == 2
        assert parent.path_length > 0.01
        np.testing.assert_allclose(ee_path(store, ids[0], SIMULATORS.load), parent.path, atol=1e-6)


def test_comparing_without_paths_or_a_simulator_gives_nan(tmp_path):
    with Store.open(tmp_path / "workbench.db") as store:
        with Recorder(store) as recorder:
            record(recorder, start(episode_id="empty"), 0)
        found = compare(store, ["empty"])
        assert found.episodes[0].path.shape == (0, 3)
        assert np.isnan(found.max_gap[0, 0])


def test_a_thing_that_was_moved_by_hand_is_moved_again_in_the_replay(tmp_path):
    with Store.open(tmp_path / "workbench.db") as store:
        with Recorder(store) as recorder:
            simulator = BenchSimulator()
            config = EpisodeConfig("pick", 5)
            text = simulator.reset(config)
            head = EpisodeStart(new_id(), "replays", config.to_dict(), text, "wild")
            episode = begin_episode(simulator, Wild(), head, prompt=Prompt(text=text), observer=recorder)
            name = next(p.name for p in simulator.instance.scene.props if p.kind is PropKind.CUBE)
            for index in range(8):
                if index in (3, 6):
                    shift = draw_shift(simulator.world, name, 0.06, np.random.default_rng(index))
                    emit(episode, EventKind.PERTURBATION, disturb(simulator, name, *shift))
                tick(episode, lambda observation, proposal: Choice(proposal, Actor.POLICY))
            emit(episode, EventKind.PERTURBATION, disturb(simulator, name, -shift[0], -shift[1]))
            finish_episode(episode, Outcome.STOPPED)
            simulator.close()
        assert replay(store, head.episode_id, SIMULATORS.load).is_equal
        with store.transaction() as connection:
            connection.execute("DELETE FROM events WHERE kind = 'perturbation' AND step = 6")
        assert replay(store, head.episode_id, SIMULATORS.load).difference.step == 6


@pytest.mark.slow
def test_fifty_random_episodes_replay_bit_equal_before_and_after_reopening(tmp_path):
    rng = np.random.default_rng(2)
    path = tmp_path / "workbench.db"
    with Store.open(path) as store:
        with Recorder(store) as recorder:
            ids = []
            for k in range(50):
                config = EpisodeConfig(NAMES[k % len(NAMES)], int(rng.integers(1_000_000)), control_hz=float(rng.choice([10.0, 20.0])))
                length = int(rng.integers(4, 20))
                halts, human, taken = (rng.integers(length, size=size) for size in (2, 3, 3))
                ids.append(run(recorder, config, length, halts=halts, human=human, taken=taken))
        assert all(replay(store, episode, SIMULATORS.load).is_equal for episode in ids)
    with Store.open(path) as store:
        reports = [replay(store, episode, SIMULATORS.load) for episode in ids]
    assert all(report.is_equal for report in reports), [r for r in reports if not r.is_equal]
