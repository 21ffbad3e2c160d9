"""Reading a LeRobotDataset v3.0 of anybody without trusting it: what is missing is done without, what is wrong is named."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sessions.lerobot_layout import (
    CODEBASE_VERSION,
    DATA_PATH,
    EPISODE_ID,
    EPISODES_DIR,
    INFO_PATH,
    TASKS_PATH,
    Feature,
    path_in,
)
from workbench.core.errors import InvalidInput, TooLarge

MAX_EPISODES: Final = 10_000
MAX_FRAMES: Final = 5_000_000
MAX_TABLE_BYTES: Final = 2 * 2**30
MAX_JSON_BYTES: Final = 64 * 2**20
MAX_FPS: Final = 1000
_Broken = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError)


class FilmSpan(NamedTuple):
    """Where the pictures of an episode are."""

    path: str
    """From the root of the dataset."""
    start_s: float
    stop_s: float


@dataclass(frozen=True)
class EpisodeEntry:
    """A row of the table of episodes."""

    index: int
    length: int
    """Frames."""
    tasks: tuple[str, ...]
    data_path: str
    first: int
    """Number of its first frame in the whole dataset."""
    films: Mapping[str, FilmSpan]
    """By camera; those that the table does not place are missing."""
    episode_id: str = ""
    """In the workbench that it came from; empty for others."""


@dataclass(frozen=True, eq=False)
class DatasetFiles:
    """A dataset that is there. See :func:`open_dataset`."""

    root: Path
    fps: int
    robot_type: str
    features: Mapping[str, Feature]
    tasks: Mapping[int, str]
    """Words by number; empty where the table is missing."""
    episodes: tuple[EpisodeEntry, ...]
    info: Mapping[str, Any]
    _open: dict[str, pa.Table] = field(default_factory=dict)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the features that are pictures."""
        return tuple(name for name, feature in self.features.items() if feature.is_picture)

    def table(self, entry: EpisodeEntry, names: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of an episode; pictures in the table only when asked for by name.

        Raises:
            InvalidInput: the file is missing or damaged, or has not the frames that the table of episodes names.
        """
        if names is None:
            names = [name for name, feature in self.features.items() if not feature.is_picture]
        key = f"{entry.data_path}\0{','.join(names)}"
        if key not in self._open:
            self._open.clear()  # one file at a time: they may be large
            self._open[key] = read_table(self.root, entry.data_path, [*names, "episode_index"])
        table = self._open[key]
        if "episode_index" not in table.column_names:
            raise InvalidInput(entry.data_path, expected="a column episode_index", found="none")
        try:
            rows = table.filter(pa.compute.equal(table["episode_index"], entry.index))
        except _Broken as error:
            raise InvalidInput(f"{entry.data_path}, episode_index", expected="whole numbers", found=f"{error}"[:80]) from error
        if len(rows) != entry.length:
            found = f"{len(rows)} frames of episode {entry.index}"
            raise InvalidInput(entry.data_path, expected=f"{entry.length} as {EPISODES_DIR} says", found=found)
        return rows

    def numbers(self, entry: EpisodeEntry, name: str) -> NDArray[np.float64] | None:
        """Return a column of numbers ``(N, D)`` of an episode, or None where there is none; errors as :meth:`table`."""
        table = self.table(entry)
        if name not in table.column_names:
            return None
        what = f"{entry.data_path}, {name}"
        try:
            array = np.asarray(table[name].to_pylist(), dtype=np.float64).reshape(entry.length, -1)
        except _Broken as error:
            raise InvalidInput(what, expected="numbers, as many in each row", found=f"something else ({error})"[:120]) from error
        wanted = math.prod(self.features[name].shape)
        if array.shape[1] != wanted:
            raise InvalidInput(what, expected=f"{wanted} numbers a frame", found=f"{array.shape[1]}")
        return array

    def texts(self, entry: EpisodeEntry, name: str) -> list[str] | None:
        """Return a column of texts of an episode, or None where there is none; errors as :meth:`table`."""
        table = self.table(entry)
        return [str(value)[:200] for value in table[name].to_pylist()] if name in table.column_names else None


def open_dataset(root: Path) -> DatasetFiles:
    """Read what describes a dataset.

    Raises:
        InvalidInput: it is no dataset of version 3, or what describes it is missing or damaged; the message names the file and field.
        TooLarge: it has more episodes or frames than are taken in.
    """
    info = read_json(root, INFO_PATH)
    if not isinstance(info, dict):
        raise InvalidInput(INFO_PATH, expected="an object", found=type(info).__name__)
    version = info.get("codebase_version")
    if not isinstance(version, str) or not version.startswith("v3."):
        fix = "Convert it with lerobot's own script for that version." if isinstance(version, str) else ""
        raise InvalidInput(f"{INFO_PATH}, codebase_version", expected=CODEBASE_VERSION, found=repr(version)[:40], fix=fix)
    fps = info.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= MAX_FPS or fps != int(fps):
        raise InvalidInput(f"{INFO_PATH}, fps", expected=f"a whole number of 1 to {MAX_FPS}", found=repr(fps)[:40])
    listed = info.get("features")
    if not isinstance(listed, dict) or not listed:
        raise InvalidInput(f"{INFO_PATH}, features", expected="an object with the features", found=repr(listed)[:40])
    features = {str(name): Feature.from_dict(str(name), data) for name, data in listed.items()}
    tasks = read_tasks(root) if (root / TASKS_PATH).is_file() else {}
    episodes = _read_episodes(root, info, features)
    return DatasetFiles(root, int(fps), str(info.get("robot_type") or "")[:80], features, tasks, episodes, info)


def read_json(root: Path, name: str) -> Any:
    """Return a JSON file of a dataset; raises InvalidInput."""
    path = root / name
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise TooLarge(name, limit=f"{MAX_JSON_BYTES // 2**20} MB", found=f"{path.stat().st_size // 2**20} MB")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        fix = "Choose the folder that holds meta, data and videos."
        raise InvalidInput("dataset", expected=f"a file {name}", found="none", fix=fix) from error
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(name, expected="JSON", found=f"something else ({error})"[:160]) from error


def read_table(root: Path, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a Parquet file of a dataset, or those of some columns that it has.

    Raises:
        InvalidInput: there is none, or it is damaged; a file without its last bytes was never finished.
    """
    try:
        with pq.ParquetFile(root / name) as file:
            meta = file.metadata
            size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            if size > MAX_TABLE_BYTES or meta.num_rows > MAX_FRAMES:
                raise TooLarge(name, limit=f"{MAX_TABLE_BYTES // 2**20} MB", found=f"{size // 2**20} MB and {meta.num_rows:,} rows")
            there = file.schema_arrow.names
            table = file.read(columns=None if columns is None else [c for c in dict.fromkeys(columns) if c in there])
            table.validate(full=True)  # for example that texts are texts
            return table
    except FileNotFoundError as error:
        raise InvalidInput("dataset", expected=f"a file {name}", found="none") from error
    except _Broken as error:
        fix = "If it was being recorded when the program ended, it was never finished."
        raise InvalidInput(name, expected="a whole Parquet file", found=f"a damaged one ({error})"[:160], fix=fix) from error


def read_tasks(root: Path) -> dict[int, str]:
    """Return the words of the tasks by number; raises InvalidInput."""
    table = read_table(root, TASKS_PATH)
    texts = next((name for name in ("task", "__index_level_0__") if name in table.column_names), None)
    if texts is None or "task_index" not in table.column_names:
        raise InvalidInput(TASKS_PATH, expected="the columns task and task_index", found=f"{table.column_names}"[:80])
    try:
        return {int(i): str(text) for i, text in zip(table["task_index"].to_pylist(), table[texts].to_pylist(), strict=True)}
    except _Broken as error:
        raise InvalidInput(TASKS_PATH, expected="a number for each task", found=f"something else ({error})"[:80]) from error


def episode_shards(root: Path) -> list[str]:
    """Return every file of the table of episodes: a dataset that was resumed has several."""
    return sorted(path.relative_to(root).as_posix() for path in (root / EPISODES_DIR).glob("**/*.parquet"))


def _read_episodes(root: Path, info: Mapping[str, Any], features: Mapping[str, Feature]) -> tuple[EpisodeEntry, ...]:
    shards = episode_shards(root)
    if not shards:
        raise InvalidInput("dataset", expected=f"the table of episodes in {EPISODES_DIR}", found="none")
    cameras = [name for name, feature in features.items() if feature.dtype == "video"]
    found: dict[int, EpisodeEntry] = {}
    for shard in shards:
        table = read_table(root, shard)
        wanted = [name for name in table.column_names if not name.startswith("stats/")]
        for row in table.select(wanted).to_pylist():
            entry = _read_episode(shard, row, info, cameras)
            if entry.index in found:
                raise InvalidInput(shard, expected="each episode once", found=f"episode {entry.index} twice")
            found[entry.index] = entry
    if not found:
        raise InvalidInput("dataset", expected="at least one episode", found="none")
    total = sum(entry.length for entry in found.values())
    if len(found) > MAX_EPISODES or total > MAX_FRAMES:
        raise TooLarge("dataset", limit=f"{MAX_EPISODES:,} episodes, {MAX_FRAMES:,} frames", found=f"{len(found):,} with {total:,}")
    return tuple(found[index] for index in sorted(found))


def _read_episode(shard: str, row: Mapping[str, Any], info: Mapping[str, Any], cameras: Sequence[str]) -> EpisodeEntry:
    index = _whole(shard, row, "episode_index")
    what = f"{shard}, episode {index}"
    length = _whole(what, row, "length")
    if length < 1:
        raise InvalidInput(f"{what}, length", expected="at least one frame", found=f"{length}")
    place = {"chunk_index": _whole(what, row, "data/chunk_index"), "file_index": _whole(what, row, "data/file_index")}
    data_path = path_in(info.get("data_path", DATA_PATH), "data_path", **place)
    first = _whole(what, row, "dataset_from_index") if row.get("dataset_from_index") is not None else 0
    tasks = row.get("tasks")
    texts = tuple(str(task)[:2000] for task in tasks) if isinstance(tasks, list) else ()
    films = {camera: span for camera in cameras if (span := _film_of(what, row, info, camera)) is not None}
    return EpisodeEntry(index, length, texts, data_path, first, films, str(row.get(EPISODE_ID) or "")[:64])


def _film_of(what: str, row: Mapping[str, Any], info: Mapping[str, Any], camera: str) -> FilmSpan | None:
    prefix = f"videos/{camera}"
    if row.get(f"{prefix}/file_index") is None or not info.get("video_path"):
        return None
    place = {"chunk_index": _whole(what, row, f"{prefix}/chunk_index"), "file_index": _whole(what, row, f"{prefix}/file_index")}
    path = path_in(info["video_path"], "video_path", video_key=camera, **place)
    start, stop = row.get(f"{prefix}/from_timestamp"), row.get(f"{prefix}/to_timestamp")
    if not isinstance(start, int | float) or not isinstance(stop, int | float) or not 0 <= start <= stop < math.inf:
        expected = "two times, the first not after the second"
        raise InvalidInput(f"{what}, {prefix}", expected=expected, found=f"{start!r} and {stop!r}"[:60])
    return FilmSpan(path, float(start), float(stop))


def _whole(what: str, row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**40:
        raise InvalidInput(f"{what}, {name}", expected="a whole number", found=repr(value)[:40])
    return value
