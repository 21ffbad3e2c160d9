"""Shards keep what was written, numbers stay when more come, and batches name each frame once."""

import json

import numpy as np
import pytest

from models.bench_vla.shards import ASK_FIELDS, FRAME_FIELDS, TASK_NAMES, ShardSet, write_synthetic
from workbench.core.errors import InvalidInput
from workbench.simulation.tasks import TASKS


@pytest.fixture
def folder(tmp_path):
    write_synthetic(tmp_path, np.random.default_rng(0))
    return tmp_path


def test_every_task_of_the_bench_but_the_drawn_path_has_a_number():
    assert set(TASK_NAMES) == {entry.name for entry in TASKS} - {"follow_path"}


def test_a_gathered_ask_is_the_row_that_was_written(folder):
    shards = ShardSet(folder)
    indices = np.random.default_rng(1).permutation(shards.num_asks)
    batch = shards.gather(indices)
    arrays = {n: np.concatenate([np.load(p / f"{n}.npy") for p in sorted(folder.iterdir())]) for n in (*FRAME_FIELDS, *ASK_FIELDS)}
    owners = shards.column("ask_frame")
    for name in set(ASK_FIELDS) - {"ask_frame", "ask_text"}:
        np.testing.assert_array_equal(batch.asks[name], arrays[name][indices], err_msg=name)
    for name in FRAME_FIELDS:
        np.testing.assert_array_equal(batch.frames[name][batch.frame], arrays[name][owners[indices]], err_msg=name)
    texts = [json.loads((p / "texts.json").read_text()) for p in sorted(folder.iterdir())]
    first = len(np.load(min(folder.iterdir()) / "ask_frame.npy"))
    assert batch.texts == [texts[int(i >= first)][arrays["ask_text"][i]] for i in indices]


def test_every_frame_of_a_batch_comes_once(folder):
    shards = ShardSet(folder)
    batch = shards.gather(shards.draw(np.random.default_rng(2), 10, 2))
    assert len(batch.frames["front"]) == 10
    assert sorted(set(batch.frame.tolist())) == list(range(10))
    assert np.bincount(batch.frame).max() <= 2


def test_new_shards_are_taken_in_and_asks_keep_their_numbers(folder, tmp_path):
    shards = ShardSet(folder)
    before, num = shards.gather(range(shards.num_asks)), shards.num_asks
    assert shards.refresh() == 0
    other = tmp_path / "other"
    write_synthetic(other, np.random.default_rng(3), num_shards=1)
    (other / "shard-00000").rename(folder / "shard-00000-more")
    assert shards.refresh() == 1
    assert shards.num_asks > num
    after = shards.gather(range(num))
    assert after.texts == before.texts
    np.testing.assert_array_equal(after.asks["actions"], before.asks["actions"])
    np.testing.assert_array_equal(after.frames["front"], before.frames["front"])


def test_a_shard_that_is_still_written_is_not_seen(folder):
    (folder / ".shard-00009.part").mkdir()
    assert ShardSet(folder).num_shards == 2


def test_a_shard_without_a_field_is_refused_by_its_name(folder):
    (folder / "shard-00001" / "path.npy").unlink()
    with pytest.raises(InvalidInput, match="path"):
        ShardSet(folder)


def test_asks_that_do_not_exist_are_refused(folder):
    shards = ShardSet(folder)
    with pytest.raises(InvalidInput, match=str(shards.num_asks - 1)):
        shards.gather([shards.num_asks])
