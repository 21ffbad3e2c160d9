"""Pictures on disk: shards of scenes, each picture compressed by itself, so that training draws any of them at once; resumable."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.sam2_bench.studio import Shot, Studio
from models.training_order import Progress
from workbench.core.errors import InvalidInput

SCENES_A_SHARD: Final = 20
STILLS_A_SCENE: Final = 5
_LEVEL: Final = 1
"""Of compression: flat pictures shrink well at once."""


@dataclass(frozen=True)
class Place:
    """Where one picture lies in a set of shards."""

    shard: int
    index: int


class ShardSet:
    """All pictures of a folder; new shards are taken in by :meth:`refresh`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs: list[NDArray[np.uint8]] = []
        self._heads: list[dict[str, Any]] = []
        self._names: set[str] = set()
        self.stills: list[Place] = []
        """Every picture, those of clips too."""
        self.clips: list[list[Place]] = []
        self.refresh()

    def refresh(self) -> None:
        """Take in the shards that were finished since.

        Raises:
            InvalidInput: a shard is damaged.
        """
        for head_path in sorted(self._folder.glob("*.json")):
            if head_path.name in self._names:
                continue
            blob_path = head_path.with_suffix(".bin")
            try:
                head = json.loads(head_path.read_text())
                blob: NDArray[np.uint8] = np.memmap(blob_path, dtype=np.uint8, mode="r")
            except (OSError, ValueError) as error:
                raise InvalidInput(f"pictures {head_path.name}", expected="a whole shard", found=str(error), fix="Delete it.") from error
            self._names.add(head_path.name)
            self._blobs.append(blob)
            self._heads.append(head)
            shard = len(self._heads) - 1
            groups: dict[tuple[int, int], list[Place]] = {}
            for index, shot in enumerate(head["shots"]):
                place = Place(shard, index)
                self.stills.append(place)
                if shot["clip"] >= 0:
                    groups.setdefault((shot["scene"], shot["clip"]), []).append(place)
            self.clips += list(groups.values())

    def read(self, place: Place) -> Shot:
        """Return one picture with its truth."""
        head = self._heads[place.shard]
        side, shot = head["side"], head["shots"][place.index]
        blob, start = self._blobs[place.shard], shot["start"]
        rgb, ids, parts = (
            np.frombuffer(zlib.decompress(blob[start + a : start + b].tobytes()), np.uint8)
            for a, b in zip([0, *shot["ends"]], shot["ends"], strict=False)
        )
        names = tuple(head["names"][shot["scene"]])
        return Shot(rgb.reshape(side, side, 3), ids.reshape(side, side), parts.reshape(side, side), names, shot["clip"])


def generate(folder: Path, *, scenes: int, side: int, seed: int, progress: Progress, num_clips: int = 1) -> None:
    """Make the shards of a number of scenes that are not there yet; each follows from the seed and its number."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [range(first, min(first + SCENES_A_SHARD, scenes)) for first in range(0, scenes, SCENES_A_SHARD)]
    missing = [r for r in wanted if not (folder / f"{r.start:06d}.json").exists()]
    if not missing:
        return
    studio = Studio(side)
    try:
        for numbers in missing:
            shots = [
                (number - numbers.start, shot)
                for number in numbers
                for shot in studio.shoot(seed * 100_000 + number, num_stills=STILLS_A_SCENE, num_clips=num_clips)
            ]
            _write(folder / f"{numbers.start:06d}", shots, side)
            progress(f"pictures of {numbers.stop} of {scenes} scenes")
    finally:
        studio.close()


def _write(path: Path, shots: list[tuple[int, Shot]], side: int) -> None:
    rows: list[dict[str, Any]] = []
    names: dict[int, tuple[str, ...]] = {}
    start, blob = 0, bytearray()
    for scene, shot in shots:
        packed = [zlib.compress(np.ascontiguousarray(a).tobytes(), _LEVEL) for a in (shot.rgb, shot.ids, shot.parts)]
        ends = np.cumsum([len(p) for p in packed]).tolist()
        rows.append({"scene": scene, "clip": shot.clip, "start": start, "ends": ends})
        names[scene] = shot.names
        blob += b"".join(packed)
        start += ends[-1]
    path.with_suffix(".bin").write_bytes(blob)
    # The head comes last: a shard without it does not count.
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps({"side": side, "names": [names[i] for i in range(len(names))], "shots": rows}))
    part.replace(path.with_suffix(".json"))
