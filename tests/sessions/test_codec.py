import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.codec import CHUNK_STEPS, decode_state, decode_states, encode_states
from workbench.core.errors import StoreCorrupt
from workbench.core.types import SimState


@given(st.integers(0, 70).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=20)))
def test_any_bytes_come_back_as_they_went_in(states):
    assert decode_states(encode_states(states)) == states


def test_states_with_nan_infinity_and_negative_zero_come_back_bit_for_bit():
    values = np.array([np.nan, -np.nan, np.inf, -0.0, 5e-324, -1.7e308])
    states = [SimState(np.roll(values, k), values[:2], b"rng" * k).to_bytes() for k in (1, 1, 1)]
    assert decode_states(encode_states(states)) == states


def test_slowly_changing_states_shrink_to_a_third_and_open_within_five_milliseconds():
    rng = np.random.default_rng(0)
    physics = np.zeros((CHUNK_STEPS, 300))
    physics[:, :60] = np.cumsum(rng.normal(size=(CHUNK_STEPS, 60)) * 1e-3, axis=0)
    blob = encode_states([SimState(row, np.zeros(8), b"same" * 40).to_bytes() for row in physics])
    assert len(blob) < CHUNK_STEPS * 2600 / 3
    times = []
    for index in range(CHUNK_STEPS):
        begun = time.perf_counter()
        state = decode_state(blob, index)
        times.append(time.perf_counter() - begun)
        assert state.physics.tobytes() == physics[index].tobytes()
    assert np.median(times) < 5e-3


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_a_message(blob):
    with pytest.raises(StoreCorrupt):
        decode_states(blob)


@given(st.data())
def test_a_flipped_byte_is_always_noticed(data):
    states = [bytes(range(k, k + 40)) for k in range(8)]
    blob = bytearray(encode_states(states))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StoreCorrupt):
        decode_states(bytes(blob))


def test_a_step_outside_of_the_chunk_is_refused():
    blob = encode_states([SimState(np.zeros(3), np.zeros(0), b"").to_bytes()])
    with pytest.raises(StoreCorrupt, match="1 states"):
        decode_state(blob, 1)
