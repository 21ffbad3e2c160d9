"""Recorded activations on disk."""

import numpy as np
import pytest

from sessions.activations import (
    CALLS_IN_SHARD,
    ActivationRecorder,
    RecordingPlan,
    delete_recordings,
    folder_of,
    list_shards,
    read_activations,
    used_bytes,
)
from sessions.store import Store
from workbench.core.errors import InvalidInput, NotStored, StoreCorrupt

PLAN = RecordingPlan(("decoder 0 residual",), "action", "a" * 16)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "workbench.db") as opened:
        yield opened


def tensors(step):
    return {"decoder 0 residual": np.full((3, 4), step, dtype=np.float32)}


def record(store, steps, episode="e1", **options):
    recorder = ActivationRecorder(store, PLAN, **options)
    for step in steps:
        recorder.put(episode, step, tensors(step))
    return recorder.close()


def test_what_was_recorded_is_read_back_by_step(store):
    state = record(store, range(0, 4 * CALLS_IN_SHARD + 8, 4))
    assert state.num_calls == CALLS_IN_SHARD + 2 and not state.trouble and not state.is_on
    assert [s.num_calls for s in list_shards(store, "e1")] == [CALLS_IN_SHARD, 2]
    for step, wanted in ((0, 0), (3, 0), (4, 4), (130, 128), (500, 132)):
        assert read_activations(store, "e1", step)["decoder 0 residual"].tolist() == np.full((3, 4), wanted).tolist()
    with pytest.raises(NotStored):
        read_activations(store, "e2", 0)


def test_the_size_is_that_of_the_files_and_goes_with_them(store):
    record(store, range(10))
    record(store, range(10), "e2")
    files = list(folder_of(store).glob("*.safetensors"))
    assert used_bytes(store) == sum(f.stat().st_size for f in files) > 0 and len(files) == 2
    freed = delete_recordings(store, "e1")
    assert used_bytes(store) == freed and len(list(folder_of(store).iterdir())) == 1
    delete_recordings(store)
    assert used_bytes(store) == 0 and not list(folder_of(store).iterdir())


def test_the_quota_ends_a_recording_and_refuses_the_next(store):
    state = record(store, range(2 * CALLS_IN_SHARD), quota_bytes=2000)
    assert "quota" in state.trouble and state.num_calls == CALLS_IN_SHARD
    with pytest.raises(InvalidInput, match="Delete older"):
        ActivationRecorder(store, PLAN, quota_bytes=2000)
    with pytest.raises(InvalidInput, match="at least one layer"):
        ActivationRecorder(store, RecordingPlan((), "all", ""))


def test_a_call_that_is_made_again_at_its_step_replaces_the_first(store):
    recorder = ActivationRecorder(store, PLAN)
    recorder.put("e1", 4, tensors(1))
    recorder.put("e1", 4, tensors(2))
    assert recorder.close().num_calls == 1
    assert read_activations(store, "e1", 4)["decoder 0 residual"][0, 0] == 2


def test_a_lost_file_is_named(store):
    record(store, range(3))
    next(folder_of(store).iterdir()).unlink()
    with pytest.raises(StoreCorrupt, match="Delete this recording"):
        read_activations(store, "e1", 1)
