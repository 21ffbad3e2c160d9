"""Chunks of simulator states: exact, small, and quick to open at any step.

A chunk holds consecutive states of equal length. Its first state is a key frame; each later one is kept as the difference of
its 64-bit words to the state before. Differences are folded so that small ones of either sign have many leading zero bytes,
and bytes of equal significance are put together, which is what makes zlib find them. Nothing is rounded: what comes out
equals what went in bit for bit.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import StoreCorrupt
from workbench.core.types import SimState

CHUNK_STEPS: Final = 64
"""Steps of a full chunk: a larger one saves 1 %, a smaller one opens no faster in practice."""
_HEADER: Final = struct.Struct("<4sIII")
"""Magic, check sum of all that follows it, number of states, bytes of a state."""
_MAGIC: Final = b"VWC1"
_MAX_CHUNK_BYTES: Final = 64 * 2**20


def encode_states(states: Sequence[bytes], *, is_final: bool = True) -> bytes:
    """Pack serialised states of equal length, see :meth:`workbench.core.types.SimState.to_bytes`.

    A chunk that is not final is soon written again with more states and is packed in less time. Deflating harder than here takes
    half as long again for 2 % less.
    """
    size = len(states[0])
    assert all(len(state) == size for state in states), "a chunk holds states of equal length"
    num_words = -(-size // 8)
    padded = b"".join(state.ljust(8 * num_words, b"\0") for state in states)
    words = np.frombuffer(padded, "<u8").reshape(len(states), num_words).copy()
    words[1:] = _fold(words[1:] - words[:-1])
    planes = words.view(np.uint8).reshape(len(states), num_words, 8).transpose(2, 1, 0)  # (byte, word, step)
    packed = zlib.compress(np.ascontiguousarray(planes).tobytes(), 3 if is_final else 1)
    return _HEADER.pack(_MAGIC, _check_sum(packed, len(states), size), len(states), size) + packed


def decode_states(blob: bytes) -> list[bytes]:
    """Unpack all states of a chunk.

    Raises:
        StoreCorrupt: the bytes are damaged.
    """
    try:
        magic, check_sum, num_states, size = _HEADER.unpack_from(blob)
        packed = blob[_HEADER.size :]
        num_words = -(-size // 8)
        num_bytes = 8 * num_words * num_states
        if magic != _MAGIC or check_sum != _check_sum(packed, num_states, size) or num_bytes > _MAX_CHUNK_BYTES:
            raise ValueError(f"header {magic!r}, {num_states} states of {size} bytes")
        unpacker = zlib.decompressobj()
        planes = unpacker.decompress(packed, num_bytes + 1)
        if len(planes) != num_bytes or not unpacker.eof:
            raise ValueError(f"{len(planes)} bytes instead of {num_bytes}")
    except (struct.error, zlib.error, ValueError) as error:
        raise StoreCorrupt("Stored states", reason=f"a chunk cannot be unpacked ({error})") from error
    folded = np.frombuffer(planes, np.uint8).reshape(8, num_words, num_states).transpose(2, 1, 0)
    words = np.array(folded, order="C").view("<u8").reshape(num_states, num_words)
    words[1:] = _unfold(words[1:])
    np.cumsum(words, axis=0, dtype=np.uint64, out=words)
    return [row.tobytes()[:size] for row in words]


def decode_state(blob: bytes, index: int) -> SimState:
    """Return the state at ``index`` within a chunk; errors as :func:`decode_states`."""
    states = decode_states(blob)
    if not 0 <= index < len(states):
        raise StoreCorrupt("Stored states", reason=f"a chunk holds {len(states)} states, not number {index}")
    return SimState.from_bytes(states[index])


def pack_path(path: Sequence[tuple[float, float, float]]) -> bytes | None:
    """Pack a path [m], given to a tenth of a millimetre, within three metres of the origin; an empty one is None."""
    if not path:
        return None
    tenths = np.rint(1e4 * np.asarray(path, dtype=np.float64))
    return zlib.compress(np.clip(tenths, -(2**15), 2**15 - 1).astype("<i2").tobytes())


def unpack_path(blob: bytes | None) -> tuple[tuple[float, float, float], ...]:
    """Unpack what :func:`pack_path` returned.

    Raises:
        StoreCorrupt: the bytes are damaged.
    """
    if blob is None:
        return ()
    try:
        points = np.frombuffer(zlib.decompressobj().decompress(blob, _MAX_CHUNK_BYTES), "<i2").reshape(-1, 3) / 1e4
    except (zlib.error, ValueError) as error:
        raise StoreCorrupt("Stored path", reason=f"it cannot be unpacked ({error})") from error
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


def _check_sum(packed: bytes, num_states: int, size: int) -> int:
    return zlib.crc32(packed, zlib.crc32(f"{num_states} {size}".encode()))


def _fold(difference: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Map 0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    signed = difference.view(np.int64)
    return ((signed << 1) ^ (signed >> 63)).view(np.uint64)


def _unfold(folded: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Undo :func:`_fold`."""
    return (folded >> np.uint64(1)) ^ (np.uint64(0) - (folded & np.uint64(1)))
