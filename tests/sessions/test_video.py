import json

import av
import numpy as np
import pytest
from PIL import Image

from sessions.recorder import Recorder
from sessions.store import Store
from sessions.video import ACTOR_COLOURS, VideoOptions, write_events, write_picture, write_video
from workbench.core.errors import InvalidInput, NotStored, StoreError
from workbench.core.events import EpisodeStart, Outcome, new_id
from workbench.core.sketches import Sketch, Stroke, StrokeKind
from workbench.core.types import Actor, CameraRequest, EpisodeConfig, Prompt
from workbench.rollout.hold import HoldPolicy, hold_action
from workbench.rollout.loop import Choice, begin_episode, change_prompt, finish_episode, tick
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.simulators import SIMULATORS

SKETCH = Sketch("s", "front", 480, 480, (Stroke("a", StrokeKind.ARROW, ((0.2, 0.5), (0.8, 0.5)), colour=(255, 0, 255)),))
HOSTILE_TEXT = "${1+1} <img onerror=x> 漢字 " + "very long " * 60


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with one episode of 12 steps, the last six driven by a human, with a sketch drawn at step 6."""
    with Store.open(tmp_path_factory.mktemp("video") / "workbench.db") as opened:
        with Recorder(opened) as recorder:
            simulator = BenchSimulator()
            config = EpisodeConfig("touch", 3)
            simulator.reset(config)
            head = EpisodeStart("filmed", "sitting", config.to_dict(), HOSTILE_TEXT, "hold")
            episode = begin_episode(simulator, HoldPolicy(), head, prompt=Prompt(text=HOSTILE_TEXT), observer=recorder)
            for index in range(12):
                if index == 6:
                    change_prompt(episode, {"sketch": SKETCH})
                tick(episode, lambda seen, wish, i=index: Choice(hold_action(seen), Actor.HUMAN if i >= 6 else Actor.POLICY))
            finish_episode(episode, Outcome.SUCCESS)
            simulator.close()
            recorder.on_start(EpisodeStart(new_id(), "sitting", config.to_dict(), "", "hold"))
        yield opened


def frames_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], stream.average_rate, stream.codec_context.name


def purple(image):
    """Count the pixels that have the sketch's colour."""
    return int(((image[..., 0] > 150) & (image[..., 1] < 120) & (image[..., 2] > 150)).sum())


def test_a_video_has_a_frame_a_step_at_the_control_rate_with_actor_and_sketch_on_it(store, tmp_path):
    done = []
    options = VideoOptions(CameraRequest("front", 161, 121), quality="policy")
    report = write_video(
        store, "filmed", tmp_path / "new" / "a.mp4", SIMULATORS.load, options=options, on_progress=lambda *n: done.append(n)
    )
    frames, rate, codec = frames_of(report.path)
    assert (len(frames), report.num_frames, float(rate), report.duration_s) == (13, 13, 20.0, 0.65)
    assert done == [(k, 13) for k in range(1, 14)]
    assert codec in ("h264", "mpeg4")
    assert frames[0].shape == (186, 160, 3)
    for index, actor in ((2, Actor.POLICY), (9, Actor.HUMAN)):
        bar = frames[index][153, 80].astype(int)
        assert np.abs(bar - ACTOR_COLOURS[actor]).max() < 40
    assert purple(frames[3]) == 0
    assert purple(frames[9]) > 50
    assert [p.name for p in report.path.parent.iterdir()] == ["a.mp4"]


def test_speed_and_a_bare_picture_can_be_chosen(store, tmp_path):
    options = VideoOptions(CameraRequest("top", 64, 64), quality="policy", speed=2.0, has_overlay=False)
    report = write_video(store, "filmed", tmp_path / "a.mp4", SIMULATORS.load, options=options)
    frames, rate, _ = frames_of(report.path)
    assert (frames[0].shape, float(rate), report.duration_s) == ((64, 64, 3), 40.0, 13 / 40)
    for wrong in ({"speed": 0.0}, {"speed": float("nan")}, {"camera": CameraRequest("top", 5000, 64)}):
        with pytest.raises(InvalidInput):
            VideoOptions(**wrong)


def test_a_picture_of_any_step_and_of_the_end_is_a_png(store, tmp_path):
    options = VideoOptions(CameraRequest("front", 96, 64), quality="policy")
    pictures = []
    for step in (0, 8, 12):
        path = write_picture(store, "filmed", step, tmp_path / f"{step}.png", SIMULATORS.load, options=options)
        pictures.append(np.asarray(Image.open(path)))
    assert [p.shape for p in pictures] == [(130, 96, 3)] * 3
    assert purple(pictures[0]) == 0 < purple(pictures[1])
    with pytest.raises(NotStored):
        write_picture(store, "filmed", 13, tmp_path / "13.png", SIMULATORS.load, options=options)


def test_the_timeline_is_written_as_json(store, tmp_path):
    document = json.loads(write_events(store, "filmed", tmp_path / "events.json").read_text(encoding="utf-8"))
    assert document["instruction"] == HOSTILE_TEXT
    assert document["config"]["task"] == "touch"
    assert [e["kind"] for e in document["events"]] == ["start", "sketch", "end"]
    assert document["events"][1]["payload"]["sketch"]["strokes"][0]["id"] == "a"


def test_what_cannot_be_written_says_so_and_leaves_what_was_there(store, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError):
        write_events(store, "filmed", tmp_path / "file" / "below.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(StoreError):
        write_events(store, "filmed", tmp_path / "folder.json")
    with pytest.raises(NotStored):
        write_video(store, "nobody", tmp_path / "a.mp4", SIMULATORS.load)
    empty = next(e.id for e in store.episodes().episodes if e.num_steps == 0)
    with pytest.raises(InvalidInput, match="none"):
        write_video(store, empty, tmp_path / "a.mp4", SIMULATORS.load)
    assert (tmp_path / "file").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))
