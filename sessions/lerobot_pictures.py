"""The pictures of one camera in one episode of a LeRobotDataset: from a film, or from the table."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sessions.lerobot_reader import DatasetFiles
from sessions.lerobot_video import FilmReader
from workbench.core.errors import InvalidInput

MAX_PICTURE_PX: Final = 40_000_000


class EpisodePictures:
    """Gives the picture of a frame; use it in one thread, and close it. See :func:`open_pictures`."""

    def __init__(self, *, film: FilmReader | None = None, start_s: float = 0.0, fps: int = 1, packed: list[bytes] | None = None) -> None:
        self._film, self._start_s, self._fps, self._packed = film, start_s, fps, packed or []

    def at(self, frame: int) -> NDArray[np.uint8] | None:
        """Return ``(H, W, 3) uint8`` RGB of a frame, or None where there is none; raises InvalidInput for a damaged film."""
        if self._film is not None:
            return self._film.at(self._start_s + frame / self._fps)
        if not self._packed:
            return None
        return decode_picture(self._packed[min(max(0, frame), len(self._packed) - 1)])

    def close(self) -> None:
        """Let go of the file."""
        if self._film is not None:
            self._film.close()


def open_pictures(dataset: DatasetFiles, index: int, camera: str) -> EpisodePictures | None:
    """Open the pictures of a camera in an episode; None where none were recorded.

    Raises:
        InvalidInput: they are damaged.
    """
    entry = next((e for e in dataset.episodes if e.index == index), None)
    feature = dataset.features.get(camera)
    if entry is None or feature is None:
        return None
    if feature.dtype == "image":
        column = dataset.table(entry, [camera])
        if camera not in column.column_names:
            return None
        return EpisodePictures(packed=[_bytes_of(value) for value in column[camera].to_pylist()])
    span = entry.films.get(camera)
    if span is None or not (dataset.root / span.path).is_file():
        return None
    return EpisodePictures(film=FilmReader(dataset.root / span.path), start_s=span.start_s, fps=dataset.fps)


def _bytes_of(value: object) -> bytes:
    found = value.get("bytes") if isinstance(value, dict) else value
    return found if isinstance(found, bytes) else b""


def decode_picture(packed: bytes) -> NDArray[np.uint8] | None:
    """Return ``(H, W, 3) uint8`` RGB of a packed picture, or None for no bytes.

    Raises:
        InvalidInput: it is no picture, or too large.
    """
    if not packed:
        return None
    try:
        with Image.open(io.BytesIO(packed)) as picture:
            if picture.width * picture.height > MAX_PICTURE_PX:
                raise InvalidInput("picture", expected=f"at most {MAX_PICTURE_PX:,} pixels", found=f"{picture.width} x {picture.height}")
            return np.asarray(picture.convert("RGB"), dtype=np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InvalidInput("picture", expected="a PNG or JPEG", found=f"something else ({error})"[:120]) from error
