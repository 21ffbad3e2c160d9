import asyncio
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from panels.bench_stream import BITS, CELL_PX, STAGES, paint_clock, summarise
from panels.frames import HEADER, MAX_FRAME_HZ, SHARP_QUALITY, UNKNOWN_CAMERA, FrameHub, encode_jpeg, pack_frame, projection, with_channel
from tests.panels.fake_live import FakeView, make_frame
from workbench.core.geometry import Pinhole, matrix_from_quat, quat_from_rotvec
from workbench.core.types import CameraRequest

FINITE = st.floats(-2, 2)


def pinhole(rotation=(2.2, 0.1, 0.3), position=(0.6, 0.2, 1.4), width=640, height=480) -> Pinhole:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = matrix_from_quat(quat_from_rotvec(rotation)), position
    return Pinhole("front", width, height, 500.0, 510.0, 315.0, 236.0, pose)


@given(st.tuples(FINITE, FINITE, FINITE), st.tuples(FINITE, FINITE, FINITE))
def test_the_sent_projection_is_that_of_the_camera(rotation, point):
    camera = pinhole(rotation)
    pixels, depths = camera.project([point])
    u, v, w = projection(camera) @ (*point, 1.0)
    assert w == pytest.approx(depths[0], abs=1e-9)
    if w > 0.05:
        assert (u / w * camera.width, v / w * camera.height) == pytest.approx(tuple(pixels[0]), abs=1e-6)


def test_the_header_has_the_documented_size_and_an_unknown_camera_is_marked():
    packed = pack_frame(make_frame(7, "nose"), ("front", "top"))
    assert HEADER.size == 80 and packed[2] == UNKNOWN_CAMERA and packed[80:] == b"\xff\xd8jpeg7"


def test_another_channel_changes_one_byte_only():
    packed = pack_frame(make_frame(7), ("front",))
    other = with_channel(packed, 3)
    assert other[1] == 3 and with_channel(other, 0) == packed and with_channel(packed, 0) is packed


def test_a_picture_survives_encoding_and_stills_keep_their_colours_sharp():
    image = np.full((64, 64, 3), 40, dtype=np.uint8)
    image[:, 32:33] = (255, 0, 0)
    error = {}
    for quality in (80, SHARP_QUALITY):
        decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(image, quality))))
        assert decoded.shape == image.shape
        error[quality] = np.abs(decoded[:, 32].astype(int) - image[:, 32]).mean()
    assert error[SHARP_QUALITY] < 0.5 * error[80]


@given(st.integers(0, 2**BITS - 1))
def test_a_painted_clock_is_read_back_from_the_encoded_picture(milliseconds):
    noise = np.random.default_rng(milliseconds).integers(0, 255, (48, BITS * CELL_PX, 3), dtype=np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(paint_clock(noise, milliseconds), 80))))
    row = decoded[-CELL_PX // 2, CELL_PX // 2 :: CELL_PX, 1]
    assert int("".join("1" if value > 127 else "0" for value in row), 2) == milliseconds


def test_the_bench_reports_the_worse_viewer():
    stages = dict.fromkeys(STAGES, 30.0)
    rounds = [[{"fps": 30.0, "ages_ms": [10.0] * 20, **stages}, {"fps": 20.0, "ages_ms": [50.0] * 20, **stages, "drawn": 20.0}]]
    summary = summarise(rounds)
    assert (summary["fps"], summary["p95_ms"]) == (20.0, 50.0)
    assert [viewer["drawn_fps"] for viewer in summary["viewers"]] == [30.0, 20.0]


def test_frames_are_offered_at_the_stated_rate_at_most():
    async def count(seconds: float) -> int:
        view = FakeView(is_eager=True)
        hub = FrameHub(view, ("front",))
        got: list[bytes] = []
        feed, viewer = hub.watch(CameraRequest("front", 480, 480), got.append)
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.002)
            feed.acknowledge(viewer, viewer.last_seq)
        hub.leave(feed, viewer)
        assert hub.num_feeds == 0 and all(c.is_closed for c in view.channels.values())
        return len(got)

    frames = asyncio.run(count(1.0))
    assert 5 < frames <= MAX_FRAME_HZ + 3


def test_a_late_viewer_gets_the_newest_frame_at_once_also_when_nothing_moves():
    async def check() -> None:
        view = FakeView()
        hub = FrameHub(view, ("front",))
        first: list[bytes] = []
        late: list[bytes] = []
        hub.watch(CameraRequest("front", 480, 480), first.append)
        (channel,) = view.channels.values()
        view.send(channel)
        await asyncio.sleep(0.01)
        hub.watch(CameraRequest("front", 480, 480), late.append)
        assert first == late and len(late) == 1

    asyncio.run(check())
