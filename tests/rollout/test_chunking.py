import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.core.types import ActionChunk
from workbench.rollout.chunking import ChunkQueue


def chunk(length, **scores):
    actions = np.arange(length, dtype=np.float32)[:, None] * np.ones(7, dtype=np.float32)
    return ActionChunk(actions, 20.0, scores)


def drain(queue):
    taken = []
    while not queue.is_empty:
        taken.append(float(queue.peek()[0]))
        queue.advance()
    return taken


@pytest.mark.parametrize(("length", "horizon", "taken"), [(1, 1, 1), (8, 4, 4), (3, 8, 3), (8, 8, 8), (5, 0, 1)])
def test_as_many_actions_are_taken_as_the_shorter_of_chunk_and_horizon(length, horizon, taken):
    queue = ChunkQueue()
    assert queue.is_empty
    queue.put(chunk(length), horizon)
    assert drain(queue) == list(range(taken))


def test_looking_does_not_take():
    queue = ChunkQueue()
    queue.put(chunk(3), 3)
    assert queue.peek()[0] == queue.peek()[0] == 0


def test_a_cleared_queue_asks_again():
    queue = ChunkQueue()
    queue.put(chunk(3), 3)
    queue.advance()
    queue.clear()
    assert queue.is_empty


def test_the_last_action_is_known():
    queue = ChunkQueue()
    queue.put(chunk(2, done=1.0), 2)
    assert not queue.is_last
    queue.advance()
    assert queue.is_last
    assert queue.scores == {"done": 1.0}


def test_later_writes_to_the_chunk_do_not_reach_the_queue():
    actions = np.zeros((1, 7), dtype=np.float32)
    queue = ChunkQueue()
    queue.put(ActionChunk(actions, 20.0), 1)
    actions += 1
    assert queue.peek()[0] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_action_that_is_not_finite_is_refused(value):
    actions = np.zeros((2, 7), dtype=np.float32)
    actions[1, 2] = value
    with pytest.raises(InvalidInput, match="finite"):
        ChunkQueue().put(ActionChunk(actions, 20.0), 2)
