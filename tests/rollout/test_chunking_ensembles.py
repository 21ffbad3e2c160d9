import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.core.types import ActionChunk
from workbench.rollout.chunking import ChunkHandling, ChunkMode, ChunkQueue

ADAPTIVE = ChunkHandling(ChunkMode.ADAPTIVE)
TEMPORAL = ChunkHandling(ChunkMode.TEMPORAL)


def chunk(seed, length=8):
    return ActionChunk(np.random.default_rng(seed).normal(size=(length, 7)).astype(np.float32), 20.0)


def execute(queue, chunks, handling, wanted=4):
    """Run through the chunks as the loop does; return the executed actions."""
    done = []
    for given in chunks:
        queue.put(given, wanted, handling)
        while not queue.is_empty:
            done.append(queue.peek())
            queue.advance()
    return np.array(done)


@pytest.mark.parametrize(
    ("handling", "count"),
    [
        (ChunkHandling(), 4),
        (ChunkHandling(horizon=2), 2),
        (ChunkHandling(ChunkMode.OPEN_LOOP), 8),
        (TEMPORAL, 1),
        (ADAPTIVE, 1),
        (ChunkHandling(ChunkMode.ADAPTIVE, horizon=3), 3),
    ],
)
def test_each_way_executes_as_many_actions_of_a_chunk_as_it_says(handling, count):
    assert len(execute(ChunkQueue(), [chunk(0)], handling)) == count


@pytest.mark.parametrize("handling", [TEMPORAL, ADAPTIVE])
def test_the_first_call_of_an_ensemble_gives_the_policys_own_action(handling):
    given = chunk(1)
    assert np.allclose(execute(ChunkQueue(), [given], handling)[0], given.actions[0])


@pytest.mark.parametrize("mode", [ChunkMode.TEMPORAL, ChunkMode.ADAPTIVE])
@pytest.mark.parametrize("horizon", [1, 3])
def test_chunks_that_foretell_the_same_are_executed_as_they_are(mode, horizon):
    whole = np.random.default_rng(2).normal(size=(30, 7)).astype(np.float32)
    chunks = [ActionChunk(whole[start : start + 8], 20.0) for start in range(0, 15, horizon)]
    done = execute(ChunkQueue(), chunks, ChunkHandling(mode, horizon))
    assert np.allclose(done, whole[: len(done)], atol=1e-6)


def test_without_alpha_and_decay_both_ensembles_are_the_plain_mean_of_what_was_foretold():
    chunks = [chunk(seed) for seed in range(3)]
    wanted = np.mean([chunks[0].actions[2], chunks[1].actions[1], chunks[2].actions[0]], axis=0)
    for handling in (ChunkHandling(ChunkMode.ADAPTIVE, alpha=0.0), ChunkHandling(ChunkMode.TEMPORAL, decay=0.0)):
        assert np.allclose(execute(ChunkQueue(), chunks, handling)[-1], wanted, atol=1e-6)


@pytest.mark.parametrize("handling", [ChunkHandling(), TEMPORAL, ADAPTIVE, ChunkHandling(ChunkMode.ADAPTIVE, horizon=2)])
def test_shares_of_the_next_action_sum_to_one_and_tell_their_age(handling):
    queue = ChunkQueue()
    for seed in range(5):
        queue.put(chunk(seed), 4, handling)
        while not queue.is_empty:
            assert sum(s.weight for s in queue.shares) == pytest.approx(1.0)
            assert all(0 <= s.age < 8 for s in queue.shares)
            queue.advance()
    assert queue.shares == ()


def test_a_chunk_that_is_replaced_before_it_acts_does_not_count():
    queue, first, second = ChunkQueue(), chunk(0), chunk(1)
    queue.put(first, 4, ADAPTIVE)
    queue.put(second, 4, ADAPTIVE)
    assert np.allclose(queue.peek(), second.actions[0])


def test_what_was_dropped_is_not_remembered_by_an_ensemble():
    queue = ChunkQueue()
    execute(queue, [chunk(0)], ADAPTIVE)
    queue.clear()
    queue.put(chunk(1), 4, ADAPTIVE)
    assert len(queue.shares) == 1


@pytest.mark.parametrize("wrong", [{"horizon": 0}, {"num_kept": 0}, {"num_kept": 17}, {"alpha": -1.0}, {"decay": 11.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InvalidInput):
        ChunkHandling(ChunkMode.ADAPTIVE, **wrong)
