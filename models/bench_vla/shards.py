"""Demonstrations on disk: shards of frames, and of asks about them, read by memory mapping while more are written.

A shard is a folder of arrays, ``<field>.npy``, and ``texts.json``. It is written under another name and renamed when it is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.types import PROPRIO, PROPRIO_DIM, Interaction

Array = NDArray[Any]

TASK_NAMES: Final = (
    "touch",
    "pick",
    "place_on_plate",
    "place_in_bowl",
    "stack",
    "push_to_zone",
    "open_drawer",
    "close_drawer",
    "press_button",
    "turn_knob",
    "rotate_block",
    "ambiguous_cubes",
    "ambiguous_plates",
    "sort_two",
)
"""Tasks by their number in a shard."""
INTERACTIONS: Final = tuple(Interaction)
"""Interactions by their number in a shard."""
STATIC, EPISODE = 0, 1
"""Kinds of frames: of a scene in which nothing moved, of an episode."""

FRAME_FIELDS: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "front": ("uint8", (128, 128, 3)),
    "wrist": ("uint8", (64, 64, 3)),
    "proprio": ("float32", (PROPRIO_DIM,)),
    "memory": ("float32", (10,)),
    "kind": ("uint8", ()),
}
"""Arrays with a row a frame: type and shape of a row. RGB; proprioception and :mod:`short memory <models.bench_vla.memory>`."""
ASK_FIELDS: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "ask_frame": ("int32", ()),
    "ask_text": ("int32", ()),
    "ask_task": ("uint8", ()),
    "actions": ("float32", (8, 7)),
    "valid": ("bool", (8,)),
    "turn": ("float32", ()),
    "front_targets": ("float32", (2, 3)),
    "wrist_targets": ("float32", (2, 3)),
    "outlines": ("float32", (2, 12, 2)),
    "path": ("float32", (32, 4)),
    "has_path": ("bool", ()),
    "role_now": ("uint8", ()),
    "interaction": ("uint8", ()),
    "is_detour": ("bool", ()),
    "is_ambiguous": ("bool", ()),
    "done": ("bool", ()),
}
"""Arrays with a row an ask.

``ask_frame`` (not decreasing), ``ask_text``, ``ask_task`` index frames, texts and :data:`TASK_NAMES`. ``actions`` is the clean chunk, of which
``valid`` steps are known; ``turn`` is what the gripper must turn on before it comes down [rad]. Targets of the thing acted on and of where it goes: u, v in 0..1, and 1 where it is in the picture. ``outlines``:
convex, on the front picture, nan where there is no such thing. ``path``: u, v on the front picture, height [m], opening wanted.
"""


class ShardWriter:
    """Gathers frames and asks, and writes them as one shard."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Any]] = {name: [] for name in (*FRAME_FIELDS, *ASK_FIELDS)}
        self._texts: dict[str, int] = {}

    @property
    def num_frames(self) -> int:
        """Frames so far."""
        return len(self._rows["kind"])

    @property
    def num_asks(self) -> int:
        """Asks so far."""
        return len(self._rows["ask_frame"])

    def add_frame(self, **fields: Any) -> None:
        """Add a frame, by the names of :data:`FRAME_FIELDS`; asks that follow are about it."""
        assert set(fields) == set(FRAME_FIELDS), sorted(set(fields) ^ set(FRAME_FIELDS))
        self._add(fields)

    def add_ask(self, text: str, **fields: Any) -> None:
        """Add an ask about the latest frame, by the names of :data:`ASK_FIELDS` without ``ask_frame`` and ``ask_text``."""
        index = self._texts.setdefault(text.lower(), len(self._texts))
        fields = {**fields, "ask_frame": self.num_frames - 1, "ask_text": index}
        assert set(fields) == set(ASK_FIELDS), sorted(set(fields) ^ set(ASK_FIELDS))
        self._add(fields)

    def _add(self, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            self._rows[name].append(value)

    def write(self, folder: Path) -> None:
        """Write the shard ``folder``; it appears whole or not at all."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, (kind, shape) in {**FRAME_FIELDS, **ASK_FIELDS}.items():
            rows = np.asarray(self._rows[name], dtype=kind).reshape(len(self._rows[name]), *shape)
            np.save(part / f"{name}.npy", rows)
        (part / "texts.json").write_text(json.dumps(list(self._texts)))
        if folder.exists():
            shutil.rmtree(part)  # another run was faster
            return
        part.chmod(0o755)
        part.rename(folder)


class Batch(NamedTuple):
    """Some asks, and the frames that they are about."""

    frames: Mapping[str, Array]
    """Field of :data:`FRAME_FIELDS` -> ``(F, ...)``, each frame once."""
    frame: NDArray[np.int64]
    """``(A,)``: the row of each ask's frame."""
    asks: Mapping[str, Array]
    """Field of :data:`ASK_FIELDS` -> ``(A, ...)``; ``ask_frame`` and ``ask_text`` count in the whole set."""
    texts: list[str]
    """``(A,)``: the instructions."""


@dataclass(frozen=True, eq=False)
class _Shard:
    folder: Path
    arrays: Mapping[str, Array]
    texts: tuple[str, ...]


class ShardSet:
    """All shards of a folder, as one long list of asks; read in any thread, refreshed in one."""

    def __init__(self, folder: Path | str) -> None:
        """Read what is there already.

        Raises:
            InvalidInput: a shard has other fields than this version writes.
        """
        self.folder = Path(folder)
        self._shards: tuple[_Shard, ...] = ()
        self._first_ask = np.zeros(1, dtype=np.int64)
        self._first_frame = np.zeros(1, dtype=np.int64)
        self._columns: dict[str, tuple[int, Array]] = {}
        self.refresh()

    @property
    def num_shards(self) -> int:
        """Shards that are whole."""
        return len(self._shards)

    @property
    def num_asks(self) -> int:
        """Asks in all shards."""
        return int(self._first_ask[-1])

    @property
    def num_frames(self) -> int:
        """Frames in all shards."""
        return int(self._first_frame[-1])

    @property
    def texts(self) -> set[str]:
        """All instructions."""
        return {text for shard in self._shards for text in shard.texts}

    def refresh(self) -> int:
        """Take in shards that are new; asks keep their numbers. Return how many are new."""
        known = {shard.folder for shard in self._shards}
        new = [_read_shard(p) for p in sorted(self.folder.glob("shard-*")) if p not in known]
        shards = (*self._shards, *new)
        first_ask = np.cumsum([0, *(len(s.arrays["ask_frame"]) for s in shards)])
        first_frame = np.cumsum([0, *(len(s.arrays["kind"]) for s in shards)])
        self._shards, self._first_ask, self._first_frame = shards, first_ask, first_frame
        return len(new)

    def column(self, name: str) -> Array:
        """Return one field of all asks or all frames, to read only; ``ask_frame`` counts in the whole set. For the small ones."""
        shards, known = self._shards, self._columns.get(name)
        if known is None or known[0] != len(shards):
            parts = [s.arrays[name] for s in shards]
            if name == "ask_frame":
                parts = [p + first for p, first in zip(parts, self._first_frame, strict=False)]
            known = self._columns[name] = (len(shards), np.concatenate(parts) if parts else np.zeros(0))
        return known[1]

    def draw(self, rng: np.random.Generator, num_frames: int, asks_per_frame: int) -> NDArray[np.int64]:
        """Draw asks: ``num_frames`` frames evenly from all, and of each at most ``asks_per_frame`` asks."""
        found: list[NDArray[np.int64]] = []
        for frame in np.sort(rng.choice(self.num_frames, num_frames, replace=num_frames > self.num_frames)):
            shard = int(np.searchsorted(self._first_frame, frame, side="right")) - 1
            owner, local = self._shards[shard].arrays["ask_frame"], frame - self._first_frame[shard]
            low, high = np.searchsorted(owner, [local, local + 1])
            chosen = rng.permutation(np.arange(low, high))[:asks_per_frame]
            found.append(self._first_ask[shard] + chosen)
        return np.concatenate(found)

    def gather(self, indices: Sequence[int] | NDArray[np.int64]) -> Batch:
        """Return asks by number, in the order of ``indices``, and their frames.

        Raises:
            InvalidInput: a number is out of range.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if len(wanted) == 0 or wanted.min() < 0 or wanted.max() >= self.num_asks:
            raise InvalidInput("asks", expected=f"some numbers from 0 to {self.num_asks - 1}", found=str(wanted[:8].tolist()))
        owners = np.searchsorted(self._first_ask, wanted, side="right") - 1
        asks = {n: np.empty((len(wanted), *shape), dtype=np.int64 if n == "ask_frame" else kind) for n, (kind, shape) in ASK_FIELDS.items()}
        texts = [""] * len(wanted)
        for owner in np.unique(owners):
            shard, places = self._shards[owner], np.flatnonzero(owners == owner)
            local = wanted[places] - self._first_ask[owner]
            for name in ASK_FIELDS:
                asks[name][places] = shard.arrays[name][local]
            asks["ask_frame"][places] += self._first_frame[owner]
            for place, text in zip(places, asks["ask_text"][places], strict=True):
                texts[place] = shard.texts[text]
        unique, frame = np.unique(asks["ask_frame"], return_inverse=True)
        return Batch(self._gather_frames(unique), frame.astype(np.int64), asks, texts)

    def _gather_frames(self, wanted: NDArray[np.int64]) -> dict[str, Array]:
        owners = np.searchsorted(self._first_frame, wanted, side="right") - 1
        frames = {n: np.empty((len(wanted), *shape), dtype=kind) for n, (kind, shape) in FRAME_FIELDS.items()}
        for owner in np.unique(owners):
            places = np.flatnonzero(owners == owner)
            local = wanted[places] - self._first_frame[owner]
            for name in FRAME_FIELDS:
                frames[name][places] = self._shards[owner].arrays[name][local]
        return frames


def _read_shard(folder: Path) -> _Shard:
    missing = [n for n in (*FRAME_FIELDS, *ASK_FIELDS) if not (folder / f"{n}.npy").exists()]
    if missing:
        raise InvalidInput(
            f"shard {folder}", expected="all fields of a shard", found=f"no {', '.join(missing)}", fix="Make the data again."
        )
    # As plain arrays: indexing the class of a memory map costs several times as much.
    arrays = {n: np.asarray(np.load(folder / f"{n}.npy", mmap_mode="r")) for n in (*FRAME_FIELDS, *ASK_FIELDS)}
    return _Shard(folder, arrays, tuple(json.loads((folder / "texts.json").read_text())))


def write_synthetic(folder: Path, rng: np.random.Generator, *, num_shards: int = 2, num_frames: int = 12) -> None:
    """Write shards of noise with the right form, for what must run without a simulator."""
    for index in range(num_shards):
        writer = ShardWriter()
        for _ in range(num_frames):
            proprio = rng.normal(size=PROPRIO_DIM)
            proprio[PROPRIO["gripper"]] = proprio[PROPRIO["gripper_command"]] = rng.random()
            pictures = {n: rng.integers(0, 256, FRAME_FIELDS[n][1]) for n in ("front", "wrist")}
            writer.add_frame(**pictures, proprio=proprio, memory=0.1 * rng.normal(size=10), kind=int(rng.integers(2)))
            for _ in range(int(rng.integers(1, 4))):
                _add_synthetic_ask(writer, rng)
        writer.write(folder / f"shard-{index:05d}")


def _add_synthetic_ask(writer: ShardWriter, rng: np.random.Generator) -> None:
    colour = ("red", "green", "blue")[int(rng.integers(3))]
    targets = np.column_stack([rng.random((2, 2)), np.ones(2)])
    path = np.column_stack([rng.random((32, 2)), 0.3 * rng.random(32), rng.integers(0, 2, 32)])
    writer.add_ask(
        f"pick up the {colour} cube",
        ask_task=int(rng.integers(len(TASK_NAMES))),
        actions=np.column_stack([0.01 * rng.normal(size=(8, 6)), np.ones(8)]),
        valid=np.ones(8),
        turn=rng.normal(0.0, 0.3),
        front_targets=targets,
        wrist_targets=targets,
        outlines=np.clip(targets[:, None, :2] + 0.05 * rng.normal(size=(2, 12, 2)), 0, 1),
        path=path,
        has_path=True,
        role_now=int(rng.integers(2)),
        interaction=int(rng.integers(len(INTERACTIONS))),
        is_detour=False,
        is_ambiguous=False,
        done=bool(rng.random() < 0.1),
    )
