"""Frames on their way to sockets: the wire format, and one rendering shared by all viewers of a camera."""

from __future__ import annotations

import asyncio
import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.geometry import Pinhole
from workbench.core.types import CameraRequest
from workbench.rollout.view import Channel, Frame, LiveView

VERSION: Final = 1
HEADER: Final = struct.Struct("<BBBBIIHHdd12f")
"""version, channel, camera index, flags, seq, step, width, height, sim time [s], wall time [s], projection (3x4, row-major)."""
ACK: Final = struct.Struct("<BI")
"""channel, seq: what the page answers to each frame."""
SHARP_QUALITY: Final = 90
UNKNOWN_CAMERA: Final = 255
MAX_IN_FLIGHT: Final = 3
"""Unacknowledged frames per viewer and channel."""
MAX_FRAME_HZ: Final = 30.0


def encode_jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """Encode a picture ``(H, W, 3) uint8`` RGB as JPEG."""
    buffer = io.BytesIO()
    # Full colour resolution costs 0.7 ms a frame here and as much again in the browser: kept for what stands still.
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=0 if quality >= SHARP_QUALITY else 2)
    return buffer.getvalue()


def projection(pinhole: Pinhole) -> NDArray[np.float64]:
    """Return the ``(3, 4)`` matrix that maps homogeneous world points [m] to homogeneous 0..1 image coordinates times depth [m]."""
    K = np.array(
        [
            [pinhole.fx / pinhole.width, 0.0, pinhole.cx / pinhole.width],
            [0.0, pinhole.fy / pinhole.height, pinhole.cy / pinhole.height],
            [0.0, 0.0, 1.0],
        ]
    )
    matrix: NDArray[np.float64] = K @ np.linalg.inv(pinhole.T_world_camera)[:3]
    return matrix


def pack_frame(frame: Frame, cameras: Sequence[str]) -> bytes:
    """Return header and JPEG of a frame, with channel 0; :func:`with_channel` sets another."""
    index = cameras.index(frame.camera) if frame.camera in cameras else UNKNOWN_CAMERA
    pinhole = frame.pinhole
    numbers = projection(pinhole).ravel()
    size = (pinhole.width, pinhole.height)
    seq, step = frame.seq & 0xFFFFFFFF, max(0, frame.step) & 0xFFFFFFFF
    head = HEADER.pack(VERSION, 0, index, int(frame.flags) & 0xFF, seq, step, *size, frame.time_s, frame.wall_time, *numbers)
    return head + frame.jpeg


def with_channel(packed: bytes, channel: int) -> bytes:
    """Return a packed frame for another channel of a socket."""
    return packed if channel == packed[1] else packed[:1] + bytes([channel]) + packed[2:]


@dataclass(eq=False)
class Viewer:
    """One channel of one socket."""

    deliver: Callable[[bytes], None]
    """Takes a packed frame; called in the event loop, returns at once."""
    in_flight: list[int] = field(default_factory=list)
    """Sequence numbers that were sent and not acknowledged."""
    last_seq: int = -1

    @property
    def has_credit(self) -> bool:
        """Whether it may get a frame now."""
        return len(self.in_flight) < MAX_IN_FLIGHT


class Feed:
    """One rendered camera, fanned out to its viewers. Lives in the event loop; only the rendering is in another thread."""

    def __init__(self, view: LiveView, request: CameraRequest, cameras: Sequence[str], *, name: str) -> None:
        self.request = request
        self.viewers: list[Viewer] = []
        self._cameras = cameras
        self._loop = asyncio.get_running_loop()
        self._is_asked = False
        self._is_closed = False
        self._next_time = 0.0
        self._latest: tuple[int, bytes] | None = None
        self._channel: Channel = view.open_channel(name, request, self._on_frame)

    def add(self, viewer: Viewer) -> None:
        """Start sending to a viewer, beginning with the newest frame there is."""
        self.viewers.append(viewer)
        self._serve(viewer)
        self._ask()

    def remove(self, viewer: Viewer) -> None:
        """Stop sending to a viewer."""
        self.viewers.remove(viewer)

    def acknowledge(self, viewer: Viewer, seq: int) -> None:
        """Take a viewer's word that it has shown ``seq`` (and so everything before)."""
        viewer.in_flight = [s for s in viewer.in_flight if s > seq]
        self._serve(viewer)
        self._ask()

    def close(self) -> None:
        """Release the rendering channel."""
        self._is_closed = True
        self._channel.close()

    def _ask(self) -> None:
        if self._is_asked or self._is_closed or not any(v.has_credit for v in self.viewers):
            return
        self._is_asked = True
        wait_s = self._next_time - self._loop.time()
        if wait_s > 0.001:
            self._loop.call_later(wait_s, self._credit)
        else:
            self._credit()

    def _credit(self) -> None:
        if self._is_closed:
            return
        # Counted from the due time, not from now, so that a late timer does not lower the rate.
        self._next_time = max(self._next_time, self._loop.time() - 0.5 / MAX_FRAME_HZ) + 1.0 / MAX_FRAME_HZ
        self._channel.credit()

    def _on_frame(self, frame: Frame) -> None:
        packed = pack_frame(frame, self._cameras)
        # A loop that closes while a frame is rendered has nobody left to show it to.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, frame.seq, packed)

    def _publish(self, seq: int, packed: bytes) -> None:
        self._is_asked = False
        self._latest = (seq, packed)
        for viewer in self.viewers:
            self._serve(viewer)
        self._ask()

    def _serve(self, viewer: Viewer) -> None:
        if self._latest is None or not viewer.has_credit:
            return
        seq, packed = self._latest
        if seq > viewer.last_seq:
            viewer.last_seq = seq
            viewer.in_flight.append(seq)
            viewer.deliver(packed)


class FrameHub:
    """All feeds of one live session, in the event loop."""

    def __init__(self, view: LiveView, cameras: Sequence[str]) -> None:
        self._view, self._cameras = view, tuple(cameras)
        self._feeds: dict[CameraRequest, Feed] = {}
        self._num_opened = 0

    def watch(self, request: CameraRequest, deliver: Callable[[bytes], None]) -> tuple[Feed, Viewer]:
        """Send frames of a camera to ``deliver``; viewers of an equal request share one rendering."""
        feed = self._feeds.get(request)
        if feed is None:
            self._num_opened += 1
            feed = Feed(self._view, request, self._cameras, name=f"{request.name}-{self._num_opened}")
            self._feeds[request] = feed
        viewer = Viewer(deliver)
        feed.add(viewer)
        return feed, viewer

    def leave(self, feed: Feed, viewer: Viewer) -> None:
        """Stop sending to a viewer; the last one to leave closes the feed."""
        feed.remove(viewer)
        if not feed.viewers:
            self._feeds.pop(feed.request, None)
            feed.close()

    @property
    def num_feeds(self) -> int:
        """How many cameras are being rendered."""
        return len(self._feeds)
