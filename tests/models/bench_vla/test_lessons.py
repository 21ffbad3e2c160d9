"""Corrected episodes become shards: pictures, answers and labels of what was done by hand and by the policy."""

from dataclasses import replace

import numpy as np
import pytest

from models.bench_vla.lessons import LESSON_KINDS, chunk_of, find_asked, stride_of, why_not, write_lessons
from models.bench_vla.shards import TASK_NAMES, ShardSet
from sessions.campaigns import insert_tape
from sessions.corrections import corrected_episodes, read_lesson
from sessions.store import Store
from workbench.core.types import Actor, EpisodeConfig
from workbench.evaluation.scripted_corrections import agreement, supervise
from workbench.evaluation.worker import EpisodeTape
from workbench.learning.lessons import Mode
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.simulator import BenchSimulator


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """An episode in which the policy stood still until the script took over, read back from a database."""
    simulator, tape = BenchSimulator(), EpisodeTape()
    simulator.reset(EpisodeConfig("touch", 0))
    found = supervise(simulator, HoldPolicy(), "touch", 4, observers=(tape,), session_id="s", name="bench-vla")
    simulator.close()
    assert found.was_corrected and found.is_success
    with Store.open(tmp_path_factory.mktemp("store") / "w.db") as store:
        with store.transaction() as connection:
            insert_tape(connection, tape)
        (episode,) = corrected_episodes(store)
        assert (episode.num_human_steps, episode.num_corrections, episode.driver) == (found.num_human_steps, 1, "bench-vla")
        return as_policy(read_lesson(store, episode))


def as_policy(lesson):
    """Return a lesson in which who held still counts as a policy that acted."""
    return replace(lesson, actors=tuple(Actor.POLICY if a is Actor.HOLD else a for a in lesson.actors))


def test_a_lesson_becomes_frames_whose_kinds_and_answers_are_what_was_done(lesson, tmp_path):
    told = []
    written = write_lessons(tmp_path, [lesson], stride=stride_of([lesson]), progress=told.append)
    assert written.num_lessons == 1 and told == [1] and written.left_out == ()
    shards, modes = ShardSet(tmp_path), lesson.modes()
    kinds = shards.column("kind")
    assert set(kinds.tolist()) == {LESSON_KINDS[Mode.HUMAN], LESSON_KINDS[Mode.BEFORE], LESSON_KINDS[Mode.POLICY]}
    expected = (modes != Mode.LEFT_OUT).sum() / 2
    assert expected - 1 <= shards.num_frames == shards.num_asks == written.num_frames <= expected + 1
    batch = shards.gather(np.arange(shards.num_asks))
    assert set(batch.texts) == {lesson.texts[0].lower()} and (batch.asks["ask_task"] == TASK_NAMES.index("touch")).all()
    assert batch.asks["valid"][:, 0].all() and not batch.asks["done"].any() and batch.asks["has_path"].any()
    by_hand = batch.asks["actions"][kinds == LESSON_KINDS[Mode.HUMAN]][:, 0]
    assert np.abs(by_hand[:, :3]).max() > 0.003 and (batch.asks["front_targets"][:, 0, 2] == 1).all()
    assert batch.frames["front"].std() > 10 and batch.frames["wrist"].std() > 1
    again = write_lessons(tmp_path, [lesson], stride=99)
    assert again.num_frames == written.num_frames, "what is there is kept"


def test_an_answer_never_mixes_drivers_and_ends_where_nobody_should_learn(lesson):
    modes = lesson.modes()
    first = int(np.flatnonzero(modes == Mode.HUMAN)[0])
    actions, valid = chunk_of(lesson, modes, first - 3)
    assert valid.tolist() == [True] * 3 + [False] * 5 and not actions[3:].any()
    assert chunk_of(lesson, modes, first)[1].any()
    modes = modes.copy()
    modes[first + 2] = Mode.LEFT_OUT
    assert chunk_of(lesson, modes, first)[1].tolist() == [True, True] + [False] * 6


def test_what_the_model_cannot_learn_is_named(lesson, tmp_path):
    assert not why_not(lesson)
    for config, told in (
        (replace(lesson.config, control_hz=10.0), "10 Hz"),
        (replace(lesson.config, robot="arm.xml"), "another robot"),
        (replace(lesson.config, task="follow_path"), "follow_path"),
    ):
        assert told in why_not(replace(lesson, config=config))
    other = replace(lesson, texts=("sing a song",) * len(lesson.texts))
    written = write_lessons(tmp_path, [other], stride=2)
    assert written.num_frames == 0 and "scene does not answer" in written.left_out[0]


def test_words_are_read_in_any_manner_and_for_other_things_of_the_scene(lesson):
    simulator = BenchSimulator()
    own = simulator.reset(EpisodeConfig("place_on_plate", 7))
    assert find_asked(simulator, f"slowly {own.upper()}").task == "place_on_plate"
    cube = simulator.instance.scene.prop(simulator.instance.roles["pick"])
    found = find_asked(simulator, f"touch the {cube.label}") or find_asked(simulator, f"pick up the {cube.label}")
    assert found.task in ("touch", "pick") and found.instance.roles["target"] == cube.name
    assert find_asked(simulator, "paint the wall") is None
    simulator.close()


def test_agreement_is_one_along_the_expert_s_way_and_minus_one_against_it():
    way = np.array([0.01, 0, 0, 0, 0, 0, 1.0])
    still = np.zeros(7)
    assert agreement(way.astype(np.float32), way) == pytest.approx(1) and agreement(-way.astype(np.float32), way) == pytest.approx(-1)
    assert agreement(still.astype(np.float32), way) == 0
    assert agreement(way.astype(np.float32), np.array([0, 0, 0, 0, 0, 0, 0.0])) == -1, "the fingers shall close"
    assert agreement(still.astype(np.float32), still) == 1
