"""The films of a LeRobotDataset: several episodes one after the other in a file, written and read frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from sessions.film_codec import best_codec
from workbench.core.errors import InvalidInput, StoreError

KEYFRAME_EVERY: Final = 2
"""Training looks at frames in any order: every second one can be shown without those before."""
PIXEL_FORMAT: Final = "yuv420p"


class FilmWriter:
    """One MP4 file that grows frame by frame; close it. H.264 where this build of FFmpeg has it, else MPEG-4."""

    def __init__(self, path: Path, fps: int) -> None:
        self.path, self._fps = path, fps
        self.num_frames = self._num_bytes = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.codec = best_codec()
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        stream = self._container.add_stream(self.codec, rate=fps)
        assert isinstance(stream, av.VideoStream), "both codecs are for video"
        stream.pix_fmt = PIXEL_FORMAT
        stream.gop_size = KEYFRAME_EVERY
        stream.max_b_frames = 0  # each frame is shown when it is due, the first one at zero
        if self.codec == "libx264":
            stream.options = {"crf": "20", "preset": "veryfast"}
        self._stream = stream

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture ``(H, W, 3) uint8`` RGB with even sides; raises StoreError when the disk refuses."""
        if not self._stream.codec_context.is_open:
            self._stream.height, self._stream.width = picture.shape[:2]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = self.num_frames, Fraction(1, self._fps)
        self._mux(frame)
        self.num_frames += 1

    def size(self) -> int:
        """Return how large the pictures written so far are [bytes]."""
        return self._num_bytes

    def close(self) -> None:
        """Write what makes it a whole file; again is harmless."""
        if self._container is not None:
            try:
                if self.num_frames:
                    self._mux(None)
            finally:
                container, self._container = self._container, None  # type: ignore[assignment]
                container.close()

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            packets = self._stream.encode(frame)
            self._container.mux(packets)
        except (av.FFmpegError, OSError) as error:
            reason = f"it cannot be written ({error})"
            raise StoreError(f"Video {self.path.name}", reason=reason, fix="Check the space on the disk.") from error
        self._num_bytes += sum(packet.size for packet in packets)


@dataclass(frozen=True)
class FilmFacts:
    """What a film is."""

    num_frames: int
    fps: float
    width: int
    height: int
    codec: str
    pixel_format: str

    def info(self) -> dict[str, Any]:
        """Return the ``info`` of its feature in ``info.json``."""
        return {
            "video.height": self.height,
            "video.width": self.width,
            "video.codec": self.codec,
            "video.pix_fmt": self.pixel_format,
            "video.fps": round(self.fps),
            "video.channels": 3,
            "has_audio": False,
            "is_depth_map": False,
        }


def _pictures_of(container: av.container.InputContainer) -> av.VideoStream:
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise ValueError("its pictures are in a code that is not known")
    return stream


def film_facts(path: Path) -> FilmFacts:
    """Look at a film without decoding it.

    Raises:
        InvalidInput: it cannot be read, or has no pictures.
    """
    try:
        with av.open(str(path)) as container:
            stream = _pictures_of(container)
            num_frames = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
            rate = stream.average_rate or stream.base_rate
            context = stream.codec_context
            return FilmFacts(num_frames, float(rate or 0), context.width, context.height, stream.codec.canonical_name, str(context.pix_fmt))
    except (av.FFmpegError, IndexError, ValueError, OSError) as error:
        raise InvalidInput(f"film {path.name}", expected="a video that can be read", found=f"none ({error})") from error


class FilmReader:
    """Gives the frame of a film that is shown at a time; best in order, any order works. Use it in one thread, and close it."""

    def __init__(self, path: Path) -> None:
        """Open a film.

        Raises:
            InvalidInput: it cannot be read, or has no pictures.
        """
        try:
            with ExitStack() as opened:
                self._container = opened.enter_context(av.open(str(path)))
                self._stream = _pictures_of(self._container)
                opened.pop_all()  # it stays open until it is closed
        except (av.FFmpegError, IndexError, ValueError, OSError) as error:
            raise InvalidInput(f"film {path.name}", expected="a video that can be read", found=f"none ({error})") from error
        self._path = path
        self._half_s = 0.5 / float(self._stream.average_rate or 30)
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._now: av.VideoFrame | None = None

    def at(self, time_s: float) -> NDArray[np.uint8]:
        """Return the picture ``(H, W, 3) uint8`` RGB that is shown at a time [s]; beyond the end the last one.

        Raises:
            InvalidInput: the film is damaged there.
        """
        try:
            return self._find(time_s)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._now, self._frames = None, iter(())
            found = f"a damaged one ({error})"
            raise InvalidInput(f"film {self._path.name}", expected=f"a picture at {time_s:.2f} s", found=found) from error

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def _find(self, time_s: float) -> NDArray[np.uint8]:
        is_near = self._now is not None and -self._half_s <= time_s - _time_of(self._now) < 1.0
        if not is_near:
            base = self._stream.time_base or Fraction(1, 1000)
            self._container.seek(max(0, int(time_s / base)), stream=self._stream)
            self._frames, self._now = self._container.decode(self._stream), None
        while self._now is None or _time_of(self._now) < time_s - self._half_s:
            following = next(self._frames, None)
            if following is None:
                break
            self._now = following
        if self._now is None:
            raise ValueError("it has no pictures")
        return np.asarray(self._now.to_ndarray(format="rgb24"), dtype=np.uint8)


def _time_of(frame: av.VideoFrame) -> float:
    return float(frame.time or 0.0)
