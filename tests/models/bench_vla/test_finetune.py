"""Teaching from given weights: what is drawn, what is learnt, and that a cut-off teaching goes on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.bench_vla.checkpoint import load_network, read_about, save_network
from models.bench_vla.config import BenchVlaConfig
from models.bench_vla.finetune import LessonMaker, digest_of, finetune, modes_of_asks
from models.bench_vla.lessons import LESSON_KINDS
from models.bench_vla.network import BenchVla
from models.bench_vla.shards import ShardSet, write_synthetic
from models.bench_vla.train import Settings, Trainer
from models.bench_vla.versions import FIRST, name_versions, version_names, weights_of
from models.catalog import POLICIES
from workbench.core.errors import InvalidInput, UnknownName
from workbench.learning.lessons import Mode
from workbench.learning.plan import TeachSettings
from workbench.learning.weighting import Weighting

CONFIG = BenchVlaConfig(
    words=("cube", "red", "green", "blue", "pick", "up", "the"), width=16, num_layers=1, num_heads=2, ffn_width=16, stem_width=8
)
SHORT = TeachSettings(weighting=Weighting.SIRIUS, num_steps=4, num_frames=6, num_threads=1)


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("parent") / "bench-vla.safetensors"
    save_network(path, CONFIG, BenchVla(CONFIG).state_dict(), about={"steps": 1, "minutes": 1}, dtype=torch.float16)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Demonstrations of noise, and a shard whose frames are steps by hand, by the policy, and before a correction."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    write_synthetic(folder, rng, num_shards=3, num_frames=12)
    lesson = folder / "shard-00002" / "kind.npy"
    kinds = np.load(lesson)
    kinds[:] = np.resize(list(LESSON_KINDS.values()), len(kinds))
    np.save(lesson, kinds)
    return folder


def tensors_of(path):
    return load_network(path).state_dict()


def test_frames_tell_what_each_ask_is_to_the_learner(data):
    shards = ShardSet(data)
    modes = modes_of_asks(shards)
    assert set(modes) == {Mode.DEMONSTRATION, *LESSON_KINDS}
    assert (modes == Mode.DEMONSTRATION).sum() == (shards.column("ask_frame") < 24).sum()


def test_lessons_and_demonstrations_are_drawn_by_their_shares_and_each_frame_once(data, tmp_path):
    trainer = Trainer(CONFIG, Settings(minutes=1.0), tmp_path)
    shards, rng = ShardSet(data), np.random.default_rng(1)
    maker = LessonMaker(shards, trainer, replace(SHORT, demonstrations=0.75, weighting=Weighting.IWR))
    modes, owner = modes_of_asks(shards), shards.column("ask_frame")
    drawn = [maker.draw_asks(rng, 4) for _ in range(300)]
    assert all((np.diff(owner[asks]) > 0).all() for asks in drawn)
    share = np.mean([(modes[asks] == Mode.DEMONSTRATION).mean() for asks in drawn])
    assert 0.68 < share < 0.82
    batch, labels = maker.draw(rng)
    assert len(batch.front) == len(batch.words) == len(labels.chosen)


def test_without_lessons_there_is_nothing_to_teach(parent, tmp_path):
    write_synthetic(tmp_path / "demonstrations", np.random.default_rng(0), num_shards=1)
    with pytest.raises(InvalidInput, match="Correct the policy first"):
        finetune(parent, tmp_path / "demonstrations", tmp_path / "out", SHORT, about={}, progress=lambda step, losses: None)


def test_teaching_changes_a_copy_and_keeps_what_shall_not_learn(parent, data, tmp_path):
    before, digest, told = tensors_of(parent), digest_of(parent), []
    settings = replace(SHORT, has_eyes=False, learning_rate=1e-2)
    taught = finetune(parent, data, tmp_path, settings, about={"parent": "p"}, progress=lambda step, losses: told.append(step))
    after = tensors_of(taught.weights)
    assert told == [1, 2, 3, 4] and digest_of(parent) == digest and taught.digest == digest_of(taught.weights) != digest
    assert not torch.equal(before["plan.weight"], after["plan.weight"])
    eyes = [name for name in before if name.startswith(("front_stem", "wrist_stem"))]
    assert eyes and all(torch.equal(before[name], after[name]) for name in eyes)
    about = read_about(taught.weights)
    assert about["parent"] == "p" and about["taught"]["weighting"] == "sirius" and about["steps"] == 4
    assert taught.shares.demonstrations == pytest.approx(0.5) and sum(taught.shares) == pytest.approx(1)


def test_a_teaching_that_was_cut_off_goes_on_and_one_that_is_done_stays_as_it_is(parent, data, tmp_path, monkeypatch):
    monkeypatch.setattr("models.bench_vla.finetune.SAVE_EVERY_S", 0.0)
    told = []

    def stop(step, losses):
        told.append(step)
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(parent, data, tmp_path, SHORT, about={}, progress=stop)
    taught = finetune(parent, data, tmp_path, SHORT, about={}, progress=lambda step, losses: told.append(step))
    assert told == [1, 2, 3, 3, 4] and taught.num_steps == 4
    again = finetune(parent, data, tmp_path, SHORT, about={}, progress=lambda step, losses: told.append(step))
    assert again.digest == taught.digest and len(told) == 5


def test_a_version_s_folder_makes_it_a_policy_of_its_own_name(parent, tmp_path, monkeypatch):
    monkeypatch.setenv("VLA_WORKBENCH_VERSIONS", "")
    assert version_names() == [] and "bench-vla-2" not in POLICIES
    name_versions(tmp_path)
    for name in ("bench-vla-10", "bench-vla-2", "other", "bench-vla-3"):
        weights_of(name).parent.mkdir(parents=True)
    for name in ("bench-vla-10", "bench-vla-2", "other"):
        weights_of(name).write_bytes(parent.read_bytes())
    assert version_names() == ["bench-vla-2", "bench-vla-10"] and "bench-vla-10" in POLICIES
    assert [e.name for e in POLICIES][-2:] == ["bench-vla-2", "bench-vla-10"]
    assert POLICIES.load("bench-vla-2")(None).spec.name == "bench-vla-2" and weights_of(FIRST).name == "bench-vla.safetensors"
    with pytest.raises(UnknownName, match="bench-vla-3"):
        POLICIES.load("bench-vla-3")
