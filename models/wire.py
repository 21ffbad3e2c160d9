"""Msgpack with numpy arrays, byte for byte as openpi's policy servers and clients write it.

An array is a map with bytes keys: ``__ndarray__``: true, ``data``: its bytes in C order, ``dtype``: numpy's string with the byte
order (``<f4``), ``shape``. A numpy scalar is a map with ``__npgeneric__``: true, ``data``: a Python value, ``dtype``. Nothing else is
added to msgpack, so that nothing that is decoded can run code.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgpack
import numpy as np

from workbench.core.errors import InvalidInput

_REFUSED_KINDS: Final = frozenset("VOc")
"""Kinds of dtype that never travel: void and structured, objects (pickle), complex."""
_ARRAY: Final = b"__ndarray__"
_SCALAR: Final = b"__npgeneric__"


def pack(message: object) -> bytes:
    """Return a message as bytes; dictionaries, lists, text, bytes, numbers, None, numpy arrays and numpy scalars may be nested.

    Raises:
        InvalidInput: something in it cannot travel.
    """
    try:
        packed: bytes = msgpack.packb(message, default=_encode, use_bin_type=True)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput("message", expected="msgpack values and numpy arrays", found=str(error)) from error
    return packed


def unpack(data: bytes) -> Any:
    """Return the message in ``data``. Arrays are read-only views on the bytes: copy before writing.

    Raises:
        InvalidInput: the bytes are not one whole message, or hold an array that does not follow the form.
    """
    try:
        return msgpack.unpackb(data, object_hook=_decode, raw=False, strict_map_key=False)
    except InvalidInput:
        raise
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise InvalidInput("message", expected="one msgpack message", found=f"{len(data)} bytes that are not ({error})") from error


def _encode(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind in _REFUSED_KINDS:
            raise TypeError(f"an array of type {value.dtype}")
        if isinstance(value, np.ndarray):
            return {_ARRAY: True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
        return {_SCALAR: True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(f"a value of type {type(value).__name__}")


def _decode(found: dict[Any, Any]) -> object:
    if _ARRAY in found:
        shape = found.get(b"shape")
        dtype, data = _dtype_of(found), found.get(b"data")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape) or not isinstance(data, bytes):
            raise InvalidInput("array in a message", expected="bytes and a shape", found=f"shape {shape!r}, {type(data).__name__}")
        if math.prod(shape) * dtype.itemsize != len(data):
            raise InvalidInput(
                "array in a message",
                expected=f"{math.prod(shape) * dtype.itemsize} bytes for shape {tuple(shape)} {dtype}",
                found=str(len(data)),
            )
        # Unlike frombuffer, this also takes arrays without elements.
        return np.ndarray(tuple(shape), dtype, data)
    if _SCALAR in found:
        dtype, data = _dtype_of(found), found.get(b"data")
        try:
            return np.asarray(data, dtype)[()]
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidInput("number in a message", expected=f"a value of type {dtype}", found=repr(data)[:80]) from error
    return found


def _dtype_of(found: dict[Any, Any]) -> np.dtype[Any]:
    name = found.get(b"dtype")
    try:
        if not isinstance(name, str):
            raise TypeError
        dtype = np.dtype(name)
    except (TypeError, ValueError, SyntaxError) as error:
        raise InvalidInput("array in a message", expected="a numpy dtype", found=repr(name)[:80]) from error
    if dtype.kind in _REFUSED_KINDS or dtype.itemsize == 0:
        raise InvalidInput("array in a message", expected="numbers, truth values, text or times", found=f"type {dtype}")
    return dtype
