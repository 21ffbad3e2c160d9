"""The layout of a LeRobotDataset v3.0: where its files are, what ``info.json`` says, and the columns that the workbench adds.

Source: LeRobot (https://github.com/huggingface/lerobot, Apache-2.0), dataset format v3.0, as lerobot 0.6.1 writes it. Nothing of that
package is needed to write or read one; ``tests/sessions/test_lerobot_package.py`` loads what is written here with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

import pyarrow as pa

from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_DIM, ACTION_NAMES, PROPRIO_DIM, CameraRequest

CODEBASE_VERSION: Final = "v3.0"
INFO_PATH: Final = "meta/info.json"
STATS_PATH: Final = "meta/stats.json"
TASKS_PATH: Final = "meta/tasks.parquet"
EPISODES_DIR: Final = "meta/episodes"
_FILE: Final = "chunk-{chunk_index:03d}/file-{file_index:03d}"
EPISODES_PATH: Final = f"{EPISODES_DIR}/{_FILE}.parquet"
DATA_PATH: Final = f"data/{_FILE}.parquet"
VIDEO_PATH: Final = "videos/{video_key}/" + f"{_FILE}.mp4"
WORKBENCH_DIR: Final = "workbench"
"""A folder of ours inside a dataset, which other programs pass over."""
STATES_PATH: Final = f"{WORKBENCH_DIR}/episodes.zip"
"""The same episodes as a session archive: exact states, events, notes."""
LINKS_PATH: Final = f"{WORKBENCH_DIR}/links.json"
"""What the numbers of the columns ``*_id`` stand for."""
EPISODE_ID: Final = "workbench/episode_id"
"""Column of the table of episodes: the id of the episode in the store that it came from."""

CHUNK_FILES: Final = 1000
DATA_FILE_MB: Final = 100
VIDEO_FILE_MB: Final = 200
QUANTILES: Final[Mapping[str, float]] = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
STATISTICS: Final = ("min", "max", "mean", "std", "count", *QUANTILES)

STATE: Final = "observation.state"
IMAGES: Final = "observation.images."
ACTION: Final = "action"
NO_LINK: Final = -1
"""Value of a column ``*_id`` where nothing was in force."""

STATE_NAMES: Final = (
    *(f"joint_{i}" for i in range(1, 8)),
    *(f"ee_{axis}" for axis in "xyz"),
    *(f"ee_q{part}" for part in "wxyz"),
    "gripper",
    "gripper_command",
)
"""Radians, metres, a unit quaternion, openings 0 closed to 1 open."""
assert len(STATE_NAMES) == PROPRIO_DIM

_ARROW: Final[Mapping[str, pa.DataType]] = {
    "float32": pa.float32(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "int16": pa.int16(),
    "int8": pa.int8(),
    "uint8": pa.uint8(),
    "bool": pa.bool_(),
    "string": pa.string(),
}


@dataclass(frozen=True)
class Feature:
    """What one column, or one camera, holds."""

    dtype: str
    """A numpy type, ``string``, ``image`` (in the table) or ``video`` (beside it)."""
    shape: tuple[int, ...]
    names: Sequence[str] | Mapping[str, Any] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    """Of a camera: codec, rate and so on."""

    @property
    def is_picture(self) -> bool:
        """Whether it is a camera's."""
        return self.dtype in ("image", "video")

    @property
    def is_scalar(self) -> bool:
        """Whether a row holds one value rather than a list."""
        return self.shape == (1,)

    def to_dict(self) -> dict[str, Any]:
        """Return its entry in ``info.json``."""
        names = list(self.names) if isinstance(self.names, tuple) else self.names
        return {"dtype": self.dtype, "shape": list(self.shape), "names": names, **({"info": dict(self.info)} if self.info else {})}

    @staticmethod
    def from_dict(name: str, data: object) -> Feature:
        """Read an entry of ``info.json``.

        Raises:
            InvalidInput: it has no type or shape.
        """
        what = f"{INFO_PATH}, feature {name!r:.80}"
        if not isinstance(data, Mapping) or not isinstance(data.get("dtype"), str):
            raise InvalidInput(what, expected="an object with dtype and shape", found=repr(data)[:60])
        shape = data.get("shape")
        is_shape = isinstance(shape, list) and 1 <= len(shape) <= 5
        if not is_shape or any(isinstance(n, bool) or not isinstance(n, int) or not 0 < n <= 1_000_000 for n in shape or ()):
            raise InvalidInput(what, expected="a shape of one to five whole numbers", found=repr(shape)[:60])
        info = data.get("info") or data.get("video_info") or {}
        return Feature(data["dtype"], tuple(shape or ()), data.get("names"), info if isinstance(info, Mapping) else {})

    def arrow_type(self) -> pa.DataType | None:
        """Return the type of its column; None for a video, which has none, and for types that are not checked."""
        if self.dtype == "image":
            return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        found = _ARROW.get(self.dtype)
        if found is None or self.is_scalar:
            return found
        if len(self.shape) > 1:
            return None
        return pa.list_(found, self.shape[0])


AUTOMATIC: Final[Mapping[str, Feature]] = {
    "timestamp": Feature("float32", (1,)),
    "frame_index": Feature("int64", (1,)),
    "episode_index": Feature("int64", (1,)),
    "index": Feature("int64", (1,)),
    "task_index": Feature("int64", (1,)),
}
"""Columns that every dataset has."""


def features_of(cameras: Sequence[CameraRequest]) -> dict[str, Feature]:
    """Return the features of a dataset that the workbench writes, without the automatic ones.

    Documented for people in ``docs/datasets.md``.
    """
    features = {STATE: Feature("float32", (PROPRIO_DIM,), STATE_NAMES), ACTION: Feature("float32", (ACTION_DIM,), ACTION_NAMES)}
    for camera in cameras:
        features[IMAGES + camera.name] = Feature("video", (camera.height, camera.width, 3), ("height", "width", "channels"))
    return features | {
        "intervention": Feature("bool", (1,)),
        "policy_action": Feature("float32", (ACTION_DIM,), ACTION_NAMES),
        "policy_action_is_known": Feature("bool", (1,)),
        "control_mode": Feature("int64", (1,)),
        "segment_kind": Feature("string", (1,)),
        "trace_id": Feature("int64", (1,)),
        "mask_id": Feature("int64", (1,)),
        "steering_id": Feature("int64", (1,)),
        "next.success": Feature("bool", (1,)),
        "next.done": Feature("bool", (1,)),
    }


def info_document(
    features: Mapping[str, Feature], *, fps: int, robot_type: str, num_episodes: int, num_frames: int, num_tasks: int
) -> dict[str, Any]:
    """Return ``info.json``."""
    has_video = any(feature.dtype == "video" for feature in features.values())
    return {
        "codebase_version": CODEBASE_VERSION,
        "fps": fps,
        "features": {name: feature.to_dict() for name, feature in {**features, **AUTOMATIC}.items()},
        "total_episodes": num_episodes,
        "total_frames": num_frames,
        "total_tasks": num_tasks,
        "chunks_size": CHUNK_FILES,
        "data_files_size_in_mb": DATA_FILE_MB,
        "video_files_size_in_mb": VIDEO_FILE_MB,
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH if has_video else None,
        "robot_type": robot_type,
        "splits": {"train": f"0:{num_episodes}"},
    }


def schema_of(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the columns of the data files, automatic ones last; videos have none."""
    fields = []
    for name, feature in {**features, **AUTOMATIC}.items():
        kind = None if feature.dtype == "video" else feature.arrow_type()
        if kind is not None:
            fields.append(pa.field(name, kind))
    return pa.schema(fields)


def path_in(template: object, what: str, **values: object) -> str:
    """Fill in a path of ``info.json``, and make sure that it stays inside the dataset.

    Raises:
        InvalidInput: it cannot be filled in, or leads elsewhere.
    """
    fix = f"It is as a rule like {DATA_PATH}."
    if not isinstance(template, str):
        raise InvalidInput(f"{INFO_PATH}, {what}", expected="a path", found=repr(template)[:60], fix=fix)
    try:
        filled = template.format(**values)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        expected = f"a path with {', '.join(values)}"
        raise InvalidInput(f"{INFO_PATH}, {what}", expected=expected, found=repr(template)[:80], fix=fix) from error
    path = PurePosixPath(filled)
    if path.is_absolute() or ".." in path.parts or "\\" in filled or "\0" in filled or ":" in filled or len(filled) > 400:
        raise InvalidInput(f"{INFO_PATH}, {what}", expected="a path inside the dataset", found=repr(filled)[:80])
    return filled
