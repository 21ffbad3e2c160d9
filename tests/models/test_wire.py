import contextlib

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from models.wire import pack, unpack
from workbench.core.errors import InvalidInput

DTYPES = ["|u1", "<f4", "<f8", "|b1", "<i8", "<i2", ">f4", "<f2", "<u4", "<U5", "|S3", "<M8[s]"]


def test_an_array_is_written_byte_for_byte_as_openpi_does():
    expected = (
        "84c40b5f5f6e6461727261795f5fc3c40464617461c4080000000000000000c4056474797065a33c6634c40573686170659102"  # by hand from the format
    )
    assert pack(np.zeros(2, np.float32)).hex() == expected


def test_a_scalar_is_a_map_of_value_and_type():
    assert msgpack.unpackb(pack(np.float32(1.5))) == {b"__npgeneric__": True, b"data": 1.5, b"dtype": "<f4"}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(DTYPES).flatmap(lambda d: npst.arrays(d, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))))
def test_arrays_of_every_kind_and_shape_come_back_equal(array):
    back = unpack(pack({"a": array}))["a"]
    assert back.dtype == array.dtype and back.shape == array.shape
    assert back.tobytes() == array.tobytes()


def test_non_contiguous_arrays_come_back_equal():
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    for view in (array.T, array[:, ::2], array[::-1], np.asfortranarray(array)):
        assert np.array_equal(unpack(pack(view)), view)


def test_nested_messages_and_scalars_come_back():
    message = {"a": [1, 2.5, None, True, "text", b"bytes"], "b": {"c": np.float32(0.5), "d": np.bool_(True)}, "e": {}}
    back = unpack(pack(message))
    assert back == message
    assert isinstance(back["b"]["c"], np.float32) and isinstance(back["b"]["d"], np.bool_)


def test_decoded_arrays_cannot_be_written():
    back = unpack(pack(np.zeros(3)))
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1.0


@pytest.mark.parametrize("array", [np.array([{}], object), np.zeros(2, np.complex64), np.zeros(2, [("x", "<f4")]), np.zeros(1, "V4")])
def test_objects_structures_and_complex_numbers_do_not_travel(array):
    with pytest.raises(InvalidInput, match="type"):
        pack({"a": array})


@pytest.mark.parametrize("dtype", ["|O", "<c8", "|V4", "f4,f4", "nonsense", 7, None, "<U0"])
def test_a_foreign_dtype_is_refused(dtype):
    with pytest.raises(InvalidInput, match="array in a message"):
        unpack(msgpack.packb({b"__ndarray__": True, b"data": b"\0" * 8, b"dtype": dtype, b"shape": [1]}))


@pytest.mark.parametrize("shape", [[3], [-1], ["a"], None, [2, True], [2**40, 2**40]])
def test_a_shape_that_does_not_fit_the_bytes_is_refused(shape):
    with pytest.raises(InvalidInput, match="array in a message"):
        unpack(msgpack.packb({b"__ndarray__": True, b"data": b"\0" * 8, b"dtype": "<f4", b"shape": shape}))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(InvalidInput):
        unpack(data)


def test_every_cut_of_a_message_is_refused():
    data = pack({"a": np.arange(6.0).reshape(2, 3), "b": "text"})
    for end in range(len(data)):
        with pytest.raises(InvalidInput):
            unpack(data[:end])
