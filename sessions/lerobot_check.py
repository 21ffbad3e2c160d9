"""Whether a folder follows the layout of LeRobotDataset v3.0, field by field, without the package ``lerobot``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sessions.lerobot_layout import (
    AUTOMATIC,
    CHUNK_FILES,
    EPISODES_DIR,
    EPISODES_PATH,
    INFO_PATH,
    STATISTICS,
    STATS_PATH,
    TASKS_PATH,
    Feature,
)
from sessions.lerobot_reader import DatasetFiles, EpisodeEntry, episode_shards, open_dataset, read_json, read_table, read_tasks
from sessions.lerobot_video import FilmFacts, film_facts
from workbench.core.errors import InvalidInput

MAX_PROBLEMS: Final = 100
_TIME_TOLERANCE_S: Final = 1e-4
"""What LeRobot itself allows between the times in the table and those of the film [s]."""
_INFO: Final[Mapping[str, tuple[type, ...]]] = {
    "codebase_version": (str,),
    "fps": (int,),
    "features": (dict,),
    "total_episodes": (int,),
    "total_frames": (int,),
    "total_tasks": (int,),
    "chunks_size": (int,),
    "data_files_size_in_mb": (int, float),
    "video_files_size_in_mb": (int, float),
    "data_path": (str,),
    "video_path": (str, type(None)),
    "robot_type": (str, type(None)),
    "splits": (dict,),
}


@dataclass(frozen=True)
class LayoutReport:
    """What was found."""

    num_episodes: int
    num_frames: int
    problems: tuple[str, ...]
    """Each with file and field, what was expected and what is there; at most :data:`MAX_PROBLEMS`."""


def check_dataset(root: Path) -> LayoutReport:
    """Check every file and field of a dataset; never raises for what is wrong with it."""
    try:
        dataset = open_dataset(root)
    except InvalidInput as error:
        return LayoutReport(0, 0, (str(error),))
    problems: list[str] = []
    for found in _all_problems(dataset):
        problems.append(found)
        if len(problems) == MAX_PROBLEMS:
            break
    return LayoutReport(len(dataset.episodes), sum(entry.length for entry in dataset.episodes), tuple(problems))


def _all_problems(dataset: DatasetFiles) -> Iterator[str]:
    for check in (_check_info, _check_tasks, _check_episodes, _check_rows, _check_films, _check_statistics):
        try:
            yield from check(dataset)
        except InvalidInput as error:
            yield str(error)


def _say(what: str, expected: object, found: object) -> str:
    return f"{what}: expected {expected}, found {repr(found)[:80]}."


def _check_info(dataset: DatasetFiles) -> Iterator[str]:
    info = dataset.info
    for name, kinds in _INFO.items():
        if name not in info:
            yield _say(f"{INFO_PATH}, {name}", "a value", "none")
        elif not isinstance(info[name], kinds) or isinstance(info[name], bool):
            yield _say(f"{INFO_PATH}, {name}", " or ".join(k.__name__ for k in kinds), info[name])
    for name, feature in AUTOMATIC.items():
        found = dataset.features.get(name)
        if found is None or (found.dtype, found.shape) != (feature.dtype, feature.shape):
            yield _say(f"{INFO_PATH}, feature {name}", f"{feature.dtype} of shape {feature.shape}", found and (found.dtype, found.shape))
    for name, feature in dataset.features.items():
        if "/" in name:
            yield _say(f"{INFO_PATH}, feature {name}", "a name without /", name)
        if isinstance(feature.names, list | tuple) and feature.dtype not in ("image", "video") and len(feature.names) != feature.shape[0]:
            yield _say(f"{INFO_PATH}, feature {name}, names", f"{feature.shape[0]} names", len(feature.names))
        if feature.is_picture and len(feature.shape) != 3:
            yield _say(f"{INFO_PATH}, feature {name}, shape", "height, width, channels", feature.shape)
    total = sum(entry.length for entry in dataset.episodes)
    for name, expected in (("total_episodes", len(dataset.episodes)), ("total_frames", total), ("total_tasks", len(dataset.tasks))):
        if info.get(name) != expected:
            yield _say(f"{INFO_PATH}, {name}", expected, info.get(name))
    has_video = any(feature.dtype == "video" for feature in dataset.features.values())
    if has_video != bool(info.get("video_path")):
        yield _say(f"{INFO_PATH}, video_path", "a path" if has_video else "null", info.get("video_path"))


def _check_tasks(dataset: DatasetFiles) -> Iterator[str]:
    tasks = read_tasks(dataset.root)
    if sorted(tasks) != list(range(len(tasks))):
        yield _say(f"{TASKS_PATH}, task_index", "0, 1, 2 and so on", sorted(tasks)[:10])
    if len(set(tasks.values())) != len(tasks):
        yield _say(f"{TASKS_PATH}, task", "each text once", "one twice")


def _check_episodes(dataset: DatasetFiles) -> Iterator[str]:
    following, known = 0, set(dataset.tasks.values())
    for position, entry in enumerate(dataset.episodes):
        what = f"{EPISODES_DIR}, episode {entry.index}"
        if entry.index != position:
            yield _say(f"{EPISODES_DIR}, episode_index", position, entry.index)
        if entry.first != following:
            yield _say(f"{what}, dataset_from_index", following, entry.first)
        following = entry.first + entry.length
        if not entry.tasks or not set(entry.tasks) <= known:
            yield _say(f"{what}, tasks", f"texts of {TASKS_PATH}", entry.tasks)
        for camera, span in entry.films.items():
            if abs(span.stop_s - span.start_s - entry.length / dataset.fps) > _TIME_TOLERANCE_S:
                yield _say(f"{what}, videos/{camera}", f"{entry.length / dataset.fps:.3f} s", span.stop_s - span.start_s)
        for camera in (name for name, feature in dataset.features.items() if feature.dtype == "video"):
            if camera not in entry.films:
                yield _say(f"{what}, videos/{camera}", "a place", "none")
    for shard in episode_shards(dataset.root):
        yield from _check_shard(dataset, shard)


def _check_shard(dataset: DatasetFiles, shard: str) -> Iterator[str]:
    table = read_table(dataset.root, shard)
    for row in table.to_pylist():
        what = f"{shard}, episode {row.get('episode_index')}"
        if row.get("dataset_to_index") != (row.get("dataset_from_index") or 0) + row.get("length", 0):
            yield _say(f"{what}, dataset_to_index", "dataset_from_index + length", row.get("dataset_to_index"))
        place = (row.get("meta/episodes/chunk_index"), row.get("meta/episodes/file_index"))
        if None in place or EPISODES_PATH.format(chunk_index=place[0], file_index=place[1]) != shard:
            yield _say(f"{what}, meta/episodes/chunk_index and file_index", "those of its own file", place)
        elif place[1] >= CHUNK_FILES:
            yield _say(f"{what}, meta/episodes/file_index", f"less than {CHUNK_FILES}", place[1])
        for name, feature in dataset.features.items():
            if feature.dtype not in ("string", "language"):
                found = {key: row.get(f"stats/{name}/{key}") for key in STATISTICS}
                yield from _check_numbers(f"{what}, stats/{name}", feature, found)


def _check_rows(dataset: DatasetFiles) -> Iterator[str]:
    for entry in dataset.episodes:
        what = f"{entry.data_path}, episode {entry.index}"
        table = dataset.table(entry)
        expected = {name for name, feature in dataset.features.items() if not feature.is_picture}
        if set(table.column_names) != expected:
            yield _say(f"{what}, columns", "those of the features", sorted(set(table.column_names) ^ expected))
        for name in sorted(expected & set(table.column_names)):
            yield from _check_column(what, name, dataset.features[name], table[name])
        yield from _check_counts(dataset, entry, what)


def _check_column(what: str, name: str, feature: Feature, column: pa.ChunkedArray) -> Iterator[str]:
    kind = feature.arrow_type()
    if kind is not None and not _is_alike(column.type, kind):
        yield _say(f"{what}, {name}", kind, str(column.type))
    if column.null_count:
        yield _say(f"{what}, {name}", "a value in each row", f"{column.null_count} without")


def _is_alike(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Return whether a column has a type, whatever its lists' items are called and whether their length is fixed."""
    if pa.types.is_fixed_size_list(wanted):
        is_list = pa.types.is_list(found) or (pa.types.is_fixed_size_list(found) and found.list_size == wanted.list_size)
        return bool(is_list and found.value_type == wanted.value_type)
    return bool(found == wanted or (pa.types.is_large_string(found) and pa.types.is_string(wanted)))


def _check_counts(dataset: DatasetFiles, entry: EpisodeEntry, what: str) -> Iterator[str]:
    frames = np.arange(entry.length)
    wanted = {"frame_index": frames, "index": frames + entry.first, "timestamp": frames / dataset.fps}
    for name, expected in wanted.items():
        found = dataset.numbers(entry, name) if name in dataset.features else None
        if found is not None and not np.allclose(found[:, 0], expected, rtol=0, atol=_TIME_TOLERANCE_S if name == "timestamp" else 0):
            yield _say(f"{what}, {name}", f"{expected[0]:g} to {expected[-1]:g} in even steps", found[:3, 0].tolist())
    tasks = dataset.numbers(entry, "task_index") if "task_index" in dataset.features else None
    if tasks is not None:
        used = {int(i) for i in np.unique(tasks)}
        if not used <= set(dataset.tasks):
            yield _say(f"{what}, task_index", f"numbers of {TASKS_PATH}", sorted(used - set(dataset.tasks)))
        elif {dataset.tasks[i] for i in used} != set(entry.tasks):
            yield _say(f"{what}, task_index", f"the tasks {entry.tasks}", sorted(used))


def _check_films(dataset: DatasetFiles) -> Iterator[str]:
    facts: dict[str, FilmFacts] = {}
    ends: dict[str, float] = {}
    for entry in dataset.episodes:
        for camera, span in entry.films.items():
            what = f"{span.path}, episode {entry.index}"
            if not (dataset.root / span.path).is_file():
                yield _say(what, "a file", "none")
                continue
            if span.path not in facts:
                facts[span.path], ends[span.path] = film_facts(dataset.root / span.path), 0.0
                yield from _check_film(dataset, camera, span.path, facts[span.path])
            if abs(span.start_s - ends[span.path]) > _TIME_TOLERANCE_S:
                yield _say(f"{what}, from_timestamp", f"{ends[span.path]:.4f}: where the one before ends", span.start_s)
            ends[span.path] = span.stop_s
    for path, end in ends.items():
        if abs(facts[path].num_frames - end * dataset.fps) > 0.5:
            yield _say(path, f"{end * dataset.fps:.0f} frames", facts[path].num_frames)


def _check_film(dataset: DatasetFiles, camera: str, path: str, facts: FilmFacts) -> Iterator[str]:
    shape = dataset.features[camera].shape
    sides = {(shape[0], shape[1]), (shape[1], shape[2])} if len(shape) == 3 else set()  # channels may come first or last
    if (facts.height, facts.width) not in sides:
        yield _say(path, f"pictures of shape {shape}", (facts.height, facts.width))
    if abs(facts.fps - dataset.fps) > 0.01:
        yield _say(path, f"{dataset.fps} frames a second", facts.fps)


def _check_statistics(dataset: DatasetFiles) -> Iterator[str]:
    stats = read_json(dataset.root, STATS_PATH)
    if not isinstance(stats, dict):
        yield _say(STATS_PATH, "an object", type(stats).__name__)
        return
    for name, feature in dataset.features.items():
        if feature.dtype in ("string", "language"):
            continue
        found = stats.get(name)
        if not isinstance(found, dict):
            yield _say(f"{STATS_PATH}, {name}", "its statistics", found)
        else:
            yield from _check_numbers(f"{STATS_PATH}, {name}", feature, found)


def _check_numbers(what: str, feature: Feature, found: Mapping[str, Any]) -> Iterator[str]:
    shape = (3, 1, 1) if feature.is_picture else feature.shape
    arrays: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
    for key in STATISTICS:
        try:
            arrays[key] = np.asarray(found.get(key), dtype=np.float64)
        except (TypeError, ValueError):
            yield _say(f"{what}/{key}", "numbers", found.get(key))
            return
        wanted = (1,) if key == "count" else shape
        is_alike = arrays[key].shape == wanted or (math.prod(wanted) == arrays[key].size and arrays[key].ndim <= 1)
        if not is_alike or not np.isfinite(arrays[key]).all():
            yield _say(f"{what}/{key}", f"finite numbers of shape {wanted}", found.get(key))
            return
    slack = 1e-6 * np.maximum(1.0, np.abs(arrays["max"]))
    is_ordered = (arrays["min"] - slack <= arrays["mean"]).all() and (arrays["mean"] <= arrays["max"] + slack).all()
    if not is_ordered or (arrays["std"] < 0).any():
        yield _say(what, "min <= mean <= max, std >= 0", {key: arrays[key].ravel()[:3].tolist() for key in ("min", "mean", "max", "std")})
