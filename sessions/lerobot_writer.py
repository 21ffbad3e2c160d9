"""Writing a LeRobotDataset: frame by frame into a folder beside its place, which it takes only when it is whole."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sessions.lerobot_layout import (
    CHUNK_FILES,
    DATA_FILE_MB,
    DATA_PATH,
    EPISODES_PATH,
    INFO_PATH,
    STATS_PATH,
    TASKS_PATH,
    VIDEO_FILE_MB,
    VIDEO_PATH,
    Feature,
    info_document,
    schema_of,
)
from sessions.lerobot_stats import PictureStatistics, Statistics, as_json, merged, sampled_frames, statistics_of
from sessions.lerobot_video import FilmWriter, film_facts
from workbench.core.errors import InvalidInput, StoreError

_MB: Final = 2**20
Value = NDArray[np.generic] | float | int | bool | str


@dataclass(frozen=True)
class DatasetSetup:
    """What is the same for all episodes of a dataset."""

    features: Mapping[str, Feature]
    """Without the automatic ones."""
    fps: int
    robot_type: str
    data_file_mb: float = DATA_FILE_MB
    video_file_mb: float = VIDEO_FILE_MB
    """A file that would grow beyond this is followed by another one."""


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write to; it becomes ``path`` only when all went well.

    Raises:
        InvalidInput: there is something at ``path`` already.
        StoreError: the disk refuses.
    """
    part = path.with_name(f".{path.name}.part")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InvalidInput("folder", expected="a new or an empty one", found=f"{path.name}, which holds something", fix="Choose another.")
    try:
        shutil.rmtree(part, ignore_errors=True)  # what a killed process left
        part.mkdir(parents=True)
        try:
            yield part
            _to_disk(part)
            if path.is_dir():
                path.rmdir()
            os.replace(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"Folder {path}", reason=reason, fix="Check that it is writable and has space.") from error


def _to_disk(folder: Path) -> None:
    """Wait until every file is on disk, so that a folder of that name is whole also after a power cut."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())


@contextlib.contextmanager
def new_dataset(path: Path, setup: DatasetSetup) -> Iterator[DatasetWriter]:
    """Give a writer for a new dataset; what it wrote is finished and moved to ``path`` when all went well. Errors as :func:`new_folder`."""
    with new_folder(path) as folder:
        writer = DatasetWriter(folder, setup)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()


class DatasetWriter:
    """Writes into an unfinished dataset. See :func:`new_dataset`."""

    def __init__(self, folder: Path, setup: DatasetSetup) -> None:
        self.folder, self.setup = folder, setup
        self.num_episodes = self.num_frames = 0
        self._is_finished = False
        self._cameras = [name for name, feature in setup.features.items() if feature.dtype == "video"]
        self._schema = schema_of(setup.features)
        self._columns = [name for name, feature in setup.features.items() if feature.dtype != "video"]
        self._tasks: dict[str, int] = {}
        self._rows: list[dict[str, Any]] = []
        self._statistics: list[dict[str, Statistics]] = []
        self._table = _TableFiles(folder, self._schema, setup.data_file_mb)
        self._films = {camera: _FilmFiles(folder, camera, setup) for camera in self._cameras}
        self._begin()

    def _begin(self, num_expected: int = 0) -> None:
        self._frames: list[Mapping[str, Value]] = []
        self._told: list[int] = []
        self._sampled = sampled_frames(num_expected) if num_expected else frozenset()
        self._pictures = {camera: PictureStatistics() for camera in self._cameras}

    def begin_episode(self, num_frames: int) -> None:
        """Begin an episode of as many frames."""
        self._begin(num_frames)
        for films in self._films.values():
            films.begin_episode(num_frames)

    def add_frame(self, task: str, values: Mapping[str, Value], pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Add a frame to the episode.

        Args:
            task: the words that were in force.
            values: one for every column that is neither automatic nor a camera.
            pictures: one ``(H, W, 3) uint8`` for every camera.

        Raises:
            InvalidInput: something is missing, too much, or of the wrong shape.
            StoreError: the disk refuses.
        """
        if set(values) != set(self._columns) or set(pictures) != set(self._cameras):
            unlike = sorted(set(values) ^ set(self._columns) | set(pictures) ^ set(self._cameras))
            raise InvalidInput("frame", expected="a value for every feature", found=f"a difference: {unlike[:5]}")
        for name, picture in pictures.items():
            if picture.shape != self.setup.features[name].shape:
                raise InvalidInput(f"frame, {name}", expected=f"{self.setup.features[name].shape}", found=f"{picture.shape}")
        for name, picture in pictures.items():
            self._films[name].add(picture)
            if len(self._frames) in self._sampled:
                self._pictures[name].add(picture)
        self._frames.append(values)
        self._told.append(self._tasks.setdefault(task, len(self._tasks)))

    def save_episode(self, extra: Mapping[str, str]) -> None:
        """End the episode; ``extra`` are texts for columns of ours in the table of episodes."""
        index, num, first = self.num_episodes, len(self._frames), self.num_frames
        columns = self._episode_columns(index, first)
        statistics = {
            name: statistics_of(values)
            for name, values in columns.items()
            if isinstance(values, np.ndarray) and values.dtype.kind in "fiub"
        } | {camera: counted.result() for camera, counted in self._pictures.items()}
        arrays = [_to_arrow(columns[field.name], field.type) for field in self._schema]
        place = self._table.write(pa.Table.from_arrays(arrays, schema=self._schema))
        names = list(self._tasks)
        row: dict[str, Any] = {
            "episode_index": index,
            "tasks": [names[i] for i in dict.fromkeys(self._told)],
            "length": num,
            "data/chunk_index": place.chunk,
            "data/file_index": place.file,
            "dataset_from_index": first,
            "dataset_to_index": first + num,
        }
        for films in self._films.values():
            row |= films.end_episode()
        for name, found in statistics.items():
            row |= {f"stats/{name}/{key}": values for key, values in as_json(found).items()}
        self._rows.append(row | dict(extra) | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
        self._statistics.append(statistics)
        self.num_episodes, self.num_frames = index + 1, first + num

    def finish(self) -> None:
        """Write what describes the whole; again is harmless.

        Raises:
            InvalidInput: it has no episodes.
        """
        if self._is_finished:
            return
        if not self.num_episodes:
            raise InvalidInput("dataset", expected="at least one episode", found="none")
        self.close()
        meta = self.folder / "meta"
        meta.mkdir(exist_ok=True)
        features = dict(self.setup.features)
        for camera, films in self._films.items():
            features[camera] = replace(features[camera], info=film_facts(films.first).info())
        info = info_document(
            features,
            fps=self.setup.fps,
            robot_type=self.setup.robot_type,
            num_episodes=self.num_episodes,
            num_frames=self.num_frames,
            num_tasks=len(self._tasks),
        )
        _write_json(self.folder / INFO_PATH, info)
        whole = {name: as_json(merged([part[name] for part in self._statistics])) for name in self._statistics[0]}
        _write_json(self.folder / STATS_PATH, whole)
        write_tasks(self.folder / TASKS_PATH, list(self._tasks))
        path = self.folder / EPISODES_PATH.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._rows), path, compression="snappy", use_dictionary=True)
        self._is_finished = True

    def close(self) -> None:
        """Close every file; again is harmless."""
        self._table.close()
        for films in self._films.values():
            films.close()

    def _episode_columns(self, index: int, first: int) -> dict[str, NDArray[np.generic] | list[str]]:
        num = len(self._frames)
        if not num:
            raise InvalidInput("episode", expected="at least one frame", found="none")
        columns: dict[str, NDArray[np.generic] | list[str]] = {}
        for name in self._columns:
            feature = self.setup.features[name]
            values = [frame[name] for frame in self._frames]
            if feature.dtype == "string":
                columns[name] = [str(value) for value in values]
                continue
            array = np.asarray(values, dtype=feature.dtype)
            wanted = (num,) if feature.is_scalar else (num, *feature.shape)
            if array.shape != wanted or not np.isfinite(array).all():
                found = "a number that is not finite" if array.shape == wanted else f"shape {array.shape}"
                raise InvalidInput(f"episode {index}, {name}", expected=f"finite numbers of shape {wanted}", found=found)
            columns[name] = array
        frames = np.arange(num, dtype=np.int64)
        return columns | {
            "timestamp": (frames / self.setup.fps).astype(np.float32),
            "frame_index": frames,
            "episode_index": np.full(num, index, dtype=np.int64),
            "index": frames + first,
            "task_index": np.array(self._told, dtype=np.int64),
        }


@dataclass(frozen=True)
class _Place:
    """Number of a file, and of the folder that it is in."""

    chunk: int = 0
    file: int = 0

    def following(self) -> _Place:
        """Return the next one."""
        return _Place(self.chunk, self.file + 1) if self.file + 1 < CHUNK_FILES else _Place(self.chunk + 1, 0)


class _TableFiles:
    """The data files, one open at a time; an episode is never divided."""

    def __init__(self, folder: Path, schema: pa.Schema, limit_mb: float) -> None:
        self._folder, self._schema, self._limit = folder, schema, limit_mb * _MB
        self._place, self._num_rows = _Place(), 0
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> _Place:
        """Append an episode, and return where it is."""
        if self._writer is not None:
            size = self._path.stat().st_size
            if size + size / max(1, self._num_rows) * len(table) >= self._limit:
                self.close()
                self._place = self._place.following()
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, self._schema, compression="snappy", use_dictionary=True)
            self._num_rows = 0
        self._writer.write_table(table)
        self._num_rows += len(table)
        return self._place

    @property
    def _path(self) -> Path:
        return self._folder / DATA_PATH.format(chunk_index=self._place.chunk, file_index=self._place.file)

    def close(self) -> None:
        """Write the footer of the open file: without it nothing can read it."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()


class _FilmFiles:
    """The films of one camera, one open at a time; an episode is never divided."""

    def __init__(self, folder: Path, camera: str, setup: DatasetSetup) -> None:
        self._folder, self._camera, self._setup = folder, camera, setup
        self._place = _Place()
        self._film: FilmWriter | None = None
        self._first_frame = 0
        self.first = self._path_of(self._place)

    def begin_episode(self, num_frames: int) -> None:
        """Choose the file that the next episode goes into."""
        if self._film is not None:
            size = self._film.size()
            per_frame = size / max(1, self._film.num_frames)
            if size + per_frame * num_frames >= self._setup.video_file_mb * _MB:
                self.close()
                self._place = self._place.following()
        if self._film is None:
            self._film = FilmWriter(self._path_of(self._place), self._setup.fps)
        self._first_frame = self._film.num_frames

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture."""
        assert self._film is not None, "an episode begins first"
        self._film.add(picture)

    def end_episode(self) -> dict[str, Any]:
        """Return where the episode is."""
        assert self._film is not None, "an episode begins first"
        prefix = f"videos/{self._camera}"
        return {
            f"{prefix}/chunk_index": self._place.chunk,
            f"{prefix}/file_index": self._place.file,
            f"{prefix}/from_timestamp": self._first_frame / self._setup.fps,
            f"{prefix}/to_timestamp": self._film.num_frames / self._setup.fps,
        }

    def close(self) -> None:
        """Finish the open film."""
        if self._film is not None:
            film, self._film = self._film, None
            film.close()

    def _path_of(self, place: _Place) -> Path:
        return self._folder / VIDEO_PATH.format(video_key=self._camera, chunk_index=place.chunk, file_index=place.file)


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """Write the table of tasks, whose index is the text, as pandas reads it."""
    import pandas as pd

    index = pd.Index(list(tasks), name="task", dtype="object")
    pd.DataFrame({"task_index": np.arange(len(tasks), dtype=np.int64)}, index=index).to_parquet(path)


def _to_arrow(values: NDArray[np.generic] | list[str], kind: pa.DataType) -> pa.Array:
    if isinstance(values, list) or values.ndim == 1:
        return pa.array(values, type=kind)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), type=kind.value_type), values.shape[1])


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=4, ensure_ascii=False), encoding="utf-8")
